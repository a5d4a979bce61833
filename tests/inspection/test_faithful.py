"""Promise: a right model never fails the checks, a wrong one always does: thirty plants, in what
was recorded and in the program."""

from functools import partial

import jax
import numpy as np
import pytest

from helpers import (
    DATA,
    REAL,
    assert_close,
    random_bloom,
    random_config,
    random_params,
    random_relative,
)
from minillm import inspection
from minillm.architecture.mistral import MistralConfig
from minillm.architecture.qwen2 import Qwen2Config
from minillm.architecture.qwen3 import Qwen3Config
from minillm.in_jax import model as compiled_program, ops as compiled_ops, pieces as compiled_pieces
from minillm.in_numpy import model as program, ops
from minillm.inspection import faithfulness
from minillm.loading import Model, load

NAMES = [
    "embed",
    *(f"layers.{i % 2}.{name}" for i, name in enumerate(inspection.activations.LAYER_AXES)),
    "final_norm",
    "logits",
]
FAULTS = {
    "rotates the other way": (
        program,
        "rope",
        lambda right: lambda x, cos, sin: right(x, cos, -sin),
    ),
    "counts positions from one": (
        program,
        "rotation",
        lambda right: lambda at_T, *rest: right(at_T + 1, *rest),
    ),
    "divides scores by too little": (
        program,
        "attend",
        lambda right: lambda q, *rest, **more: right(1.01 * q, *rest, **more),
    ),
    "looks one token ahead": (
        ops,
        "causal",
        lambda right: lambda start, T, S: right(start + 1, T, S),
    ),
    "swaps gate and up": (program, "swiglu", lambda right: lambda gate, up: right(up, gate)),
    "norms with a large eps": (
        program,
        "rmsnorm",
        lambda right: lambda x, weight, eps: right(x, weight, eps + 1e-2),
    ),
    "norms without the weight": (
        program,
        "rmsnorm",
        lambda right: lambda x, weight, eps: right(x, 0 * weight + 1, eps),
    ),
    "looks up the next token": (
        program,
        "embedding",
        lambda right: lambda tokens, table: right((tokens + 1) % table.shape[0], table),
    ),
    "multiplies in few digits": (
        program,
        "linear",
        lambda right: lambda x, w, b=None: right(x.astype(np.float16).astype(x.dtype), w, b),
    ),
    "reads the head too loud": (
        program,
        "unembedding",
        lambda right: lambda params: np.float32(1.001) * right(params),
    ),
    "softens attention": (ops, "softmax", lambda right: lambda x: right(x / np.float32(1.01))),
}


@pytest.fixture(scope="module")
def subject():
    rng = np.random.default_rng(1)
    config = random_config(
        rng, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, hidden_size=16
    )
    model = Model(config, random_params(config, rng), None, "random")
    return model, rng.integers(0, config.vocab_size, (1, 9)).astype(np.int32)


def failing(model, tokens_BT, seen=None, twin="numpy"):
    return [
        check.name
        for check in faithfulness.check_all(model, tokens_BT, seen=seen, twin=twin)
        if check.verdict == "fails"
    ]


@pytest.mark.parametrize("name", NAMES)
def test_a_record_with_one_wrong_number_fails(subject, name):
    model, tokens_BT = subject
    seen = {key: x.copy() for key, x in inspection.record(model, tokens_BT, twin="numpy").items()}
    x = seen[name].reshape(-1)
    x[0] += 1e-2 * np.max(np.abs(x[np.isfinite(x)]))
    assert failing(model, tokens_BT, seen)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_program_with_a_fault_fails(subject, fault, monkeypatch):
    module, name, wrong = FAULTS[fault]
    monkeypatch.setattr(module, name, wrong(getattr(module, name)))
    assert "NumPy = JAX" in failing(*subject)


@pytest.mark.parametrize("twin", ["numpy", "jax"])
def test_the_right_model_passes(subject, twin):
    assert failing(*subject, twin=twin) == []
    assert len(NAMES) + len(FAULTS) >= 30


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_the_compiled_twin_fails(subject, fault, monkeypatch):
    module, name, wrong = FAULTS[fault]
    module = {program: compiled_program, ops: compiled_ops}[module]
    wrong = wrong(getattr(module, name))
    jax.clear_caches()
    for place in (module, compiled_pieces):              # which reads by the same head
        if hasattr(place, name):
            monkeypatch.setattr(place, name, wrong)
    try:
        for twin in ("jax", "numpy"):
            assert "NumPy = JAX" in failing(*subject, twin=twin)
    finally:
        jax.clear_caches()


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_record_of_the_compiled_twin_with_one_wrong_number_fails(subject, name):
    model, tokens_BT = subject
    seen = {key: x.copy() for key, x in inspection.record(model, tokens_BT, twin="jax").items()}
    x = seen[name].reshape(-1)
    x[0] += 1e-2 * np.max(np.abs(x[np.isfinite(x)]))
    assert failing(model, tokens_BT, seen, "jax")


MAKES = {
    "llama": random_config,
    "bloom": random_bloom,
    "mistral": partial(random_relative, MistralConfig),
    "qwen2": partial(random_relative, Qwen2Config),
    "qwen3": partial(random_relative, Qwen3Config),
}


@pytest.mark.parametrize(
    "make, seeds",
    [
        pytest.param(make, seeds, marks=[pytest.mark.slow] if len(seeds) > 1 else [])
        for make in MAKES
        for seeds in ((0,), range(1, 9))
        if len(seeds) > 1 or make in ("qwen2", "qwen3")  # the others: test_inspection.py
    ],
)
def test_right_models_of_every_family_never_fail(make, seeds):
    for seed in seeds:
        rng = np.random.default_rng(seed)
        config = MAKES[make](rng)
        model = Model(config, random_params(config, rng), None, make)
        tokens_BT = rng.integers(0, config.vocab_size, (1, int(rng.integers(1, 20))))
        for twin in ("numpy", "jax") if len(seeds) > 1 else ("numpy",):
            assert failing(model, tokens_BT.astype(np.int32), twin=twin) == [], (make, seed, twin)


@pytest.mark.parametrize("twin", ["numpy", "jax"])
def test_a_prompt_of_one_token_does_not_fail(twin):
    """Its arrays have length 1 where they are padded, as have those that count everywhere."""
    rng = np.random.default_rng(5)
    config = random_config(rng, num_hidden_layers=2, max_position_embeddings=64)
    model = Model(config, random_params(config, rng), None, "small")
    assert failing(model, rng.integers(0, config.vocab_size, (1, 1)), twin=twin) == []
    ids = rng.integers(0, config.vocab_size, (1, 1))
    seen = inspection.record(model, ids, twin=twin)
    swapped = inspection.logits_of(model, ids, [inspection.swap("layers.1.pattern", seen)],
                                   twin=twin)
    assert_close(swapped, seen["logits"], 1e-6)


@REAL
@pytest.mark.slow
@pytest.mark.parametrize("twin", ["numpy", "jax"])
def test_stories260k_never_fails(twin):
    model = load(DATA / "stories260K.bin")
    rng = np.random.default_rng(0)
    for length in (1, 2, 9, 64, 100, 200):
        tokens_BT = rng.integers(3, model.config.vocab_size, (1, length)).astype(np.int32)
        assert failing(model, tokens_BT, twin=twin) == [], length
