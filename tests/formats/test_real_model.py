"""Promise: SmolLM2-135M-Instruct, as people have it, reads, writes and answers here as elsewhere.
See `make real`."""

from pathlib import Path

import numpy as np
import pytest

import minillm
from minillm import chat_template
from minillm.architecture.quantized import scheme_named
from minillm.architecture.tree import flatten
from minillm.config import GenerateConfig
from minillm.formats import get, gguf
from minillm.formats.gguf_file import Gguf
from minillm.in_numpy.quantize import quantize_tokens
from minillm.quantization.model import quantize_model, started, through

pytestmark = pytest.mark.real

# Text -> ids, by SmolLM2's own tokenizer.json.
KNOWN = {"Hello, we can use": [19556, 28, 392, 416, 722],
         "The capital of France is": [504, 3575, 282, 4649, 314], "\n": [198], "Hello world! 123": [
             19556, 905, 17, 216, 33, 34, 35], "  multiple   spaces": [216, 2701, 256, 5600],
         "Café déjà vu.": [51, 1939, 2756, 32564, 90, 16739, 386, 101, 30]}


@pytest.fixture(scope="module")
def path() -> Path:
    found = get.models() / get.SMOLLM2
    if not found.is_file():
        pytest.skip("SmolLM2 is not here: minillm get smollm2")
    return found


@pytest.fixture(scope="module")
def smollm2(path):
    return minillm.load(path)


def test_its_tokens(smollm2):
    for text, ids in KNOWN.items():
        assert smollm2.tokenizer.encode(text) == ids and smollm2.tokenizer.decode(ids) == text
    assert smollm2.begin == () and smollm2.tokenizer.byte_level


def test_it_answers(smollm2):
    messages = [{"role": "user", "content": "What is the capital of France?"}]
    text = chat_template.render(smollm2.chat_template, messages, smollm2.marks)
    ids = smollm2.tokenizer.encode(text, allow_special=True)
    how = GenerateConfig(max_new_tokens=20, temperature=0.0)
    answer = smollm2.tokenizer.decode(smollm2.continuation(ids, "numpy", how, None,
                                                           smollm2.answer_ends))
    assert answer == "The capital of France is Paris."


def test_out_and_in_again_bit_for_bit(smollm2, tmp_path):
    gguf.export(tmp_path / "m.gguf", smollm2)
    again = minillm.load(tmp_path / "m.gguf")
    ours, theirs = flatten(smollm2.params), flatten(again.params)
    assert all(np.array_equal(ours[name], theirs[name]) for name in ours)
    assert (again.config, again.marks, again.chat_template) == (smollm2.config, smollm2.marks,
                                                                smollm2.chat_template)


def test_fields_are_those_that_llama_cpp_s_converter_wrote(path, smollm2, tmp_path):
    """But for what tells of the model (its name, its licence) and the kind of its numbers."""
    gguf.export(tmp_path / "m.gguf", smollm2)
    theirs, ours = Gguf(path).fields, Gguf(tmp_path / "m.gguf").fields
    telling = {f"general.{name}" for name in ("basename", "file_type", "finetune", "languages",
                                              "license", "name", "organization")}
    assert {name for name in theirs if ours.get(name) != theirs[name]} <= telling
    size = f"attention.{{}}_length={smollm2.config.head_dim}"
    assert {f"{name}={ours[name]}" for name in set(ours) - set(theirs)} == {
        f"llama.{size.format(name)}" for name in ("key", "value")}


@pytest.mark.needs("torch", "transformers", "accelerate")
def test_logits_are_those_of_transformers(path, smollm2):
    import torch
    from transformers import AutoModelForCausalLM

    theirs = AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name,
                                                  dtype=torch.float32)
    ids = np.array([smollm2.tokenizer.encode(
                        "The nurse said that she was 41 years old.\n\n  def f(x): return x")])
    with torch.no_grad():
        expected = theirs(torch.tensor(ids)).logits.numpy()
    for twin in ("numpy", "jax"):
        assert np.abs(smollm2.logits(ids, twin) - expected).max() < 1e-4 * np.abs(expected).max()


def test_its_integers_stay_bit_for_bit(path, tmp_path):
    """Q4_1, the embedding in Q8_0: into a folder and out again, the same blocks."""
    minillm.load(path, integers=True).save(tmp_path / "q")
    gguf.export(tmp_path / "m.gguf", minillm.load(tmp_path / "q"))
    first, again = Gguf(path), Gguf(tmp_path / "m.gguf")
    assert first.tensors.keys() == again.tensors.keys()
    for name in first.tensors:
        np.testing.assert_array_equal(first.blocks(name), again.blocks(name), err_msg=name)


def test_int8_activations_part_only_where_floats_lie_between_two_integers(smollm2):
    """Each block by both twins, from one stream: the integers that enter its products."""
    config, scheme = smollm2.config, scheme_named("int8-channel", activations=True)
    params = quantize_model(smollm2.params, config, scheme)
    ids = np.array([smollm2.tokenizer.encode(" ".join(KNOWN) * 8)[:200]])
    x_BTD, parted, count = started(params, config, ids)[0], 0, 0
    for i, layer in enumerate(params["layers"]):
        (y_BTD, ours), (_, theirs) = (through(layer, x_BTD, config, twin)
                                      for twin in ("numpy", "jax"))
        for name, x_TI in ours.items():
            a_TI, b_TI = (quantize_tokens(x)[0] for x in (x_TI, theirs[name]))
            parted, count = parted + np.sum(a_TI != b_TI), count + a_TI.size
        x_BTD = y_BTD
    assert parted < count / 1000
