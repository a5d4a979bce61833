"""Crashes the interpreter."""

import ctypes


def attack(name, arguments):
    ctypes.string_at(0)
