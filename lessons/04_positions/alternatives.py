"""Right answers written another way: each section replaces parts of solution.py.

All tasks must pass. A section named after a remark must get this remark.
"""


# ---- by_distance ----
# Turns only the queries, by how far they stand from each key; in go_on it turns the old keys back
# first.


def rotate(x, positions, theta):
    made, half = np.empty(x.shape), x.shape[1] // 2
    for t, position in enumerate(positions):
        for i, frequency in enumerate(frequencies(x.shape[1], theta)):
            cos, sin = np.cos(position * frequency), np.sin(position * frequency)
            made[t, [i, i + half]] = np.array([[cos, -sin], [sin, cos]]) @ x[t, [i, i + half]]
    return made


def attention(q, k, v, theta):
    made = np.zeros_like(q)
    for t in range(len(q)):
        turned = rotate(np.tile(q[t], (t + 1, 1)), t - np.arange(t + 1), theta)
        e = np.exp((turned * k[: t + 1]).sum(axis=1) / q.shape[1] ** 0.5)
        made[t] = e @ v[: t + 1] / e.sum()
    return made


def go_on(q, k, v, old_k, old_v, theta):
    S = len(old_k)
    plain = np.concatenate([rotate(old_k, -np.arange(S), theta), k])
    return attention(np.concatenate([np.zeros((S, q.shape[1])), q]), plain, np.concatenate([old_v, v]), theta)[S:]


# ---- complex_numbers ----
# A pair is a complex number, and to turn it is to multiply; heads are an axis; slopes by
# recursion.


def frequencies(E, theta):
    return np.exp(-np.log(theta) * 2 * np.arange(E // 2) / E)


def rotate(x, positions, theta):
    half = x.shape[-1] // 2
    turned = (x[..., :half] + 1j * x[..., half:]) * np.exp(1j * np.outer(positions, frequencies(2 * half, theta)))
    return np.concatenate([turned.real, turned.imag], axis=-1)


def rotate_heads(x, H, positions, theta):
    T = len(x)
    heads = x.reshape(T, H, -1).transpose(1, 0, 2)
    return rotate(heads, positions, theta).transpose(1, 0, 2).reshape(T, -1)


def attention(q, k, v, theta):
    T, E = q.shape
    scores = rotate(q, np.arange(T), theta) @ rotate(k, np.arange(T), theta).T / E**0.5
    e = np.tril(np.exp(scores - scores.max()))
    return e @ v / e.sum(axis=1, keepdims=True)


def slopes(H):
    below = 1 << (H.bit_length() - 1)
    if below == H:
        return np.array([2 ** (-8 * h / H) for h in range(1, H + 1)])
    return np.concatenate([slopes(below), slopes(2 * below)[0::2][: H - below]])
