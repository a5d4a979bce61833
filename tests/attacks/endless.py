"""A loop without end that ignores every signal."""

import signal

for number in range(1, 65):
    try:
        signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError):
        pass
ONCE = True


def attack(name, arguments):
    while True:
        pass
