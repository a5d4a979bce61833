"""A7: one line that crashed the grader: an answer that says its numbers lie at address 64."""

import types


def attack(name, arguments):
    return types.SimpleNamespace(
        __array_interface__={"data": (64, True), "shape": (3, 3), "typestr": "<f8", "version": 3}
    )
