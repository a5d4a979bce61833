"""Exercise of lesson 16: what a model that answers is trained on, and a small change instead of a
new model.

Letters: T tokens, N rows of numbers, I inputs, O outputs, r the rank. A conversation is a list of
{"role": "user" or "assistant", "content": a text}. Arrays are NumPy's, float64.
Two functions are handed to you:

  render(messages, answer=False)    the text of a conversation by its chat template, which begins
                                    with the beginning-of-text token and ends every message with
                                    the end token; with answer=True also the mark after which the
                                    assistant speaks
  encode(text, begin=True)          the tokens of a text; puts the beginning-of-text token (1)
                                    before it, unless begin=False

Check yourself:  minillm lesson check 16
"""

import numpy as np

# Work this out on paper. A matrix of 576 x 1536 numbers gets a change of rank 8 (LoRA), and the
# matrix itself stays as it is. A number that stays takes 4 bytes; a number that is trained takes
# 16: itself, its gradient and Adam's two moments. How many BYTES do the two take in training?
BYTES = None

END = 2  # the end token: what a model says when it has finished


def prompt(row, render, encode):
    """The tokens that a model reads before it answers: a list.

    A row of a data set is either {"messages": a conversation that ends with the user's question},
    or {"text": ...}: the same, written out already by `render`, up to where the assistant speaks.
    """
    raise NotImplementedError


def counts(messages, render, encode):
    """[bool] for every token of the conversation: is it the assistant's, so that it counts in the
    loss?

    The assistant writes its content and END after it; not the marks before it, and not what the
    template puts after END. Find its tokens by rendering the conversation up to where an answer
    begins (answer=True), and with the answer; `render(messages[:i])` is always the beginning of
    `render(messages)`.
    """
    raise NotImplementedError


def targets(tokens, counted):
    """(T,) integers: for every place the token that the model is to say there, which is the next
    one; -100 where that one does not count, or there is none.

    tokens (T,) integers, counted (T,) bool: does this token count?
    """
    raise NotImplementedError


def start(inputs, outputs, rank, rng):
    """(a, b), LoRA's two matrices before training, (I, r) and (r, O): uniform between -1/sqrt(I)
    and 1/sqrt(I), drawn by `rng`, where the numbers need to differ, and such that the model is at
    first the one that was given.

    The one that is drawn is a, as everyone does it.
    """
    raise NotImplementedError


def adapted(x, w, a, b, alpha):
    """What a matrix gives with LoRA's change beside it: x w + (alpha / r) x a b. (N, O).

    x (N, I), w (I, O), a (I, r), b (r, O). The rank r is in the shapes.
    """
    raise NotImplementedError


def adapted_backward(dy, x, w, a, b, alpha):
    """(dx, da, db): the derivatives of a loss with respect to x, a and b, where dy (N, O) is its
    derivative with respect to what `adapted` gives. w is not trained.
    """
    raise NotImplementedError


def merge(layer):
    """A layer that gives the same as this one, with its change in its matrix.

    A layer is a dict: {"w": (I, O)}, which gives x w, or {"w", "a", "b", "alpha"}, which gives what
    `adapted` gives. Merging a layer that is merged already changes nothing. The layer that came in
    is left alone: others may use its w.
    """
    raise NotImplementedError
