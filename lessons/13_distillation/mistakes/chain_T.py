"""T^2 (q - p): the 1 / T of the inner function is missing."""


def kl_gradient(teacher, student, temperature):
    return temperature**2 * (soften(student, temperature) - soften(teacher, temperature)) / len(student)
