"""- p log q: the gradient is the same, the value is not."""


def kl(teacher, student, temperature):
    return temperature**2 * np.mean(-np.sum(soften(teacher, temperature) * log_soften(student, temperature), axis=-1))
