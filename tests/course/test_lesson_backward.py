"""Promise: lesson 06 draws the block's backward as it is, and each of its wrong backwards differs from the right one, and goes away again."""

import ast
import inspect
import re

import numpy as np
import pytest

from cases import sequences
from helpers import assert_close, random_config, random_params
from minillm.architecture.tree import flatten
from minillm.course.lessons import find, load_module
from minillm.in_numpy import model

FOLDER = find("06").folder


@pytest.fixture(scope="module")
def wrong():
    return load_module(FOLDER / "wrong.py", "wrong")


def operations(function):
    """The operations that a function of the model calls, in the order in which they run; those of attention and mlp in their places."""
    found = []

    def look(node):
        for child in ast.iter_child_nodes(node):                       # arguments are evaluated before the call
            look(child)
        name = node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""
        if name.removesuffix("_backward") in ("attention", "mlp"):
            found.extend(operations(getattr(model, name)))
        elif name.removesuffix("_backward") in ("rmsnorm", "linear", "rope", "attend", "swiglu"):
            found.append(name)

    look(ast.parse(inspect.getsource(function)))
    return found


def test_the_picture_of_the_block_is_what_the_code_does():
    drawn = [line for line in load_module(FOLDER / "shown.py", "shown").LINES if line[0] != "sum"]
    forward, backward = operations(model.block), operations(model.block_backward)
    assert [name.removesuffix("_backward") for name in backward] == forward[::-1]
    times = {"q, k, v": 3, "gate, up": 2, "turn": 2}                   # one box stands for so many calls
    assert [name for box, text, _ in drawn for name in [re.search(r"(\w+)\(", text)[1]] * times.get(box, 1)] == forward
    assert [name for box, _, text in reversed(drawn) for name in [text.split(",")[0]] * times.get(box, 1)] == backward


def test_every_mistake_changes_the_gradient_and_is_taken_back(wrong):
    rng = np.random.default_rng(0)
    config = random_config(rng, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2)
    params = random_params(config, rng, np.float64)
    tokens, targets = sequences(rng, config)

    def gradient():
        return np.concatenate([g.ravel() for g in flatten(model.loss_and_grads(params, tokens, targets, config)[1]).values()])

    right = gradient()
    for name in wrong.WRONG:
        with wrong.patched(name):
            mine = gradient()
        assert (np.max(np.abs(mine - right)) > 1e-3 * np.max(np.abs(right))) == (name != wrong.RIGHT), name
        assert_close(gradient(), right, 0, name)
