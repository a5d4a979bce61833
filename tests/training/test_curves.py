"""Promise of `minillm compare-curve`: a run like the reference's is called normal, and what is not is named with its steps."""

import json

import numpy as np
import pytest
from rich.console import Console

from minillm import cli
from minillm.config import TrainConfig
from minillm.training import curves
from minillm.training.curves import EVERY, Curve
from minillm.training.display import Display, draw_curve, say_how_it_went


def reference(rng, points=60, seeds=3, spread=0.01):
    """Three seeds of a made-up recipe: a fall from ln 100 to 1, with some spread."""
    base = 1 + (np.log(100) - 1) * np.exp(-np.arange(points) / 8)
    records = {str(seed): Curve(np.arange(points) * EVERY, base * np.exp(spread * rng.standard_normal(points)), {0: np.log(100), 500: 1.1}, 0.9).record()
               for seed in range(seeds)}
    return base, {"command": "minillm made-up", "model": {}, "train": {}, "seeds": records}


def said(loss, known, held_out=None, floor=0.9):
    curve = Curve(np.arange(len(loss)) * EVERY, np.asarray(loss), held_out or {0: np.log(100), 500: 1.1}, floor)
    lines, normal = curves.compare(curve, known, 100)
    return "\n".join(lines), normal


def test_another_seed_is_normal():
    for seed in range(20):
        rng = np.random.default_rng(seed)
        base, known = reference(rng)
        text, normal = said(base * np.exp(0.01 * rng.standard_normal(len(base))), known)
        assert normal and "inside the band" in text, text


def test_where_it_leaves_the_band_is_said_in_steps():
    base, known = reference(np.random.default_rng(1))
    loss = base.copy()
    loss[20:30] *= 1.3
    text, normal = said(loss, known)
    assert not normal and "steps 200 to 299: above the band, 3" in text and "% more" in text
    loss = base.copy()
    loss[40:] *= 0.7
    text, normal = said(loss, known)
    assert not normal and "steps 400 to 599: below the band" in text and "targets leak" in text


def test_another_text_is_not_compared_with_the_band():
    """Half the loss, or twice: no leak, no verdict about the band; the text is named."""
    base, known = reference(np.random.default_rng(1))
    for factor in (0.5, 2.0):
        for text in ("zh60.txt", None):
            curve = Curve(np.arange(60) * EVERY, base * factor,
                          {0: np.log(100), 300: 1.2, 500: 1.1}, None, text)
            lines, normal = curves.compare(curve, known, 100)
            said = "\n".join(lines)
            assert normal and (text or "unknown") in lines[0] and "storyworld" in lines[0]
            assert not any(word in said for word in ("leak", "band", "better", "above", "below"))


def test_a_held_out_loss_that_rises_again_is_said():
    base, known = reference(np.random.default_rng(1))
    for text in ("storyworld", "zh60.txt"):
        curve = Curve(np.arange(60) * EVERY, base, {0: np.log(100), 100: 2.5, 300: 3.0, 500: 4.49},
                      None, text)
        lines, normal = curves.compare(curve, known, 100)
        assert not normal and any("lowest at step 100 (2.5000) and then rises to 4.4900 at step 500" in line for line in lines)
    assert curves.lowest({0: 1.0}) is None and curves.lowest({0: 1.0, 5: 2.0, 9: 2.0}) == 5
    assert not curves.has_risen({0: 1.0, 5: 2.0, 9: 2.05}) and curves.has_risen({5: 2.0, 9: 2.07})


@pytest.mark.parametrize("losses, held_out, nothing", [
    ([6.0, 5.0, 4.0], {0: 6.0, 3: 4.5}, False),
    ([6.0, 1e7, 1e7], {0: 6.0, 3: 1e7}, True),               # ends higher than it began
    ([6.4, 4e6, 6.0], {0: 6.4, 3: 6.0}, True),               # jumped, and ends as a uniform guess
    ([6.0, 13.0, 3.0], {0: 6.0, 3: 3.0}, False),             # jumped, and learned after all
    ([6.0, 1.0, 0.1], {0: 6.0, 3: 9.0},
     False)])             # learned by heart: that is another thing
