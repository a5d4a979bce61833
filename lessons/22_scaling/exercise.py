"""Exercise of lesson 22: scaling laws.

R runs: N (R,) parameters without the embedding, D (R,) tokens, loss (R,) nats a token, all NumPy
arrays in float64. theta = (log E, log A, log B, a, b), natural logarithms; the law is
L = E + A / N^a + B / D^b. Check yourself:  minillm lesson check 22
"""

import numpy as np

# Work this out on paper. a = 0.3, b = 0.6. Compute grows 8-fold. By which factor should the number
# of parameters grow?
FACTOR = None


def parameters(V, d, f, layers):
    """The parameters of a LLaMA without its embedding (the head is the embedding): one number.

    V words, width d, a feed-forward of width f (three matrices). A layer has four d x d matrices
    of attention and two norms of d numbers; after the last layer comes one more norm.
    """
    raise NotImplementedError


def usable(D, ends):
    """Which losses may be fitted: (R,) True or False.

    D (R,): the tokens after which a loss was read; ends (R,): the tokens at which the learning
    rate of that run had fallen to 0.
    """
    raise NotImplementedError


def objective(theta, N, D, loss, delta):
    """The sum over runs of Huber(log L - log loss): one number.

    Huber(r) = r^2 / 2 where |r| <= delta, else delta (|r| - delta / 2).
    """
    raise NotImplementedError


def gradient(theta, N, D, loss, delta):
    """The derivative of `objective` by theta: (5,)."""
    raise NotImplementedError


def frontier(theta, C):
    """(2,): the N and the D with the least L where 6 N D = C."""
    raise NotImplementedError
