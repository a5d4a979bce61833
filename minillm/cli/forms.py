"""How a model's matrices are kept while its speed is measured, and what a process held."""

import platform
import re
from pathlib import Path

FLOATS = ("float32", "float16", "bfloat16")


def scheme_of_form(form: str):
    """The Scheme of a form, None where it is one of floats. Raises UserError."""
    from minillm.architecture.quantized import scheme_named

    return None if form in FLOATS else scheme_named(form.removesuffix("-a8"),
                                                    activations=form.endswith("-a8"))


def bytes_a_token(params: dict) -> int:
    """Bytes of the matrices that one new token is multiplied with: all but the rows of an embedding
    that is not the head too."""
    from minillm.architecture.tree import flatten

    looked_up = params["embed_tokens"].nbytes if "lm_head" in params else 0
    return sum(leaf.nbytes for leaf in flatten(params).values()) - looked_up


def peak_memory() -> int:
    """The most bytes of this process that were resident so far."""
    import psutil

    about = psutil.Process().memory_info()
    if hasattr(about, "peak_wset"):                              # Windows
        return about.peak_wset
    status = Path("/proc/self/status")
    if status.exists():  # Linux: its ru_maxrss begins with what the parent process held
        return 1024 * int(re.search(r"VmHWM:\s+(\d+)", status.read_text(encoding="utf-8"))[1])
    import resource
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if platform.system() == "Darwin" else 1024 * most
