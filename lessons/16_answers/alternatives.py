"""Right answers written another way: each section replaces parts of solution.py.

All tasks must pass. A section named after a remark must get this remark.
"""


# ---- loops ----
# Token by token, row by row, as one would on paper.
BYTES = 3809280.0


def prompt(row, render, encode):
    if "messages" in row:
        row = {"text": render(row["messages"], True)}
    tokens = encode(row["text"])
    while tokens[:2] == [1, 1]:
        tokens = tokens[1:]
    return tokens


def counts(messages, render, encode):
    flags = []
    for i, message in enumerate(messages):
        before = encode(render(messages[:i], answer=True), begin=False)
        after = encode(render(messages[: i + 1]), begin=False)
        if message["role"] == "user":
            continue
        flags += [False] * (len(before) - len(flags))
        open_ = True
        for token in after[len(before) :]:
            flags.append(open_)
            if token == END:
                open_ = False
    whole = encode(render(messages), begin=False)
    return flags + [False] * (len(whole) - len(flags))


def targets(tokens, counted):
    return [int(tokens[i + 1]) if i + 1 < len(tokens) and counted[i + 1] else -100
            for i in range(len(tokens))]


def adapted(x, w, a, b, alpha):
    change = np.zeros_like(w)
    for k in range(a.shape[1]):
        change += np.outer(a[:, k], b[k])
    return x @ (w + alpha * change / a.shape[1])


# ---- whole_matrix ----
# The gradients of the thin matrices from that of the matrix that they make.


def start(inputs, outputs, rank, rng):
    a = (2 * rng.random((inputs, rank)) - 1) / np.sqrt(inputs)
    return a, np.zeros((rank, outputs))


def adapted_backward(dy, x, w, a, b, alpha):
    s = alpha / len(b)
    dw = x.T @ dy
    return dy @ (w + s * a @ b).T, s * dw @ b.T, s * a.T @ dw


def merge(layer):
    if "a" in layer:
        a, b, alpha = layer["a"], layer["b"], layer["alpha"]
        w = adapted(np.eye(len(a)), layer["w"], a, b, alpha)
        return {"w": w, "a": a, "b": 0 * b, "alpha": alpha}
    return dict(layer)
