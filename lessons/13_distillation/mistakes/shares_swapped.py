"""alpha for the text."""


def mixed(teacher, student, targets, alpha, temperature):
    nats = -np.mean(log_soften(student, 1)[np.arange(len(targets)), targets])
    return (1 - alpha) * kl(teacher, student, temperature) + alpha * nats
