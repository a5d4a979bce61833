"""A mean of what is a mean."""


def learn(teacher_w, student_w, x, temperature, rate):
    gradient = x.T @ kl_gradient(x @ teacher_w, x @ student_w, temperature) / len(x)
    return teacher_w, student_w - rate * gradient
