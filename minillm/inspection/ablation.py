"""Ablation: remove a part and measure what the model loses, with a control for each part.

The effect at a position is by how many nats the text's next token becomes more surprising, and the
divergence KL(whole model || without the part). The control uses a random vector of the same norm as
the part's output: if its effect is as large, the size matters and not the content.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from minillm.in_numpy.ops import log_softmax
from minillm.inspection.attribution import head_outputs
from minillm.inspection.dispatch import each_text, outer, prompt_tokens
from minillm.inspection.edit import Edit
from minillm.inspection.record import in_slices, run, through_head
from minillm.inspection.restart import one_head_each, random_like, restart
from minillm.loading import Model


@dataclass(frozen=True)
class Ablation:
    """Effects of N parts of each layer at each position, in nats.

    The last position has no next token, so its surprise is NaN. `control_kl_LNT` and
    `control_surprise_LNT` are the same for a random vector of the same norm.
    """

    surprise_LNT: np.ndarray
    kl_LNT: np.ndarray
    control_surprise_LNT: np.ndarray
    control_kl_LNT: np.ndarray


@each_text
def ablate_heads(model: Model, prompt, seed: int = 0, only_LH=None, twin: str = "jax") -> Ablation:
    """Set each head's output z to zero, one head at a time: N = H.

    The control removes a random vector from attn_out.

    `only_LH` limits the work to some heads; the others' effects are NaN.
    """
    model = model.on(twin)
    masks, H = one_head_each(model.config), model.config.num_attention_heads
    chosen_LH = np.ones((model.config.num_hidden_layers, H), bool) if only_LH is None else only_LH

    def rows(i, seen, rng):
        written_HTD, heads = head_outputs(model, seen, i), np.flatnonzero(chosen_LH[i])
        if not len(heads):
            return []
        return [
            ("z", "replace", masks[heads], np.zeros((1, 1, 1, 1, 1), written_HTD.dtype)),
            (
                "attn_out",
                "add",
                np.ones((len(heads), 1, 1), bool),
                -random_like(written_HTD, rng)[heads],
            ),
        ]

    return _ablate(model, prompt, ["*.z"], rows, seed, twin, chosen_LH)


@each_text
def ablate_mlps(model: Model, prompt, seed: int = 0, twin: str = "jax", only_L=None) -> Ablation:
    """Set each layer's MLP output to zero: N = 1. `only_L` limits the work to some layers."""
    model = model.on(twin)
    chosen_L = np.ones(model.config.num_hidden_layers, bool) if only_L is None else only_L

    def rows(i, seen, rng):
        if not chosen_L[i]:
            return []
        out, mask = seen[f"layers.{i}.mlp_out"], np.ones((1, 1, 1), bool)
        return [("mlp_out", "replace", mask, np.zeros_like(out)),
                ("mlp_out", "add", mask, -random_like(out, rng))]

    return _ablate(model, prompt, ["*.mlp_out"], rows, seed, twin, chosen_L[:, None])


@each_text
def ablate_neurons(model: Model, prompt, layer: int, units: Sequence[int], seed: int = 0,
                   twin: str = "jax") -> Ablation:
    """Set each of the neurons `units` of one layer to zero: N = len(units).

    The control removes a random neuron instead.
    """
    model = model.on(twin)
    F = model.params["layers"][layer]["down_proj"].shape[0]
    units = np.asarray(units)

    def rows(i, seen, rng):
        if i != layer:
            return []
        zero = np.zeros((1, 1, 1), seen[f"layers.{i}.resid_pre"].dtype)
        others = rng.choice(np.setdiff1d(np.arange(F), units), len(units))
        return [("mlp_post", "replace", (np.arange(F) == chosen[:, None])[:, None], zero)
                for chosen in (units, others)]

    where = np.zeros((model.config.num_hidden_layers, len(units)), bool)
    where[layer] = True
    found = _ablate(model, prompt, [], rows, seed, twin, where)
    return Ablation(
        *(
            array[layer : layer + 1]
            for array in (
                found.surprise_LNT,
                found.kl_LNT,
                found.control_surprise_LNT,
                found.control_kl_LNT,
            )
        )
    )


def _ablate(model, prompt, names, rows, seed, twin, chosen_LN) -> Ablation:
    """Effects at every position of the changes that `rows` makes, and of the control's."""
    tokens_BT = prompt_tokens(model, prompt)
    logits_BTV, seen = run(model, tokens_BT, ["*.resid_pre", *names], (), twin)
    log_p_TV, rng = log_softmax(logits_BTV[0]), np.random.default_rng(seed)
    found = np.full((4, *chosen_LN.shape, tokens_BT.shape[1]), np.nan)
    for i in range(model.config.num_hidden_layers):
        for which, change in enumerate(rows(i, seen, rng)):
            x_RTD = restart(model, seen[f"layers.{i}.resid_pre"], i, *change, twin)
            found[2 * which : 2 * which + 2, i,
                  chosen_LN[i]] = effects_of_rows(model, x_RTD, log_p_TV, tokens_BT[0], twin)
    return Ablation(*found)


def effects_of_rows(model: Model, x_RTD, log_p_TV, tokens_T,
                    twin: str) -> tuple[np.ndarray, np.ndarray]:
    """(surprise_RT, kl_RT) of R changed runs, compared with the whole model."""
    R, T = x_RTD.shape[:2]
    if twin == "jax":
        from minillm.inspection import compiled

        t_N, next_N = np.tile(np.arange(T), R), np.tile(np.append(tokens_T[1:], 0), R)
        each = lambda *rows: compiled.effects(outer(model.params), rows[0], log_p_TV, *rows[1:],
                                              model.config)
        surprise_RT, kl_RT = (x.reshape(R, T)
                              for x in in_slices(x_RTD, each, model.config.vocab_size, t_N, next_N))
        surprise_RT[:, -1] = np.nan
        return surprise_RT, kl_RT
    size, parts = max(1, 2**27 // log_p_TV.nbytes), []
    for i in range(0, R, size):
        logits_RTV = through_head(twin, model.params, x_RTD[i : i + size], model.config)
        parts.append(effect(log_softmax(logits_RTV), log_p_TV, tokens_T))
    return tuple(np.concatenate(each) for each in zip(*parts))


def effect(changed_BTV, log_p_TV, tokens_T) -> tuple[np.ndarray, np.ndarray]:
    """(surprise_BT, kl_BT) in nats, of log-probabilities; the last surprise is NaN."""
    kl_BT = np.einsum("tv,btv->bt", np.exp(log_p_TV), log_p_TV - changed_BTV)
    surprise_BT = np.full(kl_BT.shape, np.nan)
    t = np.arange(len(tokens_T) - 1)
    surprise_BT[:, :-1] = log_p_TV[t, tokens_T[1:]] - changed_BTV[:, t, tokens_T[1:]]
    return surprise_BT, kl_BT


@each_text
def effect_of(model: Model, prompt, edits: Sequence[Edit],
              twin: str = "jax") -> tuple[np.ndarray, np.ndarray]:
    """(surprise_T, kl_T) of any edits: their effect at each position."""
    tokens_BT = prompt_tokens(model, prompt)
    plain, changed = (log_softmax(run(model, tokens_BT, (), each, twin)[0]) for each in ((), edits))
    surprise_BT, kl_BT = effect(changed, plain[0], tokens_BT[0])
    return surprise_BT[0], kl_BT[0]
