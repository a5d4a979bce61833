"""SmolLM3 in JAX, forward only: a LLaMA in which some layers have no rotary positions.

    q = x w_q,  k = x w_k  in these: their angles are all 0, and turning by 0 changes nothing

All else is the LLaMA's. See architecture/smollm3.py. Twin: minillm/in_numpy/smollm3.py.
"""

from functools import partial

import jax.numpy as jnp

from minillm.architecture.smollm3 import SmolLM3Config
from minillm.in_jax import model
from minillm.in_jax.ops import no_tap


def attention(layer, x_BTD, start, cos_sin, kv, config: SmolLM3Config, tap=no_tap):
    """The LLaMA's, with the angles of this layer. (B, T, D) -> (B, T, D), kv."""
    return model.attention(layer, x_BTD, start, layer_cos_sin(layer, cos_sin), kv, config, tap)


def layer_cos_sin(layer, cos_sin):
    """cos and sin (T, E/2) of a layer's angles: 1 and 0 where it has no rotary positions."""
    cos, sin = cos_sin
    return (jnp.ones_like(cos), jnp.zeros_like(sin)) if "no_rope" in layer else (cos, sin)


block = partial(model.block, attention=attention)
block_alone = partial(model.block_alone, block=block)
forward = partial(model.forward, block=block)
embed, final_norm = model.embed, model.final_norm