def test_a_run_that_learned_nothing_is_known(losses, held_out, nothing):
    assert curves.learned_nothing(losses, held_out) == nothing


@pytest.mark.parametrize("change, words", [
    (lambda base: base + 2 * np.exp(-np.arange(60) / 5), "began slowly and caught up"),
    (lambda base: np.full(60, np.log(100)), "hardly falls"),
    (lambda base: np.where(np.arange(60) > 40, base * 3, base), "jumped up again"),
    (lambda base: base * np.linspace(1, 1.3, 60), "not as far")])
def test_what_usually_does_this(change, words):
    base, known = reference(np.random.default_rng(2))
    text, normal = said(change(base), known)
    assert not normal and words in text, text


def test_the_loss_before_the_first_step_and_below_the_floor():
    base, known = reference(np.random.default_rng(3))
    assert "too sure" in said(base, known, {0: 9.0})[0] and not said(base, known, {0: 9.0})[1]
    assert "knows something already" in said(base, known, {0: 3.0})[0]
    assert "below the floor" in said(base, known, {0: np.log(100), 500: 0.7})[0]


def test_the_band_is_what_the_docstring_says():
    rng = np.random.default_rng(4)
    values = np.exp(0.05 * rng.standard_normal((3, 30)))
    mean, low, high = curves.band(values)
    np.testing.assert_allclose(mean, np.exp(np.log(values).mean(axis=0)))
    i, half = 12, curves.WINDOW // 2
    spread = np.sqrt(np.mean(np.log(values).std(axis=0, ddof=1)[i - half: i + half + 1] ** 2))
    np.testing.assert_allclose(high[i] / mean[i], np.exp(curves.WIDTH * np.sqrt(1 + 1 / 3) * spread))
    np.testing.assert_allclose(low * high, mean**2)


def test_the_committed_curves_are_what_the_recipes_are_now():
    """A changed default makes them stale: run benchmarks/reference_curves.py."""
    from dataclasses import asdict, replace

    from minillm.cli.demo import LAYERS, RECIPE
    from minillm.config import TrainConfig, preset
    from minillm.text import storyworld
    known = curves.references()
    for name, reference in known.items():
        train = TrainConfig(**(RECIPE | {"steps": cli.DEMO_STEPS} if name == "demo" else {}))
        config = preset("nano", vocab_size=1792, context=train.context, **storyworld.RECIPE)
        config = replace(config, num_hidden_layers=LAYERS) if name == "demo" else config
        model = json.loads(json.dumps(asdict(config)))
        assert curves.differences(model, asdict(train), reference) == []
        found = curves.differences(model | {"o_proj_init_gain": 0.0}, asdict(train), reference)
        assert found == ["o_proj_init_gain 0.0 (reference: 6.0)"]
        del model["o_proj_init_gain"]                            # a run from before there was this setting
        assert curves.differences(model, asdict(train), reference) == []
        lengths = [len(record["loss"]) for record in reference["seeds"].values()]
        assert 10 <= min(lengths) and max(lengths) <= train.steps // EVERY


@pytest.mark.parametrize("name", curves.references())
def test_each_committed_seed_is_normal_beside_the_others(name):
    reference = curves.references()[name]
    if len(reference["seeds"]) < 3:
        pytest.skip(f"{name} has {len(reference['seeds'])} of 3 seeds: run benchmarks/reference_curves.py (minutes on two cores)")
    for seed, record in reference["seeds"].items():
        others = reference | {"seeds": {other: r for other, r in reference["seeds"].items() if other != seed}}
        lines, normal = curves.compare(curves.of_record(record), others, reference["model"]["vocab_size"])
        assert normal, (name, seed, lines)


