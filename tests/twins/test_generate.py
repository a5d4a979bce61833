"""Promises: cached decoding is the full forward; the twins write the same text; samplers keep what they say they keep."""

import importlib

import jax
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import minillm.in_jax as in_jax
import minillm.in_numpy as in_numpy
from helpers import TOLERANCE, assert_close, random_config, random_params
from minillm.architecture.llama import init
from minillm.architecture.quantized import scheme_named
from minillm.architecture.tree import flatten, tree_map
from minillm.config import GenerateConfig
from minillm.errors import UserError
from minillm.quantization.model import quantize_params

TWINS = pytest.mark.parametrize("twin", [in_numpy, in_jax], ids=["numpy", "jax"])


@TWINS
def test_cached_equals_uncached(twin, dtype):
    """The prompt in pieces of random sizes through the cache gives the logits of the whole at once."""
    forward = twin.forward if twin is in_numpy else jax.jit(twin.forward, static_argnames="config")
    for seed in range(3 if twin is in_numpy else 1):
        rng = np.random.default_rng(seed)
        config = random_config(rng)
        params, tokens = random_params(config, rng, dtype), rng.integers(0, config.vocab_size, (2, 12))
        whole, _ = forward(params, tokens, config)
        cache, pieces, cuts = twin.init_cache(config, 2, 16, dtype), [], [0, *sorted(rng.choice(np.arange(1, 12), 2, False)), 12]
        for begin, end in zip(cuts, cuts[1:]):
            logits, cache = forward(params, tokens[:, begin:end], config, cache)
            pieces.append(np.asarray(logits))
        assert int(cache["length"]) == 12
        assert_close(np.concatenate(pieces, axis=1), whole, TOLERANCE[dtype])


@TWINS
def test_greedy_generation_is_the_uncached_argmax(twin):
    rng = np.random.default_rng(5)
    config = random_config(rng, max_position_embeddings=40)
    params, tokens = init(config, rng), [1, 2, 3]
    for _ in range(30):
        tokens.append(int(np.argmax(in_numpy.forward(params, np.array([tokens]), config)[0][0, -1])))
    assert list(twin.generate(params, tokens[:3], config, GenerateConfig(30, temperature=0))) == tokens[3:]


@pytest.mark.parametrize("how", [GenerateConfig(80), GenerateConfig(80, 0.7, 5, 0.9, seed=3), GenerateConfig(80, 1.3, 0, 0.5, seed=9),
                                 GenerateConfig(80, min_p=0.1, repetition_penalty=1.2), GenerateConfig(80, 0, repetition_penalty=1.5),
                                 GenerateConfig(80, 0.0), GenerateConfig(1)], ids=str)
def test_the_twins_write_the_same(how):
    rng = np.random.default_rng(0)
    config = random_config(rng, max_position_embeddings=100, num_hidden_layers=2)
    params, prompt = init(config, rng), rng.integers(0, config.vocab_size, 3).tolist()
    written = [list(twin.generate(params, prompt, config, how)) for twin in (in_numpy, in_jax)]
    assert written[0] == written[1] and len(written[0]) == how.max_new_tokens


def test_prefill_agrees():
    rng = np.random.default_rng(2)
    config = random_config(rng)
    params, prompt, how = init(config, rng), [3, 1, 4, 1, 5], GenerateConfig()
    seen = np.isin(np.arange(config.vocab_size), prompt)
    results = [twin.prefill(params, prompt, twin.init_cache(config, 1, 64), seen, 0.3, config, how)
               for twin in (in_numpy, in_jax)]
    assert int(results[0][0]) == int(results[1][0]) and int(results[0][1]["length"]) == int(results[1][1]["length"]) == 5
    for ours, theirs in zip(results[0][1]["layers"], results[1][1]["layers"]):
        assert_close(theirs["k"][:, :5], ours["k"][:, :5], 1e-5)
        assert_close(theirs["v"][:, :5], ours["v"][:, :5], 1e-5)


