"""The logit lens: what the model would say if it stopped after each layer.

The residual stream between two layers goes through the final norm and the head (nostalgebraist
2020, "interpreting GPT: the logit lens"). It was never trained to be read this way: early rows are
hints, the last row is the model's own answer.
"""

from dataclasses import dataclass

import numpy as np

from minillm.in_numpy.ops import log_softmax
from minillm.inspection.dispatch import each_text, outer, prompt_tokens
from minillm.inspection.record import in_slices, run, through_head
from minillm.inspection.shown import Result
from minillm.loading import Model
from minillm.text.lengths import room_for


@dataclass(frozen=True)
class Lens(Result):
    """N = L + 1 rows, before the first and after each layer, each with its M most probable tokens.

    `kl_NT` is KL(the model's answer || the row's) in nats. `next_NT` is p of the text's next token,
    and at the last position p of the model's own answer; `rank_NT` is that token's place, 1 if it
    is the most probable: it moves long before p does.
    """

    token_NTM: np.ndarray
    p_NTM: np.ndarray
    entropy_NT: np.ndarray
    kl_NT: np.ndarray
    next_NT: np.ndarray
    rank_NT: np.ndarray


@each_text
def logit_lens(model: Model, prompt, count: int = 5, seen: dict | None = None,
               twin: str = "jax") -> Lens:
    """The lens of every layer and position. `seen` is a record of the prompt, if you have one."""
    model = model.on(twin)
    tokens_BT = prompt_tokens(model, prompt)
    seen = seen or run(model, tokens_BT, ["*.resid_pre", "*.resid_post", "logits"], (), twin)[1]
    L, count = model.config.num_hidden_layers, min(count, model.config.vocab_size)
    answer_TV = log_softmax(seen["logits"][0])
    T, next_T = len(answer_TV), np.append(tokens_BT[0, 1:], np.argmax(answer_TV[-1]))
    streams = [seen[f"layers.{i}.resid_pre"][0] for i in range(L)]
    x_NTD = np.stack([*streams, seen[f"layers.{L - 1}.resid_post"][0]])
    t_N, next_N = np.tile(np.arange(T), L + 1), np.tile(next_T, L + 1)
    if twin == "jax":
        from minillm.inspection import compiled

        room = room_for(T, model.config)
        padded_TV = np.pad(answer_TV, ((0, room - T), (0, 0)))
        each = lambda x, t, n: compiled.lens(outer(model.params), x, padded_TV, t, n, model.config,
                                             count)
        found = in_slices(x_NTD, each, model.config.vocab_size, t_N, next_N,
                          room=(L + 1) * room)
        return Lens(*(x.reshape(L + 1, T, *x.shape[1:]) for x in found))
    rows = []
    for x_TD in x_NTD:
        log_p_TV = log_softmax(through_head(twin, model.params, x_TD, model.config))
        p_TV = np.exp(log_p_TV)
        best_TM = largest(log_p_TV, count)
        rows.append(
            (
                best_TM,
                np.take_along_axis(p_TV, best_TM, -1),
                -np.sum(p_TV * log_p_TV, -1),
                np.sum(np.exp(answer_TV) * (answer_TV - log_p_TV), -1),
                np.take_along_axis(p_TV, next_T[:, None], -1)[:, 0],
                1 + np.sum(log_p_TV > np.take_along_axis(log_p_TV, next_T[:, None], -1), -1),
            )
        )
    return Lens(*(np.array(each) for each in zip(*rows)))


def largest(x, count: int) -> np.ndarray:
    """Indices of the `count` largest entries of the last axis, in falling order."""
    best = np.sort(np.argpartition(-x, count - 1, axis=-1)[..., :count], axis=-1)
    order = np.argsort(-np.take_along_axis(x, best, -1), axis=-1, stable=True)
    return np.take_along_axis(best, order, -1)
