"""The forward pass as far as the head, for texts whose logits are not all wanted at once.

Twin: minillm/in_jax/pieces.py.
"""

from minillm.in_numpy.family import module_of
from minillm.in_numpy.model import head
from minillm.in_numpy.ops import linear


def stream(params, tokens_BT, config, cache=None):
    """(what the head reads (B, T, D), cache): texts from position 0, into an empty cache, if any."""
    module, kept = module_of(config), []
    x_BTD = module.embed(params, tokens_BT, config)
    for i, layer in enumerate(params["layers"]):
        past = None if cache is None else cache["layers"][i]
        x_BTD, past = module.block_alone(layer, x_BTD, config, past=past)
        kept.append(past)
    x_BTD = module.final_norm(params, x_BTD, config)
    return x_BTD, None if cache is None else {"length": tokens_BT.shape[1], "layers": kept}


def read(params, x):
    """Logits of what `stream` gives: (..., D) -> (..., V)."""
    return linear(x, head(params))
