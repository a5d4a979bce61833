"""Number by number, with Python's own integers; the factor by a Cholesky written out."""

BITS = (128 * 3 + 16 + 8) / 128


def pack(integers):
    made = np.zeros((len(integers), integers.shape[1] // 2), np.uint8)
    for o, row in enumerate(integers.tolist()):
        for k in range(len(row) // 2):
            made[o, k] = row[2 * k] % 16 + 16 * (row[2 * k + 1] % 16)
    return made


def unpack(packed):
    rows = [[n - 16 if n > 7 else n for byte in row for n in (byte % 16, byte // 16)] for row in packed.tolist()]
    return np.array(rows, np.int8)


def quantize_groups(w):
    integers, scales = np.zeros(w.shape, np.int8), []
    for o, row in enumerate(w):
        scales.append([])
        for start in range(0, len(row), 32):
            group = row[start:start + 32]
            scales[-1].append(np.abs(group).max() / 7)
            integers[o, start:start + 32] = np.rint(group / scales[-1][-1])
    return integers, np.array(scales)


def quantize_with_zero(w):
    integers, scales, zeros = np.zeros(w.shape, np.int8), np.zeros((len(w), 1)), np.zeros((len(w), 1), np.int8)
    for o, row in enumerate(w):
        low, high = min(0.0, *row), max(0.0, *row)
        scales[o, 0] = (high - low) / 15
        zeros[o, 0] = round(-8 - low / scales[o, 0])
        integers[o] = [round(number / scales[o, 0]) + int(zeros[o, 0]) for number in row]
    return integers, scales, zeros


def factor(H, damping):
    A = np.linalg.inv(H + damping * np.diag(H).mean() * np.identity(len(H)))
    U = np.zeros_like(A)
    for i in range(len(A)):
        for j in range(i, len(A)):
            left = A[i, j] - sum(U[k, i] * U[k, j] for k in range(i))
            U[i, j] = np.sqrt(left) if i == j else left / U[i, i]
    return U


def compensate(w, U, i, scales):
    made, integers = np.array(w), np.zeros(len(w), np.int8)
    for o in range(len(w)):
        integers[o] = min(7, max(-7, round(w[o, i] / scales[o, 0])))
        error = w[o, i] - scales[o, 0] * integers[o]
        made[o, i] = scales[o, 0] * integers[o]
        for j in range(i + 1, w.shape[1]):
            made[o, j] -= error / U[i, i] * U[i, j]
    return integers, made
