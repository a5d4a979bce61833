"""The gradient of KL(q || p)."""


def kl_gradient(teacher, student, temperature):
    log_p, log_q = log_soften(teacher, temperature), log_soften(student, temperature)
    q, gap = np.exp(log_q), log_q - log_p
    return temperature * q * (gap - np.sum(q * gap, axis=-1, keepdims=True)) / len(student)
