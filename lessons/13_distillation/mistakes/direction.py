"""p and q exchanged, as the arguments of a library's function are easily."""


def kl(teacher, student, temperature):
    log_p, log_q = log_soften(teacher, temperature), log_soften(student, temperature)
    return temperature**2 * np.mean(np.sum(np.exp(log_q) * (log_q - log_p), axis=-1))
