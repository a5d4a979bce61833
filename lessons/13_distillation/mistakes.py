"""Wrong answers, as small as they can be: each section replaces parts of solution.py.

A section is named after the hint it must get; NAME-other is another way to the same hint.
"""


# ---- T2_on_both ----
# The factor before the bracket.


def mixed(teacher, student, targets, alpha, temperature):
    nats = -np.mean(log_soften(student, 1)[np.arange(len(targets)), targets])
    return alpha * kl(teacher, student, temperature) + (1 - alpha) * temperature**2 * nats


# ---- at_temperature_1 ----
# What cross-entropy has.


def kl_gradient(teacher, student, temperature):
    return (soften(student, temperature) - soften(teacher, temperature)) / len(student)


# ---- chain_T ----
# T^2 (q - p): the 1 / T of the inner function is missing.


def kl_gradient(teacher, student, temperature):
    return temperature**2 * (soften(student, temperature) - soften(teacher, temperature)) / len(student)


# ---- cross_entropy-paper ----
# The entropy of p, 1.75 bits, was not taken off.
BITS = 2.375


# ---- cross_entropy ----
# - p log q: the gradient is the same, the value is not.


def kl(teacher, student, temperature):
    return temperature**2 * np.mean(-np.sum(soften(teacher, temperature) * log_soften(student, temperature), axis=-1))


# ---- direction-gradient ----
# The gradient of KL(q || p).


def kl_gradient(teacher, student, temperature):
    log_p, log_q = log_soften(teacher, temperature), log_soften(student, temperature)
    q, gap = np.exp(log_q), log_q - log_p
    return temperature * q * (gap - np.sum(q * gap, axis=-1, keepdims=True)) / len(student)


# ---- direction-paper ----
# KL(q || p): -1/4 + 1/2 + 1/4.
BITS = 0.5


# ---- direction ----
# p and q exchanged, as the arguments of a library's function are easily.


def kl(teacher, student, temperature):
    log_p, log_q = log_soften(teacher, temperature), log_soften(student, temperature)
    return temperature**2 * np.mean(np.sum(np.exp(log_q) * (log_q - log_p), axis=-1))


# ---- hard_softened ----
# One softened student for both.


def mixed(teacher, student, targets, alpha, temperature):
    nats = -np.mean(log_soften(student, temperature)[np.arange(len(targets)), targets])
    return alpha * kl(teacher, student, temperature) + (1 - alpha) * nats


# ---- least_probable-turned ----
# The right tokens, the most probable last.


def top_k(logits, k):
    ids = np.argsort(logits, axis=-1)[:, -k:]
    return ids, np.take_along_axis(log_soften(logits, 1), ids, axis=-1)


# ---- least_probable ----
# argsort as it comes.


def top_k(logits, k):
    ids = np.argsort(logits, axis=-1)[:, :k]
    return ids, np.take_along_axis(log_soften(logits, 1), ids, axis=-1)


# ---- log_of_zero ----
# The logarithm of what soften gave.


def kl(teacher, student, temperature):
    with np.errstate(all="ignore"):
        p, q = soften(teacher, temperature), soften(student, temperature)
        return temperature**2 * np.mean(np.sum(p * np.log(p / q), axis=-1))


# ---- mean_missing ----
# Every row as if it were alone.


def kl_gradient(teacher, student, temperature):
    return temperature * (soften(student, temperature) - soften(teacher, temperature))


# ---- mean_over_vocabulary-gradient ----
# Divided by the number of all logits.


def kl_gradient(teacher, student, temperature):
    return temperature * (soften(student, temperature) - soften(teacher, temperature)) / student.size


# ---- mean_over_vocabulary-paper ----
# 5/8 divided by four tokens.
BITS = 0.15625


# ---- mean_over_vocabulary ----
# np.mean over everything.


