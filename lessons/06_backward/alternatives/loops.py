"""Token by token, as one would on paper; derivatives of parameters are added up as the tokens come."""

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
