"""Row by row, token by token, as one would on paper."""

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
