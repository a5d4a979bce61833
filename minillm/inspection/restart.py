"""Restart a model from the layer that changes, and run many changes as one batch."""

import numpy as np

from minillm.inspection.activations import axes_of, estimate
from minillm.inspection.edit import padded
from minillm.inspection.record import through_block, through_head
from minillm.loading import Model
from minillm.text.lengths import padded_length

BATCH_BYTES = 2**27  # of one layer's activations: how many rows run at once


def rows_at_once(config, length: int, rows: int) -> int:
    """How many rows fit into BATCH_BYTES, chosen so that all batches are about equally long."""
    most = max(1, BATCH_BYTES // estimate(config, length, 1, "layers.0.*"))
    return -(-rows // -(-rows // most))


def restart(model: Model, x_BTD, layer: int, site: str, kind: str, mask, value,
            twin: str) -> np.ndarray:
    """The last residual stream (R, T, D) of R runs that continue from `x_BTD` (1, T, D) at `layer`.

    Row r changes the activation `site` of that layer by value[r] where mask[r] is true; the kind of
    change is "replace", "add" or "scale".
    """
    rows, config, T = len(mask), model.config, x_BTD.shape[1]
    room = (
        padded_length(T, max(T, config.max_position_embeddings)) if twin == "jax" else T
    )  # few lengths, few programs
    x_BTD = padded(np.asarray(x_BTD), "layers.0.resid_pre", T, room)
    mask, value = (padded(np.asarray(each), f"layers.0.{site}", T, room) for each in (mask, value))
    size, found = rows_at_once(config, room, rows), []
    value = np.broadcast_to(value, (rows, *value.shape[1:]))
    for begin in range(0, rows, size):
        take = np.minimum(
            np.arange(begin, begin + size), rows - 1
        )  # the last batch repeats its last row: same shapes
        values = [(mask[take], value[take].astype(x_BTD.dtype))]
        x_RTD = np.broadcast_to(x_BTD, (size, *x_BTD.shape[1:]))
        x_RTD, _ = through_block(twin, model.params["layers"][layer], x_RTD, config,
                                 ((site, kind),), values)
        for later in model.params["layers"][layer + 1 :]:
            x_RTD, _ = through_block(twin, later, x_RTD, config)
        found.append(np.asarray(x_RTD)[: rows - begin, :T])
    return np.concatenate(found)


def one_position_each(length: int, rank: int, axis: int) -> np.ndarray:
    """Masks (T, ...) of T rows: row t changes position t, along `axis` of an activation of `rank` axes."""
    shape = [length] + [1] * (rank - 1)
    shape[axis] = length
    return np.eye(length, dtype=bool).reshape(shape)


def one_head_each(config) -> np.ndarray:
    """Masks (H, K, G, 1, 1) of H rows: row h changes query head h of z."""
    H, K = config.num_attention_heads, config.num_key_value_heads
    return np.eye(H, dtype=bool).reshape(H, K, H // K, 1, 1)


def position_axis(site: str) -> int:
    """Which axis of an activation of a layer is the position."""
    return axes_of(f"layers.0.{site}").index("T")


def random_like(vectors, rng: np.random.Generator) -> np.ndarray:
    """Random vectors with the norms of the given ones, along the last axis: a control."""
    noise = rng.standard_normal(vectors.shape)
    norms = np.linalg.norm(vectors, axis=-1,
                           keepdims=True) / np.linalg.norm(noise, axis=-1, keepdims=True)
    return (noise * norms).astype(vectors.dtype)


def scores_at(model: Model, x_RTD, position: int, token: int, rival: int | None,
              twin: str) -> np.ndarray:
    """logit of `token` - logit of `rival` (0 without a rival) at one position of each row: (R,)."""
    logits_RV = np.asarray(through_head(twin, model.params, x_RTD[:, position], model.config))
    return logits_RV[:, token] - (0 if rival is None else logits_RV[:, rival])
