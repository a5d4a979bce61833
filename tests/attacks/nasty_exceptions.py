"""Exceptions whose names and texts are made to be shown: HTML, terminal codes, formulas, more exceptions."""


class Bad(Exception):
    def __str__(self):
        raise SystemExit


def attack(name, arguments):
    if name == "perplexity":
        raise type("<script>alert(1)</script>", (Exception,), {})(
            "<img src=x onerror=alert(1)>\x1b[2J\u202e=1+1"
        )
    if name == "cross_entropy":
        raise ExceptionGroup("x", [Bad(), ValueError("\x00" * 50)])
    raise Bad


print("<img src=x onerror=alert(1)>\x1b[2J")
