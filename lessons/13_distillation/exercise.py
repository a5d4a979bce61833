"""Exercise of lesson 13: learning from a teacher.

Letters: N tokens of text (rows), V tokens of the vocabulary (columns), T the temperature, p what
the teacher says, q what the student says. Teacher and student are given as logits (N, V), NumPy
arrays in float64.
Check yourself:  minillm lesson check 13
"""

import numpy as np

# Work this out on paper. Four tokens; the teacher says p = (1/2, 1/4, 1/8, 1/8), the student q
# = (1/8, 1/2, 1/4, 1/8). How many BITS (logarithms to base 2) is KL(p || q)?
BITS = None


def soften(logits, temperature):
    """softmax(logits / T) within each row. logits (N, V) -> (N, V), each row adding up to 1.

    Logits may be as large as 1000 or as small as -1000.
    """
    raise NotImplementedError


def kl(teacher, student, temperature):
    """T^2 KL(p || q) in nats, the mean over the N rows: one number. p and q are both softened.
    teacher, student (N, V).

    Logits may differ by 1000: the smallest p is then 0 in floating point, its logarithm need not
    be.
    """
    raise NotImplementedError


def kl_gradient(teacher, student, temperature):
    """The derivative of `kl` with respect to each of the student's logits: (N, V)."""
    raise NotImplementedError


def mixed(teacher, student, targets, alpha, temperature):
    """alpha times `kl`, plus (1 - alpha) times the cross-entropy of the text, as always
    (a mean over the N rows): one number.

    targets (N,): which token the text has.
    """
    raise NotImplementedError


def learn(teacher_w, student_w, x, temperature, rate):
    """One step of gradient descent on `kl`; returns (teacher_w, student_w) as they are afterwards.

    Both models are one matrix, (D, V), and read the same x (N, D): their logits are x @ teacher_w
    and x @ student_w.
    """
    raise NotImplementedError


def top_k(logits, k):
    """(ids, log_p), each (N, k): a teacher's k most probable tokens, most probable first, and the
    log of their probabilities.

    The temperature is 1. No two logits of a row are equal.
    """
    raise NotImplementedError


def top_k_kl(ids, log_p, student):
    """KL(p || q) where of p only the `top_k` is known, the mean over the N rows. ids, log_p
    (N, k), student (N, V) logits.

    Count k + 1 events: each of the k tokens, and "another token", which has whatever probability
    is left, in p and in q. The temperature is 1, k is smaller than V.
    """
    raise NotImplementedError
