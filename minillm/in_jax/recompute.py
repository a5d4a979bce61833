"""The loss of which the backward pass computes each block again. No twin: NumPy keeps everything.

Chen et al. 2016, arXiv:1604.06174, section 4. `jax.checkpoint` says the same with a barrier that
XLA's compiler for CPUs removes before it orders the operations: it then computes all blocks again
at once, early, and keeps them. Here the input of a block depends on the gradient that comes back
to it, so that nothing of a block can be computed again before its gradient is there.
"""

from functools import partial

import jax
import jax.numpy as jnp

from minillm.config import ModelConfig
from minillm.in_jax.model import block, forward
from minillm.in_jax.ops import cross_entropy


def recomputing_loss(params, tokens_BT, targets_BT, config: ModelConfig):
    """`loss` of tokens and targets (B, T), in nats; only what enters a block is kept.

    Less memory, one forward pass more. The gradient is that of `loss`.
    """

    def again(layer, x_BTD, start, cos_sin, kv, config, tap):
        return block_again(layer, x_BTD, cos_sin, config), None

    return cross_entropy(forward(params, tokens_BT, config, block=again)[0], targets_BT)


def block_of_texts(layer, x_BTD, cos_sin, config: ModelConfig):
    """`block` of texts that begin at 0. (B, T, D) -> (B, T, D)."""
    return block(layer, x_BTD, 0, cos_sin, None, config)[0]


def forward_of_block(layer, x_BTD, cos_sin, config: ModelConfig):
    """The result, and what is kept for the way back: the arguments."""
    return block_of_texts(layer, x_BTD, cos_sin, config), (layer, x_BTD, cos_sin)


def backward_of_block(config: ModelConfig, kept, dx_BTD):
    """The gradients of the layer, of x and of cos and sin."""
    layer, x_BTD, cos_sin = kept
    first = dx_BTD.reshape(-1)[0]
    x_BTD = jnp.where(jnp.isnan(first), first, x_BTD)  # x itself, but only where dx is known
    _, back = jax.vjp(partial(block_of_texts, config=config), layer, x_BTD, cos_sin)
    return back(dx_BTD)


block_again = jax.custom_vjp(block_of_texts, nondiff_argnums=(3,))
block_again.defvjp(forward_of_block, backward_of_block)
