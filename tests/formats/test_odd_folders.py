"""Promise: folders as people have them, odd but right, open with what transformers makes of them; a
real fault is named."""

import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import minillm
from helpers import random_bloom, random_config, random_params
from minillm.errors import UserError
from minillm.formats import checkpoint
from minillm.formats.describe import describe
from minillm.formats.kind import kind_of
from minillm.text import tokenizer as tokenizers
from minillm.text.tokenizer_json import with_begin

TOKENIZER = tokenizers.train(["the cat sat on the mat. "] * 20, 270,
                             special_tokens=["<|endoftext|>", "<|im_end|>"])
TOKENS = [[5, 9, 200, 3]]


def edit(path: Path, **changes):
    """Change fields of a JSON file; None deletes one."""
    values = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    kept = {name: value for name, value in (values | changes).items() if value is not None}
    path.write_text(json.dumps(kept), encoding="utf-8")


def saved(folder: Path, seed=0, bloom=False, **fixed):
    """A folder of a small random model; returns its logits."""
    rng = np.random.default_rng(seed)
    fixed = {"vocab_size": TOKENIZER.vocab_size, "bos_token_id": 0, "eos_token_id": 0} | fixed
    config = (random_bloom if bloom else random_config)(rng, **fixed)
    checkpoint.save_model(folder, config, random_params(config, rng), TOKENIZER,
                          add_bos_token=False)
    return minillm.load(folder).logits(TOKENS)


def add_token(folder: Path, content: str, special: bool) -> int:
    spec = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    i = 1 + max(spec["model"]["vocab"].values())
    spec["added_tokens"].append({"id": i, "content": content, "single_word": False, "lstrip": False,
                                 "rstrip": False, "normalized": False, "special": special})
    (folder / "tokenizer.json").write_text(json.dumps(spec), encoding="utf-8")
    return i


def rewrite(folder: Path, change):
    tensors = change(load_file(folder / "model.safetensors"))
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})


@pytest.mark.parametrize("bloom", [False, True], ids=["llama", "bloom"])
def test_tied_weights_under_the_name_of_the_head_alone(tmp_path, bloom):
    expected = saved(tmp_path, bloom=bloom, tie_word_embeddings=True)
    name = "transformer.word_embeddings.weight" if bloom else "model.embed_tokens.weight"
    rewrite(tmp_path, lambda tensors: tensors | {"lm_head.weight": tensors.pop(name)})
    np.testing.assert_array_equal(minillm.load(tmp_path).logits(TOKENS), expected)
    assert describe(tmp_path)["refused"] == []


@pytest.mark.parametrize("bloom", [False, True], ids=["llama", "bloom"])
def test_a_base_model_without_its_prefix(tmp_path, bloom):
    expected = saved(tmp_path, bloom=bloom, tie_word_embeddings=True)
    rewrite(tmp_path,
            lambda tensors: {name.partition(".")[2]: array for name, array in tensors.items()})
    np.testing.assert_array_equal(minillm.load(tmp_path).logits(TOKENS), expected)
    edit(tmp_path / "config.json", tie_word_embeddings=False)
    with pytest.raises(UserError, match="without a head"):
        minillm.load(tmp_path)


def test_a_row_without_a_token_is_no_text(tmp_path):
    saved(tmp_path, vocab_size=TOKENIZER.vocab_size + 7)
    tokenizer = minillm.load(tmp_path).tokenizer
    assert tokenizer.decode([TOKENIZER.vocab_size + 3, *tokenizer.encode("cat"),
                             TOKENIZER.vocab_size + 6]) == "cat"
    with pytest.raises(UserError, match="no token has the id"):
        tokenizer.decode([TOKENIZER.vocab_size + 7])


def test_a_token_without_a_row_is_refused_where_it_is_used(tmp_path):
    saved(tmp_path)
    i = add_token(tmp_path, "[PAD]", special=True)
    model = minillm.load(tmp_path)
    assert describe(tmp_path)["refused"] == []
    assert model.prompt_ids("a [PAD]") == TOKENIZER.encode("a [PAD]")
    with pytest.raises(UserError, match=rf"\[PAD\].*id {i}"):
        model.prompt_ids("a [PAD]", allow_special=True)


def test_which_token_stands_before_a_prompt(tmp_path):
    saved(tmp_path)
    assert minillm.load(tmp_path).begin == ()
    about = tmp_path / "tokenizer_config.json"
    edit(about, add_bos_token=True, bos_token="<|im_end|>")
    assert minillm.load(tmp_path).begin == (1,)  # the tokenizer's own, not that of config.json
    edit(about, bos_token=None)
    edit(tmp_path / "special_tokens_map.json", bos_token={"content": "<|im_end|>"})
    assert minillm.load(tmp_path).begin == (1,)
    edit(about, add_bos_token=None)
    spec = json.loads((tmp_path / "tokenizer.json").read_text(encoding="utf-8"))
    (tmp_path / "tokenizer.json").write_text(json.dumps(with_begin(spec, "<|endoftext|>", 9999)),
                                             encoding="utf-8")
    model = minillm.load(tmp_path)
    for use in (model.prompt_ids, model.text_ids):
        with pytest.raises(UserError, match="9999"):
            use("the cat")
    assert model.prompt_ids("the", begin=False) == TOKENIZER.encode("the")


def test_an_answer_also_ends_at_the_tokenizers_eos_token(tmp_path):
    saved(tmp_path)
    edit(tmp_path / "tokenizer_config.json", eos_token="<|im_end|>")
    assert minillm.load(tmp_path).answer_ends == (0, 1)


