"""Exercise of lesson 08: what is around the model in a training run.

Letters: T positions of a row, N rows, B rows of a batch, V vocabulary. Arrays are NumPy's.
Check yourself:  minillm lesson check 8
"""

import json

import numpy as np

IGNORE = -100          # a target that no loss counts: padding

# Work this out on paper: a fresh model gives each of its V = 512 tokens the same probability. What
# is its loss, in nats per token? (Two digits after the point.)
LOSS_AT_START = None


def split(documents, share):
    """(train, validation): the last `share` of the documents are held out (their number rounded to
    a whole one), the rest is for training.

    A document (a list of tokens) that is held out must not be learned from: where the rest holds
    the same one again, it is left out of train. Nothing else is left out, and both keep their
    order.
    """
    raise NotImplementedError


def visits(step, seed, batch_size, count):
    """Which of `count` rows step `step` (from 0 on) learns from. -> list of `batch_size` row
    numbers.

    An epoch visits every row once, in the order
    np.random.default_rng([seed, epoch]).permutation(count), epochs numbered from 0. Step after
    step takes the next `batch_size` visits; a batch may begin in one epoch and end in the next.
    The answer depends on the arguments alone, so a run that was stopped can go on from the number
    of its step.
    """
    raise NotImplementedError


def rows(tokens, begins, T):
    """(inputs, targets), each (N, T): row n is T tokens from position begins[n] on, and for each
    of them the token that follows it.

    tokens is a long array. Every begin leaves room for all T targets.
    """
    raise NotImplementedError


def loss(logits, targets):
    """Mean of -ln softmax(logits)[target] over the positions whose target is not IGNORE. logits
    (T, V), targets (T,) -> a number.

    targets come from `rows`. Logits may be large: numbers such as 1000 must not overflow.
    """
    raise NotImplementedError


def evaluate(mean_loss, inputs, targets, batch_size):
    """The loss per counted target over all rows, (N, T), though only `batch_size` of them fit into
    memory at once.

    mean_loss(inputs_BT, targets_BT) is handed to you: the mean over the counted targets
    (those not IGNORE) of the rows it is given, of which there may be 1 to batch_size.
    """
    raise NotImplementedError


def save(state):
    """The state of a run as text, from which `load` makes it again. -> str.

    state is {"seed": int, "step": int, "w": array, "mean": array, "rng": np.random.Generator}.
    What the rng will draw next is in rng.bit_generator.state, a dict of plain numbers and names
    that json can write; it can also be assigned.
    """
    raise NotImplementedError


def load(text):
    """The state that `save` wrote: a run that goes on from it takes the very steps that it would
    have taken without a stop.

    Checked together with `save`, with train_step below, bit for bit.
    """
    raise NotImplementedError


def train_step(state):
    """Given: one step of a small run. A random batch, momentum, a rate that falls with the step;
    changes `state` in place."""
    x = state["rng"].standard_normal(len(state["w"]))                # the batch
    gradient = state["w"] - x
    state["mean"] *= 0.9
    state["mean"] += 0.1 * gradient
    state["w"] -= 0.5 / (1 + state["step"]) * state["mean"]
    state["step"] += 1
