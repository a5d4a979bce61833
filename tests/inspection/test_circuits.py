"""Promise: the OV and QK views of a head are the products of its weights, in every family, with
grouped heads, tied embeddings and integers; and the scores are those of a text with the two tokens
at that distance."""

from dataclasses import replace

import numpy as np
import pytest

from helpers import assert_close, random_bloom, random_config, random_params, random_relative
from minillm import inspection
from minillm.architecture.quantized import scheme_named
from minillm.architecture.qwen2 import Qwen2Config
from minillm.architecture.qwen3 import Qwen3Config
from minillm.architecture.tree import tree_map
from minillm.errors import UserError
from minillm.inspection.dispatch import matrix
from minillm.loading import Model
from minillm.quantization.model import quantize_model

TOKENS = [1, 4, 7, 9]


def family_of(kind):
    return lambda rng, **fixed: random_relative(kind, rng, **fixed)


MAKES = {
    "llama": random_config,
    "qwen2": family_of(Qwen2Config),
    "qwen3": family_of(Qwen3Config),
    "bloom": random_bloom,
}


def subject(name, seed=0, dtype=np.float64, **fixed):
    rng = np.random.default_rng(seed)
    grouped = {} if name == "bloom" else {"num_attention_heads": 6, "num_key_value_heads": 3}
    config = MAKES[name](rng, num_hidden_layers=2, **grouped | fixed)
    return Model(config, random_params(config, rng, dtype), None, name)


def normed(x_ND, weight, config, bias=None):
    if bias is not None:
        x_ND = x_ND - x_ND.mean(-1, keepdims=True)
        return (
            x_ND / np.sqrt((x_ND**2).mean(-1, keepdims=True) + config.layer_norm_epsilon) * weight
            + bias
        )
    return x_ND / np.sqrt((x_ND**2).mean(-1, keepdims=True) + config.rms_norm_eps) * weight


def start(model, tokens):
    params, config = model.params, model.config
    x_ND = params["embed_tokens"][tokens]
    return (
        x_ND
        if "embed_layernorm" not in params
        else normed(x_ND, params["embed_layernorm"], config, params["embed_layernorm_bias"])
    )


def turned(x_NE, position, config):
    """Rotary positions with complex numbers: (first half) + i (second half)."""
    half = x_NE.shape[-1] // 2
    angle = position * config.rope_theta ** (-np.arange(half) / half)
    x = (x_NE[:, :half] + 1j * x_NE[:, half:]) * np.exp(1j * angle)
    return np.concatenate([x.real, x.imag], -1)


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("name", MAKES)
def test_ov_is_the_product_of_the_matrices(name, tied, float64):
    model = subject(name, tie_word_embeddings=tied)
    params, config = model.params, model.config
    E, G = config.head_dim, config.num_attention_heads // config.num_key_value_heads
    head_DV = params["embed_tokens"].T if tied else params["lm_head"]
    for layer, head in ((0, 1), (1, config.num_attention_heads - 1)):
        weights, kv = params["layers"][layer], head // G
        x_ND = normed(
            start(model, TOKENS),
            weights["input_layernorm"],
            config,
            weights.get("input_layernorm_bias"),
        )
        x_ND = (
            x_ND
            @ weights["v_proj"][:, kv * E : (kv + 1) * E]
            @ weights["o_proj"][head * E : (head + 1) * E]
        )
        if "norm_bias" in params:
            x_ND = x_ND - x_ND.mean(-1, keepdims=True)
        logits_NV = (x_ND * params["norm"]) @ head_DV
        found = inspection.ov(model, layer, head, TOKENS, 3)
        assert_close(found.logit_NM, -np.sort(-logits_NV, -1)[:, :3], 1e-9)
        np.testing.assert_array_equal(
            found.best_NM, np.argsort(-logits_NV, -1, kind="stable")[:, :3]
        )
        np.testing.assert_array_equal(
            found.worst_NM, np.argsort(logits_NV, -1, kind="stable")[:, :3]
        )
        own = logits_NV[np.arange(4), TOKENS]
        np.testing.assert_array_equal(found.rank_N, 1 + (logits_NV > own[:, None]).sum(-1))
        among = logits_NV[:, TOKENS]
        share = np.mean([(own[n] > np.delete(among[n], n)).mean() for n in range(4)])
        assert inspection.copying_scores(model, TOKENS)[layer, head] == pytest.approx(share)