@pytest.mark.parametrize("fields",
                         [{"sliding_window": 64}, {"sliding_window": 8, "use_sliding_window": False,
                                                   "max_window_layers": 1},
                          {"layer_types": ["full_attention"] * 3},
                          {"sliding_window": 4096, "layer_types": ["sliding_attention"]}])
def test_fields_that_ask_for_nothing(tmp_path, fields):
    expected = saved(tmp_path, max_position_embeddings=64)
    edit(tmp_path / "config.json", **fields)
    np.testing.assert_array_equal(minillm.load(tmp_path).logits(TOKENS), expected)


@pytest.mark.parametrize("fields",
                         [{"sliding_window": 63}, {"sliding_window": 8, "use_sliding_window": True},
                          {"layer_types": ["sliding_attention"]}])
def test_fields_that_ask_for_something_are_refused(tmp_path, fields):
    saved(tmp_path, max_position_embeddings=64)
    edit(tmp_path / "config.json", **fields)
    with pytest.raises(UserError, match="sliding_window|layer_types"):
        minillm.load(tmp_path)


@pytest.mark.parametrize("place", ["models--a/blobs", "snapshots-of-mine"])
def test_shards_that_are_links(tmp_path, place):
    folder, blobs = tmp_path / "f", tmp_path / place
    expected = saved(folder)
    blobs.mkdir(parents=True)
    tensors = load_file(folder / "model.safetensors")
    places = {name: f"model-{i % 2}.safetensors" for i, name in enumerate(tensors)}
    for file in set(places.values()):
        save_file({name: tensors[name] for name in tensors if places[name] == file}, blobs / file,
                  {"format": "pt"})
        try:
            os.symlink(blobs / file, folder / file)
        except OSError:
            pytest.skip("links cannot be made here")
    (folder / "model.safetensors").unlink()
    edit(folder / "model.safetensors.index.json", weight_map=places)
    if "blobs" in place:
        np.testing.assert_array_equal(minillm.load(folder).logits(TOKENS), expected)
    else:
        with pytest.raises(UserError, match="is a link"):
            minillm.load(folder)


def test_a_saved_model_keeps_its_template_and_asks_for_no_sampling(tmp_path):
    saved(tmp_path / "a")
    edit(tmp_path / "a" / "tokenizer_config.json", chat_template="{{ 1 }}", pad_token="<|im_end|>")
    model = minillm.load(tmp_path / "a")
    model.save(tmp_path / "b")
    again = minillm.load(tmp_path / "b")
    assert (again.chat_template, again.marks, again.begin) == ("{{ 1 }}", model.marks, ())
    assert set(json.loads((tmp_path / "b" / "generation_config.json").read_text())) == {
        "bos_token_id", "eos_token_id"}


def test_a_header_whose_length_looks_like_a_pickle(tmp_path):
    expected, path = saved(tmp_path), tmp_path / "model.safetensors"
    for length in (0x280, 0x380, 0x480, 0x580, 0x1280, 0x2280):
        data = path.read_bytes()
        old = int.from_bytes(data[:8], "little")
        header = data[8 : 8 + old].rstrip()
        if len(header) <= length:
            path.write_bytes(length.to_bytes(8, "little") + header.ljust(length) + data[8 + old :])
            np.testing.assert_array_equal(minillm.load(tmp_path).logits(TOKENS), expected)
    assert length >= len(header)


# ---- What is no checkpoint: the message names the way out -------------------------------------------------

def files(folder, **contents):
    for name, content in contents.items():
        path = folder / name.replace("__", "/").replace("_DOT_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


@pytest.mark.parametrize(
    "contents, path, words",
    [({"m_DOT_gguf": b"GGUF"}, "", "give its name .*m.gguf"),
     ({"adapter_config_DOT_json": b'{"peft_type": "LORA", "r": 4, "lora_alpha": 8, '
                                  b'"base_model_name_or_path": "a/b"}'}, "",
      "base model .*a/b.* is not there|adapter .*a/b.*merge_and_unload"),
     ({"adapter_config_DOT_json": b"{}"}, "", "only LORA.*merge_and_unload|an adapter"),
     ({"checkpoint-9__config_DOT_json": b"{}", "checkpoint-500__config_DOT_json": b"{}"}, "",
      "give .*checkpoint-500"), ({"consolidated_DOT_00_DOT_pth": b"PK"}, "", "Meta's own format"),
     ({"model_DOT_safetensors": b""}, "", "weights alone"),
     ({"model_DOT_safetensors": b""}, "model.safetensors", "give the folder"),
     ({"a_DOT_pth": b"PK\3\4"}, "a.pth", "never opened.*save_pretrained"),
     ({"pytorch_model_DOT_bin": b"\x80\x02ctorch"}, "pytorch_model.bin",
      "never opened.*save_pretrained"), ({"a_DOT_txt": b"hello"}, "a.txt", "not a checkpoint"),
     ({}, "none", "no such file or folder")])
def test_what_is_no_checkpoint(tmp_path, contents, path, words):
    files(tmp_path, **contents)
    with pytest.raises(UserError, match=words):
        minillm.load(tmp_path / path)
    if "adapter_config_DOT_json" in contents:  # of an adapter there is something to describe
        assert any(re.search(words, line) for line in describe(tmp_path)["refused"])
        return
    with pytest.raises(UserError, match=words):
        describe(tmp_path / path)


def test_a_name_on_the_hub(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="minillm get OWNER/NAME"):
        kind_of(Path("OWNER/NAME"))
