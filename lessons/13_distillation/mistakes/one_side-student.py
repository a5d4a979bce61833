"""The teacher as it is."""


def kl(teacher, student, temperature):
    log_p, log_q = log_soften(teacher, 1), log_soften(student, temperature)
    return temperature**2 * np.mean(np.sum(np.exp(log_p) * (log_p - log_q), axis=-1))
