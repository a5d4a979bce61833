"""The factor before the bracket."""


def mixed(teacher, student, targets, alpha, temperature):
    nats = -np.mean(log_soften(student, 1)[np.arange(len(targets)), targets])
    return alpha * kl(teacher, student, temperature) + (1 - alpha) * temperature**2 * nats
