"""Exercise of lesson 18: measure a bias, and take it out.

Letters: O occupations, T templates, N examples (rows), D numbers of an activation, R redraws.
NumPy arrays in float64. Check yourself:  minillm lesson check 18
"""

import numpy as np

# Work this out on paper. After "The baker said that" a model gives " she" a probability of 0.06 and
# " he" 0.03; after "The person said that" it gives 0.02 and 0.04. By how many nats does the baker
# lean towards "she", compared with the neutral noun?
LEAN = None


def log_odds(she, he):
    """The bias of every occupation: the mean over templates of log she - log he. (O, T) -> (O,).

    she, he: the probabilities of the two pronouns.
    """
    raise NotImplementedError


def claimed(she, he, least):
    """For which occupations does the model expect a pronoun? (O, T) -> (O,), True or False.

    The probability of both pronouns together, averaged over templates, is at least `least`.
    """
    raise NotImplementedError


def interval(x, y, picks):
    """(low, high): the percentile bootstrap's 95% interval of the slope of y on x, least squares.

    x (O,): true log-odds; y (O,): measured ones; picks (R, O): every row is one redraw of the
    occupations, with repetitions. Quantiles as np.quantile takes them.
    """
    raise NotImplementedError


def probe(x, labels, rate, steps):
    """(weight (D,), bias): a logistic regression after `steps` steps of gradient descent from 0.

    x (N, D), labels (N,) of 0 and 1. p = 1 / (1 + exp(-(x weight + bias))). The loss is the mean of
    the cross-entropies in nats; each step subtracts `rate` times its gradient.
    """
    raise NotImplementedError


def erase(x, labels, fitted):
    """x (N, D) without what a linear probe could tell of the labels (N,), by LEACE: (N, D).

    The mean of x, its covariance (invertible) and its covariance c with the labels come from the
    rows where `fitted` (N,) is True; they are applied to all rows:
    x - c * (c' inverse(covariance) (x - mean)) / (c' inverse(covariance) c).
    """
    raise NotImplementedError
