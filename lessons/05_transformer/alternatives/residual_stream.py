"""The stream as a running sum that each part adds to; the norm with its weight folded into the matrices that follow."""


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
