"""Integers of millions of digits, as answers and in the text of an exception."""


def attack(name, arguments):
    if name == "perplexity":
        raise ValueError("9" * 10**7)
    return 10**1_000_000