@pytest.mark.parametrize("name", MAKES)
def test_qk_is_the_score_of_the_two_tokens_at_that_distance(name, float64):
    model = subject(name)
    params, config = model.params, model.config
    E, G = config.head_dim, config.num_attention_heads // config.num_key_value_heads
    for layer, head, distance in ((0, 1, 1), (1, config.num_attention_heads - 1, 7)):
        weights = params["layers"][layer]
        x_ND = normed(
            start(model, TOKENS),
            weights["input_layernorm"],
            config,
            weights.get("input_layernorm_bias"),
        )
        q_NE, k_NE = (
            (x_ND @ weights[f"{each}_proj"] + weights.get(f"{each}_bias", 0))[
                :, h * E : (h + 1) * E
            ]
            for each, h in (("q", head), ("k", head // G))
        )
        if name == "qwen3":
            q_NE, k_NE = (
                normed(q_NE, weights["q_norm"], config),
                normed(k_NE, weights["k_norm"], config),
            )
        if name != "bloom":
            q_NE, k_NE = turned(q_NE, 11 + distance, config), turned(k_NE, 11, config)
        score_NM = q_NE @ k_NE.T / np.sqrt(E)
        if name == "bloom":
            from minillm.architecture.bloom import slopes

            score_NM = score_NM - slopes(config.num_attention_heads)[head] * distance
        found = inspection.qk(model, layer, head, TOKENS, distance=distance)
        assert_close(found.score_NM, score_NM, 1e-9)
        some = inspection.qk(model, layer, head, TOKENS[:1], TOKENS[2:], distance)
        assert_close(some.score_NM, score_NM[:1, 2:], 1e-9)


def test_a_token_may_go_through_blocks_first(float64):
    model = subject("llama")
    seen = inspection.record(
        model, [[token] for token in TOKENS], "layers.0.resid_post", twin="numpy"
    )
    moved = {**model.params, "embed_tokens": model.params["embed_tokens"].copy()}
    moved["embed_tokens"][TOKENS] = seen["layers.0.resid_post"][:, 0]
    moved["lm_head"] = model.params.get("lm_head", model.params["embed_tokens"].T)
    other = Model(replace(model.config, tie_word_embeddings=False), moved, None, "moved")
    assert_close(
        inspection.ov(model, 1, 0, TOKENS, through=1).logit_NM,
        inspection.ov(other, 1, 0, TOKENS).logit_NM,
        1e-9,
    )
    assert_close(
        inspection.qk(model, 1, 0, TOKENS, through=1).score_NM,
        inspection.qk(other, 1, 0, TOKENS).score_NM,
        1e-9,
    )


def test_integers_are_read_as_the_numbers_that_they_stand_for():
    model = subject("llama", dtype=np.float32, attention_bias=False, mlp_bias=False)
    params = quantize_model(model.params, model.config, scheme_named("int8-channel"))
    small = replace(model, params=params)
    wide = replace(model, params=tree_map(matrix, params))
    assert_close(
        inspection.ov(small, 1, 2, TOKENS).logit_NM,
        inspection.ov(wide, 1, 2, TOKENS).logit_NM,
        1e-5,
    )
    assert_close(
        inspection.qk(small, 1, 2, TOKENS).score_NM,
        inspection.qk(wide, 1, 2, TOKENS).score_NM,
        1e-5,
    )
    assert_close(
        inspection.copying_scores(small, TOKENS), inspection.copying_scores(wide, TOKENS), 1e-5
    )


def test_what_has_no_circuit_is_refused_in_a_line():
    model = subject("llama", dtype=np.float32)
    for wrong in (
        lambda: inspection.ov(model, 2, 0, TOKENS),
        lambda: inspection.ov(model, 0, 6, TOKENS),
        lambda: inspection.ov(model, 0, 0, [999]),
        lambda: inspection.ov(model, 0, 0, TOKENS, through=1),
        lambda: inspection.qk(model, 0, 0, TOKENS, distance=0),
        lambda: inspection.ov(model, 0, 0, []),
        lambda: inspection.qk(model, 0, 0, TOKENS, distance=99),
        lambda: inspection.copying_scores(model, [1]),
    ):
        with pytest.raises(UserError) as error:
            wrong()
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", MAKES)
def test_parameters_on_the_device_of_jax_give_the_same_bits(name):
    model = subject(name, dtype=np.float32)
    for read in (lambda m: inspection.ov(m, 1, 1, TOKENS).logit_NM, inspection.copying_scores,
                 lambda m: inspection.qk(m, 1, 1, TOKENS, distance=2).score_NM):
        np.testing.assert_array_equal(read(model.on("jax")), read(model))
