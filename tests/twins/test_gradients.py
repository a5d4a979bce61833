"""Promise: every backward written by hand is the derivative: against jax.vjp to 1e-9, and against finite differences."""

import inspect

import jax
import numpy as np
import pytest

import minillm.in_jax.model as jax_model
import minillm.in_numpy.model as numpy_model
import minillm.in_numpy.ops as numpy_ops
import minillm.in_numpy.optimizer as numpy_optimizer
from cases import case, public_functions, sequences
from helpers import assert_close, random_config, random_params
from minillm.architecture.llama import init
from minillm.architecture.tree import flatten, unflatten
from minillm.config import TrainConfig
from minillm.in_numpy.ops import rotation

MODULES = ("ops", "bloom")
OPS = sorted((module, name.removesuffix("_backward")) for module in MODULES
             for name in public_functions("in_numpy", module) if name.endswith("_backward"))
# Nothing to learn in them; the losses that use log_softmax have gradients of their own.
WITHOUT_BACKWARD = {"no_tap", "rotation", "causal", "distance", "log_softmax"} | {
    "forward", "embed", "block", "block_alone", "final_norm", "attention", "mlp"}  # BLOOM's model
# the arguments that have a derivative where others are constants: angles, slopes, what LoRA leaves
CONSTANTS = {"rope": [0], "attend": [0, 1, 2], "adapted": [0, 2, 3, 5]}


@pytest.mark.parametrize("module", MODULES)
def test_every_op_has_a_backward_right_under_it(module):
    functions = public_functions("in_numpy", module)
    names = list(functions)
    for name in set(public_functions("in_jax", module)) - WITHOUT_BACKWARD:
        assert names[names.index(name) + 1] == f"{name}_backward"
        arguments = [p for p in inspect.signature(functions[name]).parameters if p != "tap"]
        assert list(inspect.signature(functions[f"{name}_backward"]).parameters)[1:] == arguments


@pytest.mark.parametrize("module, name", OPS)
def test_backward_of_an_op(module, name, float64):
    for seed in range(3):
        rng = np.random.default_rng(seed)
        arguments = case(name, "in_numpy", rng, np.float64)
        counted = [i for i, a in enumerate(arguments) if isinstance(a, np.ndarray) and a.dtype == np.float64]
        if name in CONSTANTS:
            counted = CONSTANTS[name]

        def of_counted(*values):
            full = list(arguments)
            for i, value in zip(counted, values):
                full[i] = value
            return public_functions("in_jax", module)[name](*full)

        values = [arguments[i] for i in counted]
        dy = rng.standard_normal(jax.eval_shape(of_counted, *values).shape)
        expected = jax.jit(lambda dy, *values: jax.vjp(of_counted, *values)[1](dy))(dy, *values)
        actual = public_functions("in_numpy", module)[f"{name}_backward"](dy, *arguments)
        actual = actual if isinstance(actual, tuple) else (actual,)
        assert len(actual) == len(expected)
        for i, (a, e) in enumerate(zip(actual, expected)):
            assert_close(a, e, 1e-9, f"{name}, argument {counted[i]}, seed {seed}")


