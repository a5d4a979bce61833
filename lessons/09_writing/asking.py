"""How the functions of exercise 09 are asked. Goes into the process in which they run: nothing
here is an answer."""

import numpy as np


def some_p(rng, V):
    p = rng.exponential(size=V) ** 1.5
    return p / p.sum()


class Model:
    """Probabilities that hang on every token so far. Its cache is the list of them, and `read`
    counts the tokens that it was given."""

    def __init__(self, seed, end):
        self.seed, self.end, self.read = seed, end, 0

    def __call__(self, tokens, cache):
        self.read += len(tokens)
        seen = (*(cache or ()), *(int(token) for token in tokens))
        p = some_p(np.random.default_rng([self.seed, *seen]), 6)
        if self.end is not None:
            p[self.end] += 0.15
        return p / p.sum(), seen

    def __repr__(self):
        return "model"


def attend(student, q, k, v, kept_k, kept_v, length):
    z, kept_k, kept_v = student.attend(q, k, v, kept_k, kept_v, length)
    return z, np.asarray(kept_k)[: length + len(q)], np.asarray(kept_v)[: length + len(q)]


def generate(student, model, prompt, coins, end):
    return [int(token) for token in student.generate(model, prompt, coins, end)], model.read


def until(student, pieces, stop):
    return streamed(student.until, pieces, stop)


def streamed(function, pieces, stop):
    """(what was shown, how many pieces were asked for, was every character shown as soon as it
    could be)."""
    read, text, shown, timely = 0, "", "", True

    def fed():
        nonlocal read, text, timely
        for piece in pieces:
            timely = timely and len(shown) >= len(text) - max(map(len, stop)) + 1
            read, text = read + 1, text + piece
            yield piece

    for part in function(fed(), stop):
        shown += part
    return shown, read, timely
