"""The forward pass as far as the head, for texts whose logits are not all wanted at once.

Twin: minillm/in_jax/pieces.py.
"""

from minillm.in_numpy.family import module_of
from minillm.in_numpy.model import unembedding
from minillm.in_numpy.ops import linear


def stream(params, tokens_BT, config, cache=None):
    """(what the head reads (B, T, D), cache): texts from position 0, into an empty cache, if any."""
    module, kv_layers = module_of(config), []
    x_BTD = module.embed(params, tokens_BT, config)
    for i, layer in enumerate(params["layers"]):
        kv = None if cache is None else cache["layers"][i]
        x_BTD, kv = module.block_alone(layer, x_BTD, config, kv=kv)
        kv_layers.append(kv)
    x_BTD = module.final_norm(params, x_BTD, config)
    return x_BTD, None if cache is None else {"length": tokens_BT.shape[1], "layers": kv_layers}


def read(params, x):
    """Logits of what `stream` gives: (..., D) -> (..., V)."""
    return linear(x, unembedding(params))
