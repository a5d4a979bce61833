"""Wrong answers, as small as they can be: each section replaces parts of solution.py.

A section is named after the hint it must get; NAME-other is another way to the same hint.
"""


# ---- after_the_end ----
# Everything that the second rendering has more.


def counts(messages, render, encode):
    counted = [False] * len(encode(render(messages), begin=False))
    for i, message in enumerate(messages):
        if message["role"] == "assistant":
            first = len(encode(render(messages[:i], answer=True), begin=False))
            last = len(encode(render(messages[: i + 1]), begin=False))
            counted[first:last] = [True] * (last - first)
    return counted


# ---- b_not_zero-normal ----
# Both drawn, and too large.


def start(inputs, outputs, rank, rng):
    return rng.standard_normal((inputs, rank)), rng.standard_normal((rank, outputs))


# ---- b_not_zero ----
# Both drawn, as every other matrix.


def start(inputs, outputs, rank, rng):
    reach = inputs**-0.5
    return rng.uniform(-reach, reach, (inputs, rank)), rng.uniform(-reach, reach, (rank, outputs))


# ---- base_forgotten ----
# What is trained, and nothing else.
BYTES = 16 * 8 * (576 + 1536)


# ---- base_left_out ----
# The change instead of the matrix.


def adapted(x, w, a, b, alpha):
    return alpha / a.shape[1] * x @ a @ b


# ---- base_trained ----
# Sixteen bytes for everything.
BYTES = 16 * (576 * 1536 + 8 * (576 + 1536))


# ---- bos_doubled-lengths ----
# The tokenizer as it is called for ordinary text, each time.


def counts(messages, render, encode):
    counted = [False] * len(encode(render(messages)))
    for i, message in enumerate(messages):
        if message["role"] == "assistant":
            before = encode(render(messages[:i], answer=True))
            end = encode(render(messages[: i + 1])).index(END, len(before))
            counted[len(before) : end + 1] = [True] * (end + 1 - len(before))
    return counted


# ---- bos_doubled ----
# The tokenizer as it is called for ordinary text.


def prompt(row, render, encode):
    return encode(row["text"] if "text" in row else render(row["messages"], answer=True))


# ---- both_zero ----
# A change of nothing.


def start(inputs, outputs, rank, rng):
    return np.zeros((inputs, rank)), np.zeros((rank, outputs))


# ---- dx_one_way-change ----
# The way through the change alone.


def adapted_backward(dy, x, w, a, b, alpha):
    s = alpha / a.shape[1]
    return s * dy @ b.T @ a.T, s * x.T @ dy @ b.T, s * (x @ a).T @ dy


# ---- dx_one_way ----
# The way through the matrix alone.


def adapted_backward(dy, x, w, a, b, alpha):
    s = alpha / a.shape[1]
    return dy @ w.T, s * x.T @ dy @ b.T, s * (x @ a).T @ dy


# ---- end_left_out ----
# The words of the answer.


def counts(messages, render, encode):
    counted = [False] * len(encode(render(messages), begin=False))
    for i, message in enumerate(messages):
        if message["role"] == "assistant":
            first = len(encode(render(messages[:i], answer=True), begin=False))
            last = first + len(encode(message["content"], begin=False))
            counted[first:last] = [True] * (last - first)
    return counted


# ---- in_place ----
# += on the array that came in.


def merge(layer):
    if "a" not in layer:
        return layer
    w = layer["w"]
    w += layer["alpha"] / layer["a"].shape[1] * layer["a"] @ layer["b"]
    return {"w": w}


# ---- last_alone ----
# The mask of one question and one answer.


def counts(messages, render, encode):
    tokens = encode(render(messages), begin=False)
    first = len(encode(render(messages[:-1], answer=True), begin=False))
    end = tokens.index(END, first)
    return [first <= i <= end for i in range(len(tokens))]


# ---- mark_counts ----
# Up to the answer, without the mark after which it begins.


def counts(messages, render, encode):
    counted = [False] * len(encode(render(messages), begin=False))
    for i, message in enumerate(messages):
        if message["role"] == "assistant":
            first = len(encode(render(messages[:i]), begin=False))
            last = encode(render(messages[: i + 1]), begin=False).index(END, first) + 1
            counted[first:last] = [True] * (last - first)
    return counted


# ---- merged_twice-again ----
# The change moves into the matrix, and stays for the next time.


def merge(layer):
    if "a" not in layer:
        return layer
    w = layer["w"] + layer["alpha"] / layer["a"].shape[1] * layer["a"] @ layer["b"]
    return layer | {"w": w}


# ---- no_turn ----
# The conversation as it is in training.


def prompt(row, render, encode):
    return encode(row["text"] if "text" in row else render(row["messages"]), begin=False)


# ---- merged_twice ----
# The change stays beside, and a flag keeps it from being merged again.


