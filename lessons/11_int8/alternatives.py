"""Right answers written another way: each section replaces parts of solution.py.

All tasks must pass. A section named after a remark must get this remark.
"""


# ---- away_from_zero ----
# Rounds halves away from zero by hand, and clips to -128, which nothing reaches.


def quantize(w):
    scale = np.abs(w).max() / 127.0
    return np.clip(np.sign(w) * np.floor(np.abs(w) / scale + 0.5), -128, 127).astype(np.int8), scale


def quantize_rows(w):
    scales = np.abs(w).max(axis=1, keepdims=True) / 127.0
    scales[scales == 0] = 1.0
    return np.clip(np.sign(w) * np.floor(np.abs(w) / scales + 0.5), -128, 127).astype(np.int8), scales


def integer_product(x, w):
    return np.matmul(x, w.T, dtype=np.int32)


# ---- loops ----
# Number by number, with Python's own integers.
RETURNED = 0.740


def quantize(w):
    scale = max(abs(number) for row in w for number in row) / 127
    return np.array([[round(number / scale) for number in row] for row in w], np.int8), scale


def predicted_error(w):
    numbers = [float(number) for row in w for number in row]
    return max(map(abs, numbers)) / 127 / 12**0.5 / (sum(number * number for number in numbers) / len(numbers)) ** 0.5


def dequantize(integers, scales):
    scales = np.broadcast_to(np.reshape(scales, (-1, 1)), (len(integers), 1))
    return np.array([[int(i) * float(scale) for i in row] for row, (scale,) in zip(integers, scales)])


def quantize_rows(w):
    integers, scales = np.zeros(w.shape, np.int8), np.ones((len(w), 1))
    for o, row in enumerate(w):
        if row.any():
            found, scales[o, 0] = quantize(row[None])
            integers[o] = found[0]
    return integers, scales


def integer_product(x, w):
    return np.array([[sum(int(a) * int(b) for a, b in zip(row, weights)) for weights in w] for row in x], np.int32)


def linear(x, integers, scales):
    y = np.zeros((len(x), len(integers)))
    for t, row in enumerate(x):
        found, scale = quantize_rows(row[None])
        for o in range(len(integers)):
            y[t, o] = integer_product(found, integers[o : o + 1])[0, 0] * scale[0, 0] * scales[o, 0]
    return y


def smoothing(x, w, alpha):
    s = []
    for a, b in zip(x.T, w.T):
        s.append(max(map(abs, a)) ** alpha / max(map(abs, b)) ** (1 - alpha) if any(a) else 1)
    return np.array(s)


# ---- other_words ----
# Multiplies by 127 / largest; adds up in float64, which is exact far enough; logarithms; a tiny
# scale for rows of zeros.


def quantize(w):
    largest = np.linalg.norm(w.ravel(), np.inf)
    return np.rint(w * (127 / largest)).astype(np.int8), largest / 127


def predicted_error(w):
    return float(np.linalg.norm(w.ravel(), np.inf) / 127 * np.sqrt(w.size / 12) / np.linalg.norm(w))


def dequantize(integers, scales):
    return np.multiply(scales, integers.astype(np.float64))


def quantize_rows(w):
    scales = np.maximum(np.abs(w).max(1)[:, None] / 127, 1e-30)
    return np.clip(np.rint(w / scales), -127, 127).astype(np.int8), scales


def integer_product(x, w):
    return np.einsum("ti,oi->to", x.astype(np.float64), w.astype(np.float64)).astype(np.int32)


def linear(x, integers, scales):
    x_integers, x_scales = quantize_rows(x)
    return np.einsum("to,t,o->to", integer_product(x_integers, integers), x_scales[:, 0], scales[:, 0])


def smoothing(x, w, alpha):
    x_largest = np.maximum.reduce(np.abs(x))
    alive = x_largest > 0
    s = np.ones(x.shape[1])
    s[alive] = np.exp(alpha * np.log(x_largest[alive]) - (1 - alpha) * np.log(np.abs(w).max(axis=0)[alive]))
    return s
