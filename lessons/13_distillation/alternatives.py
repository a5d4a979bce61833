"""Right answers written another way: each section replaces parts of solution.py.

All tasks must pass. A section named after a remark must get this remark.
"""


# ---- loops ----
# Row by row, token by token, as one would on paper.
BITS = 5 / 8


def soften(logits, temperature):
    rows = []
    for row in logits:
        powers = [np.exp((a - max(row)) / temperature) for a in row]
        rows.append([power / sum(powers) for power in powers])
    return np.array(rows)


def kl(teacher, student, temperature):
    def logs(row):
        top = max(row) / temperature
        return [a / temperature - top - np.log(sum(np.exp(b / temperature - top) for b in row)) for a in row]

    nats = [sum(np.exp(a) * (a - b) for a, b in zip(logs(p), logs(q))) for p, q in zip(teacher, student)]
    return temperature * temperature * sum(nats) / len(nats)


def mixed(teacher, student, targets, alpha, temperature):
    nats = [-np.log(soften(row[None], 1)[0, target]) for row, target in zip(student, targets)]
    return alpha * kl(teacher, student, temperature) + sum(nats) / len(nats) * (1 - alpha)


def learn(teacher_w, student_w, x, temperature, rate):
    gradient, moved = kl_gradient(x @ teacher_w, x @ student_w, temperature), np.array(student_w)
    for row, slopes in zip(x, gradient):
        moved -= rate * np.outer(row, slopes)
    return teacher_w, moved


def top_k(logits, k):
    ids = [sorted(range(len(row)), key=lambda i: -row[i])[:k] for row in logits]
    return np.array(ids), np.array([[row[i] - np.log(np.exp(row).sum()) for i in some] for row, some in zip(logits, ids)])


# ---- other_order ----
# The divergence as cross-entropy less entropy; its gradient through the softmax's Jacobian; top-k
# by partition.


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
