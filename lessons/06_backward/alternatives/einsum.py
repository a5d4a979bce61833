"""Einstein sums; a one-hot matrix where rows are looked up; the softmax's whole Jacobian."""

FIRST = 3.82


def linear_backward(dy, x, w, b):
    return np.einsum("bto,io->bti", dy, w), np.einsum("bti,bto->io", x, dy), np.einsum("bto->o", dy)


def embedding_backward(dx, tokens, table):
    onehot = np.eye(len(table))[tokens]
    return np.einsum("btv,btd->vd", onehot, dx)


def rmsnorm_backward(dy, x, weight, eps):
    D = x.shape[-1]
    scale = (np.einsum("btd,btd->bt", x, x) / D + eps) ** -0.5
    n = np.einsum("btd,bt->btd", x, scale)
    jacobian = np.eye(D) - np.einsum("bti,btj->btij", n, n) / D
    return np.einsum("btij,btj,j,bt->bti", jacobian, dy, weight, scale), np.einsum("btd,btd->d", dy, n)


def rope_backward(dy, x, cos, sin):
    half = cos.shape[-1]
    return np.concatenate([dy[..., :half] * cos + dy[..., half:] * sin, dy[..., half:] * cos - dy[..., :half] * sin], axis=-1)


def swiglu_backward(dy, gate, up):
    s = 0.5 * (1 + np.tanh(gate / 2))
    silu = gate * s
    return np.einsum("tf,tf,tf->tf", dy, up, silu + s * (1 - silu)), dy * silu


def cross_entropy_backward(dloss, logits, targets):
    counted = (targets >= 0).astype(float)
    onehot = np.eye(logits.shape[-1])[np.maximum(targets, 0)]
    return np.einsum("btv,bt->btv", softmax(logits) - onehot, counted) * (dloss / counted.sum())


def attend_backward(dz, q, k, v):
    p, E = pattern(q, k), q.shape[-1]
    jacobian = np.einsum("kgts,sr->kgtsr", p, np.eye(p.shape[-1])) - np.einsum("kgts,kgtr->kgtsr", p, p)
    dscores = np.einsum("kgtsr,kgte,kre->kgts", jacobian, dz, v) / E**0.5
    return np.einsum("kgts,kse->kgte", dscores, k), np.einsum("kgts,kgte->kse", dscores, q), np.einsum("kgts,kgte->kse", p, dz)
