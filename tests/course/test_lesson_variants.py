"""Promise: the chain of lesson 05 ends at minillm's own LLaMA, and each of its steps changes what it says and no future is seen."""

from dataclasses import replace

import numpy as np
import pytest

from minillm.architecture.llama import count
from minillm.architecture.tree import tree_map
from minillm.config import ModelConfig
from minillm.course.lessons import find, load_module
from minillm.in_jax import forward

CONFIG = ModelConfig(vocab_size=50, hidden_size=24, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
                     head_dim=6, max_position_embeddings=16)


@pytest.fixture(scope="module")
def variants():
    return load_module(find("05").folder / "variants.py", "variants")


def random_params(variants, variant):
    rng = np.random.default_rng(0)
    return tree_map(lambda w: (w + 0.2 * rng.standard_normal(w.shape)).astype(np.float32), variants.init(variant, CONFIG, rng))


def test_the_last_one_is_minillms_llama(variants):
    last = list(variants.chain().values())[-1]
    params = random_params(variants, last)
    names = {"attn_norm": "input_layernorm", "mlp_norm": "post_attention_layernorm"}
    layers = [{names.get(name, name): leaf["weight"] if name in names else leaf for name, leaf in layer.items()} for layer in params["layers"]]
    tokens_BT = np.random.default_rng(1).integers(0, 50, (2, 12))
    expected, _ = forward({"embed_tokens": params["embed_tokens"], "layers": layers, "norm": params["norm"]["weight"]}, tokens_BT, CONFIG)
    np.testing.assert_allclose(variants.forward(params, tokens_BT, last, CONFIG), expected, rtol=1e-5, atol=1e-5)
    assert variants.count(last, CONFIG) == count(CONFIG)


def test_a_step_changes_one_choice_and_the_gated_mlp_weighs_the_same(variants):
    chain = list(variants.chain().values())
    assert chain[0] == variants.Variant()
    for before, after in zip(chain, chain[1:]):
        changed = [name for name in vars(before) if getattr(before, name) != getattr(after, name)]
        assert len(changed) == 1 and replace(before, **{changed[0]: getattr(after, changed[0])}) == after
    weights = [variants.shape(replace(variants.Variant(), mlp=mlp), CONFIG)["layers"][0] for mlp in ("relu", "swiglu")]
    sizes = [sum(np.prod(shape) for name, shape in layer.items() if name in ("gate_proj", "up_proj", "down_proj")) for layer in weights]
    assert abs(sizes[0] / sizes[1] - 1) < 0.01


def test_none_of_them_sees_the_future(variants):
    tokens_BT = np.arange(12)[None] % 50
    other_BT = np.where(np.arange(12) > 6, 49, tokens_BT)
    for name, variant in variants.chain().items():
        params = random_params(variants, variant)
        a, b = (np.asarray(variants.forward(params, tokens, variant, CONFIG)) for tokens in (tokens_BT, other_BT))
        np.testing.assert_allclose(a[:, :7], b[:, :7], rtol=1e-5, atol=1e-5, err_msg=name)
        assert np.abs(a[:, 7:] - b[:, 7:]).max() > 0.01, name