def test_the_command(tmp_path, capsys):
    """A short run of other settings: compared, drawn, its settings named; a folder without a run is one line."""
    arguments = ["pretrain", "storyworld", "--megabytes", "0.05", "--vocab-size", "300", "--twin", "numpy", "--model", "1", "--steps", "40", "--context", "16",
                 "--batch-size", "2", "--eval-every", "40", "--eval-rows", "2", "--out", str(tmp_path / "run")]
    assert cli.main(arguments) == 0
    capsys.readouterr()
    status = cli.main(["compare-curve", str(tmp_path / "run"), "--json", "--reference", "nano"])
    found = json.loads(capsys.readouterr().out)
    assert status == (0 if found["normal"] else 1) and found["reference"] == "nano"
    assert any(text.startswith("hidden_size 32 (reference: 128)") for text in found["differences"])
    assert (tmp_path / "run" / "normal.png").read_bytes().startswith(b"\x89PNG")
    assert cli.main(["compare-curve", str(tmp_path / "run"), "--out", str(tmp_path / "x.png")]) in (0, 1)
    assert "drawn in" in capsys.readouterr().out
    for wrong in ([str(tmp_path)], [str(tmp_path / "run"), "--reference", "huge"]):
        assert cli.main(["compare-curve", *wrong]) == 2
        assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_run_that_learns_from_grades_is_not_said_to_have_learned_nothing(capsys):
    """Its loss is near 0 from the first step on, and says nothing about what was learned."""
    records = [{"step": step, "loss": loss} for step, loss in enumerate((0.0, 3e-4, -1e-4, 2e-4))]
    graded = [record | {"reward": 0.1 * step} for step, record in enumerate(records)]
    jumped = [{"step": step, "loss": loss} for step, loss in enumerate((1.0, 5.0, 4.0, 4.0))]
    graded = [record | {"groups_that_differ": 0.5} for record in graded]
    for given, warned in ((graded, False), (jumped, True)):
        assert say_how_it_went(Console(), {}, given) is not warned
        assert ("learned nothing" in capsys.readouterr().out) is warned


@pytest.mark.parametrize("grade, differ, useful, words", [
    (0.5, 0.4, True, ""), (0.0, 0.0, False, "begin with a longer sft run"),
    (0.99, 0.01, True, "little left to learn"), (0.2, 0.04, True, "easier task")])
def test_grades_that_teach_nothing_are_said(grade, differ, useful, words, capsys, tmp_path):
    records = [{"step": step, "loss": -1e-4, "reward": grade, "groups_that_differ": differ}
               for step in range(30)]
    assert say_how_it_went(Console(width=1000), {}, records) is useful
    out = capsys.readouterr().out
    assert f"mean grade: {grade:.3f} in the first" in out
    assert f"in {differ:.0%} of the groups" in out
    assert words in out and ("warning" in out) is bool(words) and "held-out" not in out
    draw_curve([{"step": 0, "held_out": 1.0}, *records], tmp_path / "loss.png", "sums: grpo")
    assert (tmp_path / "loss.png").read_bytes().startswith(b"\x89PNG")


def test_an_evaluation_shows_the_grades_since_the_last_one(capsys):
    display = Display(Console(width=80), TrainConfig(steps=4))
    for grades, shown in (((0.0, 0.5), "0.250"), ((1.0, 1.0), "1.000")):
        display.logged([{"step": 1, "loss": 0.0, "reward": grade} for grade in grades])
        display.stepped(2, 0.0, 10.0)
        display.evaluated({"step": 2, "held_out": 1.0})
        assert f"mean grade since then {shown}" in capsys.readouterr().out
    display.evaluated({"step": 4, "held_out": 1.0})
    assert "grade" not in capsys.readouterr().out


def test_a_run_of_pairs_that_makes_right_answers_less_likely_is_told_of_beta(capsys):
    records = [{"step": step, "held_out": loss, "loss": 0.5}
               for step, loss in enumerate((1.0, 0.9, 2.0))]
    summary = {"model_step": 2, "keep": "last", "epochs": 3.0}
    for prefers, words in ((True, "--beta"), (False, "by heart")):
        assert say_how_it_went(Console(width=1000), summary, records, prefers)
        assert words in capsys.readouterr().out
