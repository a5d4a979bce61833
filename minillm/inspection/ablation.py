"""Ablation: remove a part and measure what the model loses, with a control for each part.

The effect at a position is by how many nats the text's next token becomes more surprising, and the
divergence KL(whole model || without the part). A part is replaced by zeros, or by what `instead`
holds under its name: the mean over other texts (means.py), or a record of another prompt. The
control changes what the part writes by a random vector as long as the real change: if its effect is
as large, the size matters and not the content.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from minillm.errors import UserError
from minillm.in_numpy.ops import log_softmax
from minillm.inspection.activations import shape_of
from minillm.inspection.attribution import head_outputs
from minillm.inspection.dispatch import each_text, outer, prompt_tokens
from minillm.inspection.edit import Edit
from minillm.inspection.record import in_slices, run, through_head
from minillm.inspection.restart import one_part_each, random_like, restart
from minillm.inspection.shown import Result
from minillm.loading import Model
from minillm.text.lengths import room_for


@dataclass(frozen=True)
class Ablation(Result):
    """Effects of N parts of each layer at each position, in nats.

    The last position has no next token, so its surprise is NaN. `control_kl_LNT` and
    `control_surprise_LNT` are the same for a random change as long. `instead` says what took the
    place of the parts.
    """

    surprise_LNT: np.ndarray
    kl_LNT: np.ndarray
    control_surprise_LNT: np.ndarray
    control_kl_LNT: np.ndarray
    instead: str = "zeros"


@each_text
def ablate_heads(model: Model, prompt, seed: int = 0, only_LH=None, twin: str = "jax",
                 instead: Mapping | None = None) -> Ablation:
    """Replace each head's output z by zeros, or by `instead`, one head at a time: N = H.

    The control adds a random vector to attn_out. `only_LH` limits the work to some heads; the
    others' effects are NaN.
    """
    model, config = model.on(twin), model.config
    chosen_LH = (np.ones((config.num_hidden_layers, config.num_attention_heads), bool)
                 if only_LH is None else only_LH)

    def rows(i, seen, rng):
        heads, z_BKGTE = np.flatnonzero(chosen_LH[i]), seen[f"layers.{i}.z"]
        if not len(heads):
            return []
        other = in_place(instead, f"layers.{i}.z", z_BKGTE, config)
        written_HTD = head_outputs(model, seen, i)
        if instead is not None:
            again = {f"layers.{i}.z": np.broadcast_to(other, z_BKGTE.shape)}
            written_HTD = written_HTD - head_outputs(model, again, i)
        masks = one_part_each("z", "head", config, z_BKGTE.shape[-2], heads)
        every = np.ones((len(heads), 1, 1), bool)
        return [("z", "replace", masks, other),
                ("attn_out", "add", every, -random_like(written_HTD, rng)[heads])]

    return _ablate(model, prompt, ["*.z"], rows, seed, twin, chosen_LH, instead)


@each_text
def ablate_mlps(model: Model, prompt, seed: int = 0, twin: str = "jax", only_L=None,
                instead: Mapping | None = None) -> Ablation:
    """Replace each layer's MLP output by zeros, or by `instead`: N = 1. `only_L` limits the work to
    some layers."""
    model, config = model.on(twin), model.config
    chosen_L = np.ones(config.num_hidden_layers, bool) if only_L is None else only_L

    def rows(i, seen, rng):
        if not chosen_L[i]:
            return []
        out, mask = seen[f"layers.{i}.mlp_out"], np.ones((1, 1, 1), bool)
        other = np.broadcast_to(in_place(instead, f"layers.{i}.mlp_out", out, config), out.shape)
        return [("mlp_out", "replace", mask, other),
                ("mlp_out", "add", mask, -random_like(out - other, rng))]

    return _ablate(model, prompt, ["*.mlp_out"], rows, seed, twin, chosen_L[:, None], instead)


@each_text
def ablate_neurons(model: Model, prompt, neurons: Sequence[tuple[int, int]], seed: int = 0,
                   twin: str = "jax", instead: Mapping | None = None) -> Ablation:
    """Replace each of N neurons (layer, unit) by zero, or by `instead`; L is 1.

    The control does the same to a random other neuron of the same layer.
    """
    model, config = model.on(twin), model.config
    layer_N, unit_N = np.array(neurons, int).reshape(-1, 2).T
    where_LN = layer_N == np.arange(config.num_hidden_layers)[:, None]
    units = np.arange(shape_of("layers.0.mlp_post", config, 1, 1)[-1])
    for layer, unit in zip(layer_N, unit_N):
        if not (0 <= layer < config.num_hidden_layers and 0 <= unit < len(units)):
            raise UserError(f"there is no neuron {unit} in layer {layer}: there are "
                            f"{config.num_hidden_layers} layers of {len(units)}")

    def rows(i, seen, rng):
        mine = unit_N[where_LN[i]]
        if not len(mine):
            return []
        x_BTD = seen[f"layers.{i}.resid_pre"]
        like = np.broadcast_to(x_BTD.dtype.type(0), (1, x_BTD.shape[1], len(units)))
        other = in_place(instead, f"layers.{i}.mlp_post", like, config)
        rest = np.setdiff1d(units, mine)
        others = rng.choice(rest, len(mine)) if len(rest) else mine
        return [("mlp_post", "replace", (units == chosen[:, None])[:, None], other)
                for chosen in (mine, others)]

    found = _ablate(model, prompt, [], rows, seed, twin, where_LN, instead)
    arrays = (found.surprise_LNT, found.kl_LNT, found.control_surprise_LNT, found.control_kl_LNT)
    n = np.arange(len(layer_N))
    return Ablation(*(array[layer_N, n][None] for array in arrays), found.instead)


def in_place(instead: Mapping | None, name: str, x, config) -> np.ndarray:
    """What takes an activation's place: zeros, or what `instead` holds. Raises UserError."""
    if instead is None:
        return np.zeros((1,) * x.ndim, x.dtype)
    if name not in instead:
        raise UserError(f"what is to be put instead has no {name}: record or average it")
    value = np.asarray(instead[name], x.dtype)
    if value.ndim != x.ndim or any(size not in (1, wanted)
                                   for size, wanted in zip(value.shape, x.shape)):
        raise UserError(f"what is to be put instead of {name} has shape {value.shape}, which does "
                        f"not fit its {x.shape}: give a mean, or a record of as many tokens")
    return value


