"""A pair is a complex number, and to turn it is to multiply; heads are an axis; slopes by recursion."""


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
