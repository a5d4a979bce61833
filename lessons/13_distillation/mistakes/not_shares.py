"""The text, and some of the teacher on top."""


def mixed(teacher, student, targets, alpha, temperature):
    nats = -np.mean(log_soften(student, 1)[np.arange(len(targets)), targets])
    return alpha * kl(teacher, student, temperature) + nats
