"""Wrong answers, as small as they can be: each section replaces parts of solution.py.

A section is named after the hint it must get; NAME-other is another way to the same hint.
"""


# ---- attention_lost ----
# The second sum starts from the old x.


def block(layer, x, attention, eps):
    middle = x + attention(layer, rmsnorm(x, layer["input_layernorm"], eps))
    return x + mlp(layer, rmsnorm(middle, layer["post_attention_layernorm"], eps))


# ---- another_gate-gelu ----
# The gate of GPT-2, in its short form.


def mlp(layer, x):
    gate = x @ layer["gate_proj"]
    inner = np.sqrt(2 / np.pi) * (gate + 0.044715 * gate**3)
    return (0.5 * gate * (1 + np.tanh(inner)) * (x @ layer["up_proj"])) @ layer["down_proj"]


# ---- another_gate ----
# The gate of 2017.


def mlp(layer, x):
    return (np.maximum(x @ layer["gate_proj"], 0) * (x @ layer["up_proj"])) @ layer["down_proj"]


# ---- eps_forgotten ----
# Nothing is added under the root.


def rmsnorm(x, weight, eps):
    return weight * x / np.sqrt(np.mean(x * x, axis=-1, keepdims=True))


# ---- eps_outside ----
# eps beside the root.


def rmsnorm(x, weight, eps):
    return weight * x / (np.sqrt(np.mean(x * x, axis=-1, keepdims=True)) + eps)


# ---- last_norm_not_counted ----
# The last norm is missing from the sum.


def count(V, D, F, L, H, K, E, tied):
    layer = 2 * D * H * E + 2 * D * K * E + 3 * D * F + 2 * D
    return V * D * (1 if tied else 2) + L * layer


# ---- last_norm_not_counted-paper ----
# The last norm is missing from the sum.
PARAMETERS = 2176


# ---- final_norm ----
# From the last block straight to the head.


def forward(params, tokens, attention, eps):
    x = params["embed_tokens"][tokens]
    for layer in params["layers"]:
        x = block(layer, x, attention, eps)
    return x @ (params["lm_head"] if "lm_head" in params else params["embed_tokens"].T)


# ---- full_heads-paper ----
# Four square matrices.
PARAMETERS = 2312


# ---- full_heads ----
# Keys and values for every head.


def count(V, D, F, L, H, K, E, tied):
    layer = 4 * D * H * E + 3 * D * F + 2 * D
    return V * D * (1 if tied else 2) + L * layer + D


# ---- head_not_counted ----
# tied is not looked at.


def count(V, D, F, L, H, K, E, tied):
    layer = 2 * D * H * E + 2 * D * K * E + 3 * D * F + 2 * D
    return V * D + L * layer + D


# ---- head_always_tied ----
# The embedding's transpose, whatever the model has.


def forward(params, tokens, attention, eps):
    x = params["embed_tokens"][tokens]
    for layer in params["layers"]:
        x = block(layer, x, attention, eps)
    x = rmsnorm(x, params["norm"], eps)
    return x @ params["embed_tokens"].T


# ---- head_not_tied-count ----
# tied is not looked at.


def count(V, D, F, L, H, K, E, tied):
    layer = 2 * D * H * E + 2 * D * K * E + 3 * D * F + 2 * D
    return 2 * V * D + L * layer + D


# ---- head_not_tied-paper ----
# The embedding counted once more as the head.
PARAMETERS = 2984


# ---- head_not_tied ----
# Always params["lm_head"].


def forward(params, tokens, attention, eps):
    x = params["embed_tokens"][tokens]
    for layer in params["layers"]:
        x = block(layer, x, attention, eps)
    x = rmsnorm(x, params["norm"], eps)
    return x @ params["lm_head"]


# ---- mean_subtracted ----
# LayerNorm without its bias.


def rmsnorm(x, weight, eps):
    x = x - x.mean(axis=-1, keepdims=True)
    return weight * x / np.sqrt(x.var(axis=-1, keepdims=True) + eps)


# ---- no_gate-up ----
# Two matrices, as before SwiGLU: gate is not used.


def mlp(layer, x):
    hidden = x @ layer["up_proj"]
    return (hidden / (1 + np.exp(-hidden))) @ layer["down_proj"]


# ---- no_gate ----
# Two matrices, as before SwiGLU: up is not used.


def mlp(layer, x):
    hidden = x @ layer["gate_proj"]
    return (hidden / (1 + np.exp(-hidden))) @ layer["down_proj"]


# ---- no_residual-second ----
# The second sum forgotten.


def block(layer, x, attention, eps):
    x = x + attention(layer, rmsnorm(x, layer["input_layernorm"], eps))
    return mlp(layer, rmsnorm(x, layer["post_attention_layernorm"], eps))