@TWINS
def test_it_stops_where_it_should(twin):
    config = random_config(np.random.default_rng(0), max_position_embeddings=20)
    params = init(config, np.random.default_rng(1))
    every = list(twin.generate(params, [1, 2], config, GenerateConfig(1000, seed=4)))
    assert len(every) == 18                                             # the end of the context
    stop = every[7]
    assert list(twin.generate(params, [1, 2], config, GenerateConfig(1000, seed=4), [stop])) == every[: every.index(stop)]
    assert list(twin.generate(params, [1, 2], config, GenerateConfig(0))) == []


@TWINS
def test_bad_prompts_are_refused(twin):
    config = random_config(np.random.default_rng(0))
    params = init(config, np.random.default_rng(1))
    for prompt, word in (([], "empty"), ([config.vocab_size], "vocab_size"), ([-1], "vocab_size"), ([0] * 32, "32 tokens")):
        with pytest.raises(UserError, match=word):
            list(twin.generate(params, prompt, config))


SAMPLERS = given(seed=st.integers(0, 10**6), top_k=st.integers(0, 12), top_p=st.floats(0.05, 1),
                 min_p=st.floats(0, 1), temperature=st.floats(0.2, 3))


@pytest.mark.slow
def test_sampling_keeps_the_distribution_of_many_samplers():
    inner = test_sampling_keeps_the_distribution.hypothesis.inner_test
    settings(max_examples=60, deadline=None)(SAMPLERS(inner))()


