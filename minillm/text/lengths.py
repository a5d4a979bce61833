"""Few lengths of rows: a compiled program is for one length, so texts are padded to the next of these."""


def padded_length(length: int, most: int) -> int:
    """The first of 8, 12, 16, 24, 32, 48, 64, ... that holds `length` tokens, but at most `most`."""
    size = 8
    while size < length:
        size = size * 3 // 2 if size & (size - 1) == 0 else size * 4 // 3
    return max(length, min(size, most))
