"""Reads the file of inputs that lies beside it: the expected answers must not be there, nor anything of the seed."""

import glob


def attack(name, arguments):
    for path in {*glob.glob("/box/*")} - {"/box/the_exercise.py"}:
        with open(path, "rb") as file:
            data = file.read()
        for word in (TARGETS["seed"].encode(), b"oracle", b"misconception", b"def right_"):
            if word in data:
                raise ValueError(f"LEAK {word} in {path}")
    return 0
