"""Promises of `minillm pretrain --from`: training begins at the given model, keeps its shape,
tokenizer and chat template, and is resumed bit for bit."""

import json
import shutil

import numpy as np
import pytest

from helpers import random_bloom, random_params
from minillm import cli, in_numpy, load, training
from minillm.architecture.llama import init
from minillm.architecture.quantized import scheme_named
from minillm.config import ModelConfig
from minillm.formats import checkpoint
from minillm.quantization.model import quantize_model
from minillm.text import tokenizer as tokenizers
from minillm.text.dataset import open_dataset

TEXT = "".join(f"The cat number {i} saw {i + 1} birds, and \u00e9t\u00e9 came.\n"
               for i in range(300))
SMALL = ["--twin", "numpy", "--steps", "12", "--context", "16", "--batch-size", "2", "--eval-every",
         "4", "--eval-rows", "2", "--steps-per-dispatch", "2", "--save-every", "4"]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with book.txt and `base`, a model of another text with special tokens of its own."""
    place = tmp_path_factory.mktemp("continue")
    (place / "book.txt").write_text(TEXT, encoding="utf-8")
    tokenizer = tokenizers.train([TEXT[::-1]], 300)
    end = tokenizer.special_tokens["<|endoftext|>"]
    config = ModelConfig(vocab_size=310, hidden_size=16, intermediate_size=24, num_hidden_layers=2,
                         num_attention_heads=4, num_key_value_heads=2, head_dim=4,
                         max_position_embeddings=40, rope_theta=500.0, tie_word_embeddings=False,
                         bos_token_id=3, eos_token_id=(end, 5))
    checkpoint.save_model(place / "base", config, init(config, np.random.default_rng(1)), tokenizer,
                          add_bos_token=False)
    about = json.loads((place / "base" / "tokenizer_config.json").read_text(encoding="utf-8"))
    about["chat_template"] = "{% for m in messages %}[{{ m.role }}] {{ m.content }}{% endfor %}"
    (place / "base" / "tokenizer_config.json").write_text(json.dumps(about), encoding="utf-8")
    return place


def pretrain(place, out, *more):
    return cli.main(["pretrain", str(place / "book.txt"), "--from", str(place / "base"), "--out",
                     str(place / out), *SMALL, *more])


def test_it_begins_at_the_given_model_and_keeps_what_is_not_trained(place):
    assert pretrain(place, "run") == 0
    base, trained = load(place / "base"), load(place / "run")
    assert trained.config == base.config and trained.begin == base.begin == ()
    for name in ("tokenizer.json", "tokenizer_config.json"):
        assert (place / "run" / name).read_bytes() == (place / "base" / name).read_bytes()
    first, *_, last = [record["held_out"] for record in training.read_metrics(
                           place / "run" / "metrics.jsonl") if "held_out" in record]
    dataset = training.held_out(open_dataset(place / "run" / "data"), 16, 2)
    here = training.evaluate(in_numpy, base.params, base.config, dataset, 2)["held_out"]
    assert abs(first - here) < 1e-6
    assert last < first
    settings = json.loads((place / "run" / "options.json").read_text(encoding="utf-8"))["options"]
    assert (settings["optimizer"], settings["learning_rate"]) == ("adamw", 1e-4)


def test_resumed_without_the_source_it_is_the_uninterrupted_run(place, monkeypatch):
    assert pretrain(place, "whole") == 0

    class Interrupt(training.Callbacks):
        def stepped(self, step, loss, speed):
            if step == 6:
                raise KeyboardInterrupt

    monkeypatch.setattr("minillm.training.display.Display", lambda *about: Interrupt())
    assert pretrain(place, "parts") == 130
    monkeypatch.undo()
    (place / "base").rename(place / "elsewhere")
    try:
        assert cli.main(["pretrain", "--resume", "--out", str(place / "parts")]) == 0
    finally:
        (place / "elsewhere").rename(place / "base")
    for name in ("model.safetensors", "metrics.jsonl", "config.json", "tokenizer.json",
                 "tokenizer_config.json"):
        assert (place / "parts" / name).read_bytes() == (place / "whole" / name).read_bytes(), name


@pytest.mark.parametrize("more, words",
                         [(["--model", "2"], "--model: with --from"),
                          (["--head-dim", "8"], "--head-dim: with --from"),
                          (["--characters"], "--characters: with --from"),
                          (["--no-tie-word-embeddings"], "--tie-word-embeddings: with --from"),
                          (["--context", "41"], "--context 41: ")])
def test_what_the_model_settles_is_no_option(place, capsys, more, words):
    assert pretrain(place, "refused", *more) == 2
    error = capsys.readouterr().err
    assert words in error and error.count("\n") == 1
    assert not (place / "refused").exists()


def test_a_model_that_cannot_be_trained_is_refused_in_one_line(place, capsys):
    rng = np.random.default_rng(2)
    config = random_bloom(rng, vocab_size=310)
    base = load(place / "base")
    checkpoint.save_model(place / "bloom", config, random_params(config, rng), base.tokenizer)
    checkpoint.save_model(place / "int8", base.config,
                          quantize_model(base.params, base.config, scheme_named("int8-channel")),
                          base.tokenizer)
    shutil.copytree(place / "base", place / "mute")
    (place / "mute" / "tokenizer.json").unlink()
    for name, words in (("bloom", "not trained"), ("int8", "quantized"), ("mute", "no tokenizer"),
                        ("absent", "no such")):
        assert cli.main(["pretrain", str(place / "book.txt"), "--from", str(place / name), "--out",
                         str(place / "no"), *SMALL]) == 2
        error = capsys.readouterr().err
        assert words in error and error.count("\n") == 1 and name in error
        assert not (place / "no").exists()


def test_a_dataset_of_another_tokenizer_is_refused(place, capsys):
    assert cli.main(["data", str(place / "book.txt"), "--vocab-size", "280", "--out",
                     str(place / "data")]) == 0
    capsys.readouterr()
    assert cli.main(["pretrain", str(place / "data"), "--from", str(place / "base"), "--out",
                     str(place / "no"), *SMALL]) == 2
    assert "another tokenizer" in capsys.readouterr().err