def kl(teacher, student, temperature):
    log_p, log_q = log_soften(teacher, temperature), log_soften(student, temperature)
    return temperature**2 * np.mean(np.exp(log_p) * (log_p - log_q))


# ---- mean_twice ----
# A mean of what is a mean.


def learn(teacher_w, student_w, x, temperature, rate):
    gradient = x.T @ kl_gradient(x @ teacher_w, x @ student_w, temperature) / len(x)
    return teacher_w, student_w - rate * gradient


# ---- nats_not_bits ----
# Natural logarithms.
BITS = 0.4332


# ---- no_T2-gradient ----
# The gradient of the plain divergence.


def kl_gradient(teacher, student, temperature):
    return (soften(student, temperature) - soften(teacher, temperature)) / temperature / len(student)


# ---- no_T2 ----
# The plain divergence.


def kl(teacher, student, temperature):
    log_p, log_q = log_soften(teacher, temperature), log_soften(student, temperature)
    return np.mean(np.sum(np.exp(log_p) * (log_p - log_q), axis=-1))


# ---- no_shift ----
# The formula as it stands in books.


def soften(logits, temperature):
    with np.errstate(all="ignore"):
        e = np.exp(logits / temperature)
        return e / e.sum(axis=-1, keepdims=True)


# ---- not_logs ----
# p, not log p.


def top_k(logits, k):
    ids = np.argsort(-logits, axis=-1)[:, :k]
    return ids, np.take_along_axis(soften(logits, 1), ids, axis=-1)


# ---- not_shares ----
# The text, and some of the teacher on top.


def mixed(teacher, student, targets, alpha, temperature):
    nats = -np.mean(log_soften(student, 1)[np.arange(len(targets)), targets])
    return alpha * kl(teacher, student, temperature) + nats


# ---- one_side-gradient ----
# The difference of two distributions of different temperatures.


def kl_gradient(teacher, student, temperature):
    return temperature * (soften(student, 1) - soften(teacher, temperature)) / len(student)


# ---- one_side-student ----
# The teacher as it is.


def kl(teacher, student, temperature):
    log_p, log_q = log_soften(teacher, 1), log_soften(student, temperature)
    return temperature**2 * np.mean(np.sum(np.exp(log_p) * (log_p - log_q), axis=-1))


# ---- one_side ----
# Soft targets for a student that is not softened.


def kl(teacher, student, temperature):
    log_p, log_q = log_soften(teacher, temperature), log_soften(student, 1)
    return temperature**2 * np.mean(np.sum(np.exp(log_p) * (log_p - log_q), axis=-1))


# ---- raw_logits ----
# The largest logits as they are.


def top_k(logits, k):
    ids = np.argsort(-logits, axis=-1)[:, :k]
    return ids, np.take_along_axis(logits, ids, axis=-1)


# ---- renormalised-both ----
# p and q made to add up to 1 over the kept tokens.


def top_k_kl(ids, log_p, student):
    log_p, log_q = log_soften(log_p, 1), log_soften(np.take_along_axis(student, ids, axis=-1), 1)
    return np.mean(np.sum(np.exp(log_p) * (log_p - log_q), axis=-1))


# ---- renormalised-kl ----
# p made to add up to 1 before it is compared.


def top_k_kl(ids, log_p, student):
    log_p, log_q = log_soften(log_p, 1), np.take_along_axis(log_soften(student, 1), ids, axis=-1)
    return np.mean(np.sum(np.exp(log_p) * (log_p - log_q), axis=-1))


# ---- renormalised-student ----
# A softmax of the student's kept logits alone.


def top_k_kl(ids, log_p, student):
    log_q = log_soften(np.take_along_axis(student, ids, axis=-1), 1)
    return np.mean(np.sum(np.exp(log_p) * (log_p - log_q), axis=-1))


# ---- renormalised ----
# The softmax over the kept logits alone.


