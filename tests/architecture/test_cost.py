"""Promise: operations and bytes on paper are those of the model that runs."""

import jax
import numpy as np
import pytest

from helpers import random_config, random_params
from minillm import in_jax, in_numpy
from minillm.architecture import cost
from minillm.architecture.llama import count
from minillm.architecture.tree import flatten
from minillm.training import machines


def products(jaxpr) -> int:
    """Operations of every product of matrices in a traced function."""
    total = 0
    for equation in jaxpr.eqns:
        for inner in equation.params.values():
            if hasattr(inner, "jaxpr"):
                total += products(inner.jaxpr)
        if equation.primitive.name == "dot_general":
            (left, _), _ = equation.params["dimension_numbers"]
            shape = equation.invars[0].aval.shape
            total += 2 * equation.outvars[0].aval.size * int(np.prod([shape[i] for i in left]))
    return total


@pytest.mark.parametrize("seed", range(4))
def test_operations_are_those_of_the_traced_model(seed):
    config, T = random_config(np.random.default_rng(seed)), 7
    params = random_params(config, np.random.default_rng(seed))
    traced = jax.make_jaxpr(lambda tokens: in_jax.forward(params, tokens, config)[0])(
        np.zeros((1, T), np.int32)).jaxpr
    flop = cost.forward_flop(config, T)
    whole = flop["attention"] * 2 * T / (T + 1)  # JAX computes what the mask hides, too
    assert products(traced) == flop["products"] + whole
    assert cost.training_flop(config, 30 * T, T)["products"] == 90 * flop["products"]


def test_tokens_after_others_read_their_keys():
    config = random_config(np.random.default_rng(0))
    whole, first = cost.forward_flop(config, 12), cost.forward_flop(config, 5)
    assert {name: first[name] + rest for name, rest in
            cost.forward_flop(config, 7, before=5).items()} == whole


@pytest.mark.parametrize("seed", range(4))
def test_bytes_are_those_that_numpy_holds(seed):
    rng = np.random.default_rng(seed)
    config, rows, T = random_config(rng), 3, 9
    params, seen = random_params(config, rng), {}
    in_numpy.forward(params, rng.integers(0, config.vocab_size, (rows, T)), config,
                     tap=lambda name, x: seen.setdefault(name, x))
    held = {}
    for x in seen.values():
        while x.base is not None:
            x = x.base
        held[id(x)] = x.nbytes
    size = sum(leaf.nbytes for leaf in flatten(params).values())
    assert sum(cost.sizes(config).values()) == count(config)
    assert cost.training_bytes(config, rows, T) == {
        "weights": size, "gradients": size, "moments": 2 * size, "activations": sum(held.values())}
    assert cost.weight_bytes(config) == size
    cache = in_numpy.init_cache(config, rows, T)
    leaves = [x.nbytes for x in jax.tree.leaves(cache) if np.ndim(x)]
    assert cost.cache_bytes(config, T, rows) == sum(leaves)


def test_published_energy_and_carbon():
    """LLaMA, Llama 2 and BLOOM, to three parts in a thousand; sources in benchmarks/cost.py."""
    for hours, watts, pue, grid, mwh, tonnes in [(1_022_362, 400, 1.1, 385, 449, 173),
                                                 (530_432, 400, 1.1, 385, 233, 90),
                                                 (1_720_320, 400, 1.1, 385, None, 291.42),
                                                 (1_082_990, 400, 1.0, 57, 433.196, 24.69)]:
        kwh = machines.kilowatt_hours(hours, watts, pue)
        assert mwh is None or kwh / 1000 == pytest.approx(mwh, rel=3e-3)
        assert machines.tonnes_of_co2(kwh, grid) == pytest.approx(tonnes, rel=3e-3)


def test_hours_and_speed_by_hand():
    machine = machines.Machine("x", 1e12, 2e9, 100, 1e9, "float32", None)
    assert machines.training_hours(3.6e15, machine, 0.5) == 2
    assert machines.tokens_per_second(4e6, machine) == 500
