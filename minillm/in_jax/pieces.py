"""The forward pass in pieces: one compiled block, called once for each layer.

Twin: minillm/in_numpy/pieces.py.

The time that XLA takes to compile grows with the layers of a program, the time of a piece does not.
So what runs once for a text (the prompt, a row to evaluate) runs in pieces; what runs a thousand
times (the loop over new tokens, training) is one program.
"""

from functools import partial

import jax

from minillm.in_jax.family import module_of
from minillm.in_jax.model import unembedding
from minillm.in_jax.ops import linear
from minillm.in_jax.sharding import split_rows


def stream(params, tokens_BT, config, cache=None):
    """(what the head reads (B, T, D), cache): texts from position 0, into an empty cache, if any."""
    x_BTD, kv_layers = _begin(params | {"layers": []}, tokens_BT, config), []
    for i, layer in enumerate(params["layers"]):
        kv = None if cache is None else cache["layers"][i]
        x_BTD, kv = _waited(_through(layer, x_BTD, kv, config))
        kv_layers.append(kv)
    x_BTD = _waited(_end(params | {"layers": []}, x_BTD, config))
    return x_BTD, None if cache is None else {"length": tokens_BT.shape[1], "layers": kv_layers}


def _waited(result):
    """The result; of many devices when it is there: see sharding.py."""
    return jax.block_until_ready(result) if jax.device_count() > 1 else result


@partial(jax.jit, static_argnames="config")
def _begin(params, tokens_BT, config):
    return module_of(config).embed(params, split_rows(tokens_BT, axis=0), config)


@partial(jax.jit, static_argnames="config", donate_argnames="kv")
def _through(layer, x_BTD, kv, config):
    return module_of(config).block_alone(layer, x_BTD, config, kv=kv)


@partial(jax.jit, static_argnames="config")
def _end(params, x_BTD, config):
    return module_of(config).final_norm(params, x_BTD, config)


def read(params, x):
    """Logits of what `stream` gives: (..., D) -> (..., V)."""
    return _read(params | {"layers": []}, x)


@jax.jit
def _read(params, x):
    return linear(x, unembedding(params))
