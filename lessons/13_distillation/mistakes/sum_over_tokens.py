"""np.sum over everything."""


def kl(teacher, student, temperature):
    log_p, log_q = log_soften(teacher, temperature), log_soften(student, temperature)
    return temperature**2 * np.sum(np.exp(log_p) * (log_p - log_q))
