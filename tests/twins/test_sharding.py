"""Promise: sharing a batch between devices, and long sequences between blocks of queries, changes nothing but time."""

import re
from dataclasses import replace
from functools import partial

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


def test_matrices_are_shared_out():
    """Each device computes its own of the stack, and has all results."""
    x = np.random.default_rng(3).standard_normal((4, 5, 3)).astype(np.float32)
    program = jax.jit(partial(in_jax.sharding.share_out, in_jax.orthogonalize))
    text = program.lower(x).compile().as_text()
    assert set(re.findall(r"= f32\[(\d+),\S* dot\(", text)) == {"2"}
    whole = program(x)
    assert len(whole.sharding.device_set) == 2 and whole.is_fully_replicated
    for ours, matrix in zip(whole, x, strict=True):
        assert_close(ours, in_numpy.optimizer.orthogonalize(matrix), 1e-5)


@pytest.mark.parametrize("numbers, first", [
    (100, [["a", "c", "d", "f"]]), (12, [["a", "c", "d", "f"]]),
    (6, [["a", "c"], ["d", "f"]]), (1, [["a", "c"], ["d", "f"]])])
def test_groups_are_of_one_shape_and_even(numbers, first, monkeypatch):
    monkeypatch.setattr(in_jax.sharding, "NUMBERS_AT_ONCE", numbers)
    arrays = {name: np.zeros((2, 3) if name in "acdf" else (3, 2)) for name in "abcdefg"}
    assert in_jax.sharding.alike(arrays) == [*first, ["b", "e"], ["g"]]


@pytest.mark.parametrize("T, dtype", [(64, np.float64), (65, np.float32), (130, np.float64), (193, np.float32)], indirect=["dtype"])
def test_blocks_of_queries_are_one_attention(T, dtype):
    rng = np.random.default_rng(T)
    q, k, v, dz = (rng.standard_normal(shape).astype(dtype) for shape in ((1, 2, 2, T, 4), (1, 2, T, 4), (1, 2, T, 4), (1, 2, 2, T, 4)))
    z, backward = jax.vjp(lambda q, k, v: ops.attend(q, k, v, 0), q, k, v)
    assert_close(z, in_numpy.ops.attend(q, k, v, 0), TOLERANCE[dtype])
    for ours, theirs in zip(backward(dz), in_numpy.ops.attend_backward(dz, q, k, v, 0), strict=True):
        assert_close(ours, theirs, 10 * TOLERANCE[dtype])


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_shared_parameters_take_the_same_steps(optimizer, float64):
    """Parameters and moments shared out, against NumPy's; they stay shared out."""
    rng = np.random.default_rng(5)
    config = random_config(rng, hidden_size=8, intermediate_size=6)
    train = TrainConfig(steps=5, warmup_steps=1, shard=True, optimizer=optimizer)
    params = init(config, rng, np.float64)
    tokens_NBT = rng.integers(0, config.vocab_size, (5, 4, 9)).astype(np.int32)
    batches = tokens_NBT[..., :-1], tokens_NBT[..., 1:]
    ours, said = in_numpy.train_steps(in_numpy.init_state(params), *batches, config, train)
    state = in_jax.init_state(in_jax.sharding.shard(params))
    before = [leaf.sharding for leaf in flatten(state["params"]).values()]
    theirs, heard = in_jax.train_steps(state, *batches, config, train)
    assert_close(heard["loss"], said["loss"], 1e-9)
    for name, leaf in flatten(ours["params"]).items():
        assert_close(flatten(theirs["params"])[name], leaf, 1e-9)
    for tree in (theirs["params"], theirs["moments"]["mean"], theirs["moments"]["square"]):
        after = [leaf.sharding for leaf in flatten(tree).values()]
        assert all(a.is_equivalent_to(b, leaf.ndim) for a, b, leaf in zip(
            after, before, flatten(tree).values(), strict=True))
    nats, _ = in_jax.row_losses(theirs["params"], *(x[0] for x in batches), config)
    expected, _ = in_numpy.row_losses(ours["params"], *(x[0] for x in batches), config)
    assert_close(nats, expected, 1e-9)


def test_bytes_of_a_device():
    """12 bytes a parameter, over the devices; what has no even axis is on all of them."""
    rng, n = np.random.default_rng(8), jax.device_count()
    config = random_config(rng)                    # widths that two divides, and some it does not
    params = init(config, rng)
    state = in_jax.init_state(in_jax.sharding.shard(params))
    whole, even = 0, 0
    for leaf in flatten(params).values():
        whole += 12 * leaf.size
        even += 12 * leaf.size * any(size % n == 0 for size in leaf.shape)
    assert 0 < even < whole
    for device in jax.devices():
        held = sum(shard.data.nbytes for name in ("params", "moments")
                   for leaf in jax.tree.leaves(state[name])
                   for shard in leaf.addressable_shards if shard.device == device)
        assert held == whole - even + even / n


def test_recomputing_takes_the_same_steps_and_keeps_less(float64):
    """What is kept for the backward pass is what the pulled-back function holds."""
    rng = np.random.default_rng(9)
    config = random_config(rng, num_hidden_layers=5)
    params = init(config, rng, np.float64)
    tokens_NBT = rng.integers(0, config.vocab_size, (2, 4, 41)).astype(np.int32)
    batches = tokens_NBT[..., :-1], tokens_NBT[..., 1:]
    states, kept = {}, {}
    losses = {False: in_jax.loss, True: in_jax.recompute.recomputing_loss}
    for recompute, loss in losses.items():
        train = TrainConfig(steps=5, warmup_steps=1, recompute=recompute)
        states[recompute], _ = in_jax.train_steps(in_jax.init_state(params), *batches, config,
                                                  train)
        backward = jax.eval_shape(lambda params: jax.vjp(
            lambda params: loss(params, *(x[0] for x in batches), config), params)[1], params)
        kept[recompute] = sum(leaf.size for leaf in jax.tree.leaves(backward))
    for name, leaf in flatten(states[False]["params"]).items():
        assert_close(flatten(states[True]["params"])[name], leaf, 1e-11)
    weights = sum(leaf.size for leaf in flatten(params).values())
    entering = tokens_NBT[0, :, 1:].size * config.hidden_size * config.num_hidden_layers
    assert kept[True] < weights + 2 * entering + 6 * 4 * 40 * config.vocab_size
    assert kept[False] > 2 * kept[True]


def test_recomputing_sets_less_memory_aside():
    """What XLA plans for a step, beside the state: a layer more costs its gradients, and little of
    what is kept for them."""
    rng = np.random.default_rng(4)
    train = TrainConfig(steps=5, batch_size=8, context=96)
    tokens_NBT = np.zeros((1, 8, 96), np.int32)
    planned = {}
    for layers in (2, 6):
        config = random_config(rng, num_hidden_layers=layers, vocab_size=64, hidden_size=16,
                               intermediate_size=48, num_attention_heads=2, num_key_value_heads=2,
                               head_dim=8, max_position_embeddings=96)
        state = in_jax.init_state(init(config, rng))
        for recompute in (False, True):
            step = in_jax.train._train_steps.lower(state, tokens_NBT, tokens_NBT, config,
                                                   replace(train, recompute=recompute))
            planned[layers, recompute] = step.compile().memory_analysis().temp_size_in_bytes
    kept, again = (planned[6, flag] - planned[2, flag] for flag in (False, True))
    assert again < kept / 4
