"""The divergence as cross-entropy less entropy; its gradient through the softmax's Jacobian; top-k by partition."""


def kl(teacher, student, temperature):
    p, q = teacher / temperature, student / temperature
    log_p, log_q = (x - np.logaddexp.reduce(x, axis=1)[:, None] for x in (p, q))
    shares = np.exp(log_p)
    return temperature**2 * (np.einsum("nv,nv->", shares, log_p) - np.einsum("nv,nv->", shares, log_q)) / len(teacher)


def kl_gradient(teacher, student, temperature):
    p, q = soften(teacher, temperature), soften(student, temperature)
    rows = []
    for mine, theirs in zip(q, p):
        jacobian = np.diag(mine) - np.outer(mine, mine)               # dq / d(logits / T)
        with np.errstate(divide="ignore", invalid="ignore"):
            dq = np.where(mine > 0, -theirs / mine, 0.0)
        row = dq @ jacobian if np.all(mine > 0) else mine - theirs
        rows.append(temperature**2 * row / temperature)
    return np.stack(rows) / len(rows)


def top_k(logits, k):
    some = np.argpartition(-logits, k - 1, axis=1)[:, :k]
    kept = np.take_along_axis(logits, some, axis=1)
    order = np.argsort(kept, axis=1)[:, ::-1]
    ids = np.take_along_axis(some, order, axis=1)
    return ids, np.take_along_axis(np.log(soften(logits, 1.0)), ids, axis=1)


def top_k_kl(ids, log_p, student):
    q, nats = soften(student, 1.0), 0.0
    for row, (some, logs) in zip(q, zip(ids, log_p)):
        p = np.append(np.exp(logs), 1 - np.exp(logs).sum())
        mine = np.append(row[some], np.delete(row, some).sum())
        nats += float(np.sum(p * np.log(p / mine)))
    return nats / len(q)
