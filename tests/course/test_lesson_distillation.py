"""Promise: lesson 13 shows the results of benchmarks/distillation.py as they are now."""

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


def test_a_student_that_can_say_everything_learns_the_truth(demo):
    rng = np.random.default_rng(0)
    log_p = np.log(rng.dirichlet(np.ones(6), 6))
    weights = np.full(6, 1 / 6)
    one, curve = demo["learn"](log_p, weights, "forward_kl", 6, 0, lambda log_q: float(np.sum(np.exp(log_p) * (log_p - log_q))))
    assert curve[-1] < 0.01 * curve[0] and np.allclose(np.exp(one).sum(axis=1), 1)
