"""What a model costs in operations and in memory, from the shapes of its config alone.

One multiplication and one addition are two operations (FLOP). Nothing here runs a model.
"""

from math import prod

from minillm.architecture.family import family
from minillm.architecture.tree import flatten

# Of a number of a matrix, scales included.
BYTES = {"float32": 4.0, "bfloat16": 2.0, "float16": 2.0, "int8-group32": 34 / 32,
         "int4-group32": 18 / 32}


def sizes(config) -> dict[str, int]:
    """How many numbers a model holds, by what happens to them.

    embedding  rows that are looked up and never multiplied; 0 where the head is tied to them
    products   matrices that every token is multiplied with, the head among them
    vectors    norms and biases
    """
    shapes = flatten(family(config).shapes(config))
    tied = "lm_head" not in shapes
    looked_up = 0 if tied else prod(shapes["embed_tokens"])
    matrices = sum(prod(shape) for shape in shapes.values() if len(shape) > 1)
    return {"embedding": looked_up, "products": matrices - looked_up,
            "vectors": sum(prod(shape) for shape in shapes.values() if len(shape) == 1)}


def forward_flop(config, tokens: int, before: int = 0) -> dict[str, int]:
    """Operations of reading `tokens` tokens that follow `before` others.

        products   2 N tokens, N the numbers of `sizes`' products
        attention  4 L H E keys: queries times keys, patterns times values; the t-th token
                   reads before + t keys

    Norms, softmax and the rotation are left out, as in Kaplan et al. 2020 (arXiv:2001.08361,
    table 1), which counts every token as if it read all keys; here the mask is counted.
    """
    keys = tokens * before + tokens * (tokens + 1) // 2
    width = config.num_attention_heads * config.head_dim
    return {"products": 2 * sizes(config)["products"] * tokens,
            "attention": 4 * config.num_hidden_layers * width * keys}


def training_flop(config, tokens: int, context: int) -> dict[str, float]:
    """Operations of training on `tokens` tokens in rows of `context`: three times the forward pass.

    The backward pass has two products for each of the forward pass: one for the gradient of the
    input, one for that of the matrix (Kaplan et al. 2020, section 2.1). The well-known 6 N D leaves
    attention out.
    """
    return {name: 3 * flop * tokens / context
            for name, flop in forward_flop(config, context).items()}


def weight_bytes(config, kind: str = "float32") -> float:
    """Bytes of the weights; vectors stay float32. `kind` is a name of BYTES."""
    numbers = sizes(config)
    return BYTES[kind] * (numbers["embedding"] + numbers["products"]) + 4 * numbers["vectors"]


def cache_bytes(config, length: int, batch: int = 1, kind: str = "float32") -> float:
    """Bytes of the keys and values of `length` positions: 2 L K E for each. `kind` as above."""
    width = config.num_key_value_heads * config.head_dim
    return 2 * config.num_hidden_layers * width * length * batch * BYTES[kind]


def training_bytes(config, rows: int, context: int) -> dict[str, int]:
    """Bytes that in_numpy holds in a training step in float32: weights, gradients, moments,
    activations.

    The optimizer keeps two moments of every number (Kingma and Ba 2015, arXiv:1412.6980).
    Activations are what `forward` shows to its taps, all of which the backward pass reads: a
    token's vectors in every layer, in every head its scores and its pattern over the context, and
    its logits.
    """
    numbers = sum(sizes(config).values())
    D, H, K, E = (config.hidden_size, config.num_attention_heads, config.num_key_value_heads,
                  config.head_dim)
    layer = 6 * D + 3 * (H + K) * E + 3 * config.intermediate_size + 2 * H * context
    token = config.num_hidden_layers * layer + 2 * D + config.vocab_size
    return {"weights": 4 * numbers, "gradients": 4 * numbers, "moments": 8 * numbers,
            "activations": 4 * rows * context * token}
