"""The sum over the kept tokens."""


def top_k_kl(ids, log_p, student):
    log_q = np.take_along_axis(log_soften(student, 1), ids, axis=-1)
    return np.mean(np.sum(np.exp(log_p) * (log_p - log_q), axis=-1))
