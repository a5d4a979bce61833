"""Few lengths of rows, and as many at once as memory should hold.

A compiled program is for one length, so texts are padded to the next of a few; padding costs time
and memory, so rows are no longer than the longest of them needs.
"""

import numpy as np

from minillm.config import IGNORE, check_prompt

AT_ONCE = 2**29  # bytes: the activations of a layer of the rows in one batch


def padded_length(length: int, most: int) -> int:
    """The first of 8, 10, 12, 14, 16, 20, 24, ... (four to a doubling) that holds `length` tokens,
    but at most `most`."""
    step = 2 ** max(1, (length - 1).bit_length() - 3)
    return max(length, min(max(8, -(-length // step) * step), most))


def room_for(length: int, config, twin: str = "jax") -> int:
    """The length that texts are padded to at their end: in JAX one of a few, which no token of the
    text can see; in NumPy their own."""
    most = max(length, config.max_position_embeddings)
    return padded_length(length, most) if twin == "jax" else length


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


def by_position(prompts, config, sampling, coins_BN=None):
    """(given_PB, coins_PB, ends_B) of texts side by side: at each position the prompts' tokens, -1
    after them; the coins that choose the others; the position at which each text is over.

    Without coins_BN all texts have those of `sampling.seed`. Raises UserError for a prompt that the
    model cannot continue.
    """
    for prompt in prompts:
        check_prompt(prompt, config)
    new = sampling.max_new_tokens
    if coins_BN is None:
        coins = np.random.default_rng(sampling.seed).random(new, np.float32)
        coins_BN = np.broadcast_to(coins, (len(prompts), new))
    lengths_B = np.array([len(prompt) for prompt in prompts])
    given_PB = np.full((max(lengths_B) + new, len(prompts)), -1, np.int32)
    coins_PB = np.zeros(given_PB.shape, np.float32)
    for row, (length, prompt) in enumerate(zip(lengths_B, prompts)):
        given_PB[:length, row] = prompt
        coins_PB[length : length + new, row] = coins_BN[row]
    return given_PB, coins_PB, np.minimum(lengths_B + new, config.max_position_embeddings)
