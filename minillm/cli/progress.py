"""What a long command is doing, on standard error: a step of more than two seconds says so."""

import sys
import threading
import time
from contextlib import contextmanager

QUIET = 2.0  # seconds in which a step says nothing
TIMES = (
    2,
    5,
    10,
    20,
    30,
    60,
)  # seconds after which a line is written where no terminal shows it live


@contextmanager
def telling(first: str, file=None):
    """Gives `tell(text)`, which names the step that begins; a long step is shown with its time."""
    file = file or sys.stderr
    step, over = [first, time.monotonic()], threading.Event()

    def tell(text: str):
        step[:] = text, time.monotonic()

    watcher = threading.Thread(target=_watch, args=(step, over, file), daemon=True)
    watcher.start()
    try:
        yield tell
    finally:
        over.set()
        watcher.join()


def _watch(step, over, file):
    """Show the step that runs and its time: live on a terminal, elsewhere a line now and then."""
    live, width, told = file.isatty(), 0, (None, 0)
    while not over.wait(0.5):
        text, begun = step
        seconds = int(time.monotonic() - begun)
        if live:
            shown = f"[{text}, {seconds} s so far]" if seconds >= QUIET else ""
            print("\r" + shown.ljust(width), end="", file=file, flush=True)
            width = len(shown)
        else:
            passed = sum(seconds >= at for at in TIMES) + seconds // 60
            if passed > (told[1] if told[0] == (text, begun) else 0):
                print(f"[{text}, {seconds} s so far]", file=file, flush=True)
                told = (text, begun), passed
    if live and width:
        print("\r" + " " * width + "\r", end="", file=file, flush=True)
