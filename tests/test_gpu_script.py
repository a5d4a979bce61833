"""Promise: benchmarks/gpu.py, which waits for a GPU, computes what the model does; here, tiny."""

import importlib.util
from dataclasses import replace

import jax
import numpy as np
import pytest

from helpers import ROOT, assert_close
from minillm import in_jax
from minillm.architecture.llama import init
from minillm.in_jax import model, ops


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("gpu", ROOT / "benchmarks" / "gpu.py")
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def test_fused_attention_is_attention(script):
    rng = np.random.default_rng(0)
    q, k, v, dz = (rng.standard_normal(shape).astype(np.float32) for shape in (
        (2, 3, 2, 70, 8), (2, 3, 70, 8), (2, 3, 70, 8), (2, 3, 2, 70, 8)))
    results = []
    for attend in (ops.attend, script.fused_attend):
        z, backward = jax.vjp(lambda q, k, v, attend=attend: attend(q, k, v, 0), q, k, v)
        results.append([z, *backward(dz)])
    for name, expected, fused in zip(("z", "dq", "dk", "dv"), *results, strict=True):
        assert_close(fused, expected, 1e-5, name)


def test_steps_in_bfloat16_are_near_those_in_float32(script, monkeypatch):
    monkeypatch.setattr(model, "attend", model.attend)           # put back what the script changes
    config, train, _ = script.SIZES["tiny"]
    train = replace(train, steps=12, warmup_steps=1)
    tokens_NBT = np.random.default_rng(1).integers(0, 9, (12, 4, 33)).astype(np.int32)
    batches = tokens_NBT[..., :-1], tokens_NBT[..., 1:]
    state = in_jax.init_state(init(config, np.random.default_rng(0)))
    _, metrics = in_jax.train_steps(state, *batches, config, train)
    run, device = script.jax_steps(config, train)
    last = run(*batches)
    assert metrics["loss"][-1] < 0.8 * metrics["loss"][0] and device
    assert last == pytest.approx(float(metrics["loss"][-1]), rel=0.02)
    assert model.attend is script.fused_attend