def merge(layer):
    if "a" not in layer or "merged" in layer:
        return layer
    w = layer["w"] + layer["alpha"] / layer["a"].shape[1] * layer["a"] @ layer["b"]
    return layer | {"w": w, "merged": True}


# ---- not_by_rank-backward ----
# alpha, as it stands in the settings.


def adapted_backward(dy, x, w, a, b, alpha):
    dh = alpha * dy @ b.T
    return dy @ w.T + dh @ a.T, x.T @ dh, alpha * (x @ a).T @ dy


# ---- not_by_rank-merge ----
# alpha, as it stands in the settings.


def merge(layer):
    return {"w": layer["w"] + layer["alpha"] * layer["a"] @ layer["b"]} if "a" in layer else layer


# ---- not_by_rank ----
# alpha, as it stands in the settings.


def adapted(x, w, a, b, alpha):
    return x @ w + alpha * x @ a @ b


# ---- not_shifted ----
# What counts, where it stands.


def targets(tokens, counted):
    return np.where(counted, tokens, -100)


# ---- one_side ----
# Eight columns for every row.
BYTES = 4 * 576 * 1536 + 16 * 8 * 576


# ---- prompt_counts-targets ----
# Plain text.


def targets(tokens, counted):
    return np.append(tokens[1:], -100)


# ---- prompt_counts ----
# Plain text.


def counts(messages, render, encode):
    return [True] * len(encode(render(messages), begin=False))


# ---- roles_swapped ----
# Zero on the other side.


def start(inputs, outputs, rank, rng):
    reach = inputs**-0.5
    return np.zeros((inputs, rank)), rng.uniform(-reach, reach, (rank, outputs))


# ---- scale_forgotten-backward ----
# The derivatives of x w + x a b.


def adapted_backward(dy, x, w, a, b, alpha):
    dh = dy @ b.T
    return dy @ w.T + dh @ a.T, x.T @ dh, (x @ a).T @ dy


# ---- scale_forgotten-merge ----
# w + a b.


def merge(layer):
    return {"w": layer["w"] + layer["a"] @ layer["b"]} if "a" in layer else layer


# ---- scale_forgotten ----
# w + a b.


def adapted(x, w, a, b, alpha):
    return x @ w + x @ a @ b


# ---- scale_of_dx ----
# Only where the matrix is trained.


def adapted_backward(dy, x, w, a, b, alpha):
    s = alpha / a.shape[1]
    return dy @ (w + a @ b).T, s * x.T @ dy @ b.T, s * (x @ a).T @ dy


# ---- searched ----
# Where does the answer stand?


def counts(messages, render, encode):
    tokens = encode(render(messages), begin=False)
    counted = [False] * len(tokens)
    for message in messages:
        if message["role"] == "assistant":
            answer = encode(message["content"], begin=False)
            first = next(i for i in range(len(tokens)) if tokens[i : i + len(answer)] == answer)
            for i in range(first, first + len(answer) + 1):
                counted[i] = True
    return counted


# ---- shifted_back ----
# np.roll, the wrong way.


def targets(tokens, counted):
    return np.insert(np.where(counted, tokens, -100)[:-1], 0, -100)


# ---- shifted_mask ----
# The tokens move, the mask stays.


def targets(tokens, counted):
    return np.where(counted, np.append(tokens[1:], -100), -100)


# ---- template_twice-always ----
# A text is a text.


def prompt(row, render, encode):
    text = row["text"] if "text" in row else render(row["messages"], answer=True)
    return encode(render([{"role": "user", "content": text}], answer=True), begin=False)


# ---- template_twice ----
# A row of text becomes a question.


def prompt(row, render, encode):
    messages = row["messages"] if "messages" in row else [{"role": "user", "content": row["text"]}]
    return encode(render(messages, answer=True), begin=False)


# ---- too_large ----
# Standard normal numbers.


def start(inputs, outputs, rank, rng):
    return rng.standard_normal((inputs, rank)), np.zeros((rank, outputs))


# ---- too_small ----
# One over the number of inputs.


def start(inputs, outputs, rank, rng):
    return rng.uniform(-1 / inputs, 1 / inputs, (inputs, rank)), np.zeros((rank, outputs))


# ---- one_sign ----
# From 0 up, as random numbers come.


def start(inputs, outputs, rank, rng):
    return rng.uniform(0, inputs**-0.5, (inputs, rank)), np.zeros((rank, outputs))


# ---- weights_alone ----
# Four bytes for everything.
BYTES = 4 * (576 * 1536 + 8 * (576 + 1536))


# ---- wrapped ----
# np.roll.


def targets(tokens, counted):
    return np.roll(np.where(counted, tokens, -100), -1)


# ---- wrong_order ----
# The bias of habit: last first.


def adapted_backward(dy, x, w, a, b, alpha):
    dh = alpha / a.shape[1] * dy @ b.T
    return dy @ w.T + dh @ a.T, alpha / a.shape[1] * (x @ a).T @ dy, x.T @ dh
