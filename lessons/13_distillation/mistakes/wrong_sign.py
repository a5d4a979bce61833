"""p - q."""


def kl_gradient(teacher, student, temperature):
    return temperature * (soften(teacher, temperature) - soften(student, temperature)) / len(student)
