"""The text's part is a sum."""


def mixed(teacher, student, targets, alpha, temperature):
    nats = -log_soften(student, 1)[np.arange(len(targets)), targets]
    return alpha * kl(teacher, student, temperature) + (1 - alpha) * np.sum(nats)
