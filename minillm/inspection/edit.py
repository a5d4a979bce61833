"""Edits of activations: replace, zero, scale, add a vector, or swap in another run's.

    edits = [zero("layers.2.z", heads=[3]), add("layers.1.resid_post", direction, positions=[-1])]

An `Edit` says which tap (or glob), what to do, and where: at `positions`, in `heads`, in `units`
(indices of the last axis); None means all. You can combine several edits. Places become masks,
which are arguments of the compiled program, as the values are: another position, head or vector
does not compile anything again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from minillm.errors import UserError
from minillm.inspection.activations import axes_of, matching, shape_of

KINDS = ("replace", "add", "scale")
POSITION = "T"


@dataclass(frozen=True, eq=False)
class Edit:
    """One change: `value` is a number, an array that broadcasts to the activation, or another run's record by name."""

    tap: str
    kind: str
    value: float | np.ndarray | Mapping
    positions: Sequence[int] | None = None
    heads: Sequence[int] | None = None
    units: Sequence[int] | None = None


def replace(tap: str, value, positions=None, heads=None, units=None) -> Edit:
    """Put `value` there instead."""
    return Edit(tap, "replace", value, positions, heads, units)


def zero(tap: str, positions=None, heads=None, units=None) -> Edit:
    """Put zeros there, so that the part adds nothing to the residual stream."""
    return Edit(tap, "replace", 0.0, positions, heads, units)


def scale(tap: str, factor: float, positions=None, heads=None, units=None) -> Edit:
    """Multiply what is there."""
    return Edit(tap, "scale", factor, positions, heads, units)


def add(tap: str, vector, positions=None, heads=None, units=None) -> Edit:
    """Add a vector to what is there."""
    return Edit(tap, "add", vector, positions, heads, units)


def swap(tap: str, seen: Mapping, positions=None, heads=None, units=None) -> Edit:
    """Put there what another run had at the same place; `seen` is that run's record."""
    return Edit(tap, "replace", seen, positions, heads, units)


def prepared(edits: Sequence[Edit], config, lengths: Sequence[int], room: int, dtype):
    """(plan, values): what changes, a constant; and its masks and arrays. Raises UserError.

    `lengths` are those of the texts, padded to `room` positions: padding stays as it is, and positions count from each
    text's own end where they are negative.
    """
    plan, values, longest = [], [], max(lengths)
    for edit in edits:
        if edit.kind not in KINDS:
            raise UserError(f"an edit cannot be {edit.kind!r}: use one of {', '.join(KINDS)}")
        for name in matching(edit.tap, config):
            shape = shape_of(name, config, len(lengths), longest)
            if isinstance(edit.value, Mapping) and name not in edit.value:
                raise UserError(f"the other run's record has no {name}: record it in that run")
            value = np.asarray(edit.value[name] if isinstance(edit.value, Mapping) else edit.value,
                               dtype)
            try:
                np.broadcast_to(value, shape)
            except ValueError:
                raise UserError(
                    f"the value for {name} has shape {value.shape}, which does not fit its {shape}"
                ) from None
            plan.append((name, edit.kind))
            values.append((mask(name, config, lengths, room, edit.positions, edit.heads,
                                edit.units), padded(value, name, longest, room)))
    return tuple(plan), values


def padded(x, name: str, length: int, room: int):
    """An array of an activation with its axes of positions made longer, where it has them."""
    axes = axes_of(name)[len(axes_of(name)) - x.ndim :]
    more = [(0, room - length if letter in "TS" and size == length else 0)
            for letter, size in zip(axes, x.shape)]
    return np.pad(x, more) if any(after for _, after in more) else x


def mask(name: str, config, lengths: Sequence[int], room: int, positions=None, heads=None,
         units=None) -> np.ndarray:
    """True where an activation changes; length 1 on axes that change whole. Raises UserError.

    `positions` are the same in every text, or a list for each.
    """
    axes, shape = axes_of(name), shape_of(name, config, len(lengths), room)
    found = np.ones([1] * len(shape), bool)
    each = np.ndim(positions[0]) == 1 if positions is not None and len(positions) else False
    if each and len(positions) != len(lengths):
        raise UserError(f"positions are given for {len(positions)} texts of {len(lengths)}")
    if positions is not None or min(lengths) < room:
        rows_BT = np.zeros((len(lengths), room), bool)
        for row, length in enumerate(lengths):
            chosen = range(length) if positions is None else positions[row] if each else positions
            rows_BT[row, :length] = along(0, (length,), chosen, f"a position of {name}")
        found = found & laid_out(rows_BT, axes, POSITION)
        if "S" in axes and min(lengths) < room:
            keys_BS = np.arange(room) < np.array(lengths)[:, None]
            found = found & laid_out(keys_BS, axes, "S")
    if units is not None:
        unit_axis, longest = len(shape) - 1, max(lengths)
        size = longest if axes[-1] == "S" else shape[-1]
        chosen = along(0, (size,), units, f"a unit of {name}")
        found = found & np.pad(chosen, (0, shape[-1] - size)).reshape(
            [-1 if i == unit_axis else 1 for i in range(len(shape))])
    if heads is not None:
        if "K" not in axes:
            raise UserError(f"{name} has no heads: edit a tap that has, such as z or pattern")
        head_shape = shape[1:3] if "G" in axes else shape[1:2]  # query heads, or key/value heads
        chosen = along(0, (prod(head_shape),), heads, f"a head of {name}")
        found = found & chosen.reshape(1, *head_shape, *[1] * (len(shape) - 1 - len(head_shape)))
    return found


def laid_out(rows_BT, axes: str, letter: str) -> np.ndarray:
    """(B, T) on the first axis of an activation and on that of `letter`; length 1 on the others."""
    return rows_BT.reshape([len(rows_BT) if i == 0 else rows_BT.shape[1] if axis == letter else 1
                            for i, axis in enumerate(axes)])


def along(axis: int, shape, chosen, what: str) -> np.ndarray:
    """True at the chosen indices of one axis (negative: from the end); other axes have length 1."""
    size = shape[axis]
    for place in chosen:
        if not -size <= place < size:
            raise UserError(f"{what} is {place}: there are {size}")
    found = np.zeros(size, bool)
    found[list(chosen)] = True
    return found.reshape([size if i == axis else 1 for i in range(len(shape))])


def editor(plan, values, names, seen: dict, where):
    """A tap that applies the plan, then records the activation. `where` is the twin's."""
    changes = {}
    for (name, kind), (mask, value) in zip(plan, values, strict=True):
        changes.setdefault(name, []).append((kind, mask, value))

    def tap(name, x):
        for kind, mask, value in changes.get(name, ()):
            value = value.astype(x.dtype)
            x = where(mask,
                      value if kind == "replace" else x + value if kind == "add" else x * value, x)
        if name in names:
            seen[name] = x
        return x

    return tap
