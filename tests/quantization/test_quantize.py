"""Promise: integers and scales stand for their numbers within half a step, products of integers are exact, and what is
planted to break quantization breaks it and is mended."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.extra.numpy import arrays

from helpers import assert_close, random_bloom, random_config, random_params
from minillm.architecture.quantized import NAMES, Quantized, Scheme, scheme_named
from minillm.architecture.tree import flatten
from minillm.errors import UserError
from minillm.in_numpy import forward_of
from minillm.in_numpy.quantize import (
    dequantize,
    expand_scales,
    integer_product,
    integers,
    lookup,
    matmul,
    pack,
    quantize,
    quantize_tokens,
    unpack,
)
from minillm.quantization import search
from minillm.quantization.gptq import (
    compensated,
    compensated_together,
    compensation,
    gptq,
    output_error,
)
from minillm.quantization.model import (
    INPUT_OF,
    compare,
    dequantize_params,
    drift,
    matrix_errors,
    observe,
    plant_outliers,
    quantize_model,
    quantize_params,
    size,
    smooth,
)

NAMED = [(name, zero) for name in NAMES for zero in (False, True)
         if not (zero and name.endswith("-min"))]
SCHEMES = [scheme_named(name, zero) for name, zero in NAMED]
ROWS = {
    "zero": np.zeros(70), "constant": np.full(70, 0.3), "negative": np.full(70, -2.5), "subnormal": np.full(70, 1e-42),
    "tiny": np.linspace(-1e-30, 1e-30, 70), "huge": np.linspace(-6e4, 3e4, 70), "one": np.eye(1, 70)[0], "outlier": np.append(np.ones(69), 1e4),
}


def within_half_a_step(w_OI, record, scheme):
    scales = expand_scales(record.scales, w_OI.shape[1], scheme).astype(np.float64)
    steps = scales * np.ones(w_OI.shape)
    off = np.abs(w_OI.astype(np.float64) - dequantize(record, np.float64))
    # the division in float32 rounds too; a smallest number and its 15 steps are float16
    room = 15 * 2.0**-11 + 1e-4 if scheme.minimum else 1e-4
    near = np.abs(w_OI) * 2.0**-11 if scheme.minimum else 0
    assert np.all(off <= steps * (0.5 + room) + near), np.max(off / steps)


@pytest.mark.parametrize("scheme", SCHEMES, ids=str)
@pytest.mark.parametrize("row", ROWS)
def test_special_rows_are_within_half_a_step(scheme, row):
    w_OI = np.stack([ROWS[row], np.sin(np.arange(70))]).astype(np.float32)
    record = quantize(w_OI, scheme, transposed=False)
    assert np.all(record.scales > 0) and np.all(np.isfinite(record.scales))
    within_half_a_step(w_OI, record, scheme)


@settings(max_examples=60, deadline=None)
@given(w=arrays(np.float32, st.tuples(st.integers(1, 6), st.integers(1, 70)), elements=st.floats(-6e4, 6e4, width=32)),
       scheme=st.sampled_from(SCHEMES))
def test_any_matrix_is_within_half_a_step(w, scheme):
    record = quantize(w, scheme, transposed=False)
    within_half_a_step(w, record, scheme)
    if not scheme.minimum:
        assert np.all(dequantize(record)[w == 0] == 0)  # zero stays zero, with a zero point too


@settings(max_examples=60, deadline=None)
@given(arrays(np.int8, st.tuples(st.integers(1, 5), st.integers(1, 41)), elements=st.integers(-8, 7)))
def test_packing_is_exact(integers_OI):
    packed = pack(integers_OI)
    assert packed.nbytes == len(integers_OI) * -(-integers_OI.shape[1] // 2)
    np.testing.assert_array_equal(unpack(packed, integers_OI.shape[1]), integers_OI)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 3000), st.integers(0, 2**32 - 1))
def test_integer_products_are_exact(width, seed):
    rng = np.random.default_rng(seed)
    x, w = (rng.choice(np.array([-128, -127, 127, 0, 5], np.int8), (3, width)) for _ in range(2))
    np.testing.assert_array_equal(integer_product(x, w), x.astype(np.int64) @ w.astype(np.int64).T)


def test_the_largest_sums_are_exact_in_both_twins():
    from minillm.in_jax.quantize import integer_product as in_jax
    extreme = np.full((1, 4096), -128, np.int8)
    for product in (integer_product, in_jax):
        assert np.asarray(product(extreme, extreme))[0, 0] == 4096 * 128 * 128


@pytest.mark.parametrize("scheme", [scheme_named(*named, True) for named in NAMED], ids=str)
def test_a_product_of_integers_is_the_product_of_what_they_stand_for(scheme):
    rng = np.random.default_rng(0)
    for columns in (None, np.array([3, 50], np.int32)):
        w, x = rng.standard_normal((70, 9)), rng.standard_normal((2, 3, 70))
        x[..., 50] *= 100
        record = quantize(w, scheme, columns=columns)
        rest = x.copy()
        if columns is not None:
            rest[..., columns] = 0
        xq, scale = quantize_tokens(rest.reshape(6, 70))
        seen = (xq * scale).reshape(x.shape) + (x - rest)
        assert_close(matmul(x, record), seen @ dequantize(record, np.float64), 1e-12)


def activations(rng, rows: int, width: int):
    """Tokens of many sizes; a quarter of them full of numbers half way between two integers."""
    x = rng.standard_normal((rows, width)) * np.exp(3 * rng.standard_normal((rows, 1)))
    ties = rng.integers(-127, 127, (rows // 4, width)) + 0.5
    ties[:, 0] = 127
    x[: rows // 4] = ties * 2.0 ** rng.integers(-9, 9, (rows // 4, 1))
    x[rows // 4] = 0
    return x.astype(np.float32)


def test_activations_become_the_same_integers_in_both_twins():
    import jax

    from minillm.in_jax import quantize as in_jax
    x = activations(np.random.default_rng(16), 2000, 96)
    ours = quantize_tokens(x)
    for theirs in (in_jax.quantize_tokens(x), jax.jit(in_jax.quantize_tokens)(x)):
        for a, b in zip(ours, theirs):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name, zero", [named for named in NAMED if "group32" not in named[0]])
def test_products_of_integers_are_the_same_bit_for_bit_in_both_twins(name, zero):
    """One scale for a row: an exact sum, then the same two products of floats."""
    import jax

    from minillm.in_jax import quantize as in_jax
    rng = np.random.default_rng(17)
    x, w = activations(rng, 200, 96), rng.standard_normal((96, 40)).astype(np.float32)
    record = quantize(w, scheme_named(name, zero, True))
    for rows in (x, x[:1]):
        np.testing.assert_array_equal(jax.jit(in_jax.matmul)(rows, record), matmul(rows, record))


def test_one_row_at_a_time_is_the_same_as_all_in_jax():
    import jax

    from minillm.in_jax import quantize as in_jax
    rng = np.random.default_rng(1)
    for name in NAMES:
        for activations in (False, True):
            w, x = rng.standard_normal((70, 33)).astype(np.float32), rng.standard_normal((9, 70)).astype(np.float32)
            record = quantize(w, scheme_named(name, False, activations))
            product = jax.jit(in_jax.matmul)
            assert_close(np.concatenate([product(row[None], record) for row in x]), product(x, record), 1e-5, name)


def test_a_tied_head_and_an_embedding_are_one_record():
    table = np.random.default_rng(2).standard_normal((40, 33)).astype(np.float32)
    record = quantize(table, Scheme(), transposed=False)
    assert record.shape == (40, 33) and record.T.shape == (33, 40) and record.T.integers is record.integers
    tokens = np.array([[0, 39, 7]])
    np.testing.assert_array_equal(lookup(tokens, record), dequantize(record)[tokens])
    np.testing.assert_array_equal(dequantize(record.T), dequantize(record).T)


def model(seed, bloom=False, **fixed):
    rng = np.random.default_rng(seed)
    config = random_bloom(rng) if bloom else random_config(rng, **fixed)
    return config, random_params(config, rng), rng.integers(0, config.vocab_size, (3, 12)).astype(np.int32)


@pytest.mark.parametrize("bloom", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_the_quantized_model_is_the_float_model_of_its_numbers(name, bloom):
    config, params, tokens = model(3, bloom)
    quantized = quantize_model(params, config, scheme_named(name))
    assert all(isinstance(leaf, Quantized) == (leaf.ndim > 1) for leaf in flatten(quantized).values())
    ours, _ = forward_of(config)(quantized, tokens, config)
    theirs, _ = forward_of(config)(dequantize_params(quantized), tokens, config)
    assert_close(ours, theirs, 1e-5)


def test_numbers_that_no_scale_holds_are_refused_by_name():
    config, params, _ = model(4)
    for value, word in ((np.nan, "not finite"), (np.inf, "not finite"), (3e38, "too large")):
        broken = {**params, "layers": [dict(layer) for layer in params["layers"]]}
        broken["layers"][0]["q_proj"] = params["layers"][0]["q_proj"].copy()
        broken["layers"][0]["q_proj"][0, 0] = value
        with pytest.raises(UserError, match=f"layers.0.q_proj.*{word}"):
            quantize_model(broken, config, scheme_named("int8-group32"))


def test_quantizing_twice_is_refused():
    config, params, _ = model(5)
    with pytest.raises(UserError, match="quantized already"):
        quantize_model(quantize_model(params, config, Scheme()), config, Scheme())


def test_methods_that_calibrate_ask_for_a_text():
    config, params, _ = model(5)
    for method in ("gptq", "smoothquant", "llm-int8"):
        with pytest.raises(UserError, match="calibration"):
            quantize_model(params, config, Scheme(), method)


@pytest.mark.parametrize("bloom", [False, True])
def test_errors_of_smoothed_matrices_are_those_of_rounding(bloom):
    """Compared with the matrices that the norms left more to, not with those of the file."""
    config, params, tokens = model(6, bloom)
    smoothed = quantize_model(params, config, Scheme(), "smoothquant", tokens)
    for row in matrix_errors(params, smoothed):
        assert row["relative"] < 0.02, row["name"]


@pytest.mark.parametrize("bloom", [False, True])
@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
def test_smoothing_changes_nothing_in_float(bloom, alpha):
    config, params, tokens = model(6, bloom)
    smoothed = smooth(params, observe(params, config, tokens), alpha)
    if alpha:
        assert np.any(smoothed["layers"][0]["input_layernorm"] != params["layers"][0]["input_layernorm"])
    assert_close(forward_of(config)(smoothed, tokens, config)[0], forward_of(config)(params, tokens, config)[0], 2e-5)


def test_smoothing_is_exact_in_double_precision():
    config, params, tokens = model(7)
    params = {name: leaf for name, leaf in quantize_free(params).items()}
    smoothed = smooth(params, observe(params, config, tokens), 0.5)
    assert_close(forward_of(config)(smoothed, tokens, config)[0], forward_of(config)(params, tokens, config)[0], 1e-12)


def quantize_free(params):
    from minillm.architecture.tree import tree_map
    return tree_map(lambda leaf: leaf.astype(np.float64), params)


def test_planted_outliers_change_no_bit_and_stand_where_they_were_planted():
    config, params, tokens = model(8)
    planted = plant_outliers(params, channel=2, factor=64.0)
    np.testing.assert_array_equal(forward_of(config)(planted, tokens, config)[0], forward_of(config)(params, tokens, config)[0])
    seen, before = observe(planted, config, tokens), observe(params, config, tokens)
    for name in ("layers.0.attn_in", "layers.0.mlp_in"):
        np.testing.assert_allclose(seen.largest[name] / before.largest[name], np.where(np.arange(config.hidden_size) == 2, 64, 1), rtol=1e-6)


def test_planted_outliers_break_integers_and_both_remedies_mend_them():
    config, params, tokens = model(9, hidden_size=64, num_hidden_layers=2)
    planted = plant_outliers(params, channel=5, factor=64.0)
    scheme = scheme_named("int8-channel", activations=True)
    exact = forward_of(config)(params, tokens, config)[0]

    def off(method, where=planted):
        made = quantize_model(where, config, scheme, method, tokens, threshold=20.0)
        return float(np.sqrt(np.mean((forward_of(config)(made, tokens, config)[0] - exact) ** 2)))

    healthy, broken = off("round", params), off("round")
    assert broken > 5 * healthy
    assert off("smoothquant") < 2 * healthy and off("llm-int8") < 2 * healthy


def test_gptq_moves_outputs_less_than_rounding_and_needs_correlated_inputs_for_it():
    rng = np.random.default_rng(10)
    mixed = rng.standard_normal((400, 64)) @ (rng.standard_normal((64, 64)) * 0.9 ** np.arange(64))
    w = rng.standard_normal((64, 40)).astype(np.float32)
    for name in ("int4-group32", "int4-channel", "int4-tensor", "int8-group32", "int4-group32-min"):
        for zero in (False, True)[: 1 if name.endswith("-min") else 2]:
            scheme, hessian = scheme_named(name, zero), mixed.T @ mixed
            rounded, compensated = (output_error(w, record, hessian) for record in (quantize(w, scheme), gptq(w, hessian, scheme)))
            assert compensated < 0.6 * rounded
    alone = gptq(w, np.eye(64), scheme_named("int4-channel"))            # independent inputs cannot help each other
    np.testing.assert_array_equal(integers(alone), integers(quantize(w, scheme_named("int4-channel"))))


def test_gptq_makes_the_best_later_move():
    """The update of Algorithm 1 is the minimum of the output error over all later inputs, found here by least squares."""
    rng = np.random.default_rng(11)
    x = rng.standard_normal((50, 6))
    upper, error = compensation(x.T @ x, 0.0), 0.37
    best = np.linalg.lstsq(x[:, 1:], -x[:, 0] * error, rcond=None)[0]    # move w_1 ... so that x (w - w') is smallest
    np.testing.assert_allclose(error / upper[0, 0] * upper[0, 1:], best, rtol=1e-8)


def test_compensation_is_the_factor_of_the_inverse():
    x = np.random.default_rng(13).standard_normal((300, 40)) * np.linspace(1, 30, 40)
    damped = x.T @ x + np.eye(40) * 0.01 * np.mean(np.diag(x.T @ x))
    upper = compensation(x.T @ x)
    assert np.all(np.tril(upper, -1) == 0)
    assert_close(upper, np.linalg.cholesky(np.linalg.inv(damped)).T, 1e-10)
    assert np.all(np.isfinite(compensation(np.zeros((5, 5)))))          # inputs that never occur


@pytest.mark.parametrize("name, zero", NAMED)
def test_matrices_that_read_the_same_inputs_are_rounded_together_as_alone(name, zero):
    rng, scheme = np.random.default_rng(14), scheme_named(name, zero)
    ws = [rng.standard_normal((70, n)).astype(np.float32) for n in (9, 4, 20)]
    x = rng.standard_normal((200, 70))
    upper = compensation(x.T @ x)
    for w, record in zip(ws, compensated_together(ws, upper, scheme)):
        alone = compensated(w, upper, scheme)
        assert record.shape == alone.shape == w.shape
        assert_close(dequantize(record, np.float64), dequantize(alone, np.float64), 1e-12)


@pytest.mark.parametrize("method", ["gptq", "smoothquant", "llm-int8"])
def test_calibration_is_the_same_by_either_twin(method):
    """What float32 leaves different moves a scale by a bit and a tie by a step, here and there."""
    config, params, tokens = model(15, num_hidden_layers=2)
    ours, theirs = (quantize_model(params, config, scheme_named("int8-channel"), method, tokens,
                                   threshold=2.0, twin=twin) for twin in ("numpy", "jax"))
    for (path, a), b in zip(flatten(ours).items(), flatten(theirs).values()):
        if a.ndim > 1:
            assert np.mean(a.integers == b.integers) > 0.99, path
            assert_close(dequantize(a), dequantize(b), 0.02, path)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_searched_groups_have_no_larger_errors_than_their_ranges(seed):
    rng, scheme = np.random.default_rng(seed), scheme_named("int4-group32-min")
    w = (rng.standard_t(4, (9, 96)) * np.exp(rng.standard_normal((9, 1)))).astype(np.float32)
    found, before = (np.square(dequantize(made(w, scheme, False), np.float64) - w)
                     .reshape(9, 3, 32).sum(-1) for made in (search.quantize, quantize))
    assert np.all(found <= before * (1 + 1e-5))
    assert np.mean(found / before) < 0.95  # of every group alike: one large error outweighs the sum
    columns = np.array([3, 50], np.int32)
    np.testing.assert_array_equal(dequantize(search.quantize(w, scheme, False, columns))[:, columns],
                                  w[:, columns])


def test_searched_scales_keep_numbers_that_lie_on_a_grid():
    rng, scheme = np.random.default_rng(18), scheme_named("int4-group32-min")
    on_grid = dequantize(quantize(rng.standard_normal((40, 96)).astype(np.float32), scheme, False))
    np.testing.assert_array_equal(dequantize(search.quantize(on_grid, scheme, False)), on_grid)
    np.testing.assert_array_equal(dequantize(search.quantize(np.ones((2, 32)), scheme, False)), 1)


def test_the_figures_of_the_report():
    config, params, tokens = model(12)
    same = compare(params, params, config, tokens[:, :-1], tokens[:, 1:], "numpy")
    assert same["difference"] == same["standard_error"] == 0 and same["agreement"] == 1 and abs(same["kl"]) < 1e-6
    quantized = quantize_model(params, config, scheme_named("int4-channel"))
    ours, theirs = (compare(params, quantized, config, tokens[:, :-1], tokens[:, 1:], twin, batch=2) for twin in ("numpy", "jax"))
    for name, value in ours.items():
        assert theirs[name] == pytest.approx(value, rel=1e-4, abs=1e-5), name
    assert ours["kl"] > 0 and ours["standard_error"] > 0 and ours["tokens"] == 33
    row = compare(params, quantized, config, tokens[:1, :-1], tokens[:1, 1:], "numpy")
    assert row["rows"] == 1 and row["standard_error"] is None
    assert size(params)["of_float32"] == 1 and size(params)["bits_per_weight"] == 32
    assert len(matrix_errors(params, quantized)) == sum(leaf.ndim > 1 for leaf in flatten(params).values())
    rows = drift(params, quantized, config, tokens)
    assert len(rows) == config.num_hidden_layers and all(row["residual"] > 0 for row in rows)


def test_sizes_of_a_model_of_110m_parameters():
    """By arithmetic, from the shapes alone."""
    rows = {"int8-channel": 8 + 32 / 768, "int8-group32": 8.5, "int4-group32": 4.5}
    for name, bits in rows.items():
        record = quantize(np.zeros((64, 768), np.float32), scheme_named(name), transposed=False)
        assert 8 * record.nbytes / record.size == pytest.approx(bits)


@pytest.mark.parametrize("name", ["int4-group32", "int8-channel"])
def test_gptq_in_blocks_is_gptq_input_by_input(name, monkeypatch):
    """Inputs behind a block take over the same, one error at a time or all at once."""
    rng = np.random.default_rng(0)
    w, x = rng.standard_normal((160, 8)), rng.standard_normal((400, 160))
    found = []
    for block in (32, 4096):
        monkeypatch.setattr("minillm.quantization.gptq.BLOCK", block)
        found.append(dequantize(gptq(w, x.T @ x, scheme_named(name)), np.float64))
    assert np.mean(found[0] != found[1]) < 0.01  # a sum in another order may tip a tie
    assert_close(found[0], found[1], 0.2)


def test_gptq_of_a_model_sees_what_the_layers_before_made_of_the_text():
    """Layer by layer with the stream kept, against the whole model run once for each layer."""
    config, params, tokens = model(11, num_hidden_layers=3)
    scheme = scheme_named("int4-group32")
    fast = quantize_model(params, config, scheme, "gptq", tokens)
    done = quantize_params({**params, "layers": []}, scheme) | {"layers": list(params["layers"])}
    for i, layer in enumerate(params["layers"]):
        seen = observe(done, config, tokens)
        hessian = {key: seen.hessian[f"layers.{i}.{tap}"] for key, tap in INPUT_OF.items()}
        done["layers"][i] = {
            key: leaf if leaf.ndim < 2 else gptq(leaf, hessian[key], scheme)
            for key, leaf in layer.items()
        }
        for key, leaf in done["layers"][i].items():
            other = fast["layers"][i][key]
            same = leaf.integers == other.integers if leaf.ndim > 1 else leaf == other
            assert np.mean(same) > 0.99, (i, key)
