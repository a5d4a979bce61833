"""Number by number, with Python's own integers."""

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
