"""Promise: a GGUF file opens as the model that it holds, or one line says why not; what we write
comes in again bit for bit."""

import struct
from dataclasses import replace

import gguf
import numpy as np
import pytest

import minillm
from helpers import random_config, random_params
from minillm.architecture.quantized import Quantized, scheme_named
from minillm.architecture.tree import flatten
from minillm.cli import main
from minillm.config import RopeScaling
from minillm.errors import UserError
from minillm.formats import gguf_tokenizer
from minillm.formats.describe import describe
from minillm.formats.gguf import export
from minillm.formats.gguf_file import Gguf, floats
from minillm.formats.kind import stored_dtype
from minillm.in_numpy.quantize import dequantize, quantize
from minillm.loading import Model
from minillm.quantization.model import dequantize_params, quantize_model
from minillm.text import tokenizer as tokenizers
from minillm.text.tokenizer_json import byte_level_spec, sentencepiece_spec

STORIES = ["the cat sat on the mat and the dog sat on the cat in 2026. "] * 20
TEMPLATE = "{{ messages[0].content }}"
MADE = tokenizers.train(STORIES, 300)
LLAMA3 = RopeScaling("llama3", 8.0, 8192, low_freq_factor=1.0, high_freq_factor=4.0)


def model(seed=0, scheme=None, dtype="float32", **fixed):
    rng = np.random.default_rng(seed)
    config = random_config(rng, vocab_size=MADE.vocab_size + 3, bos_token_id=0, eos_token_id=(0, 5),
                           **fixed)
    params = random_params(config, rng)
    params = quantize_model(params, config, scheme_named(scheme)) if scheme else params
    return Model(config, params, MADE, "test", (0,), TEMPLATE,
                 {"bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>"})


def assert_same(ours, theirs):
    ours, theirs = flatten(ours), flatten(theirs)
    assert list(ours) == list(theirs)
    for path, leaf in ours.items():
        if isinstance(leaf, Quantized):
            assert leaf.scheme == theirs[path].scheme and leaf.transposed == theirs[path].transposed
            for name, part in leaf.parts().items():
                np.testing.assert_array_equal(theirs[path].parts()[name], part, err_msg=path)
        else:
            assert theirs[path].dtype == leaf.dtype, path
            np.testing.assert_array_equal(theirs[path], leaf, err_msg=path)


@pytest.mark.parametrize("seed, scaling", [(0, None), (1, RopeScaling("linear", 3.0)), (2, LLAMA3)])
def test_out_and_in_again(tmp_path, seed, scaling):
    ours = model(seed, rope_scaling=scaling, rms_norm_eps=1e-5, rope_theta=500000.0, head_dim=8)
    export(tmp_path / "m.gguf", ours)
    theirs = minillm.load(tmp_path / "m.gguf")
    assert theirs.config == replace(ours.config, initializer_range=0.02)
    assert_same(ours.params, theirs.params)
    assert (theirs.begin, theirs.chat_template, theirs.marks) == (ours.begin, TEMPLATE, ours.marks)
    tokens = np.random.default_rng(seed).integers(0, ours.config.vocab_size, (2, 9))
    np.testing.assert_array_equal(theirs.logits(tokens), ours.logits(tokens))
    assert describe(tmp_path / "m.gguf")["refused"] == []


@pytest.mark.parametrize("scheme", ["int8-group32", "int4-group32", "int4-group32-min"])
def test_our_schemes_stay_integers(tmp_path, scheme):
    ours = model(0, scheme, hidden_size=32, intermediate_size=64, head_dim=16,
                 num_attention_heads=4, num_key_value_heads=2)
    assert export(tmp_path / "m.gguf", ours) == []
    assert_same(ours.params, minillm.load(tmp_path / "m.gguf").params)


def test_several_kinds_are_floats_or_stay_integers_bit_for_bit(tmp_path, capsys):
    """As llama.cpp makes of a small model: Q4_1, and Q8_0 where the embedding is the head too. A
    group of zeros has the scale 0 there."""
    ours = model(0, None, hidden_size=32, intermediate_size=64, head_dim=16,
                 num_attention_heads=4, num_key_value_heads=2)
    ours.params["embed_tokens"][3] = 0
    made = quantize_model(ours.params, ours.config, scheme_named("int4-group32-min"),
                          embedding=scheme_named("int8-group32"))
    made["embed_tokens"].scales[3] = 0
    export(tmp_path / "m.gguf", replace(ours, params=made))
    assert_same(minillm.load(tmp_path / "m.gguf").params, dequantize_params(made))
    assert_same(minillm.load(tmp_path / "m.gguf", integers=True).params, made)
    arguments = ["convert", str(tmp_path / "m.gguf"), "--quantized", "--out", str(tmp_path / "f")]
    assert main(arguments) == 0 and "minillm alone" in capsys.readouterr().out
    assert_same(minillm.load(tmp_path / "f").params, made)
    export(tmp_path / "again.gguf", minillm.load(tmp_path / "f"))
    first, again = (Gguf(tmp_path / f"{name}.gguf") for name in ("m", "again"))
    for name in first.tensors:
        np.testing.assert_array_equal(first.blocks(name), again.blocks(name))
    ours.save(tmp_path / "float")
    arguments[1], arguments[-1] = str(tmp_path / "float"), str(tmp_path / "none")
    assert main(arguments) == 2 and "leave out --quantized" in capsys.readouterr().err


