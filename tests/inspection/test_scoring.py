"""Promise: the score of a continuation is its log-probability, whatever is scored beside it."""

import json

import numpy as np
import pytest

from helpers import random_config, random_params
from minillm import cli, inspection
from minillm.errors import UserError
from minillm.formats import checkpoint
from minillm.in_numpy.ops import log_softmax
from minillm.inspection import scoring
from minillm.loading import Model
from minillm.text import tokenizer


@pytest.fixture(scope="module")
def model():
    made = tokenizer.train(["a fox found three apples. The fox gave two apples away. " * 3], 290)
    rng = np.random.default_rng(0)
    config = random_config(
        rng, vocab_size=made.vocab_size, max_position_embeddings=64, bos_token_id=0, eos_token_id=0
    )
    return Model(config, random_params(config, rng), made, "random", (0,))


@pytest.mark.parametrize("twin", ["numpy", "jax"])
def test_a_score_is_the_sum_of_log_p(model, twin):
    prompts, options = (
        ["a fox", "The fox gave two"],
        [[" found three", " gave"], [" apples away.", " a", "x"]],
    )
    found = scoring.score(model, prompts, options, twin)
    for prompt, some, scores in zip(prompts, options, found, strict=True):
        for option, each in zip(some, scores, strict=True):
            ids, start = scoring.continued(model, prompt, option)
            log_p_TV = log_softmax(
                inspection.logits_of(model, ids, twin="numpy")[0].astype(np.float64)
            )
            by_hand = sum(log_p_TV[t - 1, ids[t]] for t in range(start, len(ids)))
            assert each.option == option and each.tokens == len(ids) - start
            assert each.log_p == pytest.approx(by_hand, abs=1e-4)
            assert model.tokenizer.decode(ids[1:]) == prompt + option


def test_what_cannot_be_scored_is_refused(model):
    for prompt, option in (("a fox", ""), ("a fox", " a" * 100)):
        with pytest.raises(UserError):
            scoring.score(model, [prompt], [[option]], "numpy")


def test_intervals():
    assert scoring.mean_interval([1.0, 2.0, 3.0]) == pytest.approx((2.0, 1.959964 / np.sqrt(3)))
    share, low, high = scoring.share_interval(8, 10)
    assert (share, low, high) == pytest.approx((0.8, 0.4902, 0.9433), abs=1e-4)


def test_the_command(model, tmp_path, capsys):
    checkpoint.save_model(
        tmp_path / "m", model.config, model.params, model.tokenizer, add_bos_token=True
    )
    (tmp_path / "pairs.tsv").write_text(
        "a fox\t found\t gave\nThe fox\t gave\t found\n", encoding="utf-8"
    )
    run = ["score", str(tmp_path / "m"), "--twin", "numpy"]
    assert cli.main([*run, "--file", str(tmp_path / "pairs.tsv"), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    leads = [one["options"][0]["log_p"] - one["options"][1]["log_p"] for one in said["prompts"]]
    assert said["first_minus_second"] == pytest.approx(np.mean(leads)) and len(leads) == 2
    assert cli.main([*run, "--prompt", "a fox", "--options", " found", " gave"]) == 0
    assert "log p" in capsys.readouterr().out
    (tmp_path / "bad.tsv").write_text("a fox\t found\n", encoding="utf-8")
    for wrong in (
        ["--prompt", "a"],
        ["--file", str(tmp_path / "bad.tsv")],
        ["--file", str(tmp_path / "none")],
    ):
        assert cli.main([*run, *wrong]) == 2
        assert len(capsys.readouterr().err.splitlines()) == 1
