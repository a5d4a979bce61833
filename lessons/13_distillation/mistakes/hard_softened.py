"""One softened student for both."""


def mixed(teacher, student, targets, alpha, temperature):
    nats = -np.mean(log_soften(student, temperature)[np.arange(len(targets)), targets])
    return alpha * kl(teacher, student, temperature) + (1 - alpha) * nats
