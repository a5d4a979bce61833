"""The difference of two distributions of different temperatures."""


def kl_gradient(teacher, student, temperature):
    return temperature * (soften(student, 1) - soften(teacher, temperature)) / len(student)