@settings(max_examples=20, deadline=None)
@SAMPLERS
def test_sampling_keeps_the_distribution(seed, top_k, top_p, min_p, temperature):
    """Coins spread evenly over [0, 1) hit each kept token in proportion to its probability, and no other."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, 10)
    how = GenerateConfig(temperature=temperature, top_k=top_k, top_p=top_p, min_p=min_p)
    p = np.exp(logits / temperature) / np.sum(np.exp(logits / temperature))
    order = np.argsort(-p)
    kept = order[: top_k or None]
    kept = [token for i, token in enumerate(kept) if np.sum(p[order[:i]]) < top_p and p[token] >= min_p * p.max()]
    coins = (np.arange(2000) + 0.5) / 2000
    hits = np.bincount([in_numpy.sample(logits, coin, how) for coin in coins], minlength=10) / 2000
    assert set(np.flatnonzero(hits)) <= set(kept)
    expected = np.where(np.isin(np.arange(10), kept), p, 0)
    np.testing.assert_allclose(hits, expected / expected.sum(), atol=1.5 / 2000)


@TWINS
@pytest.mark.parametrize("temperature", [0, 0.8])
def test_logits_that_are_not_finite_are_one_error(twin, temperature):
    """At once, or after a token whose embedding is NaN: what came before is written."""
    rng = np.random.default_rng(0)
    config = random_config(rng, tie_word_embeddings=False)
    params, how = init(config, rng), GenerateConfig(20, temperature=temperature, seed=1)
    whole = list(twin.generate(params, [1, 2], config, how))
    new = next(i for i, token in enumerate(whole) if token not in (1, 2))
    for broken, written in ((2, []), (whole[new], whole[: new + 1])):
        table = params["embed_tokens"].copy()
        table[broken] = np.nan
        tokens, got = twin.generate({**params, "embed_tokens": table}, [1, 2], config, how), []
        with pytest.raises(UserError, match="logits are not finite"):
            got.extend(tokens)
        assert got == written


@TWINS
def test_the_largest_logit_of_each_row_says_whether_they_are_finite(twin):
    rows = np.zeros((2, 3), np.float32)
    assert twin.are_finite(rows)
    for value, finite in ((-np.inf, True), (np.inf, False), (np.nan, False)):
        rows[1, 1] = value
        assert bool(twin.are_finite(rows)) == finite
    rows[1] = -np.inf
    assert not twin.are_finite(rows)


def test_a_cache_costs_no_more_than_it_holds():
    """In NumPy attention reads only the keys that are there: a longer cache changes nothing, not even NaN in it."""
    config = random_config(np.random.default_rng(0))
    params = init(config, np.random.default_rng(1))
    cache = in_numpy.init_cache(config, 1, 30)
    for layer in cache["layers"]:
        layer["k"][:] = layer["v"][:] = np.nan
    logits, _ = in_numpy.forward(params, np.array([[1, 2, 3]]), config, cache)
    assert_close(logits, in_numpy.forward(params, np.array([[1, 2, 3]]), config)[0], 1e-6)


def test_streaming_yields_each_token_when_it_is_there():
    """The first token comes before the second is computed."""
    generate = importlib.import_module("minillm.in_numpy.generate")
    config = random_config(np.random.default_rng(0))
    stream = generate.generate(init(config, np.random.default_rng(1)), [1], config, GenerateConfig(20))
    calls, original = [], generate.decode_step
    generate.decode_step = lambda *args: (calls.append(1), original(*args))[1]
    try:
        next(stream)
        assert len(calls) == 0
        next(stream)
        assert len(calls) == 1
    finally:
        generate.decode_step = original


def test_a_penalty_keeps_a_greedy_text_from_repeating():
    """A penalty large enough forbids every token of the text so far: all are new, also against the prompt."""
    config = random_config(np.random.default_rng(3), vocab_size=40, max_position_embeddings=64)
    params = init(config, np.random.default_rng(5))
    how = GenerateConfig(10, temperature=0, repetition_penalty=1e6)
    for twin in (in_numpy, in_jax):
        tokens = [5, 6, 7, *twin.generate(params, [5, 6, 7], config, how)]
        assert len(set(tokens)) == len(tokens) == 13
    logits, seen = np.array([2.0, -2.0, 1.0, -1.0]), np.array([True, True, False, False])
    assert in_numpy.penalize(logits, seen, 2.0).tolist() == [1.0, -4.0, 1.0, -1.0]


@TWINS
@pytest.mark.parametrize("temperature", [0, 1])
def test_weights_that_are_no_numbers_are_said_so(twin, temperature):
    config = random_config(np.random.default_rng(0))
    params = init(config, np.random.default_rng(1))
    params["norm"] = params["norm"] * np.float32(np.nan)
    with pytest.raises(UserError, match="NaN or infinite"):
        list(twin.generate(params, [1], config, GenerateConfig(5, temperature=temperature)))


@pytest.mark.parametrize("kept", ["float32", "float16", "bfloat16"])
def test_matrices_by_rows_are_the_plain_ones(kept):
    """Stored as (out, in), and in half precision, the logits are those of the plain float32."""
    rng = np.random.default_rng(3)
    config = random_config(rng)
    params, tokens = init(config, rng), rng.integers(0, config.vocab_size, (2, 7))
    stored = tree_map(lambda w: jax.numpy.asarray(w, kept) if w.ndim == 2 else w, params)
    plain = tree_map(lambda w: np.asarray(w, np.float32), stored)
    logits, _ = in_jax.forward(in_jax.by_rows(stored), tokens, config)
    assert_close(logits, in_jax.forward(plain, tokens, config)[0], 1e-6)
    how = GenerateConfig(20, temperature=0)
    written = [list(in_jax.generate(each, [1, 2], config, how))
               for each in (in_jax.by_rows(stored), stored)]
    assert written[0] == written[1] == list(in_numpy.generate(plain, [1, 2], config, how))


@pytest.mark.parametrize("kept", ["float16", "int8-channel"])
def test_the_loop_over_tokens_keeps_matrices_small(kept):
    """What the compiled loop holds beside its arguments is less than the matrices in float32."""
    config = random_config(np.random.default_rng(0), hidden_size=64, intermediate_size=512,
                           num_hidden_layers=2)
    params = init(config, np.random.default_rng(1))
    if kept == "float16":
        small = tree_map(lambda w: w.astype(kept) if w.ndim == 2 else w, params)
    else:
        small = quantize_params(params, scheme_named(kept))
    cache = in_jax.init_cache(config, 1, 8) | {"length": jax.numpy.int32(1)}
    seen = np.zeros(config.vocab_size, bool)
    loop = in_jax.decode_steps.lower(in_jax.by_rows(small), 1, cache, seen, np.zeros(4, np.float32),
                                     config, GenerateConfig(temperature=0)).compile()
    whole = sum(w.nbytes for w in flatten(params).values() if w.ndim == 2)
    assert loop.memory_analysis().temp_size_in_bytes < whole / 4
