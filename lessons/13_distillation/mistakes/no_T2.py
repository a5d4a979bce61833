"""The plain divergence."""


def kl(teacher, student, temperature):
    log_p, log_q = log_soften(teacher, temperature), log_soften(student, temperature)
    return np.mean(np.sum(np.exp(log_p) * (log_p - log_q), axis=-1))
