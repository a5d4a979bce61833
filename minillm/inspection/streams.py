"""The residual stream after the last layer, where a change of it is a change of the logits alone.

    x_ND = last_stream(model, texts)                       # at the last token of every text
    mean_D, remove_DD = leace(x_ND, labels_N1)
    log_odds_N, mass_N = pronoun_odds(model, erase(x_ND, mean_D, remove_DD), pairs)
"""

from collections.abc import Sequence

import numpy as np

from minillm.errors import UserError
from minillm.in_numpy.ops import log_softmax
from minillm.loading import Model, longest, twin_package
from minillm.text.lengths import padded_length


def last_stream(model: Model, texts: Sequence[str], twin: str = "jax",
                rows: int = 32) -> np.ndarray:
    """(N, D) float64: what the head reads at the last token of each text."""
    package, model, found = twin_package(twin), model.on(twin), []
    ids = [model.prompt_ids(text) for text in texts]
    room = padded_length(max(map(len, ids)), longest(model.config))
    for at in range(0, len(ids), rows):
        some = ids[at : at + rows]
        tokens_BT = np.zeros((rows, room), np.int32)
        for b, row in enumerate(some):
            tokens_BT[b, : len(row)] = row
        x_BTD = np.asarray(package.stream(model.params, tokens_BT, model.config)[0], np.float64)
        found += [x_BTD[b, len(row) - 1] for b, row in enumerate(some)]
    return np.array(found)


def pronoun_odds(model: Model, x_ND: np.ndarray, pairs: Sequence[tuple[str, str]],
                 twin: str = "jax") -> tuple[np.ndarray, np.ndarray]:
    """(log-odds of the first of each pair, probability of both), each (N,).

    Raises UserError where one of a pair is not a single token.
    """
    logits_NV = twin_package(twin).read(model.params, x_ND[None].astype(np.float32))[0]
    log_p_NV = log_softmax(np.asarray(logits_NV, np.float64))
    known = {word: model.tokenizer.encode(word) for pair in set(pairs) for word in pair}
    for word, ids in known.items():
        if len(ids) != 1:
            raise UserError(f"{word!r} is {len(ids)} tokens in this vocabulary: one is needed")
    a, b = (log_p_NV[np.arange(len(pairs)), [known[pair[i]][0] for pair in pairs]]
            for i in (0, 1))
    return a - b, np.exp(a) + np.exp(b)
