"""Leaves a gap."""


def remember(kept, new, length):
    kept[length + 1 : length + 1 + len(new)] = new
    return kept
