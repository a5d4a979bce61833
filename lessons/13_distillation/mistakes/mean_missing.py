"""Every row as if it were alone."""


def kl_gradient(teacher, student, temperature):
    return temperature * (soften(student, temperature) - soften(teacher, temperature))
