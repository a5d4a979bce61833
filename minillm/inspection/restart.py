"""Restart a model from the layer that changes, and run many changes as one batch."""

from math import prod

import numpy as np

from minillm.errors import UserError
from minillm.inspection.activations import axes_of, estimate, sizes
from minillm.inspection.edit import padded
from minillm.inspection.record import through_block, through_head
from minillm.loading import Model
from minillm.text.lengths import padded_length, room_for

BY = {"position": "T", "head": "KG", "head and position": "KGT"}  # axes of the parts
BATCH_BYTES = 2**27  # of one layer's activations: how many rows run at once


def rows_at_once(config, length: int, rows: int) -> int:
    """How many rows fit into BATCH_BYTES, chosen so that all batches are about equally long."""
    most = max(1, BATCH_BYTES // estimate(config, length, 1, "layers.0.*"))
    return -(-rows // -(-rows // most))


def restart(model: Model, x_BTD, layer: int, site: str, kind: str, mask, value, twin: str,
            some: bool = False) -> np.ndarray:
    """The last residual stream (R, T, D) of R runs that continue from `x_BTD` (1, T, D) at `layer`.

    Row r changes the activation `site` of that layer by value[r] where mask[r] is true; the kind of
    change is "replace", "add" or "scale". `some`: there are more rows in other layers or less, so
    they run 1, 2, 4, 8, ... at once, for which few programs are compiled.
    """
    rows, config, T = len(mask), model.config, x_BTD.shape[1]
    room = room_for(T, config, twin)                              # few lengths, few programs
    x_BTD = padded(np.asarray(x_BTD), "layers.0.resid_pre", T, room)
    mask, value = (padded(np.asarray(each), f"layers.0.{site}", T, room) for each in (mask, value))
    few = rows < 8 or twin == "numpy"                             # a row for each position is many
    size, found = rows_at_once(config, room, rows if few else padded_length(rows, 2 * rows)), []
    value = np.broadcast_to(value, (rows, *value.shape[1:]))
    begin = 0
    while begin < rows:
        if some and twin == "jax":
            size = 2 ** int(np.log2(min(size, rows - begin)))
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
        begin += size
    return np.concatenate(found)


def parts_of(site: str, by: str, config, length: int) -> dict[str, int]:
    """The axes of an activation of a layer along which it is cut into parts, and their lengths.

    The heads of k and v are the key/value heads. Raises UserError for parts that it has not.
    """
    axes, size = axes_of(f"layers.0.{site}"), sizes(config, 1, length)
    found = {axis: size[axis] for axis in BY.get(by, "") if axis in axes}
    if by not in BY or "head" in by and "K" not in found:
        fitting = [each for each in BY if "head" not in each or "K" in axes]
        raise UserError(f"site {site} cannot be patched by {by}: choose {', '.join(fitting)}")
    return found


def one_part_each(site: str, by: str, config, length: int, rows=None) -> np.ndarray:
    """Masks (N, ...): row n changes the n-th part of an activation, or the n-th of `rows`."""
    parts = parts_of(site, by, config, length)
    count = prod(parts.values())
    rows = np.arange(count) if rows is None else np.asarray(rows)
    shape = [parts.get(axis, 1) for axis in axes_of(f"layers.0.{site}")[1:]]
    return (rows[:, None] == np.arange(count)).reshape(len(rows), *shape)


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
