"""A model with a larger vocabulary: rows for new tokens in both of its tables."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from minillm.errors import require

__all__ = ["widened"]


def widened(params: dict, config, pieces: Sequence[Sequence[int]]):
    """(params, config) with one more token for each of `pieces`, the old tokens it is made of.

    A new row of the embedding is the mean of the rows of its pieces; a new column of `lm_head`,
    where the head is not tied, the mean of their columns. embed_tokens (V, D) and lm_head (D, V)
    become those of V + len(pieces) tokens; everything else is shared with `params`. The logit
    of a new token begins as the mean of those of its pieces. Raises UserError for a piece that is
    no token of the model.
    """
    for piece in pieces:
        require(len(piece) > 0 and 0 <= min(piece) and max(piece) < config.vocab_size,
                "pieces of a new token", list(piece), f"token ids below {config.vocab_size}")

    def grown(table_VD):
        rows = [table_VD[list(piece)].mean(axis=0, dtype=np.float64) for piece in pieces]
        new_ND = np.array(rows, table_VD.dtype).reshape(-1, table_VD.shape[1])
        return np.concatenate([table_VD, new_ND])

    params = params | {"embed_tokens": grown(np.asarray(params["embed_tokens"]))}
    if "lm_head" in params:
        params["lm_head"] = np.ascontiguousarray(grown(np.asarray(params["lm_head"]).T).T)
    return params, replace(config, vocab_size=config.vocab_size + len(pieces))
