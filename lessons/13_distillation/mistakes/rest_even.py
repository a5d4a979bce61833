"""What is left, in equal parts."""


def top_k_kl(ids, log_p, student):
    total = 0
    for kept, logs, log_q in zip(ids, log_p, log_soften(student, 1)):
        p = np.full(len(log_q), (1 - np.exp(logs).sum()) / (len(log_q) - len(kept)))
        p[kept] = np.exp(logs)
        total += np.sum(p * (np.log(p) - log_q))
    return total / len(ids)
