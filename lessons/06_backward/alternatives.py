"""Right answers written another way: each section replaces parts of solution.py.

All tasks must pass. A section named after a remark must get this remark.
"""


# ---- complex_step ----
# No derivation at all: every number is moved along the imaginary axis, which is exact to the last
# digits.


def complex_step(function, x, dy, h=1e-30):
    dx = np.zeros(x.shape)
    for place in np.ndindex(x.shape):
        moved = x.astype(complex)
        moved[place] += 1j * h
        dx[place] = np.sum(dy * np.imag(function(moved))) / h
    return dx


def rmsnorm_backward(dy, x, weight, eps):
    return (complex_step(lambda x: rmsnorm(x, weight, eps), x, dy), complex_step(lambda weight: rmsnorm(x, weight, eps), weight, dy))


def rope_backward(dy, x, cos, sin):
    turned = dy[..., : dy.shape[-1] // 2] + 1j * dy[..., dy.shape[-1] // 2 :]
    back = turned * (cos - 1j * sin)
    return np.concatenate([back.real, back.imag], axis=-1)


def swiglu_backward(dy, gate, up):
    return complex_step(lambda gate: swiglu(gate, up), gate, dy), complex_step(lambda up: swiglu(gate, up), up, dy)


def attend_backward(dz, q, k, v):
    return (complex_step(lambda q: attend(q, k, v), q, dz), complex_step(lambda k: attend(q, k, v), k, dz), complex_step(lambda v: attend(q, k, v), v, dz))


# ---- einsum ----
# Einstein sums; a one-hot matrix where rows are looked up; the softmax's whole Jacobian.
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


# ---- loops ----
# Token by token, as one would on paper; derivatives of parameters are added up as the tokens
# come.
FIRST = 2 + 9.1 / 5


def linear_backward(dy, x, w, b):
    dx, dw, db = np.zeros(x.shape), np.zeros(w.shape), np.zeros(b.shape)
    for place in np.ndindex(x.shape[:2]):
        dx[place] = w @ dy[place]
        dw += np.outer(x[place], dy[place])
        db += dy[place]
    return dx, dw, db


def embedding_backward(dx, tokens, table):
    dtable = np.zeros(table.shape)
    for place in np.ndindex(tokens.shape):
        dtable[tokens[place]] += dx[place]
    return dtable


def rmsnorm_backward(dy, x, weight, eps):
    dx, dweight = np.zeros(x.shape), np.zeros(weight.shape)
    for place in np.ndindex(x.shape[:2]):
        row, D = x[place], len(weight)
        root = (row @ row / D + eps) ** 0.5
        dn = dy[place] * weight
        dx[place] = dn / root - row * (dn @ row) / (D * root**3)
        dweight += dy[place] * row / root
    return dx, dweight


def rope_backward(dy, x, cos, sin):
    half, dx = cos.shape[1], np.zeros(dy.shape)
    for h, t, i in np.ndindex(len(dy), *cos.shape):
        turn = np.array([[cos[t, i], -sin[t, i]], [sin[t, i], cos[t, i]]])
        dx[h, t, [i, i + half]] = turn.T @ dy[h, t, [i, i + half]]
    return dx


def cross_entropy_backward(dloss, logits, targets):
    N, dlogits = np.sum(targets != -100), np.zeros(logits.shape)
    for place in np.ndindex(targets.shape):
        if targets[place] != -100:
            dlogits[place] = softmax(logits[place]) * dloss / N
            dlogits[place][targets[place]] -= dloss / N
    return dlogits


def attend_backward(dz, q, k, v):
    dq, dk, dv, E = np.zeros(q.shape), np.zeros(k.shape), np.zeros(v.shape), q.shape[-1]
    p = pattern(q, k)
    for h, g, t in np.ndindex(q.shape[:3]):
        shares, dshares = p[h, g, t, :t + 1], v[h, :t + 1] @ dz[h, g, t]
        dscores = shares * (dshares - shares @ dshares) / E**0.5
        dq[h, g, t] = dscores @ k[h, :t + 1]
        dk[h, :t + 1] += np.outer(dscores, q[h, g, t])
        dv[h, :t + 1] += np.outer(shares, dz[h, g, t])
    return dq, dk, dv
