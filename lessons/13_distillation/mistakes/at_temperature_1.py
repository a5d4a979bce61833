"""What cross-entropy has."""


def kl_gradient(teacher, student, temperature):
    return (soften(student, temperature) - soften(teacher, temperature)) / len(student)
