"""Promise: what people type at `minillm generate` and `chat` does what they mean, or one line says
what to type."""

import json
from contextlib import contextmanager

import numpy as np
import pytest

from helpers import random_config, random_params
from minillm.cli import write
from minillm.formats import checkpoint
from minillm.text import tokenizer as tokenizers

TOKENIZER = tokenizers.train(["the cat sat on the mat. "] * 20, 270,
                             special_tokens=["<|endoftext|>", "<|im_end|>"])
FAST = ("--twin", "numpy")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    rng, folder = np.random.default_rng(0), tmp_path_factory.mktemp("f")
    config = random_config(rng, vocab_size=TOKENIZER.vocab_size + 90, bos_token_id=0,
                           eos_token_id=None, max_position_embeddings=16)
    checkpoint.save_model(folder, config, random_params(config, rng), TOKENIZER,
                          add_bos_token=False)
    (folder / "generation_config.json").write_text(json.dumps({"temperature": 0.6, "top_p": 0.9,
                                                               "do_sample": True}))
    return folder


def test_a_full_context_is_said(minillm, folder):
    status, _, err = minillm("generate", folder, "--prompt", "the", "--max-new-tokens", 1000, *FAST)
    assert status == 0 and "[15 new tokens" in err and "context of 16 tokens is full" in err
    _, _, err = minillm("generate", folder, "--prompt", "the", "--max-new-tokens", 3, *FAST)
    assert "full" not in err


def test_the_wait_for_the_first_token_is_told(minillm, folder, monkeypatch, capsys):
    told = []

    @contextmanager
    def telling(what):
        yield
        told.append((what, capsys.readouterr().out))

    monkeypatch.setattr(write, "telling", telling)
    arguments = ("generate", folder, "--prompt", "a", "--max-new-tokens", 3, "--twin", "numpy")
    assert minillm(*arguments)[0] == 0 and told == [("reading the prompt", "")]
    assert minillm(*arguments, "--quiet")[0] == 0 and len(told) == 1


def test_what_a_checkpoint_suggests_is_said(minillm, folder):
    _, _, err = minillm("generate", folder, "--prompt", "the", "--max-new-tokens", 1, *FAST)
    assert "--temperature 0.6 --top-p 0.9: not used" in err
    assert "suggests" not in minillm("generate", folder, "--prompt", "a", "--max-new-tokens", 1,
                                     "--quiet", *FAST)[2]


def test_ids_without_a_token_do_not_end_a_text(minillm, folder):
    for seed in range(4):
        assert minillm("generate", folder, "--prompt", "the", "--seed", seed, *FAST)[0] == 0


def test_path_after_an_option_of_several_values(minillm, folder):
    status, _, err = minillm("generate", "--prompt", "the", folder, *FAST)
    assert status == 2 and "put PATH first" in err


@pytest.mark.parametrize("prompt, options, ids",
                         [("the<|im_end|>", (), TOKENIZER.encode("the<|im_end|>")),
                          ("the<|im_end|>", ("--special",), [*TOKENIZER.encode("the"), 1]),
                          (r"a\nb\t", (), TOKENIZER.encode(r"a\nb\t")),
                          (r"a\nb\t", ("--escapes",), TOKENIZER.encode("a\nb\t"))])
def test_special_tokens_and_escapes(minillm, folder, prompt, options, ids):
    status, out, _ = minillm("generate", folder, "--prompt", prompt, *options, "--max-new-tokens",
                             0, *FAST)
    assert status == 0 and out == TOKENIZER.decode(ids) + "\n"


@pytest.mark.parametrize("options, word", [(("--stop", ""), "stop text is empty"),
                                           (("--temperature", "1e-9"), "temperature"),
                                           (("--temperature", "1e-40"), "temperature")])
def test_values_that_mean_nothing(minillm, folder, options, word):
    status, _, err = minillm("generate", folder, "--prompt", "the", *options, *FAST)
    assert status == 2 and word in err and err.count("\n") == 1


def test_documents_without_a_mark_are_warned_of(minillm, folder, tmp_path):
    texts, plain = tmp_path / "texts", tokenizers.train(["a b c"] * 9, 258, special_tokens=["<a>"])
    texts.mkdir()
    plain.save(tmp_path / "plain")
    for i in range(4):
        (texts / f"{i}.txt").write_text(f"{i} is here. " * 9)
    _, _, err = minillm("data", texts, "--tokenizer", tmp_path / "plain", "--out", tmp_path / "d")
    assert "no mark stands between" in err
    assert "WARNING" not in minillm("data", texts, "--tokenizer", folder, "--out",
                                    tmp_path / "e")[2]


def test_a_dataset_of_another_tokenizer_is_refused(minillm, folder, tmp_path):
    (tmp_path / "a.txt").write_text("a dog ran home. " * 400)
    assert minillm("data", tmp_path / "a.txt", "--vocab-size", 265, "--out", tmp_path / "d")[0] == 0
    status, _, err = minillm("evaluate", folder, "--data", tmp_path / "d", *FAST)
    assert status == 2 and "another tokenizer" in err


def test_a_damaged_chat_template_concerns_chat_alone(minillm, folder):
    path = folder / "chat_template.json"
    path.write_text("{")
    try:
        assert minillm("generate", folder, "--prompt", "the", "--max-new-tokens", 1, *FAST)[0] == 0
        status, _, err = minillm("chat", folder, *FAST)
    finally:
        path.unlink()
    assert status == 2 and "chat_template.json" in err


@pytest.mark.parametrize("twin", ["numpy", "jax"])
def test_several_prompts_are_the_texts_one_by_one(minillm, folder, twin):
    """Written at once, shown in the order asked for, with a stop text and a full context."""
    prompts, options = ("the cat", "a", "mat. the cat sat on the"), (
        "--max-new-tokens", 12, "--seed", 3, "--stop", "at", "--twin", twin)
    alone = [minillm("generate", folder, "--prompt", prompt, *options)[1] for prompt in prompts]
    status, out, err = minillm("generate", folder, "--prompt", *prompts, *options)
    assert status == 0 and out == "\n---\n".join(alone) and len(set(alone)) == 3
    assert "new tokens in" in err and "context of 16 tokens is full" in err
