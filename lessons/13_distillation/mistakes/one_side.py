"""Soft targets for a student that is not softened."""


def kl(teacher, student, temperature):
    log_p, log_q = log_soften(teacher, temperature), log_soften(student, 1)
    return temperature**2 * np.mean(np.sum(np.exp(log_p) * (log_p - log_q), axis=-1))
