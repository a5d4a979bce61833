"""Shifts that carry the sign; repeated scales; the factor from a QR decomposition; the whole row of U, whose first part is zero."""


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
