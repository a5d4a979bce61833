"""Promise: every exercise is fair. The solution gets all points and the stub none; every mistake is told what it is, and
nothing else; whatever is right passes, however it is written."""

import re

import numpy as np
import pytest

from minillm.course import exercises
from minillm.course.exercises import Hint, Raises, Task, number
from minillm.course.lessons import all_lessons, load_module
from minillm.errors import UserError

LESSONS = {lesson.name: lesson for lesson in all_lessons()}
SEEDS = (0, 1, 2)
MANY = range(100, 140)


def parts(kind):
    return [(name, path.name) for name, lesson in LESSONS.items() for path in sorted((lesson.folder / kind).glob("*.py"))]


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    """Judges a file, or the solution with another file run on top of it, in this process: {task: result}."""
    place, tests = tmp_path_factory.mktemp("exercises"), {}

    def judge(name, file=None, seed=0, before={}):
        folder = LESSONS[name].folder
        if name not in tests:
            tests[name] = load_module(folder / "test_exercise.py", "test_exercise")
        text = (folder / "solution.py").read_text(encoding="utf-8")
        if file == "exercise.py":
            text = (folder / file).read_text(encoding="utf-8")
        elif file:
            text += "\n\n" + (folder / file).read_text(encoding="utf-8")
        path = place / "the_exercise.py"
        path.write_text(text, encoding="utf-8")
        found = exercises.run(tests[name].TASKS, tests[name].HINTS, load_module(path, exercises.STUDENT), seed, before)
        return {result["name"]: result for result in found}

    return judge


@pytest.mark.parametrize("name", LESSONS)
def test_the_contract(name):
    folder = LESSONS[name].folder
    tests = load_module(folder / "test_exercise.py", "test_exercise")
    exercises.check_tasks(tests.TASKS, tests.HINTS)
    assert 3 <= len(tests.TASKS) <= 8 and any(task.by_hand for task in tests.TASKS)
    shown = {path.stem.partition("-")[0] for path in (folder / "mistakes").glob("*.py")}
    assert shown == tests.HINTS.keys(), "every hint has a file in mistakes/ that earns it, and every file a hint"
    assert len(list((folder / "alternatives").glob("*.py"))) >= 2
    stub = (folder / "exercise.py").read_text(encoding="utf-8")
    for task in tests.TASKS:
        assert re.search(rf"^(def {task.name}\(|class {task.name}\b|{task.name} = None)", stub, re.MULTILINE), task.name
    for hint in tests.HINTS.values():
        assert hint.misconception.endswith((".", "?")) and hint.see.endswith((".", "?"))


@pytest.mark.parametrize("name", LESSONS)
def test_the_solution_gets_all_points_and_the_stub_none(name, judged):
    for seed in SEEDS:
        for result in judged(name, seed=seed).values():
            assert result["status"] == "passed" and result["earned"] == result["points"], result
    for result in judged(name, "exercise.py").values():
        assert result["status"] in ("todo", "waits") and result["earned"] == 0, result


@pytest.mark.parametrize("name, file", parts("mistakes"))
def test_a_mistake_gets_its_own_hint_and_no_other(name, file, judged):
    alone = {}
    for seed in SEEDS:                        # after the first seed only what the mistake is in, and what waits for that: the rest is the solution's
        found = judged(name, f"mistakes/{file}", seed, alone)
        alone = alone or {task: "passed" for task, result in found.items() if result["status"] == "passed"}
        assert {result["hint"] for result in found.values()} - {None} == {file.removesuffix(".py").partition("-")[0]}, found
        failed = [result for result in found.values() if result["status"] == "failed"]
        assert len(failed) == 1 and all(result["status"] in ("passed", "failed", "waits") for result in found.values()), found


@pytest.mark.parametrize("name, file", parts("alternatives"))
def test_an_alternative_passes(name, file, judged):
    for seed in SEEDS:
        for result in judged(name, f"alternatives/{file}", seed).values():
            assert result["status"] == "passed", result


@pytest.mark.slow
@pytest.mark.parametrize("name", LESSONS)
def test_no_seed_gives_another_answer(name, judged):
    """The whole matrix once more, on many seeds: a hint must not depend on luck."""
    for seed in MANY:
        assert all(result["status"] == "passed" for result in judged(name, seed=seed).values()), seed
        for kind in ("mistakes", "alternatives"):
            for path in sorted((LESSONS[name].folder / kind).glob("*.py")):
                hints = {result["hint"] for result in judged(name, f"{kind}/{path.name}", seed).values()} - {None}
                assert hints == ({path.stem.partition("-")[0]} if kind == "mistakes" else set()), (path.name, seed)


# The machinery ----------------------------------------------------------------------------------------------

