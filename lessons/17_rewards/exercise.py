"""Exercise of lesson 17: learning from grades.

Letters: Q questions, G answers to each (a group), B = Q G answers in all (rows), T tokens of a row
(columns). A row holds a question and then an answer; `answer` (B, T) is True at the tokens of the
answer alone. log_p is what the model says of every token of a row, old what the model said that
wrote it, reference what the first model says: logarithms, NumPy arrays in float64.
Check yourself:  minillm lesson check 17
"""

import numpy as np

# Work this out on paper. A model answered a question five times, two of the answers were right. You
# draw two different ones of the five: what is the chance that at least one of them is right?
PASS = None


def policy_gradient(logits, rewards):
    """The derivative of the expected reward, sum over v of p_v rewards_v, by each logit: (V,).

    p = softmax(logits); logits, rewards (V,): a model that answers with one of V words.
    """
    raise NotImplementedError


def advantages(rewards):
    """How much better every answer is than its group on average. rewards (Q, G) -> (Q, G).

    Not divided by the spread of the group.
    """
    raise NotImplementedError


def objective(log_p, old, advantage, answer, clip):
    """The mean over the tokens of all answers of min(r A, clipped(r) A): one number.

    r = p / p of the model that wrote the token, clipped to 1 - clip ... 1 + clip; A is the
    advantage of its row. log_p, old, answer (B, T), advantage (B,).
    """
    raise NotImplementedError


def gradient(log_p, old, advantage, answer, clip):
    """The derivative of `objective` with respect to each log_p: (B, T)."""
    raise NotImplementedError


def kl(log_p, reference, answer):
    """An estimate of KL(model || reference), a mean over the tokens of all answers: one number.

    The model wrote the answers. Each token's part must be right on average over what the model
    writes, never negative, and 0 where the two agree.
    """
    raise NotImplementedError


def pass_at(k, right, times):
    """The chance that of k answers, drawn from `times` different ones, at least one is right.

    `right` of them are; all are whole numbers, 1 <= k <= times.
    """
    raise NotImplementedError
