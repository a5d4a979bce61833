"""A matrix that stays as it is, and a change of low rank beside it: LoRA. Both twins use this
record.

    y = x w + scale (x a) b          w (in, out), a (in, r), b (r, out), scale = alpha / r

Hu et al. 2021, arXiv:2106.09685, eq. 3. `w` is a float matrix, or a quantized one (Dettmers et al.
2023, arXiv:2305.14314). With b = 0 at the start, the first model is the one that was given. Only
`linear` knows this class. `adapters` is the tree of what is trained: {"layers": [{"q_proj": {"a",
"b"}, ...}, ...]}.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from minillm.architecture.tree import tree_map
from minillm.errors import UserError, printable

TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


@dataclass(frozen=True, eq=False)
class Adapted:
    """One matrix with its change."""

    w: Any
    a: Any
    b: Any
    scale: float

    @property
    def shape(self) -> tuple[int, int]:
        """As an array's."""
        return self.w.shape

    @property
    def ndim(self) -> int:
        """Always 2."""
        return 2

    @property
    def size(self) -> int:
        """How many numbers it has."""
        return self.w.size + self.a.size + self.b.size

    @property
    def dtype(self):
        """That of the matrix that stays."""
        return self.w.dtype

    @property
    def nbytes(self) -> int:
        """Bytes of everything that it holds."""
        return self.w.nbytes + self.a.nbytes + self.b.nbytes


def check_targets(params, targets: tuple[str, ...]):
    """Refuse names that are no matrices of the layers. Raises UserError."""
    known = [name for name in TARGETS if name in params["layers"][0]]
    for name in targets:
        if name not in known:
            raise UserError(f"target {printable(name)}: is no matrix of this model's layers: "
                            f"choose from {', '.join(known)}")
    if not targets:
        raise UserError(f"no target is named: choose from {', '.join(known)}")


def init_adapters(params, targets: tuple[str, ...], rank: int, rng: np.random.Generator) -> dict:
    """The first adapters: a uniform within 1 / sqrt(in), as PEFT draws it, and b = 0."""
    check_targets(params, targets)

    def one(w):
        reach = w.shape[0] ** -0.5
        return {"a": rng.uniform(-reach, reach, (w.shape[0], rank)).astype(np.float32),
                "b": np.zeros((rank, w.shape[1]), np.float32)}

    return {"layers": [{name: one(layer[name]) for name in targets} for layer in params["layers"]]}


def adapt(params, adapters, scale: float) -> dict:
    """The parameters with an `Adapted` in the place of every matrix that has an adapter."""
    layers = [layer | {name: Adapted(layer[name], change["a"], change["b"], scale)
                       for name, change in changes.items()}
              for layer, changes in zip(params["layers"], adapters["layers"])]
    return params | {"layers": layers}


def merged(params) -> dict:
    """Every `Adapted` of float matrices as one matrix: w + scale a b. Quantized ones stay apart."""
    def one(w):
        if not isinstance(w, Adapted) or not isinstance(w.w, np.ndarray):
            return w
        return (w.w + w.scale * (w.a @ w.b)).astype(w.w.dtype)

    return tree_map(one, params)


def bytes_to_train(params, adapters) -> int:
    """What training takes beside activations: the base as it is, and of every number that is
    trained itself, its gradient and two moments, in float32."""
    sizes = []
    tree_map(lambda leaf: sizes.append(leaf.nbytes), params)
    trained = []
    tree_map(lambda leaf: trained.append(leaf.size), adapters)
    return sum(sizes) + 16 * sum(trained)