def test_q4_1_of_numbers_on_its_grid_is_what_llama_cpp_makes_of_them():
    """Numbers that came from Q4_1 go back into it without a loss, here and there."""
    rng = np.random.default_rng(0)
    kind = gguf.GGMLQuantizationType.Q4_1
    floats = gguf.dequantize(gguf.quantize(rng.standard_normal((7, 96)).astype("f"), kind), kind)
    record = quantize(floats, scheme_named("int4-group32-min"), transposed=False)
    np.testing.assert_array_equal(dequantize(record), floats)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_numbers_stay_half(tmp_path, dtype):
    folder, ours = tmp_path / "f", model()
    ours.save(folder, "bfloat16")
    assert stored_dtype(folder) == "bfloat16"
    half = minillm.load(folder, dtype=dtype)
    export(tmp_path / "m.gguf", half)
    kinds = {tensor.tensor_type.name for tensor in gguf.GGUFReader(tmp_path / "m.gguf").tensors
             if len(tensor.shape) == 2}
    assert kinds == {"F16" if dtype == "float16"
                     else "BF16"} and stored_dtype(tmp_path / "m.gguf") == dtype
    assert_same(half.params, minillm.load(tmp_path / "m.gguf", dtype=dtype).params)


def all_kinds():
    skipped = ("F64", "I8", "I16", "I32", "I64", "Q8_1", "Q8_K")
    return [kind for kind in gguf.GGMLQuantizationType if kind.name not in skipped]


