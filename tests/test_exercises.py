"""Promise: every exercise is fair. The solution gets all points and the stub none; every mistake is told what it is, and
nothing else; whatever is right passes, however it is written."""

import json
import re

import numpy as np
import pytest

from minillm.course import checking, exercises
from minillm.course.exercises import Hint, Raises, Task, number
from minillm.course.lessons import all_lessons, load_module
from minillm.errors import UserError

LESSONS = {lesson.name: lesson for lesson in all_lessons()}
SEEDS = (0, 1, 2)


def parts(kind):
    return [(name, path.name) for name, lesson in LESSONS.items() for path in sorted((lesson.folder / kind).glob("*.py"))]


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    """Judges a file, or the solution with another file run on top of it, in this process: {task: result}."""
    place, tests = tmp_path_factory.mktemp("exercises"), {}

    def judge(name, file=None, seed=0):
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
        found = exercises.run(tests[name].TASKS, tests[name].HINTS, load_module(path, exercises.STUDENT), seed)
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
    for seed in SEEDS:
        found = judged(name, f"mistakes/{file}", seed)
        assert {result["hint"] for result in found.values()} - {None} == {file.removesuffix(".py").partition("-")[0]}, found
        failed = [result for result in found.values() if result["status"] == "failed"]
        assert len(failed) == 1 and all(result["status"] in ("passed", "failed", "waits") for result in found.values()), found


@pytest.mark.parametrize("name, file", parts("alternatives"))
def test_an_alternative_passes(name, file, judged):
    for seed in SEEDS:
        for result in judged(name, f"alternatives/{file}", seed).values():
            assert result["status"] == "passed", result
