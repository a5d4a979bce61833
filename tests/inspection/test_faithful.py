"""Promise: a right model never fails the checks, a wrong one always does: thirty plants, in what
was recorded and in the program."""

import numpy as np
import pytest

from helpers import random_config, random_params
from minillm import inspection
from minillm.in_numpy import model as program, ops
from minillm.inspection import faithfulness
from minillm.loading import Model

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
        lambda right: lambda x, weight, eps: right(x, np.ones_like(weight), eps),
    ),
    "looks up the next token": (
        program,
        "embedding",
        lambda right: lambda tokens, table: right((tokens + 1) % len(table), table),
    ),
    "multiplies in few digits": (
        program,
        "linear",
        lambda right: lambda x, w, b=None: right(x.astype(np.float16).astype(x.dtype), w, b),
    ),
    "reads the head too loud": (
        program,
        "head",
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
