"""The functions of inspection that JAX compiles, imported only if a function is to run in JAX.

Names and plans are constants of a program; tokens, masks and values are its arguments. So a sweep
over positions, heads or vectors compiles once, and a block compiles once for all layers, because
their shapes are the same.
"""

from functools import partial

import jax
import jax.numpy as jnp

from minillm.in_jax.ops import log_softmax, no_tap
from minillm.inspection import dispatch
from minillm.inspection.edit import editor


def run(params, tokens_BT, values, config, names, plan):
    """(logits, record) of a forward pass: one compiled block for all layers that are changed and recorded alike."""

    def part(prefix, own=lambda name: True):
        mine = [(name.removeprefix(prefix), kind, value)
                for (name, kind), value in zip(plan, values, strict=True) if name.startswith(prefix)
                and own(name)]
        wanted = tuple(name.removeprefix(prefix) for name in names if name.startswith(prefix)
                       and own(name))
        return tuple(each[:2] for each in mine), [each[2] for each in mine], wanted

    seen = {}
    plan_here, values_here, wanted = part("embed")
    plan_here = tuple((f"embed{name}", kind) for name, kind in plan_here)
    wanted = tuple(f"embed{name}" for name in wanted)
    x_BTD, record = start(dispatch.outer(params), tokens_BT, values_here, config, plan_here, wanted)
    seen |= record
    for i, layer in enumerate(params["layers"]):
        plan_here, values_here, wanted = part(f"layers.{i}.")
        x_BTD, record = block(layer, x_BTD, values_here, config, plan_here, wanted)
        seen |= {f"layers.{i}.{name}": x for name, x in record.items()}
    plan_here, values_here, wanted = part("", lambda name: name in ("final_norm", "logits"))
    logits_BTV, record = end(dispatch.outer(params), x_BTD, values_here, config, plan_here, wanted)
    return logits_BTV, seen | record


@partial(jax.jit, static_argnames=("config", "plan", "names"))
def start(params, tokens_BT, values, config, plan=(), names=()):
    """(x_BTD, record) before the first block."""
    seen = {}
    return dispatch.embed("jax", params, tokens_BT, config,
                          editor(plan, values, names, seen, jnp.where)), seen


@partial(jax.jit, static_argnames=("config", "plan", "names"))
def end(params, x_BTD, values, config, plan=(), names=()):
    """(logits, record) after the last block; recorded logits are returned once, not copied."""
    seen = {}
    tap = editor(plan, values, [name for name in names if name != "logits"], seen, jnp.where)
    return dispatch.unembed("jax", params, x_BTD, config, tap), seen


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


def gradients(params, tokens_BT, position, token, rival, config, names):
    """{name: derivative of (logit of `token` - logit of `rival` at `position`), activation by activation}.

    It is the derivative with respect to zeros that are added at every tap in `names`, block by block from the last.
    """
    x_BTD, _ = start(dispatch.outer(params), tokens_BT, [], config)
    inputs = []
    for layer in params["layers"]:
        inputs.append(x_BTD)
        x_BTD, _ = block(layer, x_BTD, [], config)
    dx_BTD, found = (score_gradient(dispatch.outer(params), x_BTD, position, token, rival, config),
                     {})
    for i in reversed(range(len(inputs))):
        sites = tuple(name.removeprefix(f"layers.{i}.") for name in names
                      if name.startswith(f"layers.{i}."))
        dx_BTD, added = block_gradient(params["layers"][i], inputs[i], dx_BTD, config, sites)
        found |= {f"layers.{i}.{name}": x for name, x in added.items()}
    return found


@partial(jax.jit, static_argnames="config")
def score_gradient(params, x_BTD, position, token, rival, config):
    """d (logit of `token` - logit of `rival`; no rival: -1) / d the last residual stream."""

    def score(x_BTD):
        logits_V = dispatch.unembed("jax", params, x_BTD[0, position], config)
        return logits_V[token] - jnp.where(rival < 0, 0, logits_V[rival])

    return jax.grad(score)(x_BTD)


@partial(jax.jit, static_argnames=("config", "sites"))
def block_gradient(layer, x_BTD, dx_BTD, config, sites):
    """(gradient of a block's input, {site: of its activations}) from the gradient of its output."""

    def through(x_BTD, added):
        tap = lambda name, x: x + added[name] if name in added else x
        return dispatch.block("jax", layer, x_BTD, config, tap)

    shapes = jax.eval_shape(lambda: block(layer, x_BTD, [], config, (), sites)[1])
    zeros = {name: jnp.zeros(shape.shape, shape.dtype) for name, shape in shapes.items()}
    return jax.vjp(through, x_BTD, zeros)[1](dx_BTD)


@partial(jax.jit, static_argnames=("config", "names", "plan"), donate_argnames="cache")
def step(params, tokens_BT, cache, values, config, names, plan):
    """(logits, cache, record) of a pass that continues from a cache."""
    seen = {}
    tap = editor(plan, values, names, seen, jnp.where)
    logits_BTV, cache = dispatch.forward("jax", config)(params, tokens_BT, config, cache, tap)
    return logits_BTV, cache, seen


@partial(jax.jit, static_argnames="config")
def effects(params, x_ND, log_p_TV, t_N, next_N, config):
    """(surprise, KL) of rows of changed streams at positions t: see ablation.effect."""
    log_p_NV, log_q_NV = log_p_TV[t_N], log_softmax(dispatch.unembed("jax", params, x_ND, config))
    surprise_N = (jnp.take_along_axis(each, next_N[:, None], axis=-1)[:, 0]
                  for each in (log_p_NV, log_q_NV))
    return jnp.subtract(*surprise_N), jnp.sum(jnp.exp(log_p_NV) * (log_p_NV - log_q_NV), axis=-1)


@partial(jax.jit, static_argnames=("config", "count"))
def lens(params, x_ND, answer_TV, t_N, next_N, config, count):
    """(tokens, their p, entropy, KL(answer || row), p and rank of the next token): see lens.py."""
    log_p_NV = log_softmax(dispatch.unembed("jax", params, x_ND, config))
    best_NM, token_NM = jax.lax.top_k(log_p_NV, count)
    next_log_p_N = jnp.take_along_axis(log_p_NV, next_N[:, None], axis=-1)[:, 0]
    log_a_NV = answer_TV[t_N]
    return (
        token_NM,
        jnp.exp(best_NM),
        -jnp.sum(jnp.exp(log_p_NV) * log_p_NV, axis=-1),
        jnp.sum(jnp.exp(log_a_NV) * (log_a_NV - log_p_NV), axis=-1),
        jnp.exp(next_log_p_N),
        1 + jnp.sum(log_p_NV > next_log_p_N[:, None], axis=-1),
    )
