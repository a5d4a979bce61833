"""The trees of LoRA: what is trained, and what it makes of the parameters of a model.

`adapters` is {"layers": [{"q_proj": {"a": (in, r), "b": (r, out)}, ...}, ...]}, an entry for every
matrix that is changed.
"""

import numpy as np

from minillm.architecture.adapted import Adapted
from minillm.architecture.tree import flatten, tree_map
from minillm.errors import UserError, printable

TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


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


def refuse_adapted(params):
    """Refuse parameters that are no single model: a change beside quantized matrices. Raises
    UserError."""
    if any(isinstance(leaf, Adapted) for leaf in flatten(params).values()):
        raise UserError("a change beside a quantized model cannot be written as one model: keep "
                        "the folder of the change, or tune the float model and quantize the result")


def bytes_to_train(params, adapters) -> int:
    """What training takes beside activations: the base as it is, and of every number that is
    trained itself, its gradient and two moments, in float32."""
    base = sum(leaf.nbytes for leaf in flatten(params).values())
    return base + 16 * sum(leaf.size for leaf in flatten(adapters).values())
