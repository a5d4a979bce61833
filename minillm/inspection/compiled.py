"""The functions of inspection that JAX compiles, imported only if a function is to run in JAX.

Names and plans are constants of a program; tokens, masks and values are its arguments. So a sweep
over positions, heads or vectors compiles once, and a block compiles once for all layers, because
their shapes are the same.
"""

from functools import partial

import jax
import jax.numpy as jnp

from minillm.in_jax.ops import no_tap
from minillm.inspection import dispatch
from minillm.inspection.edit import editor


@partial(jax.jit, static_argnames=("config", "names", "plan"))
def run(params, tokens_BT, values, config, names, plan):
    """(logits, record) of a forward pass.

    If the logits are recorded, they are returned only in the record: XLA would copy them.
    """
    seen = {}
    tap = editor(plan, values, names, seen, jnp.where) if names or plan else no_tap
    logits_BTV, _ = dispatch.forward("jax", config)(params, tokens_BT, config, tap=tap)
    return None if "logits" in names else logits_BTV, seen


@partial(jax.jit, static_argnames=("config", "plan", "names"))
def block(layer, x_BTD, values, config, plan=(), names=()):
    """(x_BTD, record) of one block."""
    seen = {}
    tap = editor(plan, values, names, seen, jnp.where) if names or plan else no_tap
    return dispatch.block("jax", layer, x_BTD, config, tap), seen


@partial(jax.jit, static_argnames="config")
def unembed(params, x, config):
    """Logits of a residual stream."""
    return dispatch.unembed("jax", params, x, config)


@partial(jax.jit, static_argnames=("config", "names"))
def gradients(params, tokens_BT, position, token, rival, config, names):
    """(logit of `token` - logit of `rival` at `position`, {name: its derivative, activation by activation}).

    It is the derivative with respect to zeros that are added at every tap in `names`.
    """
    def score(added):
        tap = lambda name, x: x + added[name] if name in added else x
        logits_BTV, _ = dispatch.forward("jax", config)(params, tokens_BT, config, tap=tap)
        return logits_BTV[0, position, token] - jnp.where(rival < 0, 0, logits_BTV[0, position, rival])

    shapes = jax.eval_shape(lambda: run(params, tokens_BT, [], config, names, ())[1])
    return jax.value_and_grad(score)({name: jnp.zeros(shape.shape, shape.dtype) for name, shape in shapes.items()})


@partial(jax.jit, static_argnames=("config", "names", "plan"), donate_argnames="cache")
def step(params, tokens_BT, cache, values, config, names, plan):
    """(logits, cache, record) of a pass that continues from a cache."""
    seen = {}
    tap = editor(plan, values, names, seen, jnp.where)
    logits_BTV, cache = dispatch.forward("jax", config)(params, tokens_BT, config, cache, tap)
    return logits_BTV, cache, seen
