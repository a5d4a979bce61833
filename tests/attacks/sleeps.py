"""Sleeps in every task, so that it uses no second of a core."""

import time


def attack(name, arguments):
    time.sleep(1000)
