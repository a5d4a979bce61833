"""The gradient of the plain divergence."""


def kl_gradient(teacher, student, temperature):
    return (soften(student, temperature) - soften(teacher, temperature)) / temperature / len(student)
