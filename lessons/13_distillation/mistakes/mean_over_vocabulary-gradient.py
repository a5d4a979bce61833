"""Divided by the number of all logits."""


def kl_gradient(teacher, student, temperature):
    return temperature * (soften(student, temperature) - soften(teacher, temperature)) / student.size