@pytest.mark.parametrize("name", ["mlp", "attention", "block"])
def test_backward_of_a_part(name, float64):
    for seed in range(3):
        rng = np.random.default_rng(seed)
        config = random_config(rng)
        layer = random_params(config, rng, np.float64)["layers"][0]
        x_BTD = rng.standard_normal((2, 5, config.hidden_size))
        cos_sin = rotation(np.arange(5), config, 5, np.float64)
        seen = {}

        def record(key, value):
            seen["at." + key] = value
            return value

        numpy_model.block(layer, x_BTD, 0, cos_sin, None, config, record)
        start = {"mlp": "at.mlp_in", "attention": "at.attn_in", "block": "at.resid_pre"}[name]
        dy_BTD = rng.standard_normal(x_BTD.shape)

        def forward(layer, x):
            if name == "mlp":
                return jax_model.mlp(layer, x)
            return getattr(jax_model, name)(layer, x, 0, cos_sin, None, config)[0]

        dlayer, dx_BTD = jax.jit(lambda layer, x, dy: jax.vjp(forward, layer, x)[1](dy))(layer, seen[start], dy_BTD)
        rest = {"mlp": (), "attention": (cos_sin, config), "block": (cos_sin, config)}[name]
        actual_dx, actual = getattr(numpy_model, f"{name}_backward")(dy_BTD, layer, seen, "at.", *rest)
        assert_close(actual_dx, dx_BTD, 1e-9, f"{name} dx")
        for key in actual:
            assert_close(actual[key], dlayer[key], 1e-9, f"{name} d{key}")


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("group", [1, 2, 4])
def test_gradients_of_the_whole_model(tied, group, float64):
    rng = np.random.default_rng(group)
    config = random_config(rng, tie_word_embeddings=tied, num_attention_heads=2 * group, num_key_value_heads=2)
    params = random_params(config, rng, np.float64)
    tokens, targets = sequences(rng, config)
    value, grads = numpy_model.loss_and_grads(params, tokens, targets, config)
    expected_value, expected = jax.jit(jax_model.loss_and_grads, static_argnums=3)(params, tokens, targets, config)
    assert_close(value, expected_value, 1e-12)
    grads, expected = flatten(grads), flatten(expected)
    assert list(grads) == list(flatten(params))
    for path in grads:
        assert_close(grads[path], expected[path], 1e-9, path)


def test_finite_differences_of_the_whole_model():
    """(loss(p + h) - loss(p - h)) / 2h at random places of every parameter."""
    rng = np.random.default_rng(3)
    config = random_config(rng, tie_word_embeddings=True, num_hidden_layers=2)
    params = random_params(config, rng, np.float64)
    tokens, targets = sequences(rng, config)
    _, grads = numpy_model.loss_and_grads(params, tokens, targets, config)
    leaves, grads = flatten(params), flatten(grads)
    for path, leaf in leaves.items():
        for _ in range(3):
            place = tuple(rng.integers(0, n) for n in leaf.shape)
            losses = []
            for h in (1e-5, -1e-5):
                moved = leaf.copy()
                moved[place] += h
                losses.append(numpy_model.loss(unflatten(leaves | {path: moved}, params), tokens, targets, config))
            assert abs((losses[0] - losses[1]) / 2e-5 - grads[path][place]) < 1e-8, path


def test_loss_at_the_start_is_that_of_guessing(dtype):
    """With small random weights every token is about equally probable: the loss is ln V."""
    rng = np.random.default_rng(0)
    config = random_config(rng, initializer_range=1e-3)
    tokens, targets = sequences(rng, config)
    loss = numpy_model.loss(init(config, rng, dtype), tokens, targets, config)
    assert abs(loss - np.log(config.vocab_size)) < 1e-2


@pytest.mark.parametrize("start, slopes", [(0, False), (0, True), (5, True)])
def test_attention_in_halves_has_the_same_backward(start, slopes, monkeypatch):
    """Queries go through in halves until they are few; keys beyond the last query stay zero."""
    rng = np.random.default_rng(start)
    q, dz = rng.standard_normal((2, 2, 2, 3, 13, 4))
    k, v = rng.standard_normal((2, 2, 2, start + 15, 4))
    slopes_KG = rng.uniform(0, 1, (2, 3)) if slopes else None
    whole = numpy_ops.attend_backward(dz, q, k, v, start, slopes_KG)
    monkeypatch.setattr(numpy_ops, "QUERIES", 2)
    for name, a, b in zip(("dq", "dk", "dv"),
                          numpy_ops.attend_backward(dz, q, k, v, start, slopes_KG), whole):
        assert_close(a, b, 1e-12, name)
    assert not whole[1][:, :, start + 13 :].any() and whole[1][:, :, start + 12].any()


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_an_update_of_float32_is_computed_in_float32(optimizer):
    """A float64 among its numbers would double the work, and only the last step would hide it."""
    w, g, mean, square = np.random.default_rng(0).uniform(0, 1, (4, 5, 3)).astype(np.float32)
    config = TrainConfig(optimizer=optimizer)
    moved = (numpy_optimizer.muon(w, g, mean, np.int32(7), config) if optimizer == "muon"
             else numpy_optimizer.adamw(w, g, mean, square, np.int32(7), config))
    assert [part.dtype for part in moved] == [np.float32] * len(moved)
