"""A softmax of the student's kept logits alone."""


def top_k_kl(ids, log_p, student):
    log_q = log_soften(np.take_along_axis(student, ids, axis=-1), 1)
    return np.mean(np.sum(np.exp(log_p) * (log_p - log_q), axis=-1))
