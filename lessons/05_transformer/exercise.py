"""Exercise of lesson 05: a whole LLaMA.

Letters: T tokens, D model, F feed-forward, V vocabulary, L layers, H heads, K key/value heads, E
head size. Arrays are NumPy's, in float64. Weights are (in, out): x @ w.
Check yourself:  minillm lesson check 5

Attention is lesson 03's and 04's, so it is given: `attention(layer, x)`, a function (T, D)
-> (T, D), is handed to you. A layer is a dict with the names that every LLaMA has:

    input_layernorm (D,)  q_proj k_proj v_proj o_proj  post_attention_layernorm (D,)  gate_proj
    (D, F)  up_proj (D, F)  down_proj (F, D)

A model is {"embed_tokens": (V, D), "layers": [layer, ...], "norm": (D,)}, and, if its head is not
tied, "lm_head": (D, V).
"""

import numpy as np

# Work this out on paper: how many parameters has a LLaMA with a vocabulary V = 100, D = 8, F = 20,
# L = 2 layers, H = 4 heads of size E = 2 over K = 2 key/value heads, no biases, and the head tied
# to the embedding?
PARAMETERS = None


def rmsnorm(x, weight, eps):
    """weight * x / sqrt(mean of x^2 + eps), the mean over the D numbers of one token. x (T, D),
    weight (D,) -> (T, D)."""
    raise NotImplementedError


def mlp(layer, x):
    """down(silu(gate(x)) * up(x)), where gate, up and down are products with the layer's matrices.
    x (T, D) -> (T, D).

    silu(a) = a / (1 + exp(-a)).
    """
    raise NotImplementedError


def block(layer, x, attention, eps):
    """First x + attention of the normed x; then the same with the mlp, on what came out. x (T, D)
    -> (T, D).

    The first norm's weight is input_layernorm, the second's post_attention_layernorm.
    """
    raise NotImplementedError


def forward(params, tokens, attention, eps):
    """Logits (T, V) of tokens (T,): embedding, all blocks, the last norm, the head.

    Without an "lm_head" the head is tied: the embedding's matrix is used once more.
    """
    raise NotImplementedError


def count(V, D, F, L, H, K, E, tied):
    """How many parameters a LLaMA without biases has, the head counted only if it is not tied."""
    raise NotImplementedError