# ---- no_residual ----
# A chain of functions.


def block(layer, x, attention, eps):
    x = attention(layer, rmsnorm(x, layer["input_layernorm"], eps))
    return mlp(layer, rmsnorm(x, layer["post_attention_layernorm"], eps))


# ---- norm_last ----
# The block of 2017.


def block(layer, x, attention, eps):
    x = rmsnorm(x + attention(layer, x), layer["input_layernorm"], eps)
    return rmsnorm(x + mlp(layer, x), layer["post_attention_layernorm"], eps)


# ---- norms_not_counted-paper ----
# Matrices alone.
PARAMETERS = 2144


# ---- norms_not_counted ----
# Matrices alone.


def count(V, D, F, L, H, K, E, tied):
    layer = 2 * D * H * E + 2 * D * K * E + 3 * D * F
    return V * D * (1 if tied else 2) + L * layer


# ---- one_layer ----
# layers[0] in a loop.


def forward(params, tokens, attention, eps):
    x = params["embed_tokens"][tokens]
    for _ in params["layers"]:
        x = block(params["layers"][0], x, attention, eps)
    x = rmsnorm(x, params["norm"], eps)
    return x @ (params["lm_head"] if "lm_head" in params else params["embed_tokens"].T)


# ---- one_norm ----
# input_layernorm twice.


def block(layer, x, attention, eps):
    x = x + attention(layer, rmsnorm(x, layer["input_layernorm"], eps))
    return x + mlp(layer, rmsnorm(x, layer["input_layernorm"], eps))


# ---- residual_normed-first ----
# Only before attention.


def block(layer, x, attention, eps):
    x = rmsnorm(x, layer["input_layernorm"], eps)
    x = x + attention(layer, x)
    return x + mlp(layer, rmsnorm(x, layer["post_attention_layernorm"], eps))


# ---- residual_normed ----
# x is overwritten by its norm before the sum.


def block(layer, x, attention, eps):
    x = rmsnorm(x, layer["input_layernorm"], eps)
    x = x + attention(layer, x)
    x = rmsnorm(x, layer["post_attention_layernorm"], eps)
    return x + mlp(layer, x)


# ---- scaled ----
# The factor of 2017.


def forward(params, tokens, attention, eps):
    x = params["embed_tokens"][tokens] * np.sqrt(len(params["norm"]))
    for layer in params["layers"]:
        x = block(layer, x, attention, eps)
    x = rmsnorm(x, params["norm"], eps)
    return x @ (params["lm_head"] if "lm_head" in params else params["embed_tokens"].T)


# ---- side_by_side ----
# Attention and mlp read the same x, as in GPT-J.


def block(layer, x, attention, eps):
    return x + attention(layer, rmsnorm(x, layer["input_layernorm"], eps)) + mlp(layer, rmsnorm(x, layer["post_attention_layernorm"], eps))


# ---- sigmoid_gate ----
# The gate of an LSTM.


def mlp(layer, x):
    gate = 1 / (1 + np.exp(-(x @ layer["gate_proj"])))
    return (gate * (x @ layer["up_proj"])) @ layer["down_proj"]


# ---- silu_of_product ----
# silu at the end.


def mlp(layer, x):
    both = (x @ layer["gate_proj"]) * (x @ layer["up_proj"])
    return (both / (1 + np.exp(-both))) @ layer["down_proj"]


# ---- square ----
# HE taken to be D.


def count(V, D, F, L, H, K, E, tied):
    layer = 2 * D * D + 2 * D * K * E + 3 * D * F + 2 * D
    return V * D * (1 if tied else 2) + L * layer + D


# ---- sum_not_mean ----
# The length of the row, not its root mean square.


def rmsnorm(x, weight, eps):
    return weight * x / np.sqrt(np.sum(x * x, axis=-1, keepdims=True) + eps)


# ---- swapped ----
# silu over up.


def mlp(layer, x):
    up = x @ layer["up_proj"]
    return (x @ layer["gate_proj"] * up / (1 + np.exp(-up))) @ layer["down_proj"]


# ---- two_matrices-paper ----
# 320 instead of 480 a layer.
PARAMETERS = 1864


# ---- two_matrices ----
# Up and down alone.


def count(V, D, F, L, H, K, E, tied):
    layer = 2 * D * H * E + 2 * D * K * E + 2 * D * F + 2 * D
    return V * D * (1 if tied else 2) + L * layer + D


# ---- whole_array ----
# No axis.


def rmsnorm(x, weight, eps):
    return weight * x / np.sqrt(np.mean(x * x) + eps)


# ---- wrong_axis ----
# Axis 0: the mean over the tokens.


def rmsnorm(x, weight, eps):
    return weight * x / np.sqrt(np.mean(x * x, axis=0) + eps)
