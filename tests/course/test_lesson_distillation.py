"""Promise: lesson 13 shows the committed results of benchmarks/distillation.py as they are now, and what its text says of them is so."""

import runpy

import numpy as np
import pytest

from minillm.course import demos
from minillm.course.lessons import all_lessons

FOLDER = next(lesson.folder for lesson in all_lessons() if lesson.name == "13_distillation")


@pytest.fixture(scope="module")
def demo():
    return runpy.run_path(str(FOLDER / "demo.py"), run_name="demo")


def test_the_full_results_are_those_of_the_benchmark(demo):
    again = demos.rounded(demo["compute"](None, True)["exact"])
    assert demos.compare(demos.read_results(FOLDER, full=True), {"exact": again, "measured": demos.read_results(FOLDER, full=True)["measured"]}) == []


def test_what_the_text_says_of_the_experiment_is_so():
    exact = demos.read_results(FOLDER, full=True)["exact"]
    every, few = exact["arms"]["100%"], exact["arms"]["3%"]
    mean = {(amount, arm): row["mean"] for amount, arms in (("all", every), ("few", few)) for arm, row in arms.items()}
    assert 0 < exact["closed_all"] < exact["closed_few"]
    assert mean["few", "soft"] < mean["all", "data"]
    assert mean["all", "more data"] < mean["all", "soft"] and mean["few", "more data"] > few["more data"]["best"] > mean["few", "data"]
    assert every["responses"]["difference"] > 0 < few["responses"]["difference"]
    for arms in (every, few):
        for arm in ("reverse", "on-policy", "pruned reverse", "pruned on-policy"):
            assert arms[arm]["mean"] > arms["data"]["mean"] + 100
    for amount in exact["curves"].values():
        for arm in ("reverse", "on-policy"):
            assert np.all(np.diff(amount[arm]) < 0), "the curves fall all the way"
    assert abs(mean["all", "pruned soft"] - mean["all", "pruned data"]) < 0.5 and mean["few", "pruned soft"] < mean["few", "pruned data"] - 5
    assert mean["few", "pruned soft"] == min(value for (amount, _), value in mean.items() if amount == "few")
    answers = exact["answers"]["arms"]
    assert answers["reverse"]["backward"] > 5 * answers["data"]["backward"]
    for amount, rows in exact["settings"].items():
        assert rows["soft, half the rates"] < rows["data, half the rates"] and rows["soft, twice the rates"] < rows["data, twice the rates"]
        assert rows["soft"] < min(rows["soft, T = 2"], rows["soft, alpha 0.5"]) and abs(rows["soft"] - rows["soft, all tokens of a live teacher"]) < 0.5


def test_what_the_text_says_of_the_small_language_is_so():
    found = {name: np.mean(band["value"], axis=-1) for name, band in demos.read_results(FOLDER)["measured"].items() if isinstance(band["value"], list)}
    data, best, soft, reverse = (found[name] for name in ("data_end", "data_best", "soft_end", "reverse_end"))
    assert np.all(soft[:4] < 0.5 * best[:4]) and soft[2] < data[-1] < 1.3 * soft[-1]
    assert np.all(reverse > 2 * soft) and np.all(found["reverse_backward"][2:] < 0.11)


def test_a_student_that_can_say_everything_learns_the_truth(demo):
    rng = np.random.default_rng(0)
    log_p = np.log(rng.dirichlet(np.ones(6), 6))
    weights = np.full(6, 1 / 6)
    one, curve = demo["learn"](log_p, weights, "forward_kl", 6, 0, lambda log_q: float(np.sum(np.exp(log_p) * (log_p - log_q))))
    assert curve[-1] < 0.01 * curve[0] and np.allclose(np.exp(one).sum(axis=1), 1)