def _ablate(model, prompt, names, rows, seed, twin, chosen_LN, instead) -> Ablation:
    """Effects at every position of the changes that `rows` makes, and of the control's."""
    tokens_BT = prompt_tokens(model, prompt)
    logits_BTV, seen = run(model, tokens_BT, ["*.resid_pre", *names], (), twin)
    log_p_TV, rng = log_softmax(logits_BTV[0]), np.random.default_rng(seed)
    found = np.full((4, *chosen_LN.shape, tokens_BT.shape[1]), np.nan)
    for i in range(model.config.num_hidden_layers):
        for which, change in enumerate(rows(i, seen, rng)):
            x_RTD = restart(model, seen[f"layers.{i}.resid_pre"], i, *change, twin,
                            some=not chosen_LN.all())
            found[2 * which : 2 * which + 2, i,
                  chosen_LN[i]] = effects_of_rows(model, x_RTD, log_p_TV, tokens_BT[0], twin)
    about = "zeros" if instead is None else getattr(instead, "about", "another record")
    return Ablation(*found, about)


def effects_of_rows(model: Model, x_RTD, log_p_TV, tokens_T,
                    twin: str) -> tuple[np.ndarray, np.ndarray]:
    """(surprise_RT, kl_RT) of R changed runs, compared with the whole model."""
    R, T = x_RTD.shape[:2]
    if twin == "jax":
        from minillm.inspection import compiled

        t_N, next_N = np.tile(np.arange(T), R), np.tile(np.append(tokens_T[1:], 0), R)
        room = room_for(T, model.config)
        padded_TV = np.pad(log_p_TV, ((0, room - T), (0, 0)))
        each = lambda *rows: compiled.effects(outer(model.params), rows[0], padded_TV, *rows[1:],
                                              model.config)
        surprise_RT, kl_RT = (x.reshape(R, T)
                              for x in in_slices(x_RTD, each, model.config.vocab_size, t_N, next_N,
                                        room=R * room))
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