@pytest.mark.parametrize("kind", all_kinds(), ids=lambda kind: kind.name)
def test_numbers_of_every_kind_are_those_of_the_gguf_package(kind):
    width, size = gguf.GGML_QUANT_SIZES[kind]
    rng = np.random.default_rng(int(kind))
    raw = rng.integers(0, 256, (3, 2 * size * (256 // width or 1)), dtype=np.uint8)
    try:
        with np.errstate(all="ignore"):  # random scales are infinite here and there
            expected = gguf.dequantize(raw, kind)
    except NotImplementedError:
        with pytest.raises(UserError, match=kind.name):
            floats(raw, kind.name)
        return
    np.testing.assert_array_equal(floats(raw, kind.name), expected)


TEXTS = ["Hello world! 123", "1984 DON'T don’t we'll\n\n  x", "  two  spaces",
         "日本語 naïve 😀 x=1;\n\ty", "a_b (c) #d 10,000.50"]


@pytest.mark.parametrize("rule", list(gguf_tokenizer.RULES))
def test_a_rule_to_cut_words_comes_back_by_its_name(rule):
    vocab = MADE.spec["model"]["vocab"]
    added = [("<|endoftext|>", 0, True), ("domainword", len(vocab), False)]
    spec = byte_level_spec(gguf_tokenizer.steps_of(rule, False), vocab,
                           MADE.spec["model"]["merges"], added)
    assert gguf_tokenizer.rule_of(spec) == rule
    writer = Fields()
    made = tokenizers.from_spec(spec)
    gguf_tokenizer.write(writer, made, replace(model().config, vocab_size=len(vocab) + 5))
    again, begin = gguf_tokenizer.read(writer.fields | {"tokenizer.ggml.add_bos_token": False})
    assert begin == () and again.vocab == made.vocab and again.special_tokens == made.special_tokens
    for text in [*TEXTS, "a domainword b"]:
        assert again.encode(text) == made.encode(text)
    kinds = writer.fields["tokenizer.ggml.token_type"]
    assert (kinds[0], kinds[len(vocab)], kinds[-1]) == (3, 4, 5)


def test_cuts_without_a_name_are_refused():
    spec = byte_level_spec([{"type": "Split", "pattern": {"Regex": r"\S+"}, "behavior": "Isolated",
                             "invert": False}, *gguf_tokenizer.steps_of("qwen2", False)[-1:]],
                           MADE.spec["model"]["vocab"], [], [])
    with pytest.raises(UserError, match="no such rule"):
        gguf_tokenizer.rule_of(spec)
    with pytest.raises(UserError, match="'banana'"):
        gguf_tokenizer.read({"tokenizer.ggml.model": "gpt2", "tokenizer.ggml.tokens": ["a"],
                             "tokenizer.ggml.pre": "banana"})


def test_our_own_cuts_are_nearly_those_of_the_rule_that_is_named(tmp_path):
    """English, digits, quotes and code become the same tokens under llama-bpe; the export says what
    may not."""
    ours = tokenizers.train([*STORIES, *TEXTS,
                             "It's 1984, don't! f(x) = 10_000\n\n  return '’ll’'"] * 3, 600)
    spec = byte_level_spec(gguf_tokenizer.steps_of("llama-bpe", False), ours.spec["model"]["vocab"],
                           ours.spec["model"]["merges"], [("<|endoftext|>", 0, True)],
                           ignore_merges=True)
    assert gguf_tokenizer.rule_of(
        ours.spec) == "llama-bpe" and "combining" in gguf_tokenizer.remark(ours)
    theirs = tokenizers.from_spec(spec)
    for text in [*TEXTS, *STORIES[:1], "It's 1984, don't! f(x) = 10_000\n\n  return '’ll’'"]:
        assert theirs.encode(text) == ours.encode(text), text


@pytest.mark.parametrize("prefix", [False, True])
def test_sentencepiece(tmp_path, prefix):
    names = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), *"▁abcdehnstoi",
             "he", "▁the", "▁t", "th"]
    scores = [0.0] * 271 + [-3.0, -2.0, -1.0, -4.0]
    ordinary = set(range(259, len(names)))
    spec = sentencepiece_spec({name: i for i, name in enumerate(names)}, scores, ordinary,
                              [(name, i, True) for i, name in enumerate(names[:3])], prefix)
    made = tokenizers.from_spec(spec)
    config = random_config(np.random.default_rng(0), vocab_size=len(names), bos_token_id=1,
                           eos_token_id=2)
    ours = Model(config, random_params(config, np.random.default_rng(0)), made, "test", (1,))
    export(tmp_path / "m.gguf", ours)
    found = Gguf(tmp_path / "m.gguf").fields
    assert found["tokenizer.ggml.model"] == "llama" and found[
        "tokenizer.ggml.add_space_prefix"] is prefix
    assert found["tokenizer.ggml.token_type"][:4] == [2, 3, 3, 6]
    theirs = minillm.load(tmp_path / "m.gguf")
    for text in ("the cat", " the", "héé", "  a\n", ""):
        assert theirs.prompt_ids(text) == [1, *made.encode(text)]
        assert theirs.tokenizer.decode(theirs.tokenizer.encode(text)) == made.decode(
            made.encode(text))


class Fields:
    """Stands in for gguf's writer: what is added, by the name that it has in the file."""

    NAMES = {"tokenizer_model": "model", "tokenizer_pre": "pre", "token_list": "tokens",
             "token_types": "token_type", "token_merges": "merges", "token_scores": "scores",
             "add_space_prefix": "add_space_prefix"}

    def __init__(self):
        self.fields = {}

    def __getattr__(self, name):
        key = f"tokenizer.ggml.{self.NAMES[name.removeprefix('add_')]}"
        return lambda value: self.fields.update({key: [int(v) if isinstance(v, int) else v
                                                       for v in value] if isinstance(value, list)
                                                 else value})


# ---- Files that are damaged, by accident or on purpose --------------------------------------------------

@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """(the bytes of a sound file, where its parts begin)."""
    path = tmp_path_factory.mktemp("sound") / "m.gguf"
    export(path, model(1, hidden_size=8, intermediate_size=6, num_hidden_layers=1))
    return path.read_bytes()


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value.encode())) + value.encode()


def uint(value, name="general.alignment"):
    return text(name) + struct.pack("<II", 4, value)


def packed(fields=(), tensors=(), data=b"\0" * 256, version=3, counts=None) -> bytes:
    counts = counts or (len(tensors), len(fields))
    head = b"GGUF" + struct.pack("<IQQ", version, *counts) + b"".join(fields) + b"".join(tensors)
    return head + b"\0" * (-len(head) % 32) + data


def described(name="a", shape=(8,), kind=0, offset=0) -> bytes:
    return text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, offset)


