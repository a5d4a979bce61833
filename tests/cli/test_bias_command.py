"""Promise: `minillm bias` prints what `measure` finds, and claims nothing without pronouns."""

import json

import numpy as np
import pytest

from helpers import random_config, random_params
from minillm import cli
from minillm.formats import checkpoint
from minillm.inspection import bias
from minillm.loading import load
from minillm.text import tokenizer
from minillm.text.storyworld_words import SHE_RATES


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    words = "once there was a person and she said that he and her and his "
    made = tokenizer.train([words * 5], 290)
    config = random_config(np.random.default_rng(0), vocab_size=made.vocab_size,
                           max_position_embeddings=96, bos_token_id=0, eos_token_id=0)
    params = random_params(config, np.random.default_rng(0))
    folder = tmp_path_factory.mktemp("bias") / "model"
    checkpoint.save_model(folder, config, params, made)
    return folder


def test_the_numbers_are_those_of_measure(path, capsys, monkeypatch):
    monkeypatch.setattr(bias, "FLOOR", 0.0)
    assert cli.main(["bias", str(path), "--list", "stories", "--twin", "numpy", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    found = bias.measure(load(path), list(SHE_RATES), bias.STORIES, twin="numpy")
    told = [row["log_odds"] for row in report["occupations"]]
    np.testing.assert_allclose(told, found.log_odds_O, rtol=1e-9)
    assert report["claim"] and report["templates"] == len(bias.STORIES)
    value, low, high = report["line"]["slope"]
    assert low <= value <= high


def test_nothing_is_claimed_where_no_pronoun_is_expected(path, capsys, monkeypatch):
    monkeypatch.setattr(bias, "FLOOR", 1.0)
    assert cli.main(["bias", str(path), "--twin", "numpy", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["claim"] is False and report["line"] is None
    assert cli.main(["bias", str(path), "--twin", "numpy"]) == 0
    said = capsys.readouterr().out
    assert "no claim" in said and "slope" not in said
