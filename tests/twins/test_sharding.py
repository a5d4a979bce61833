"""Promise: sharing a batch between devices, and long sequences between blocks of queries, changes nothing but time."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from helpers import TOLERANCE, assert_close, random_config
from minillm import in_jax, in_numpy
from minillm.architecture.llama import init
from minillm.architecture.tree import flatten
from minillm.config import TrainConfig
from minillm.in_jax import ops


@pytest.mark.parametrize("rows", [3, 4])
def test_steps_on_two_devices_are_numpys_steps(rows, float64):
    assert jax.device_count() == 2
    rng = np.random.default_rng(rows)
    config, train = random_config(rng), TrainConfig(steps=5, warmup_steps=1)
    params = init(config, rng, np.float64)
    tokens_NBT = rng.integers(0, config.vocab_size, (5, rows, 9)).astype(np.int32)
    batches = tokens_NBT[..., :-1], tokens_NBT[..., 1:]
    results = [twin.train_steps(twin.init_state(params), *batches, config, train) for twin in (in_numpy, in_jax)]
    assert_close(results[1][1]["loss"], results[0][1]["loss"], 1e-9)
    ours, theirs = (flatten(state["params"]) for state, _ in results)
    for name in ours:
        assert_close(theirs[name], ours[name], 1e-9)
    assert len(theirs["norm"].sharding.device_set) == 2
    nats, counts = in_jax.row_losses(results[1][0]["params"], tokens_NBT[0, :, :-1], tokens_NBT[0, :, 1:], config)
    expected, _ = in_numpy.row_losses(results[0][0]["params"], tokens_NBT[0, :, :-1], tokens_NBT[0, :, 1:], config)
    assert_close(nats, expected, 1e-9)


def test_rows_are_shared_out():
    split = jax.jit(lambda x: ops.linear(in_jax.sharding.split_rows(x, axis=0), jnp.ones((5, 3))))(np.ones((4, 5)))
    assert {shard.data.shape for shard in split.addressable_shards} == {(2, 3)}


@pytest.mark.parametrize("T, dtype", [(64, np.float64), (65, np.float32), (130, np.float64), (193, np.float32)], indirect=["dtype"])
def test_blocks_of_queries_are_one_attention(T, dtype):
    rng = np.random.default_rng(T)
    q, k, v, dz = (rng.standard_normal(shape).astype(dtype) for shape in ((1, 2, 2, T, 4), (1, 2, T, 4), (1, 2, T, 4), (1, 2, 2, T, 4)))
    z, backward = jax.vjp(lambda q, k, v: ops.attend(q, k, v, 0), q, k, v)
    assert_close(z, in_numpy.ops.attend(q, k, v, 0), TOLERANCE[dtype])
    for ours, theirs in zip(backward(dz), in_numpy.ops.attend_backward(dz, q, k, v, 0), strict=True):
        assert_close(ours, theirs, 10 * TOLERANCE[dtype])