def top_k(logits, k):
    ids = np.argsort(-logits, axis=-1)[:, :k]
    return ids, log_soften(np.take_along_axis(logits, ids, axis=-1), 1)


# ---- rest_dropped ----
# The sum over the kept tokens.


def top_k_kl(ids, log_p, student):
    log_q = np.take_along_axis(log_soften(student, 1), ids, axis=-1)
    return np.mean(np.sum(np.exp(log_p) * (log_p - log_q), axis=-1))


# ---- rest_even ----
# What is left, in equal parts.


def top_k_kl(ids, log_p, student):
    total = 0
    for kept, logs, log_q in zip(ids, log_p, log_soften(student, 1)):
        p = np.full(len(log_q), (1 - np.exp(logs).sum()) / (len(log_q) - len(kept)))
        p[kept] = np.exp(logs)
        total += np.sum(p * (np.log(p) - log_q))
    return total / len(ids)


# ---- shares_swapped ----
# alpha for the text.


def mixed(teacher, student, targets, alpha, temperature):
    nats = -np.mean(log_soften(student, 1)[np.arange(len(targets)), targets])
    return (1 - alpha) * kl(teacher, student, temperature) + alpha * nats


# ---- sum_over_tokens-kept ----
# np.sum over everything.


def top_k_kl(ids, log_p, student):
    log_q = np.take_along_axis(log_soften(student, 1), ids, axis=-1)
    p, q = np.exp(log_p), np.exp(log_q)
    other_p, other_q = 1 - p.sum(axis=-1), 1 - q.sum(axis=-1)
    return np.sum(p * (log_p - log_q)) + np.sum(other_p * np.log(other_p / other_q))


# ---- sum_over_tokens-mixed ----
# The text's part is a sum.


def mixed(teacher, student, targets, alpha, temperature):
    nats = -log_soften(student, 1)[np.arange(len(targets)), targets]
    return alpha * kl(teacher, student, temperature) + (1 - alpha) * np.sum(nats)


# ---- sum_over_tokens ----
# np.sum over everything.


def kl(teacher, student, temperature):
    log_p, log_q = log_soften(teacher, temperature), log_soften(student, temperature)
    return temperature**2 * np.sum(np.exp(log_p) * (log_p - log_q))


# ---- teacher_learns ----
# The derivative by everything that the loss depends on, as an automatic one gives where nobody
# stops it.


def learn(teacher_w, student_w, x, temperature, rate):
    log_p, log_q = log_soften(x @ teacher_w, temperature), log_soften(x @ student_w, temperature)
    p, gap = np.exp(log_p), log_p - log_q
    dteacher = temperature * p * (gap - np.sum(p * gap, axis=-1, keepdims=True)) / len(x)
    dstudent = kl_gradient(x @ teacher_w, x @ student_w, temperature)
    return teacher_w - rate * x.T @ dteacher, student_w - rate * x.T @ dstudent


# ---- temperature_after-renormalised ----
# Divided by T afterwards, and made to add up to 1 again.


def soften(logits, temperature):
    e = np.exp(logits - logits.max(axis=-1, keepdims=True))
    shares = e / e.sum(axis=-1, keepdims=True) / temperature
    return shares / shares.sum(axis=-1, keepdims=True)


# ---- temperature_after ----
# The shares divided, not the logits.


def soften(logits, temperature):
    e = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True) / temperature


# ---- times_temperature ----
# Hotter is sharper.


def soften(logits, temperature):
    e = np.exp(logits * temperature - np.max(logits * temperature, axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


# ---- uphill ----
# += instead of -=.


def learn(teacher_w, student_w, x, temperature, rate):
    student_w += rate * x.T @ kl_gradient(x @ teacher_w, x @ student_w, temperature)
    return teacher_w, student_w


# ---- wrong_sign ----
# p - q.


def kl_gradient(teacher, student, temperature):
    return temperature * (soften(teacher, temperature) - soften(student, temperature)) / len(student)