def double(**more):
    """A task: double a number. Who squares it, or adds two, has a misconception of that name."""
    return Task("double", "twice", lambda x: 2 * x, lambda rng: [(2,), *((int(x),) for x in rng.integers(3, 99, 5))],
                {"squares": lambda x: x * x, "raises": lambda x: 1 / 0}, **more)


HINTS = {"squares": Hint("You squared.", "Try 3."), "raises": Hint("It raised.", "Try 0.")}


class Student:
    def __init__(self, double):
        self.double = double


def verdict(answer, **more):
    return exercises.judge(double(**more), HINTS, Student(answer), np.random.default_rng(0))


def test_a_hint_needs_the_misconception_s_answer_on_every_input():
    assert verdict(lambda x: x + x)["status"] == "passed"
    assert verdict(lambda x: x**2)["hint"] == "squares"
    assert verdict(lambda x: x * x if x < 50 else 0)["hint"] is None
    assert verdict(lambda x: x * x if x > 2 else 7)["hint"] is None
    assert verdict(lambda x: x / 0)["hint"] == "raises"


def test_without_a_hint_the_smallest_failing_input_is_shown():
    assert verdict(lambda x: 5)["message"] == "double(2) gives 5, right is 4"
    assert verdict(lambda x: None)["message"] == "double(2) gives None, right is 4"


def raising(error):
    raise error


def test_what_is_not_written_is_to_do_and_what_raises_is_an_error():
    assert verdict(lambda x: raising(NotImplementedError()))["status"] == "todo"
    assert exercises.judge(double(), HINTS, object(), np.random.default_rng(0))["status"] == "todo"
    result = verdict(lambda x: raising(KeyError("oops")))
    assert result["status"] == "error" and result["hint"] is None and "double(2) raises KeyError: \"'oops'\"" in result["message"]


def test_an_answer_cannot_change_the_inputs():
    task = Task("f", "first", lambda xs: xs[0], lambda rng: [([1, 2],), ([3],)])
    class Changes:
        def f(self, xs):
            first = xs.pop(0)
            xs.append(99)
            return first
    assert exercises.judge(task, {}, Changes(), np.random.default_rng(0))["status"] == "passed"


def test_a_task_waits_for_those_it_needs():
    tasks = [double(), Task("after", "more", lambda: 1, needs=("double",))]
    found = list(exercises.run(tasks, HINTS, Student(lambda x: x * x), 0))
    assert [result["status"] for result in found] == ["failed", "waits"] and found[1]["hint"] is None


def test_a_number_by_hand_shows_neither_the_answer_nor_the_input():
    task = number("N", "a number", 1.75, {"squares": 2.5}, tolerance=1e-3)
    def of(value):
        student = type("S", (), {"N": value})()
        return exercises.judge(task, HINTS, student, np.random.default_rng(0))
    assert of(1.7501)["status"] == "passed" and of(2.5)["hint"] == "squares" and of(None)["status"] == "todo"
    assert of(9.0)["status"] == "failed" and "1.75" not in of(9.0)["message"]
    assert of("a lot")["status"] == "failed"


@pytest.mark.parametrize("a, b, equal", [
    (1, 1.0, True), ([1, 2], (1, 2), True), (np.array([1, 2]), [1, 2], True), ([], (), True), ({1: [2]}, {1: (2,)}, True),
    (1 + 1e-12, 1.0, True), (1 + 1e-6, 1.0, False), ([1e9, 1.0], [1e9, 1.0 + 1e-3], True), (float("nan"), float("nan"), True),
    (float("inf"), float("inf"), True), (1e300, float("inf"), False), (float("nan"), 1.0, False), (None, 0, False), (0, None, False), (None, None, True),
    ("a", "a", True), ("a", b"a", False), (1, True, False), (np.True_, True, True), ([1, 2], [1, 2, 3], False), ([[1], [2, 3]], [[1], [2, 3]], True),
    (np.zeros((2, 1)), np.zeros(2), False), ({1: 2}, {1: 2, 3: 0}, False), (Raises("KeyError"), Raises("KeyError"), True),
    (Raises("KeyError"), Raises("ValueError"), False), (Raises("KeyError"), 1, False), ({1, 2}, {2, 1}, True), ("2.5", 2.5, False)])
def test_what_counts_as_the_same(a, b, equal):
    assert exercises.same(a, b, 1e-9) is equal


def test_a_broken_contract_is_refused():
    for tasks, hints in (([], {}), ([double(), double()], HINTS), ([double(needs=("gone",))], HINTS), ([double()], {}),
                         ([double()], HINTS | {"unused": Hint("a.", "b.")})):
        with pytest.raises(UserError):
            exercises.check_tasks(tasks, hints)
