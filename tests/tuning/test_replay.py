"""Promises of replay: the share of rows is text of before, whole and from the training split; the
answers stay as they were; mistakes are one line."""

import numpy as np
import pytest

from minillm import cli, tuning
from minillm.config import IGNORE, TuneConfig
from minillm.errors import UserError
from minillm.text.corpora import Corpus
from minillm.text.dataset import prepare
from minillm.text.tokenizer import train as train_tokenizer
from minillm.training import read_metrics

TEXTS = [f"Once there were {i} plums and {i * i} figs. " * 6 for i in range(40)]


@pytest.fixture
def dataset(small, tmp_path):
    """A dataset of the small model's tokens, whose two splits share no row."""
    corpus = Corpus("plums", "about plums", TEXTS, ["Where is the kite?", "By the window."])
    return prepare(corpus, small.tokenizer, tmp_path / "data")


def data_of(model):
    task = tuning.task_of("desk")
    return tuning.of_conversations("desk", model, 64, task.conversations("train", 60),
                                   task.conversations("validation", 8), task=task)


@pytest.mark.parametrize("share", [0.1, 0.25, 0.7])
def test_the_share_of_rows_is_text_of_before(share, small, dataset):
    model = tuning.with_template(small)
    data = data_of(model)
    mixed = tuning.with_replay(data, model, share, dataset.folder, seed=3)
    old, new = data.train.tokens_RT, mixed.train.tokens_RT
    count = len(new) - len(old)
    assert abs(count / len(new) - share) <= 1 / len(new) and count == mixed.train.text_rows
    assert np.array_equal(new[: len(old)], old)
    assert np.array_equal(mixed.train.targets_RT[: len(old)], data.train.targets_RT)
    text = np.concatenate([dataset.train, dataset.train[1:]]).tolist()
    places = {tuple(text[i : i + 65]) for i in range(len(dataset.train))}
    for tokens, targets in zip(new[len(old) :], mixed.train.targets_RT[len(old) :]):
        assert (*tokens, targets[-1]) in places
        assert np.array_equal(targets[:-1], tokens[1:]) and IGNORE not in targets
    assert f"{count:,} more rows are text of before" in mixed.train.report
    assert mixed.train.report.split(";")[0] == data.train.report
    assert mixed.held_out is data.held_out and mixed.fingerprint != data.fingerprint


def test_rows_are_a_function_of_the_seed(small, dataset):
    model = tuning.with_template(small)
    one, same, other = (tuning.with_replay(data_of(model), model, 0.5, dataset.folder, seed)
                        for seed in (1, 1, 2))
    assert one.fingerprint == same.fingerprint != other.fingerprint


def test_text_of_another_tokenizer_is_one_line(small, tmp_path):
    corpus = Corpus("plums", "about plums", TEXTS, TEXTS[:2])
    prepare(corpus, train_tokenizer(TEXTS, 300), tmp_path / "data")
    with pytest.raises(UserError, match="another tokenizer than .*--replay-text FILE"):
        tuning.with_replay(data_of(tuning.with_template(small)), tuning.with_template(small), 0.5,
                           tmp_path / "data")


@pytest.mark.parametrize("share, method, says", [
    (1.0, "sft", "below 1"), (-0.1, "lora", "at least"), (0.5, "grpo", "no rows of text"),
    (float("nan"), "sft", "a share of the rows")])
def test_a_replay_that_cannot_be_is_one_line(share, method, says):
    with pytest.raises(UserError, match=says) as error:
        tuning.check_replay(share, TuneConfig(method=method))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("method", ["sft", "lora"])
def test_the_command_line_replays_and_resumes(method, small, tmp_path, capsys):
    small.save(tmp_path / "model")
    flags = ["--twin", "numpy", "--batch-size", "2", "--context", "80", "--eval-every", "2",
             "--eval-rows", "2", "--examples", "30", "--rank", "2", "--method", method]
    text = tmp_path / "text.txt"
    text.write_text("\n\n".join(TEXTS), encoding="utf-8")
    ask = ["tune", str(tmp_path / "model"), "--data", "desk", "--replay", "0.5", *flags]
    assert cli.main([*ask, "--out", str(tmp_path / "none")]) == 2
    assert "no dataset beside it" in capsys.readouterr().err and not (tmp_path / "none").exists()
    out = str(tmp_path / "run")
    assert cli.main([*ask, "--steps", "4", "--replay-text", str(text), "--out", out]) == 0
    assert "text of before" in " ".join(capsys.readouterr().out.split())
    assert cli.main(["tune", "--resume", "--out", out]) == 0
    assert [r["step"] for r in read_metrics(tmp_path / "run" / "metrics.jsonl") if "loss" in r] == [
        0, 1, 2, 3]
