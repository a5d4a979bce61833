"""Exercise of lesson 07: from a gradient to a step.

Arrays are NumPy's, in float64. Steps count from 0. Check yourself:  minillm lesson check 7
"""

import numpy as np

# Work this out on paper. One weight, a number of a matrix, begins at 4. Two steps of AdamW, with
#
#     rate 0.2 in both steps      beta1 = 1/2      beta2 = 3/5      eps = 0      weight decay 0.5
#     gradients: first -1, then 5
#
# What is the weight after the second step? (The roots come out whole.)
WEIGHT = None


def momentum(w, g, mean, rate, beta):
    """One step of gradient descent with momentum: the new w and the new mean, two arrays like w.

    mean = beta * mean + g, and the step is rate times the new mean.
    """
    raise NotImplementedError


def adam(g, mean, square, step, beta1, beta2, eps):
    """Adam's direction, and the moments after it: three arrays like g (direction, mean, square).

        mean      = beta1 * mean + (1 - beta1) * g                 square = beta2 * square + (1 - beta2) * g^2
        direction = corrected mean / (sqrt(corrected square) + eps)

    Corrected: divided by 1 - beta^t, where t = 1 in the first step. Moments are kept uncorrected.
    step = 0 is the first step.
    """
    raise NotImplementedError


def adamw(params, grads, means, squares, step, rate, beta1, beta2, eps, decay):
    """One step of AdamW for a whole model: new params, means, squares. Each is a dict {name:
    array}, all with the same names.

    Weight decay acts beside Adam, scaled by the rate, and on matrices (two axes) only: vectors,
    such as the weights of norms, have none.
    """
    raise NotImplementedError


def clip(grads, most):
    """The gradients, a dict {name: array}, scaled so that their norm is at most `most`.

    The norm is that of all numbers of all gradients together. Gradients that are short enough stay
    as they are.
    """
    raise NotImplementedError


def schedule(step, steps, warmup, final):
    """The share of the peak rate at a step, a number: linear warm-up for `warmup` steps, then half
    a cosine from 1 down to `final`.

    The run has `steps` steps, 0 ... steps - 1. Step 0 already learns: warm-up gives 1/warmup,
    2/warmup, ... and reaches 1 in its last step, warmup - 1. The cosine begins at 1, at step
    `warmup`, and the last step gets exactly `final`. warmup may be 0; steps - 1 > warmup.
    """
    raise NotImplementedError
