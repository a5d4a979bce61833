"""Promise: Mistral, Qwen2, Qwen3 and SmolLM3 are what their papers say, in folders, in GGUF files,
and token by token."""

from dataclasses import asdict, replace

import gguf
import numpy as np
import pytest

import minillm
from helpers import assert_close, random_params, random_relative
from minillm.architecture.mistral import MistralConfig
from minillm.architecture.quantized import scheme_named
from minillm.architecture.qwen2 import Qwen2Config
from minillm.architecture.qwen3 import Qwen3Config
from minillm.architecture.smollm3 import SmolLM3Config, every
from minillm.architecture.tree import flatten
from minillm.config import GenerateConfig, ModelConfig
from minillm.errors import UserError
from minillm.formats.gguf import export
from minillm.loading import Model
from minillm.quantization.model import dequantize_params, quantize_model
from minillm.text import tokenizer as tokenizers

KINDS = (MistralConfig, Qwen2Config, Qwen3Config, SmolLM3Config)
TOKENIZER = tokenizers.train(["the cat sat on the mat. "] * 20, 264)


def model(kind, seed=0, **fixed):
    rng = np.random.default_rng(seed)
    fixed = {"vocab_size": TOKENIZER.vocab_size, "bos_token_id": 0, "eos_token_id": 0} | fixed
    config = random_relative(kind, rng, **fixed)
    return Model(config, random_params(config, rng), TOKENIZER, "test", (0,))


def tokens(model, seed=0):
    return np.random.default_rng(seed).integers(0, model.config.vocab_size, (2, 9))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(3))
def test_saved_and_loaded(tmp_path, kind, seed):
    ours = model(kind, seed)
    ours.save(tmp_path)
    theirs = minillm.load(tmp_path)
    assert type(theirs.config) is kind and theirs.config == ours.config
    np.testing.assert_array_equal(theirs.logits(tokens(ours)), ours.logits(tokens(ours)))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scheme", [None, "int8-group32"])
def test_gguf_out_and_in_again(tmp_path, kind, scheme):
    ours = model(kind, 1, hidden_size=32, intermediate_size=64, head_dim=8, num_attention_heads=4,
                 num_key_value_heads=2, rope_theta=10000.0, rms_norm_eps=1e-5,
                 initializer_range=0.02, num_hidden_layers=5)
    if kind is SmolLM3Config:
        ours = replace(ours, config=replace(ours.config, attention_bias=False,
                                            no_rope_layers=every(4, 5)))
        ours = replace(ours, params=random_params(ours.config, np.random.default_rng(1)))
    if scheme:
        ours = replace(ours, params=quantize_model(ours.params, ours.config, scheme_named(scheme)))
    assert export(tmp_path / "m.gguf", ours) == []
    theirs = minillm.load(tmp_path / "m.gguf")
    # llama.cpp knows no Mistrals: they are its LLaMAs
    assert type(theirs.config) is (ModelConfig if kind is MistralConfig else kind)
    assert asdict(theirs.config) == asdict(ours.config)
    np.testing.assert_array_equal(theirs.logits(tokens(ours)), ours.logits(tokens(ours)))


@pytest.mark.parametrize("kind, names", [(MistralConfig, "attn_norm"), (Qwen2Config, "attn_q.bias"),
                                         (Qwen3Config, "attn_q_norm.weight")])
def test_names_in_gguf_are_those_of_llama_cpp(tmp_path, kind, names):
    ours = model(kind, num_attention_heads=2, num_key_value_heads=1, head_dim=4, hidden_size=8)
    export(tmp_path / "m.gguf", ours)
    reader = gguf.GGUFReader(tmp_path / "m.gguf")
    arch = {name: key for key,
            name in gguf.MODEL_ARCH_NAMES.items()}[reader.fields["general.architecture"].contents()]
    known = {gguf.TENSOR_NAMES[tensor] for tensor in gguf.MODEL_TENSORS[arch]}
    stems = {tensor.name.rpartition(".")[0].replace("blk.0.", "blk.{bid}.")
             for tensor in reader.tensors if not tensor.name.startswith(("blk.1.", "blk.2."))}
    assert stems <= known and any(names in tensor.name for tensor in reader.tensors)


def test_a_mistral_is_a_llama_and_a_qwen2_one_with_three_biases():
    for kind in (MistralConfig, Qwen2Config):
        ours = model(kind)
        biased = kind is Qwen2Config
        llama = ModelConfig(**asdict(ours.config) | {"attention_bias": biased})
        zeros = {"o_bias": np.zeros(ours.config.hidden_size, np.float32)} if biased else {}
        params = ours.params | {"layers": [layer | zeros for layer in ours.params["layers"]]}
        np.testing.assert_array_equal(Model(llama, params, None, "x").logits(tokens(ours)),
                                      ours.logits(tokens(ours)))


@pytest.mark.parametrize("kind", KINDS)
def test_token_by_token_is_the_whole_text(kind):
    ours = model(kind, 2, tie_word_embeddings=False, eos_token_id=None)
    ids = [5, 9, 2]
    how = GenerateConfig(max_new_tokens=6, temperature=0.0)
    for twin in ("numpy", "jax"):
        written = list(ours.continuation(ids, twin, how))
        text = np.array([[*ids, *written]])
        assert np.argmax(ours.logits(text, twin)[0, len(ids) - 1 : -1], axis=-1).tolist() == written


def test_quantized_and_made_float_again():
    for kind in KINDS:
        ours = model(kind, 3)
        params = dequantize_params(quantize_model(ours.params, ours.config,
                                                  scheme_named("int8-channel")))
        assert list(flatten(params)) == list(flatten(ours.params))
        near = replace(ours, params=params).logits(tokens(ours))
        assert_close(near, ours.logits(tokens(ours)), 0.2, kind.__name__)


def test_a_smollm3_that_llama_cpp_does_not_know_is_not_exported(tmp_path):
    fixed = {"num_hidden_layers": 4, "attention_bias": False}
    for seed, changes, words in ((0, {"no_rope_layers": (1, 0, 1, 0)}, "each fourth"),
                                 (1, {"attention_bias": True}, "biases")):
        ours = model(SmolLM3Config, seed, **fixed)
        with pytest.raises(UserError, match=words):
            export(tmp_path / "m.gguf", replace(ours, config=replace(ours.config, **changes)))


def test_a_window_is_refused_with_the_way_out(tmp_path):
    ours = model(MistralConfig)
    ours.save(tmp_path)
    path = tmp_path / "config.json"
    path.write_text(path.read_text().replace('"model_type"', '"sliding_window": 16, "model_type"'))
    with pytest.raises(UserError, match="max_position_embeddings too"):
        minillm.load(tmp_path)
    path.write_text(path.read_text().replace('"max_position_embeddings": 32',
                                             '"max_position_embeddings": 16'))
    assert minillm.load(tmp_path).config.max_position_embeddings == 16
