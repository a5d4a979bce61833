"""Ends the program in every task in another way."""

import os
import sys


def attack(name, arguments):
    if name == "perplexity":
        os.abort()
    if name == "cross_entropy":
        raise SystemExit(0)
    if name == "bigram_counts":
        raise KeyboardInterrupt
    if name == "bits_per_byte":
        sys.exit()
    os._exit(0)
