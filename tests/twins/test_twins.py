"""Promise: the twins have the same public functions with the same signatures and the same outputs.

Functions are found in the modules, so a new one without a twin fails, and one without a case below fails too.
"""

import importlib
import inspect
import re

import jax
import numpy as np
import pytest

from cases import (
    FUNCTIONS,
    MODULES,
    PACKAGE,
    bloom_case,
    case,
    public_functions,
    quantize_case,
    qwen3_case,
    smollm3_case,
)
from helpers import ROOT, TOLERANCE, assert_close, random_bloom, random_config
from minillm.architecture.llama import init
from minillm.architecture.quantized import Quantized
from minillm.architecture.tree import flatten
from minillm.config import TrainConfig

FAMILY_CASES = {"bloom": bloom_case, "qwen3": qwen3_case, "smollm3": smollm3_case}
# Functions whose arguments or results are not arrays: they have tests of their own, named here.
TESTED_ELSEWHERE = {
    "tap_layer": "twins/test_twins.py",
    "forward_of": "architecture/test_variations.py",
    "module_of": "twins/test_twins.py",
    "prefill": "twins/test_generate.py",
    "generate": "twins/test_generate.py",
    "generate_batch": "twins/test_batch.py",
    "speculate": "twins/test_speculative.py",
}


@pytest.mark.parametrize("module", MODULES)
def test_the_same_names(module):
    in_numpy, in_jax = public_functions("in_numpy", module), public_functions("in_jax", module)
    backward = {name for name in in_numpy if name.endswith("_backward")}
    assert set(in_numpy) - backward == set(in_jax)
    assert {name.removesuffix("_backward") for name in backward} <= set(in_jax)


@pytest.mark.parametrize("module, name", FUNCTIONS)
def test_the_same_signature(module, name):
    def named(default):
        default = getattr(default, "func", default)                  # of a partial function
        return getattr(default, "__name__", str(default)).replace("jax.numpy", "numpy")

    def shape(function):
        return [(p.name, p.kind, named(p.default)) for p in inspect.signature(function).parameters.values()]

    assert shape(public_functions("in_numpy", module)[name]) == shape(public_functions("in_jax", module)[name])


@pytest.mark.parametrize("module, name", FUNCTIONS)
def test_the_same_outputs(module, name, dtype):
    if name in TESTED_ELSEWHERE:
        there = (ROOT / "tests" / TESTED_ELSEWHERE[name]).read_text(encoding="utf-8")
        assert re.search(rf"\.{name}\(", there), f"{TESTED_ELSEWHERE[name]} never calls {name}"
        return
    seeds = {"ops": range(3), "bloom": range(3), "optimizer": range(3), "quantize": range(6)}
    # all 24 schemes; in float64 every fifth, which has each part of them
    if name in ("matmul", "quantize"):
        seeds["quantize"] = (*range(0, 24, 5 if dtype is np.float64 else 1), 24, 25)
    # the rest compiles for seconds
    for seed in seeds.get(module, range(1)):
        arguments = [
            (
                FAMILY_CASES[module](name, np.random.default_rng(seed), dtype)
                if module in FAMILY_CASES
                else (
                    quantize_case(name, twin, np.random.default_rng(seed), dtype, seed)
                    if module == "quantize"
                    else case(name, twin, np.random.default_rng(seed), dtype)
                )
            )
            for twin in ("in_numpy", "in_jax")
        ]
        assert arguments[0] is not None, f"{module}.{name} has no case in tests/cases.py: add one"
        ours = public_functions("in_numpy", module)[name](*arguments[0])
        theirs = compiled(public_functions("in_jax", module)[name], arguments[1])
        ours, theirs = flatten(as_tree(ours)), flatten(as_tree(theirs))
        assert sorted(ours) == sorted(theirs)              # jax sorts the keys of a dict
        for path in ours:
            if ours[path] is not None:
                # integers are equal, not close
                exact = np.asarray(ours[path]).dtype.kind in "iu"
                assert_close(
                    theirs[path],
                    ours[path],
                    0 if exact else TOLERANCE[dtype],
                    f"{name} {path} (seed {seed})",
                )


def compiled(function, arguments):
    """function(*arguments) as one compiled program: arrays and trees are traced, the rest is constant."""
    traced = {i: a for i, a in enumerate(arguments) if isinstance(a, (np.ndarray, dict))}

    def call(traced):
        return function(*(traced.get(i, a) for i, a in enumerate(arguments)))

    return jax.jit(call)(traced)


def as_tree(output):
    """Tuples as lists, so that `flatten` names their parts."""
    if isinstance(output, tuple):
        return [as_tree(part) for part in output]
    if isinstance(output, Quantized):
        return output.parts()
    return {k: as_tree(v) for k, v in output.items()} if isinstance(output, dict) else output


@pytest.mark.parametrize("twin", ["in_numpy", "in_jax"])
def test_a_tap_of_a_layer_and_the_module_of_a_family(twin):
    package = importlib.import_module(f"minillm.{twin}")
    model, bloom = (importlib.import_module(f"minillm.{twin}.{name}") for name in ("model", "bloom"))
    assert model.tap_layer(lambda name, x: (name, x), 3)("q_BKGTE", 7) == ("layers.3.q_BKGTE", 7)
    rng = np.random.default_rng(0)
    assert package.module_of(random_config(rng)) is model
    assert package.module_of(random_bloom(rng)) is bloom


def test_ten_steps_give_the_same_losses():
    import minillm.in_jax as in_jax
    import minillm.in_numpy as in_numpy
    for seed in range(2):
        rng = np.random.default_rng(seed)
        config = random_config(rng, initializer_range=0.1)
        params = init(config, rng)
        tokens = np.tile(rng.integers(0, config.vocab_size, (2, 4, 9)).astype(np.int32), (5, 1, 1))
        train = TrainConfig(steps=10, warmup_steps=3, learning_rate=1e-2, optimizer=["adamw", "muon"][seed])
        histories = [twin.train_steps(twin.init_state(params), tokens[..., :-1], tokens[..., 1:], config, train)[1]
                     for twin in (in_numpy, in_jax)]
        for name in ("loss", "grad_norm", "learning_rate"):
            assert_close(histories[1][name], histories[0][name], 1e-5, name)
        assert histories[0]["loss"][-1] < histories[0]["loss"][0]


def test_numpy_needs_no_jax():
    import subprocess
    import sys
    code = ("import sys; sys.modules['jax'] = None; sys.modules['jaxlib'] = None\n"
            "import minillm.in_numpy, minillm.training.loop, minillm.formats.checkpoint, minillm.cli, minillm.text.dataset\n"
            "assert not [name for name in sys.modules if name.startswith('minillm.in_jax')]")
    subprocess.run([sys.executable, "-c", code], check=True)


def test_jax_never_imports_the_numpy_twin():
    for path in (PACKAGE / "in_jax").glob("*.py"):
        assert "in_numpy import" not in path.read_text(encoding="utf-8"), path
