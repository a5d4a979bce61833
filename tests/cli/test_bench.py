"""Promises of `minillm bench`: it counts what it says it counts, and refuses in one line."""

import json

import numpy as np
import pytest

from helpers import random_config
from minillm import cli
from minillm.architecture.llama import init
from minillm.architecture.tree import flatten
from minillm.cli import peers
from minillm.cli.bench import bandwidth, bytes_a_token, show
from minillm.formats import checkpoint
from minillm.text.tokenizer import train

SMALL = ["--prompt-tokens", "5", "--new-tokens", "4", "--rounds", "2"]


@pytest.fixture
def folder(tmp_path):
    """A random model with a head of its own, without a tokenizer: none is needed."""
    rng = np.random.default_rng(0)
    config = random_config(rng, tie_word_embeddings=False)
    checkpoint.save_model(tmp_path / "model", config, init(config, rng))
    return tmp_path / "model"


def test_the_report_has_every_twin_and_form(folder, capsys):
    assert cli.main(["bench", str(folder), "--twins", "numpy", "--forms", "float32",
                     "int8-channel-a8", *SMALL, "--batches", "3", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert [(row["twin"], row["form"])
            for row in report["results"]] == [("numpy", "float32"), ("numpy", "int8-channel-a8")]
    config, params, _ = checkpoint.load_model(folder)
    full, int8 = report["results"]
    assert full["bytes"] == sum(leaf.nbytes for leaf in flatten(params).values()) - params[
        "embed_tokens"].nbytes
    assert int8["bytes"] < 0.6 * full["bytes"]  # a quarter, and scales: the matrices are small
    for row in report["results"]:
        assert len(row["read"]) == len(row["write"]) == 2 and min(row["read"] + row["write"]) > 0
        assert len(row["batches"]["3"]) == 2 and min(row["batches"]["3"]) > 0
        assert row["peak_bytes"] > 2**24 and row["first_token_seconds"] > 0


@pytest.mark.parametrize("rates, cells", [
    ([98.7, 101.2], ("llama.cpp", "int4-group32-min", "100.0", "99-101")),
    ([12345.6, 12999.0], ("llama.cpp", "12,672.3", "12,346-12,999"))])
def test_the_table_cuts_nothing_at_80_columns(monkeypatch, capsys, rates, cells):
    monkeypatch.setenv("COLUMNS", "80")
    row = {"twin": "llama.cpp", "form": "int4-group32-min", "first_token_seconds": 123.4,
           "read": [98765.0], "write": rates, "bytes": 5.382e8, "share": 0.895,
           "peak_bytes": 1.2345e10, "batches": {}}
    show({"machine": {"processor": "CPU", "cores": 2}, "bytes_per_second": 3e10, "path": "model",
          "prompt_tokens": 5, "new_tokens": 4, "results": [row]})
    said = capsys.readouterr().out
    assert max(map(len, said.splitlines())) <= 80 and "…" not in said
    for cell in (*cells, "123.4", "98,765", "538.2", "90%", "12,345", "peak MB"):
        assert cell in said


def test_a_tied_embedding_counts_because_it_is_the_head_too():
    rng = np.random.default_rng(1)
    tied = init(random_config(rng, tie_word_embeddings=True), rng)
    assert bytes_a_token(tied) == sum(leaf.nbytes for leaf in flatten(tied).values())


def test_bandwidth_is_a_rate_of_this_machine():
    assert 1e8 < bandwidth() < 1e13


@pytest.mark.parametrize("more, words", [
    (["--forms", "int9"], "int9"), (["--twins", "numpy", "--forms", "bfloat16"], "bfloat16"),
    (["--new-tokens", "40"], "choose fewer"), (["--rounds", "0"], "at least 1")])
def test_what_cannot_be_measured_is_refused_in_one_line(folder, capsys, more, words):
    assert cli.main(["bench", str(folder), "--twins", "numpy", *SMALL, *more]) == 2
    error = capsys.readouterr().err
    assert words in error and error.count("\n") == 1


PEERS = {"llama.cpp": ("xllamacpp", "gguf"), "transformers": ("torch", "transformers")}


@pytest.mark.parametrize("peer", [pytest.param(peer, marks=pytest.mark.needs(*packages))
                                  for peer, packages in PEERS.items()])
def test_a_peer_takes_part_in_the_forms_that_it_has(peer, tmp_path, capsys):
    path, rng = tmp_path / "model", np.random.default_rng(0)
    tokenizer = train(["the cat sat on the mat"] * 3, 264)
    config = random_config(rng, vocab_size=264, hidden_size=24, num_attention_heads=4,
                           num_key_value_heads=2, head_dim=8)
    checkpoint.save_model(path, config, init(config, rng), tokenizer)
    assert cli.main(["bench", str(path), "--twins", "numpy", "--forms", "float32", "int8-channel",
                     "--peers", peer, *SMALL, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["results"]
    assert [(row["twin"], row["form"]) for row in rows] == [
        ("numpy", "float32"), ("numpy", "int8-channel"), (peer, "float32")]
    assert rows[2]["bytes"] == rows[0]["bytes"] and min(rows[2]["read"] + rows[2]["write"]) > 0


@pytest.mark.parametrize("peer, missing", [("llama.cpp", "xllamacpp"), ("transformers", "torch")])
def test_a_peer_that_is_not_installed_is_named_in_one_line(peer, missing, folder, capsys,
                                                           monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert cli.main(["bench", str(folder), *SMALL, "--peers", peer]) == 2
    error = capsys.readouterr().err
    assert f"pip install {missing}" in error and error.count("\n") == 1


def test_a_peer_without_any_of_the_forms_is_refused(folder, capsys, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: True)
    assert cli.main(["bench", str(folder), *SMALL, "--forms", "int8-channel", "--peers",
                     "llama.cpp"]) == 2
    assert "int8-group32" in capsys.readouterr().err


def test_the_last_words_of_a_peer_that_ends_are_told(folder, monkeypatch, capsys):
    monkeypatch.setattr(peers, "taking_part", lambda *about: [])
    monkeypatch.setattr(peers, "prepared", lambda *about: {
        ("transformers", "float32"): (str(folder / "nowhere"), 1, 9)})
    assert cli.main(["bench", str(folder), "--twins", "numpy", *SMALL, "--peers",
                     "transformers"]) == 2
    error = capsys.readouterr().err
    assert "transformers float32" in error and "Error" in error and error.count("\n") == 1
