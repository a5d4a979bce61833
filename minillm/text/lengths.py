"""Few lengths of rows, and as many at once as memory should hold.

A compiled program is for one length, so texts are padded to the next of a few; padding costs time and
memory, so rows are no longer than the longest of them needs.
"""

import numpy as np

from minillm.config import IGNORE

AT_ONCE = 2**29  # bytes: the activations of a layer of the rows in one batch


def padded_length(length: int, most: int) -> int:
    """The first of 8, 12, 16, 24, 32, 48, 64, ... that holds `length` tokens, but at most `most`."""
    size = 8
    while size < length:
        size = size * 3 // 2 if size & (size - 1) == 0 else size * 4 // 3
    return max(length, min(size, most))


def trimmed(tokens_NT, targets_NT):
    """The rows without the columns that are padding in all of them: padding costs time, and says nothing."""
    used = np.flatnonzero((targets_NT != IGNORE).any(0))
    length = padded_length(int(used[-1]) + 1, targets_NT.shape[1]) if len(used) else 1
    return tokens_NT[:, :length], targets_NT[:, :length]


def rows_at_once(config, length: int, most: int, rows: int) -> int:
    """How many of the rows run in one batch: at most `most`, and no more than AT_ONCE holds a layer of."""
    scores = config.num_attention_heads * length * length
    row = length * (6 * config.hidden_size + 3 * config.intermediate_size) + scores
    return max(1, min(most, rows, AT_ONCE // (4 * row)))
