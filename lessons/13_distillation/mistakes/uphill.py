"""+= instead of -=."""


def learn(teacher_w, student_w, x, temperature, rate):
    student_w += rate * x.T @ kl_gradient(x @ teacher_w, x @ student_w, temperature)
    return teacher_w, student_w
