"""Promises: a tap sees every activation under the same name in both twins, and what it returns is what the model uses;
shape suffixes tell the truth; no position sees a later one."""

import importlib
import re
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import minillm.in_jax.model as jax_model
import minillm.in_numpy.model as numpy_model
from helpers import TOLERANCE, assert_close, random_config
from minillm.architecture.llama import init
from minillm.config import DistillConfig, GenerateConfig, ModelConfig, TrainConfig

LAYER_TAPS = ["resid_pre", "attn_in", "q", "k", "v", "rot_q", "rot_k", "scores", "pattern", "z", "attn_out", "resid_mid",
              "mlp_in", "mlp_pre", "mlp_up", "mlp_post", "mlp_out", "resid_post"]


def recorded(model, params, tokens, config):
    def run(params, tokens):
        seen = {}

        def record(name, x):
            seen[name] = x
            return x

        model.forward(params, tokens, config, tap=record)
        return seen

    return (jax.jit(run) if model is jax_model else run)(params, tokens)


def test_the_same_activations_under_the_same_names(dtype):
    rng = np.random.default_rng(0)
    config = random_config(rng, num_hidden_layers=2)
    params, tokens = init(config, rng, dtype), rng.integers(0, config.vocab_size, (2, 6))
    ours, theirs = (recorded(model, params, tokens, config) for model in (numpy_model, jax_model))
    expected = ["embed"] + [f"layers.{i}.{name}" for i in range(2) for name in LAYER_TAPS] + ["final_norm", "logits"]
    assert sorted(ours) == sorted(theirs) == sorted(expected)
    for name in ours:
        assert_close(theirs[name], ours[name], TOLERANCE[dtype], name)


@pytest.mark.parametrize("model", [numpy_model, jax_model], ids=["numpy", "jax"])
def test_what_a_tap_returns_is_what_the_model_uses(model):
    """Replacing any activation by zeros changes the logits, and replacing it by itself does not."""
    rng = np.random.default_rng(1)
    config = random_config(rng, num_hidden_layers=2)
    params, tokens = init(config, rng), rng.integers(0, config.vocab_size, (1, 5))
    plain, _ = model.forward(params, tokens, config)
    for name in recorded(model, params, tokens, config):
        kept, _ = model.forward(params, tokens, config, tap=lambda at, x: x + 0 if at == name else x)
        assert_close(kept, plain, 1e-6, name)
        edited, _ = model.forward(params, tokens, config, tap=lambda at, x: 0 * x if at == name and "scores" not in at else
                                  np.where(np.isfinite(x), 0, x) if at == name else x)
        assert np.max(np.abs(np.asarray(edited) - np.asarray(plain))) > 1e-6, name


# Sizes that no two letters share, so that a wrong letter cannot be right by chance.
DISTINCT = ModelConfig(vocab_size=37, hidden_size=26, intermediate_size=20, num_hidden_layers=1, num_attention_heads=10,
                       num_key_value_heads=2, head_dim=4, max_position_embeddings=64, attention_bias=True, mlp_bias=True)
SIZES = {"D": {26}, "V": {37}, "F": {20}, "H": {10}, "K": {2}, "G": {5}, "E": {4}, "O": {40}, "J": {8}, "R": {2, 6}}
SUFFIX = re.compile(r"_([A-Z]+)$")


