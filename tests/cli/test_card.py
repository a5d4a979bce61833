"""Promise: a card is YAML that the hub accepts, tells what is on record, and invents nothing."""

import json
from pathlib import Path

import pytest
import yaml

from helpers import ROOT
from minillm.inspection import card as made


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two tiny runs with different seeds, and one with another recipe."""
    from minillm.cli import main

    folder = tmp_path_factory.mktemp("runs")
    for name, seed, steps in (("a", 0, 3), ("b", 1, 3), ("c", 1, 4)):
        assert main(["pretrain", "storyworld", "--megabytes", "0.1", "--vocab-size", "300",
                     "--model", "1", "--context", "72", "--steps", str(steps), "--seed", str(seed),
                     "--batch-size", "2", "--out", str(folder / name)]) == 0
    return folder


def front_of(text):
    return yaml.safe_load(text.split("---\n")[1])


def test_the_front_matter_is_what_was_said(runs, minillm, tmp_path):
    out = tmp_path / "README.md"
    status, said, error = minillm("card", runs / "a", "--license", "mit", "--language", "en", "no",
                                  "--out", out)
    assert (status, said.strip(), error) == (0, str(out), "")
    text = out.read_text(encoding="utf-8")
    front = front_of(text)
    assert text.startswith("---\n") and front["license"] == "mit"
    assert front["language"] == ["en", "no"]  # bare, YAML reads the code of Norwegian as False
    assert front["tags"] == ["minillm", "text-generation", "llama"]
    assert "$" not in text


def test_what_is_not_known_is_not_invented(runs, minillm):
    status, text, _ = minillm("card", runs / "a")
    assert status == 0 and not {"license", "language", "datasets"} & front_of(text).keys()
    assert "No licence is stated" in text and "another seed would be from it is unknown" in text
    assert "Bias\n\nNot measured" in text


def test_a_spread_needs_the_same_recipe_with_another_seed(runs, minillm):
    _, text, _ = minillm("card", runs / "a", "--others", runs / "b")
    losses = [json.loads((runs / name / "summary.json").read_text())["held_out"] for name in "ab"]
    assert f"{sum(losses) / 2:.4g} ± {abs(losses[0] - losses[1]) / 2**0.5:.2g}" in text
    for other in ("a", "c"):
        status, _, error = minillm("card", runs / "a", "--others", runs / other)
        assert status == 2 and "with another seed" in error and error.count("\n") == 1


def test_numbers_are_those_on_record(runs):
    text = made.card(runs / "a", bias={"slope": 0.123456, "interval | low": -1})
    found = made.recorded(runs / "a")
    for digest in (*found["weights"].values(), *found["dataset"]["files"].values()):
        assert digest in text
    assert "| slope | 0.1235 |" in text and r"| interval \| low | -1 |" in text
    assert f"| steps | {found['train']['steps']} |" in text


def test_mistakes_are_one_line(runs, minillm, tmp_path):
    bad = tmp_path / "bias.json"
    bad.write_text('{"a": [1]}', encoding="utf-8")
    for arguments in (["card", tmp_path / "nothing"], ["card", runs / "a", "--bias", bad],
                      ["card", runs / "a", "--out", tmp_path]):
        status, _, error = minillm(*arguments)
        assert status == 2 and error.count("\n") == 1


@pytest.mark.parametrize("which", ["stories", "labour"])
def test_a_card_takes_what_bias_prints(which, minillm, tmp_path):
    model = ROOT / "lessons" / "15_inside" / "model"
    report = tmp_path / "bias.json"
    report.write_text(minillm("bias", model, "--list", which, "--json")[1], encoding="utf-8")
    found = json.loads(report.read_text(encoding="utf-8"))
    status, text, _ = minillm("card", model, "--bias", report)
    assert status == 0 and f"| she and he together | {found['mass']:.1%} of" in text
    assert found["claim"] == ("| slope |" in text) != ("no pronoun there" in text)


def test_the_template_is_shipped():
    assert (Path(made.__file__).parent / "assets" / "card.md").is_file()
