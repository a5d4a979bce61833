"""How matrices lie in memory while text is written. No twin in NumPy.

A new token is one row times every matrix, and the time goes into reading them. XLA on a CPU reads a
matrix that lies as (out, in) on all cores, and faster, than one that lies as (in, out): see
benchmarks/one_row.py. The model's code does not know: it says `x @ w`.
"""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.lax import optimization_barrier

from minillm.architecture.quantized import Quantized
from minillm.architecture.tree import tree_map


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class Rows:
    """A matrix w (in, out) that lies in memory as (out, in): a row for each output."""

    w_OI: Any

    def __rmatmul__(self, x):
        """x w in the dtype of x. The barriers keep w as it is stored: XLA would turn it, or turn it
        into x's dtype, once before the loop over tokens. Of several rows w x^T is faster."""
        rows, w = optimization_barrier((x.reshape(-1, x.shape[-1]), self.w_OI))
        w = w.astype(x.dtype)
        y = optimization_barrier(rows @ w.T if len(rows) == 1 else w @ rows.T)
        return (y if len(rows) == 1 else y.T).reshape(*x.shape[:-1], -1)


def by_rows(params):
    """`params` on the device with every matrix that a row is multiplied with as `Rows`.

    Records of integers lie so already, and so does an embedding, whose transpose may be the head.
    """
    def place(w):
        if isinstance(w, np.ndarray | jax.Array) and w.ndim == 2:
            return Rows(jnp.asarray(w.T))
        return jax.tree.map(jnp.asarray, w)

    table = jax.tree.map(jnp.asarray, params["embed_tokens"])
    others = {name: leaf for name, leaf in params.items() if name != "embed_tokens"}
    tied = {} if "lm_head" in params or isinstance(table, Quantized) else {"lm_head": Rows(table)}
    return {"embed_tokens": table, **tree_map(place, others), **tied}