@pytest.fixture
def quickly_compiled():
    """XLA leaves most of its work out: shapes stay the same."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


@pytest.mark.parametrize("twin", ["in_numpy", "in_jax"])
def test_every_suffixed_local_has_the_shape_it_names(twin, quickly_compiled):
    package = importlib.import_module(f"minillm.{twin}")
    wrong, checked, unnamed = [], set(), []
    files = {str(path): path for path in Path(package.__file__).parent.glob("*.py")}

    def on_return(frame, event, argument):
        path = files.get(frame.f_code.co_filename)
        if event != "return" or path is None:
            return
        bound = {}
        for name, value in frame.f_locals.items():
            shape, suffix = getattr(value, "shape", None), SUFFIX.search(name)
            if suffix and isinstance(shape, tuple):
                where = f"{path.name}:{frame.f_code.co_name}: {name} has shape {shape}"
                checked.add((path.name, frame.f_code.co_name, name))
                if len(shape) != len(suffix[1]):
                    wrong.append(where)
                    continue
                for letter, size in zip(suffix[1], shape):
                    # S may be cut to the visible keys inside a function, so it is only fixed within one array
                    if size not in SIZES.get(letter, {size}) or (letter != "S" and bound.setdefault(letter, size) != size):
                        wrong.append(where + f": {letter} is {bound.get(letter, SIZES.get(letter))}")
            elif path.name == "model.py" and name != "x" and isinstance(shape, tuple) and len(shape) >= 3:
                unnamed.append(f"{path.name}:{frame.f_code.co_name}: {name} has shape {shape} and no suffix")

    params = init(DISTINCT, np.random.default_rng(0))
    tokens = np.random.default_rng(1).integers(0, 37, (6, 3, 8)).astype(np.int32)
    sys.setprofile(on_return)
    try:
        state = package.init_state(params)
        package.train_steps(state, tokens[..., :-1], tokens[..., 1:], DISTINCT, TrainConfig(steps=6, warmup_steps=1))
        package.row_losses(params, tokens[0, :, :-1], tokens[0, :, 1:], DISTINCT)
        list(package.generate(params, [1, 2, 3], DISTINCT, GenerateConfig(max_new_tokens=5)))
        for how in (DistillConfig(temperature=2.0), DistillConfig(objective="reverse")):
            ids, log_p = package.read_top_k(params, tokens[0, :, :-1], DISTINCT, 9)
            kept = (np.stack([np.asarray(part)] * 6) for part in (ids, log_p))
            batches, settings = (tokens[..., :-1], tokens[..., 1:]), (DISTINCT, TrainConfig(steps=6, warmup_steps=1), how)
            package.distill_steps(package.init_state(params), *batches, params, DISTINCT, *settings)
            package.cached_distill_steps(package.init_state(params), *batches, *kept, *settings)
        package.write_rows(params, tokens[0, :, 0], np.zeros((4, 3), np.float32), DISTINCT, GenerateConfig())
    finally:
        sys.setprofile(None)
    assert not wrong, "\n".join(wrong)
    assert not unnamed, "\n".join(unnamed)
    assert len(checked) > 30, checked                    # the check itself was at work


def test_no_position_sees_a_later_one_in_jax(float64):
    """d loss[t] / d embedding[s] is exactly zero for every s > t."""
    rng = np.random.default_rng(0)
    for seed in range(2):
        config = random_config(np.random.default_rng(seed), num_hidden_layers=2)
        params = init(config, rng, np.float64)
        tokens = rng.integers(0, config.vocab_size, (1, 7))

        def losses_T(embedded_BTD):
            logits_BTV, _ = jax_model.forward(params, tokens, config, tap=lambda name, x: embedded_BTD if name == "embed" else x)
            return jnp.log(jnp.sum(jnp.exp(logits_BTV[0]), axis=-1)) - logits_BTV[0, :, 3]

        derivative = np.abs(jax.jit(jax.jacobian(losses_T))(params["embed_tokens"][tokens])).sum((1, 3))     # (T, T)
        assert np.all(derivative[np.triu_indices(7, 1)] == 0)
        assert np.all(derivative[np.diag_indices(7)] > 0)


def test_no_position_sees_a_later_one_in_numpy():
    from minillm.in_numpy.ops import rotation
    for seed in range(3):
        rng = np.random.default_rng(seed)
        config = random_config(rng)
        layer = init(config, rng, np.float64)["layers"][0]
        cos_sin = rotation(np.arange(7), config, 7, np.float64)
        for t in range(7):
            seen = {}
            numpy_model.block(layer, rng.standard_normal((1, 7, config.hidden_size)), 0, cos_sin, None, config,
                              lambda name, x: seen.setdefault(name, x))
            dy_BTD = np.zeros((1, 7, config.hidden_size))
            dy_BTD[0, t] = rng.standard_normal(config.hidden_size)
            dx_BTD, _ = numpy_model.block_backward(dy_BTD, layer, seen, "", cos_sin, config)
            assert np.all(dx_BTD[0, t + 1:] == 0) and np.any(dx_BTD[0, t] != 0)
