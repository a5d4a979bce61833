"""Promise: `minillm cost` reads any config without a weight, and says what it does not know."""

import json

import pytest

from minillm.architecture.llama import count
from minillm.formats import llama

CONFIG = {"model_type": "llama", "vocab_size": 300, "hidden_size": 64, "intermediate_size": 96,
          "num_hidden_layers": 3, "num_attention_heads": 4, "num_key_value_heads": 2,
          "max_position_embeddings": 128, "rms_norm_eps": 1e-5, "tie_word_embeddings": True}


@pytest.fixture
def folder(tmp_path):
    """A checkpoint of which nothing but the config is there."""
    (tmp_path / "config.json").write_text(json.dumps(CONFIG), encoding="utf-8")
    return tmp_path


def test_of_a_folder_and_of_its_config_alone(folder, minillm):
    reports = []
    for path in (folder, folder / "config.json"):
        status, out, error = minillm("cost", path, "--machine", "a100", "--json")
        assert (status, error) == (0, "")
        reports.append(json.loads(out))
    assert reports[0] == reports[1]
    config = llama.load_config(folder)
    assert reports[0]["numbers"]["total"] == count(config)
    training = reports[0]["training"]
    assert training["tokens"] == 20 * count(config)
    assert training["kwh"] == pytest.approx(training["hours"] * 0.4 * 1.1)
    assert "money" not in training


def test_what_is_not_known_is_said(folder, minillm):
    _, out, _ = minillm("cost", folder)
    assert "not known: --watts says what the machine draws" in out
    _, out, _ = minillm("cost", folder, "--machine", "a100", "--price-per-hour", 2, "--budget", 10)
    assert "a month" in out and "NVIDIA A100" in out and "not known" not in out
    _, out, _ = minillm("cost", folder, "--machine", "t4", "--context", 10**9)
    assert out.count("does not fit into the memory") == 5


@pytest.mark.parametrize(("arguments", "words"), [
    (["--machine", "abacus"], "--machine 'abacus' is not in the table: choose this, raspberry"),
    (["--tokens", "0"], "--tokens is 0: it must be a finite number above 0"),
    (["--tokens", "nan"], "--tokens is nan"),
    (["--grid", "-1"], "--grid is -1"),
    (["--budget", "5", "--machine", "this"], "--budget needs a price"),
    (["--watts", "inf"], "--watts is inf")])
def test_wrong_settings_are_one_line(folder, minillm, arguments, words):
    status, _, error = minillm("cost", folder, *arguments)
    assert status == 2
    assert words in error and error.count("\n") == 1


def test_what_has_no_config_is_one_line(tmp_path, minillm):
    for name, text in (("config.json", "[1]"), ("other.json", "{"), ("config.json", "{}")):
        (tmp_path / name).write_text(text, encoding="utf-8")
        status, _, error = minillm("cost", tmp_path / name)
        assert status == 2 and name in error and error.count("\n") == 1
