"""Token by token with loops; silu by tanh; the head as dot products with rows of the embedding."""

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
