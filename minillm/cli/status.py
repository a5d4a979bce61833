"""The exit status of a command, and a mistake in one line."""

import os
import sys
from collections.abc import Callable

from minillm.errors import UserError


def status_of(run: Callable[[], int]) -> int:
    """The exit status that `run` returns, or that of its mistake, which is printed."""
    for stream in (sys.stdout, sys.stderr):
        # a character that the console lacks becomes a ?; files and pipes get UTF-8, on Windows too
        encoding = None if stream.isatty() else "utf-8"
        stream.reconfigure(encoding=encoding, errors="replace")
    try:
        return run()
    except UserError as error:
        print(f"minillm: {' '.join(str(error).split())}", file=sys.stderr)
    except BrokenPipeError:  # the reader of our output left: nothing more to say
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (OSError, MemoryError) as error:
        print(f"minillm: {' '.join(str(error).split()) or 'out of memory'}", file=sys.stderr)
    except RuntimeError as error:  # those of JAX and PyTorch where memory runs out
        if not any(word in str(error) for word in ("RESOURCE_EXHAUSTED", "t allocate memory")):
            raise
        print("minillm: out of memory: give fewer tokens, rows or a smaller batch", file=sys.stderr)
    except KeyboardInterrupt:
        print("minillm: interrupted", file=sys.stderr)
        return 130
    return 2
