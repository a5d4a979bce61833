"""The derivative by everything that the loss depends on, as an automatic one gives where nobody stops it."""


def learn(teacher_w, student_w, x, temperature, rate):
    log_p, log_q = log_soften(x @ teacher_w, temperature), log_soften(x @ student_w, temperature)
    p, gap = np.exp(log_p), log_p - log_q
    dteacher = temperature * p * (gap - np.sum(p * gap, axis=-1, keepdims=True)) / len(x)
    dstudent = kl_gradient(x @ teacher_w, x @ student_w, temperature)
    return teacher_w - rate * x.T @ dteacher, student_w - rate * x.T @ dstudent
