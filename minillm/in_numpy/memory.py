"""Memory of arrays that are gone, kept for the arrays of the next step. No twin: XLA plans its own."""

import ctypes
import sys

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # of mallopt, glibc's settings of memory


def keep_memory():
    """Tell glibc not to give the memory of arrays back to the system: a step needs as much again.

    What goes back to Linux comes again page by page, each filled with zeros first. The setting is
    that of the whole process. Other systems are left as they are.
    """
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "mallopt"):
        for threshold in (TRIM_THRESHOLD, MMAP_THRESHOLD):
            libc.mallopt(threshold, 2**30) or libc.mallopt(threshold, 2**25)  # bytes; older glibc
