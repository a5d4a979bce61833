"""How the functions of exercise 16 are asked. Goes into the process in which they run: nothing
here is an answer."""

import numpy as np

BEGIN, END = 1, 2
MARKS = {"<s>": BEGIN, "</s>": END, "<|user|>": 3, "<|assistant|>": 4}


def render(messages, answer=False):
    """A conversation as a text: the plain template of the lesson."""
    text = "<s>" + "".join(f"<|{message['role']}|>\n{message['content']}</s>\n"
                           for message in messages)
    return text + "<|assistant|>\n" * answer


def encode(text, begin=True):
    """A token for each mark and each other character."""
    tokens = [BEGIN] * begin
    while text:
        mark = next((mark for mark in MARKS if text.startswith(mark)), None)
        tokens.append(MARKS[mark] if mark else ord(text[0]))
        text = text[len(mark or "1") :]
    return tokens


def prompt(student, row):
    return student.prompt(row, render, encode)


def counts(student, messages):
    return student.counts(messages, render, encode)


def start(student, inputs, outputs, rank, seed):
    """(shape of a, of b, has a no zero, how large is b, are all numbers within the reach, do they
    fill it, do two seeds differ, are there numbers above and below zero?)"""
    a, b = student.start(inputs, outputs, rank, np.random.default_rng(seed))
    other, _ = student.start(inputs, outputs, rank, np.random.default_rng(seed + 1))
    a, b, other = np.asarray(a, float), np.asarray(b, float), np.asarray(other, float)
    reach = inputs**-0.5
    both = np.abs(np.append(a, b))
    return (a.shape, b.shape, bool(np.all(a != 0)), bool(np.any(b != 0)),
            bool(np.all(both <= reach)), bool(both.max() > reach / 2),
            bool(np.any(a != other)), bool(not a.any() or a.min() < 0 < a.max()))


def gives(layer, x):
    """What a layer gives."""
    y = x @ layer["w"]
    if "a" in layer:
        y = y + layer["alpha"] / layer["a"].shape[1] * x @ layer["a"] @ layer["b"]
    return y


def merge(student, layer, x):
    """(what the merged layer gives, what it gives merged again, the change beside it, the w that
    came in)."""
    once = student.merge(layer)
    if not isinstance(once, dict):
        raise TypeError('merge must return a layer, a dict with the matrix as "w"')
    beside = "a" in once and bool(np.any(np.asarray(once["a"]) @ np.asarray(once["b"])))
    first = gives(once, x)
    try:
        again = student.merge(dict(once))
    except Exception as error:
        raise type(error)(f"merging a layer that was merged before: {error}") from None
    return first, gives(again, x), beside, layer["w"]
