"""What a model keeps of a secret in its training text: a canary, its exposure, its extraction."""

from itertools import product

import numpy as np

from minillm.errors import UserError
from minillm.in_numpy.ops import log_softmax
from minillm.loading import Model

DIGITS = "0123456789"


def log_p_of_secrets(model: Model, prompt: str, length: int, symbols: str = DIGITS,
                     twin: str = "jax") -> np.ndarray:
    """ln p(secret | prompt) of every secret of `length` symbols. -> (S,) * length, S symbols.

    Exact, not sampled: one row for each beginning of a secret, S^(length - 1) in all.
    Raises UserError where a secret is not `length` tokens after the prompt.
    """
    start, tokens, total = model.prompt_ids(prompt), [], np.zeros(())
    for symbol in symbols:
        ids = model.prompt_ids(prompt + symbol * length)
        if ids != start + [ids[-1]] * length:
            raise UserError(f"{symbol * length!r} after {prompt!r} is not {length} tokens")
        tokens.append(ids[-1])
    if len(set(tokens)) < len(tokens):
        raise UserError(f"the tokenizer does not keep the symbols {symbols!r} apart")
    begun = [list(part) for part in product(tokens, repeat=length - 1)]
    rows_BT = np.array([start + part for part in begun], np.int32)
    logits_BTV = model.logits(rows_BT, twin)[:, len(start) - 1 :]
    log_p_BTV = log_softmax(logits_BTV.astype(np.float64))
    for t in range(length):
        # the rows that differ before position t alone: the last symbols of a row do not matter
        step = log_p_BTV[:: len(tokens) ** (length - 1 - t), t][:, tokens]
        total = total[..., None] + step.reshape((len(tokens),) * (t + 1))
    return total


def rank(log_p: np.ndarray, secret: tuple[int, ...]) -> int:
    """The place of a secret among all, the most probable first; of equals it is the last."""
    return int(np.sum(log_p >= log_p[secret]))


def exposure(log_p: np.ndarray, secret: tuple[int, ...]) -> float:
    """log2(how many secrets there are) - log2(rank): the bits by which the model narrows a search.

    0 for the last, log2 of the number for the first. Where nothing is memorised a rank is uniform
    and the exposure about log2(e) = 1.44 on average. Carlini et al. 2019, arXiv:1802.08232,
    section 4. `log_p` as from `log_p_of_secrets`.
    """
    return float(np.log2(log_p.size) - np.log2(rank(log_p, secret)))


def continued(model: Model, split, before: int = 32, length: int = 32, most: int = 128,
              twin: str = "jax") -> dict:
    """Of documents (tokens, starts): how many does the model continue word for word?

    Counted is a document whose `length` tokens after the first `before` (and the mark that opens
    it) are each the most probable next one: then greedy writing from its beginning repeats them
    (Carlini et al. 2022, arXiv:2202.07646, definition 3.1). -> {"number", "share", "low", "high"},
    a 95% interval; documents that are shorter are left out, and of the others the first `most` are
    asked.
    """
    from minillm.inspection.scoring import share_interval

    tokens, starts = split
    ends = np.append(starts[1:], len(tokens))
    begins = [start for start, end in zip(starts, ends) if end - start > before + length][:most]
    if not begins:
        return {"number": 0, "share": float("nan"), "low": 0.0, "high": 1.0}
    model, right = model.on(twin), 0
    for first in range(0, len(begins), 32):
        rows = begins[first : first + 32]
        rows_BT = np.array([tokens[s : s + before + length + 1] for s in rows], np.int32)
        best_BT = model.logits(rows_BT[:, :-1], twin).argmax(-1)
        right += int((best_BT[:, before:] == rows_BT[:, before + 1 :]).all(axis=1).sum())
    share, low, high = share_interval(right, len(begins))
    return {"number": len(begins), "share": share, "low": low, "high": high}
