"""Few lengths of rows, and as many at once as memory should hold.

A compiled program is for one length, so texts are padded to the next of a few; padding costs time
and memory, so rows are no longer than the longest of them needs.
"""

import numpy as np

from minillm.config import IGNORE

AT_ONCE = 2**29  # bytes: the activations of a layer of the rows in one batch


def padded_length(length: int, most: int) -> int:
    """The first of 8, 10, 12, 14, 16, 20, 24, ... (four to a doubling) that holds `length` tokens,
    but at most `most`."""
    step = 2 ** max(1, (length - 1).bit_length() - 3)
    return max(length, min(max(8, -(-length // step) * step), most))


def trimmed(tokens_NT, targets_NT):
    """The rows without the columns that are padding in all of them."""
    used = np.flatnonzero((targets_NT != IGNORE).any(0))
    length = padded_length(int(used[-1]) + 1, targets_NT.shape[1]) if len(used) else 1
    return tokens_NT[:, :length], targets_NT[:, :length]


def rows_at_once(config, length: int, most: int, rows: int) -> int:
    """How many rows run in one batch: at most `most`, and as many as AT_ONCE holds a layer of."""
    return max(1, min(most, rows, AT_ONCE // row_bytes(config, length)))


def row_bytes(config, length: int) -> int:
    """About how many bytes the activations of one layer of a row take; the scores of attention grow
    with the square of its length."""
    scores = config.num_attention_heads * length * length
    return 4 * (length * (6 * config.hidden_size + 3 * config.intermediate_size) + scores)
