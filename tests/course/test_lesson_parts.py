"""Promise: what lessons 09 and 10 measure with is right: a sampler's own probabilities, counted operations, flops and bytes."""

import sys

import numpy as np
import pytest

from helpers import ROOT
from minillm.config import GenerateConfig
from minillm.course.lessons import load_module

LESSONS = ROOT / "lessons"


def part(lesson, name):
    sys.path.insert(0, str(LESSONS / lesson))            # its files import each other
    try:
        return load_module(LESSONS / lesson / f"{name}.py", name)
    finally:
        sys.path.remove(str(LESSONS / lesson))


@pytest.mark.parametrize("how", [{}, {"temperature": 0.6}, {"top_k": 4}, {"top_p": 0.8}, {"min_p": 0.2}, {"temperature": 1.7, "min_p": 0.1},
                                 {"top_k": 6, "top_p": 0.7}])
def test_a_token_s_share_is_how_often_sample_draws_it(how):
    from minillm.in_numpy import sample
    how, logits_V = GenerateConfig(**how), 1.5 * np.random.default_rng(0).standard_normal(12)
    coins = (np.arange(2000) + 0.5) / 2000
    drawn = np.bincount([int(sample(logits_V, coin, how)) for coin in coins], minlength=12) / 2000
    share = part("09_writing", "stories").share
    for token in np.flatnonzero(drawn):
        assert abs(float(share(np, logits_V, token, how)) - drawn[token]) < 1.5 / 2000


def test_counting_changes_nothing():
    from minillm import in_numpy
    from minillm.architecture.tree import tree_map
    parts, contenders = part("10_fast", "parts"), part("10_fast", "contenders")
    config, train, tokens_NBT, targets_NBT = contenders.setting("small")
    params = contenders.parameters(config)
    loss, grads = in_numpy.loss_and_grads(params, tokens_NBT[0], targets_NBT[0], config)
    parts.Counted.reset()
    counted_loss, counted = in_numpy.loss_and_grads(tree_map(lambda x: x.view(parts.Counted), params), tokens_NBT[0], targets_NBT[0], config)
    assert float(loss) == float(counted_loss)
    np.testing.assert_array_equal(grads["embed_tokens"], np.asarray(counted["embed_tokens"]))
    assert parts.Counted.calls > 100 and parts.Counted.products > 0 and parts.Counted.bytes > 1e6


def test_flops_bytes_and_kernels_of_known_operations():
    import jax
    import jax.numpy as jnp
    parts = part("10_fast", "parts")
    traced = jax.make_jaxpr(lambda a, b: jnp.tanh(a @ b))(np.zeros((3, 4), np.float32), np.zeros((4, 5), np.float32)).jaxpr
    dot, tanh = parts.equations(traced)
    assert parts.flops_of(dot) == 2 * 3 * 4 * 5
    assert parts.bytes_of(dot) == 4 * (3 * 4 + 4 * 5 + 3 * 5) and parts.bytes_of(tanh) == 2 * 4 * 3 * 5
    program = jax.jit(lambda x: jnp.sum(jnp.tanh(x) * 2 + x)).lower(np.zeros(64, np.float32)).compile().as_text()
    assert sum(parts.kinds(program)[kind] for kind in ("fusion", "dot")) >= 1
