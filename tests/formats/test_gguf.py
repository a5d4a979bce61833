"""Promise: what GGUF's own reader finds in an exported file is, number for number, what our integers stand for."""

from dataclasses import replace

import gguf
import numpy as np
import pytest

from helpers import random_bloom, random_config, random_params
from minillm.architecture.quantized import scheme_named
from minillm.architecture.tree import flatten
from minillm.errors import UserError
from minillm.formats.gguf import export, gguf_name
from minillm.loading import Model
from minillm.quantization.model import dequantize_params, quantize_model
from minillm.text.tokenizer import train

STORIES = ["the cat sat on the mat and the dog sat on the cat. "] * 20


def model(seed, scheme, **fixed):
    rng = np.random.default_rng(seed)
    made = train(STORIES, 280)
    config = random_config(rng, vocab_size=made.vocab_size, bos_token_id=0, eos_token_id=0, **fixed)
    params = random_params(config, rng)
    return Model(config, quantize_model(params, config, scheme_named(scheme)) if scheme else params,
                 made, "test", (0,))


def interleaved(matrix, heads):
    """Rows of every head from halves to neighbours, as convert_hf_to_gguf.py permutes q and k."""
    return matrix.reshape(heads, 2, len(matrix) // heads // 2,
                          *matrix.shape[1:]).swapaxes(1, 2).reshape(matrix.shape)


@pytest.mark.parametrize("scheme", ["int8-group32", "int4-group32", "int4-group32-min", None])
@pytest.mark.parametrize("seed, shape",
                         list(enumerate([dict(hidden_size=64, intermediate_size=96),
                                         dict(hidden_size=32, intermediate_size=44), {}])))
def test_the_same_numbers(tmp_path, scheme, seed, shape):
    ours = model(seed, scheme, **shape)
    floats = export(tmp_path / "m.gguf", ours)
    found = {tensor.name: tensor for tensor in gguf.GGUFReader(tmp_path / "m.gguf").tensors}
    leaves = flatten(dequantize_params(ours.params))
    assert set(found) == {gguf_name(path) for path in leaves}
    kinds = set()
    for path, leaf in leaves.items():
        tensor, name = found[gguf_name(path)], path.rpartition(".")[2]
        kinds.add(tensor.tensor_type.name)
        expected = leaf if leaf.ndim == 1 or name == "embed_tokens" else leaf.T
        if name[:2] in ("q_", "k_"):
            expected = interleaved(expected, len(expected) // ours.config.head_dim)
        np.testing.assert_array_equal(gguf.dequantize(tensor.data, tensor.tensor_type).reshape(
                                          expected.shape), expected, err_msg=path)
    assert [gguf_name(name) for name in floats] == [name for name, tensor in found.items() if scheme
                                                    and tensor.tensor_type.name == "F32"
                                                    and len(tensor.shape) == 2]
    if seed == 0 and scheme:
        assert {"int8-group32": "Q8_0", "int4-group32": "Q4_0",
                "int4-group32-min": "Q4_1"}[scheme] in kinds


def test_the_sizes_and_the_tokenizer(tmp_path):
    ours = model(0, "int8-group32")
    export(tmp_path / "m.gguf", ours)
    fields = {name: field.contents()
              for name, field in gguf.GGUFReader(tmp_path / "m.gguf").fields.items()}
    assert fields["general.architecture"] == "llama" and fields[
        "llama.block_count"] == ours.config.num_hidden_layers
    assert fields["llama.attention.head_count_kv"] == ours.config.num_key_value_heads
    assert fields["llama.rope.dimension_count"] == ours.config.head_dim
    assert fields["tokenizer.ggml.tokens"] == sorted(ours.tokenizer.vocab,
                                                     key=ours.tokenizer.vocab.get)
    assert fields["tokenizer.ggml.model"] == "gpt2" and fields["tokenizer.ggml.bos_token_id"] == 0
    assert fields["tokenizer.ggml.add_bos_token"] is True
    assert len(fields["tokenizer.ggml.merges"]) == len(ours.tokenizer.spec["model"]["merges"])


def test_what_gguf_does_not_have_is_refused(tmp_path):
    fine = model(0, None)
    for scheme in ("int8-channel", "int4-tensor"):
        with pytest.raises(UserError, match="Q8_0, Q4_0 and Q4_1"):
            export(tmp_path / "m.gguf", model(0, scheme))
    bloom = random_bloom(np.random.default_rng(0))
    with pytest.raises(UserError, match="BLOOM"):
        export(tmp_path / "m.gguf",
               replace(fine, config=bloom, params=random_params(bloom, np.random.default_rng(0))))
    with pytest.raises(UserError, match="tokenizer"):
        export(tmp_path / "m.gguf", replace(fine, tokenizer=None))
    assert not list(tmp_path.iterdir())
