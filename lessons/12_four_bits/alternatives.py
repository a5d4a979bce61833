"""Right answers written another way: each section replaces parts of solution.py.

All tasks must pass. A section named after a remark must get this remark.
"""


# ---- loops ----
# Number by number, with Python's own integers; the factor by a Cholesky written out.
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


# ---- tricks ----
# Shifts that carry the sign; repeated scales; the factor from a QR decomposition; the whole row
# of U, whose first part is zero.


def pack(integers):
    pairs = integers.astype(np.int32).reshape(len(integers), -1, 2) % 16
    return (pairs @ np.array([1, 16])).astype(np.uint8)


def unpack(packed):
    both = np.stack([(packed << 4).view(np.int8) >> 4, packed.view(np.int8) >> 4], axis=2)
    return both.reshape(len(packed), -1)


def quantize_groups(w):
    starts = np.arange(0, w.shape[1], 32)
    scales = np.maximum.reduceat(np.abs(w), starts, axis=1) / 7
    return np.rint(w / scales.repeat(32, axis=1)[:, : w.shape[1]]).astype(np.int8), scales


def quantize_with_zero(w):
    both = np.pad(w, ((0, 0), (0, 1)))
    scales = np.ptp(both, axis=1, keepdims=True) / 15
    zeros = np.rint(-both.min(axis=1, keepdims=True) / scales - 8)
    return np.clip(np.rint(w / scales + zeros), -8, 7).astype(np.int8), scales, zeros.astype(int)


def factor(H, damping):
    H = H.copy()
    H.flat[:: len(H) + 1] += damping * np.trace(H) / len(H)
    L = np.linalg.cholesky(H)
    _, R = np.linalg.qr(np.linalg.inv(L))
    return R * np.sign(np.diag(R))[:, None]


def compensate(w, U, i, scales):
    integers = np.clip(np.rint(w[:, [i]] / scales), -7, 7)
    return integers[:, 0].astype(np.int8), w - (w[:, [i]] - scales * integers) / U[i, i] * U[[i]]
