"""Right answers written another way: each section replaces parts of solution.py.

All tasks must pass. A section named after a remark must get this remark.
"""


# ---- one_row_at_a_time ----
# Token by token with loops; silu by tanh; the head as dot products with rows of the embedding.
PARAMETERS = 2184.0


def rmsnorm(x, weight, eps):
    return np.array([weight * row * (row @ row / len(row) + eps) ** -0.5 for row in x])


def mlp(layer, x):
    rows = []
    for row in x:
        gate, up = row @ layer["gate_proj"], row @ layer["up_proj"]
        rows.append((0.5 * gate * (1 + np.tanh(gate / 2)) * up) @ layer["down_proj"])
    return np.stack(rows)


def forward(params, tokens, attention, eps):
    x = np.stack([params["embed_tokens"][token] for token in tokens])
    for layer in params["layers"]:
        x = block(layer, x, attention, eps)
    rows = params.get("lm_head", params["embed_tokens"].T).T
    return np.array([[word @ row for word in rows] for row in rmsnorm(x, params["norm"], eps)])


def count(V, D, F, L, H, K, E, tied):
    total = V * D + D
    for _ in range(L):
        for rows, columns in ((D, H * E), (D, K * E), (D, K * E), (H * E, D), (D, F), (D, F), (F, D), (1, D), (1, D)):
            total += rows * columns
    return total if tied else total + V * D


# ---- residual_stream ----
# The stream as a running sum that each part adds to; the norm with its weight folded into the
# matrices that follow.


def rmsnorm(x, weight, eps):
    size = np.sqrt(np.square(x).sum(axis=1) / x.shape[1] + eps)
    return np.einsum("td,t,d->td", x, 1 / size, weight)


def mlp(layer, x):
    both = x @ np.concatenate([layer["gate_proj"], layer["up_proj"]], axis=1)
    gate, up = np.split(both, 2, axis=1)
    return np.multiply(gate * up, 1 / (1 + np.exp(-gate))) @ layer["down_proj"]


def block(layer, x, attention, eps):
    stream = x.copy()
    stream += attention(layer, rmsnorm(stream, layer["input_layernorm"], eps))
    plain = rmsnorm(stream, np.ones(x.shape[1]), eps)
    folded = layer | {name: layer["post_attention_layernorm"][:, None] * layer[name] for name in ("gate_proj", "up_proj")}
    stream += mlp(folded, plain)
    return stream
