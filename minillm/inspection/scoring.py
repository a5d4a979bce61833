"""How likely a model finds continuations of a prompt: log-probabilities, and averages over many prompts with intervals."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np

from minillm.config import check_prompt
from minillm.errors import UserError
from minillm.in_numpy.ops import log_softmax
from minillm.loading import Model, longest, twin_package
from minillm.text.lengths import padded_length, rows_at_once

Z = 1.959964  # of a 95% interval


@dataclass(frozen=True)
class Scored:
    """log p of a continuation in nats: the sum over its tokens, and how many they are."""

    option: str
    log_p: float
    tokens: int

    @property
    def per_token(self) -> float:
        """The mean over its tokens."""
        return self.log_p / self.tokens


def continued(model: Model, prompt: str, option: str) -> tuple[list[int], int]:
    """(the ids of prompt and option, how many are the prompt's).

    They are the ids of the joined text where these begin with the prompt's; where a token would reach over the border,
    the two texts are encoded apart.
    """
    if not option:
        raise UserError("an option is empty: there is nothing whose probability could be told")
    before, whole = model.prompt_ids(prompt), model.prompt_ids(prompt + option)
    if whole[: len(before)] == before and len(whole) > len(before):
        return whole, len(before)
    apart = before + model.tokenizer.encode(option)
    check_prompt(apart, model.config)
    return apart, len(before)


def score(model: Model, prompts: Sequence[str], options: Sequence[Sequence[str]], twin: str = "jax",
          progress=lambda done, rows: None) -> list[list[Scored]]:
    """log p(option | prompt) of every option of every prompt. Rows of many prompts run together, the longest first.

    Raises UserError: a prompt or option without tokens, a text longer than the context.
    """
    model = model.on(twin)
    package, config = twin_package(twin), model.config
    rows = [continued(model, prompt, option) for prompt, some in zip(prompts, options, strict=True)
            for option in some]
    order = sorted(range(len(rows)), key=lambda i: -len(rows[i][0]))
    log_p, done = [0.0] * len(rows), 0
    while done < len(order):
        progress(done, len(order))
        T = len(rows[order[done]][0]) - 1  # the last token is only predicted
        room = padded_length(T, longest(config)) if twin == "jax" else T
        size = rows_at_once(config, room, 32, len(order))
        some = order[done : done + size]
        tokens_BT = np.zeros((size if twin == "jax" else len(some), room), np.int32)
        for b, i in enumerate(some):
            tokens_BT[b, : len(rows[i][0]) - 1] = rows[i][0][:-1]
        x_BTD = np.asarray(package.stream(model.params, tokens_BT, config)[0])
        for b, i in enumerate(some):
            ids, start = rows[i]
            log_p[i] = log_p_of(package, model.params, x_BTD[b, start - 1 : len(ids) - 1],
                                ids[start:])
        done += len(some)
    found = iter(zip(log_p, rows))
    return [[Scored(option, nats, len(ids) - start)
             for option, (nats, (ids, start)) in zip(some, found)] for some in options]


def log_p_of(package, params, x_TD, next_T, slice_length: int = 64) -> float:
    """The sum of log p of the next tokens, given what the head reads at each place."""
    total = 0.0
    for t in range(0, len(next_T), slice_length):
        part_TD = x_TD[t : t + slice_length]
        room = np.pad(part_TD,
                      ((0, padded_length(len(part_TD), slice_length) - len(part_TD)), (0, 0)))
        log_p_TV = log_softmax(np.asarray(package.read(params, room), np.float64))
        total += sum(float(log_p_TV[j, token])
                     for j, token in enumerate(next_T[t : t + slice_length]))
    return total


def mean_interval(values: Sequence[float]) -> tuple[float, float]:
    """(mean, half of its 95% interval by the normal approximation); the half is NaN for a single value."""
    values = np.asarray(values, float)
    return float(values.mean()), float(Z * values.std(ddof=1) / sqrt(len(values))) if len(
        values) > 1 else float("nan")


def share_interval(count: int, total: int) -> tuple[float, float, float]:
    """(share, its 95% interval's ends). Wilson 1927, J. Am. Stat. Assoc. 22:209."""
    p, n = count / total, total
    middle, half = p + Z * Z / (2 * n), Z * sqrt(p * (1 - p) / n + Z * Z / (4 * n * n))
    return p, (middle - half) / (1 + Z * Z / n), (middle + half) / (1 + Z * Z / n)
