"""Shared by all tests: small models of random shape, and both precisions in JAX."""

import os

if "PYTEST_XDIST_WORKER" in os.environ:                # as many processes as cores: one thread of BLAS in each
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import jax
import numpy as np
import pytest

# Tests compile hundreds of tiny programs and run each once: compile fast, not well.
jax.config.update("jax_disable_most_optimizations", True)
# As every training run does (TrainConfig.cpu_devices), so that runs in this process equal runs in their own.
jax.config.update("jax_num_cpu_devices", 2)

from needs import (pytest_configure, pytest_runtest_setup,  # noqa: F401  (pytest finds them here)
                   pytest_terminal_summary)

from minillm.bloom import BloomConfig
from minillm.bloom import table as bloom_table
from minillm.config import ModelConfig
from minillm.params import init, tree_map

TOLERANCE = {np.float32: 1e-5, np.float64: 1e-10}


@pytest.fixture(autouse=True, scope="module")
def forget_programs():
    """What was compiled for one file is of no use to the next, and takes gigabytes."""
    yield
    jax.clear_caches()


@pytest.fixture(params=[np.float32, np.float64], ids=["float32", "float64"])
def dtype(request):
    """Runs the test in both precisions; JAX's 64-bit mode is on for float64 alone."""
    with jax.enable_x64(request.param is np.float64):
        yield request.param


@pytest.fixture
def float64():
    with jax.enable_x64(True):
        yield np.float64


def random_config(rng, **fixed) -> ModelConfig:
    """A small LLaMA of random shape: grouped heads, a head size that hidden / heads does not give, any head."""
    kv_heads, group = int(rng.integers(1, 4)), int(rng.integers(1, 4))
    shape = dict(vocab_size=int(rng.integers(11, 40)), hidden_size=int(rng.integers(6, 24)),
                 intermediate_size=int(rng.integers(5, 30)), num_hidden_layers=int(rng.integers(1, 4)),
                 num_attention_heads=kv_heads * group, num_key_value_heads=kv_heads,
                 head_dim=2 * int(rng.integers(1, 5)), max_position_embeddings=32,
                 rms_norm_eps=float(10 ** rng.uniform(-6, -3)), rope_theta=float(10 ** rng.uniform(2, 5)),
                 tie_word_embeddings=bool(rng.integers(2)), initializer_range=0.3,
                 attention_bias=bool(rng.integers(2)), mlp_bias=bool(rng.integers(2)))
    return ModelConfig(**shape | fixed)


def random_bloom(rng, **fixed) -> BloomConfig:
    """A small BLOOM of random shape: any number of heads, any head."""
    heads = int(rng.integers(1, 8))
    shape = dict(vocab_size=int(rng.integers(11, 40)), hidden_size=heads * int(rng.integers(1, 5)),
                 num_hidden_layers=int(rng.integers(1, 4)), num_attention_heads=heads, max_position_embeddings=32,
                 layer_norm_epsilon=float(10 ** rng.uniform(-6, -3)), tie_word_embeddings=bool(rng.integers(2)))
    return BloomConfig(**shape | fixed)


def random_params(config, rng, dtype=np.float32) -> dict:
    """Parameters of any model with nothing left at its first value: norms around 1, biases not zero."""
    if isinstance(config, BloomConfig):
        return tree_map(lambda shape: (0.4 * rng.standard_normal(shape) + (len(shape) == 1)).astype(dtype), bloom_table(config))
    return tree_map(lambda w: (w + (0.2 * rng.standard_normal(w.shape) if w.ndim == 1 else 0)).astype(dtype),
                    init(config, rng, dtype))


def assert_close(actual, expected, tolerance, what=""):
    """Equal to `tolerance`, relative to the largest number of the expected array (at least 1e-3)."""
    actual, expected = (np.asarray(a) * 1 for a in (actual, expected))
    assert actual.shape == expected.shape, f"{what}: shapes {actual.shape} and {expected.shape}"
    if expected.size == 0:
        return
    finite = np.isfinite(expected)
    np.testing.assert_array_equal(actual[~finite], expected[~finite], err_msg=what)
    difference = np.max(np.abs(actual[finite] - expected[finite]), initial=0)
    scale = max(np.max(np.abs(expected[finite]), initial=0), 1e-3)
    assert difference <= tolerance * scale, f"{what}: differs by {difference:.3g} where numbers reach {scale:.3g}"