HOSTILE = {
    "empty": b"", "four bytes": b"GGUF", "not GGUF": b"GGML" + b"\0" * 100,
    "version 1": packed(version=1), "big-endian": packed(version=3 << 24),
    "version 9": packed(version=9), "2^63 tensors": packed(counts=(2**63, 0)),
    "2^63 fields": packed(counts=(0, 2**63)), "more tensors than bytes": packed(counts=(40, 0)),
    "a text without end": packed([struct.pack("<Q", 2**64 - 1) + b"a"]),
    "a text past the end": packed([struct.pack("<Q", 10**6) + b"a"]),
    "not UTF-8": packed([struct.pack("<Q", 2) + b"\xff\xfe" + struct.pack("<II", 4, 1)]),
    "unknown field type": packed([text("a") + struct.pack("<I", 77)]),
    "array of arrays": packed([text("a") + struct.pack("<IIQ", 9, 9, 1)]),
    "2^62 numbers": packed([text("a") + struct.pack("<IIQ", 9, 10, 2**62)]), "2^62 texts": packed(
        [text("a") + struct.pack("<IIQ", 9, 8, 2**62)]), "alignment 0": packed([uint(0)]),
    "alignment 3": packed([uint(3)]), "alignment 2^31": packed([uint(2**31)]),
    "alignment is a text": packed([text("general.alignment") + struct.pack("<I", 8) + text("32")]),
    "a field twice": packed([uint(32), uint(32)]), "a tensor twice": packed(
        [], [described(), described(offset=32)]), "no axes": packed([], [described(shape=())]),
    "five axes": packed([], [described(shape=(1,) * 5)]),
    "2^32 axes": packed([], [text("a") + struct.pack("<I", 2**32 - 1)]),
    "size 0": packed([], [described(shape=(0,))]), "product wraps to 0": packed(
        [], [described(shape=(2**32, 2**32))]), "unknown kind": packed([], [described(kind=999)]),
    "removed kind": packed([], [described(kind=4)]), "half a block": packed(
        [], [described(shape=(33,), kind=8)]), "past the end": packed([], [described(offset=256)]),
    "offset 2^63": packed([], [described(offset=2**63)]),
    "off alignment": packed([], [described(offset=4)]), "overlap": packed(
        [], [described(shape=(32,)), described("b", offset=32)]), "nothing in it": packed(),
    "no architecture": packed([uint(32)]), "another architecture": packed(
        [text("general.architecture") + struct.pack("<I", 8) + text("mamba")])}


@pytest.mark.parametrize("name", list(HOSTILE))
def test_hostile_files_end_in_one_line(tmp_path, name):
    path = tmp_path / "m.gguf"
    path.write_bytes(HOSTILE[name])
    with pytest.raises(UserError) as caught:
        minillm.load(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def mutated(data: bytes, rng) -> bytes:
    """The bytes with one to three changes: a byte, a number of 4 or 8 bytes, a cut, a part left out
    or doubled."""
    data = bytearray(data)
    for _ in range(rng.integers(1, 4)):
        at, way = int(rng.integers(len(data))), int(rng.integers(6))
        if way < 2:
            data[at] = rng.integers(256)
        elif way < 4:
            values = [0, 1, 2**31, 2**32 - 1, 2**63, 2**64 - 1, int(rng.integers(2**16)), len(data)]
            form = ("<I", "<Q")[way - 2]
            packed = struct.pack(form, values[rng.integers(len(values))] % 2 ** (32 * (way - 1)))
            data[at : at + len(packed)] = packed
        elif way == 4:
            del data[at : at + int(rng.integers(1, 64))]
        else:
            data[at:at] = data[at : at + int(rng.integers(1, 64))]
    return bytes(data)


def survive(path, data, rng, times):
    opened = 0
    for _ in range(times):
        path.write_bytes(mutated(data, rng))
        try:
            found = minillm.load(path)
        except UserError as error:
            assert str(path) in str(error) and "\n" not in str(error)
        else:
            opened += 1
            assert found.params["embed_tokens"].shape[0] == found.config.vocab_size
    return opened


def test_mutations_are_refused_or_read(tmp_path, sound):
    survive(tmp_path / "m.gguf", sound, np.random.default_rng(0), 150)


@pytest.mark.slow
def test_twenty_thousand_mutations(tmp_path, sound):
    opened = survive(tmp_path / "m.gguf", sound, np.random.default_rng(1), 20_000)
    assert 0 < opened < 20_000


def test_it_is_the_only_word_where_gguf_is_missing(monkeypatch, tmp_path):
    """Without the package: our own kinds open, others name it."""
    from minillm.formats import gguf_file
    monkeypatch.setattr(gguf_file, "blocks", lambda: gguf_file.KINDS)
    export(tmp_path / "m.gguf", model())
    minillm.load(tmp_path / "m.gguf")
    (tmp_path / "k.gguf").write_bytes(packed([], [described(shape=(256,), kind=12)]))
    with pytest.raises(UserError, match="needs gguf.*pip"):
        Gguf(tmp_path / "k.gguf")
