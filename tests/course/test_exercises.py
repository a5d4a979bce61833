"""Promise: every exercise is fair. The solution gets all points and the stub none; every mistake
is told what it is, and nothing else; whatever is right passes, however it is written."""

import json
import re

import numpy as np
import pytest

from helpers import answers, hint_of, sections
from minillm.course import child, exercises
from minillm.course.exercises import Hint, Raises, Task, number
from minillm.course.lessons import all_lessons, load_module
from minillm.errors import UserError

LESSONS = {lesson.name: lesson for lesson in all_lessons()}
MANY = range(100, 140)


def answers_to(task, student, cases):
    return child.answers_to(task.name, task.by_hand, task.call, student, cases)


def judge(task, hints, student, rng):
    """The verdict on one task, asked in this process."""
    cases = exercises.cases_of(task, rng)
    return exercises.verdict(task, hints, cases, answers_to(task, student, cases))


def judge_all(tasks, hints, student, seed, before=()):
    """The verdicts on all tasks but those of `before`, which holds their status."""
    status, found = dict(before), []
    for i, task in enumerate(tasks):
        if task.name in before:
            continue
        waits = any(status[name] != "passed" for name in task.needs)
        found.append(exercises.result_of(task, "waits") if waits else
                     judge(task, hints, student, np.random.default_rng([seed, i])))
        status[task.name] = found[-1]["status"]
    return found


def untouched(tasks, change):
    """{task: "passed"} for those that a change to the solution does not define, nor need: they
    cannot change.

    (That a task says what it needs is checked by the slow run, which judges all of them.)
    """
    touched = set()
    for task in tasks:
        if (
            task.name == "load"
            or re.search(rf"\b{task.name}\b", change)
            or touched & set(task.needs)
        ):
            touched.add(task.name)
    return {task.name: "passed" for task in tasks if touched and task.name not in touched}


def parts(kind):
    return [
        pytest.param(name, code, section, id=f"{name}-{section}")
        for name, lesson in LESSONS.items()
        for section, code in sections(lesson.folder / f"{kind}.py").items()
    ]


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    """Judges a file with a change run on top of it, in this process: {task: result}."""
    place, tests = tmp_path_factory.mktemp("exercises"), {}

    def of(name):
        if name not in tests:
            tests[name] = load_module(LESSONS[name].folder / "test_exercise.py", "test_exercise")
        return tests[name]

    def judge(name, change="", seed=0, whole=True, file="solution.py"):
        before = {} if whole else untouched(of(name).TASKS, change)
        text = (LESSONS[name].folder / file).read_text(encoding="utf-8") + "\n\n" + change
        path = place / "the_exercise.py"
        path.write_text(text, encoding="utf-8")
        found = judge_all(
            of(name).TASKS, of(name).HINTS, load_module(path, child.STUDENT), seed, before
        )
        return {result["name"]: result for result in found}

    judge.tests = of
    return judge


@pytest.mark.parametrize("name", LESSONS)
def test_the_contract(name):
    folder = LESSONS[name].folder
    tests = load_module(folder / "test_exercise.py", "test_exercise")
    exercises.check_tasks(tests.TASKS, tests.HINTS)
    assert 3 <= len(tests.TASKS) <= 8 and any(task.by_hand for task in tests.TASKS)
    shown = set(map(hint_of, sections(folder / "mistakes.py")))
    remarks = {name for task in tests.TASKS for name in task.accepted}
    passing = sections(folder / "alternatives.py")
    assert shown == tests.HINTS.keys() - remarks, (
        "every hint has a section in mistakes.py, and every section a hint"
    )
    assert remarks <= passing.keys(), "every remark has a section in alternatives.py"
    assert len(passing) >= 2
    stub = (folder / "exercise.py").read_text(encoding="utf-8")
    for task in tests.TASKS:
        assert re.search(
            rf"^(def {task.name}\(|class {task.name}\b|{task.name} = None)", stub, re.MULTILINE
        ), task.name
    for hint in tests.HINTS.values():
        assert hint.misconception.endswith((".", "?")) and hint.see.endswith((".", "?"))


@pytest.mark.parametrize("name", LESSONS)
def test_the_solution_gets_all_points_and_the_stub_none(name, judged):
    for result in judged(name).values():
        assert result["status"] == "passed" and result["earned"] == result["points"], result
    for result in judged(name, file="exercise.py").values():
        assert result["status"] in ("todo", "waits") and result["earned"] == 0, result


@pytest.mark.parametrize("name, code, section", parts("mistakes"))
def test_a_mistake_gets_its_own_hint_and_no_other(name, code, section, judged):
    found = judged(name, code, whole=False)
    assert {result["hint"] for result in found.values()} - {None} == {hint_of(section)}, found
    failed = [result for result in found.values() if result["status"] == "failed"]
    assert len(failed) == 1, found
    assert all(result["status"] in ("passed", "failed", "waits") for result in found.values()), (
        found
    )
    assert len(failed[0]["example"]) <= 600, "the smallest failing input is small"


@pytest.mark.parametrize("name, code, section", parts("alternatives"))
def test_an_alternative_passes(name, code, section, judged):
    """A remark is given only where the section is named after it."""
    for result in judged(name, code, whole=False).values():
        assert result["status"] == "passed" and result["hint"] in (None, hint_of(section)), result


@pytest.mark.slow
@pytest.mark.parametrize("name", LESSONS)
def test_no_seed_gives_another_answer(name, judged):
    """The whole matrix once more, on many seeds: a hint must not depend on luck."""
    remarks = {hint for task in judged.tests(name).TASKS for hint in task.accepted}
    for seed in MANY:
        assert all(result["status"] == "passed" for result in judged(name, seed=seed).values()), (
            seed
        )
        for section, code in answers(LESSONS[name].folder).items():
            hints = {result["hint"] for result in judged(name, code, seed).values()} - {None}
            told = section.startswith("mistakes/") or hint_of(section) in remarks
            assert hints == ({hint_of(section)} if told else set()), (section, seed)


# The machinery
# ----------------------------------------------------------------------------------------------


def double(**more):
    """A task: double a number. Who squares it, or adds two, has a misconception of that name."""
    return Task(
        "double",
        "twice",
        lambda x: 2 * x,
        lambda rng: [(2,), *((int(x),) for x in rng.integers(3, 99, 5))],
        {"squares": lambda x: x * x, "raises": lambda x: 1 / 0},
        **more,
    )


HINTS = {"squares": Hint("You squared.", "Try 3."), "raises": Hint("It raised.", "Try 0.")}


class Student:
    def __init__(self, double):
        self.double = double


def verdict(answer, **more):
    return judge(double(**more), HINTS, Student(answer), np.random.default_rng(0))


def test_a_hint_needs_the_misconception_s_answer_on_every_input():
    assert verdict(lambda x: x + x)["status"] == "passed"
    assert verdict(lambda x: x**2)["hint"] == "squares"
    assert verdict(lambda x: x * x if x < 50 else 0)["hint"] is None
    assert verdict(lambda x: x * x if x > 2 else 7)["hint"] is None
    assert verdict(lambda x: x / 0)["hint"] == "raises"


def test_without_a_hint_the_smallest_failing_input_is_shown():
    assert verdict(lambda x: 5)["example"] == "double(2) gives 5, right is 4"
    assert verdict(lambda x: 5)["message"] == "The answer is wrong on 6 of 6 inputs."
    assert verdict(lambda x: None)["example"] == "double(2) gives None, right is 4"


def test_the_verdict_needs_data_alone():
    """What a sandbox brings back as plain values is judged like an answer given here."""
    task, rng = double(), np.random.default_rng(0)
    cases = exercises.cases_of(task, rng)
    answers = json.loads(json.dumps(answers_to(task, Student(lambda x: x * x), cases)))
    assert exercises.verdict(task, HINTS, cases, answers)["hint"] == "squares"
    errors = [Raises("KeyError", "'oops'", 12)] * len(cases)
    result = exercises.verdict(task, HINTS, cases, errors)
    assert (result["status"], result["message"]) == (
        "error",
        "It raises KeyError: 'oops' (line 12 of your file)",
    )
    assert exercises.verdict(task, HINTS, cases, [exercises.NotWritten()])["status"] == "todo"


X = np.array([[0.5, 1.5], [2.5, 3.5]])


@pytest.mark.parametrize(
    "answer, kind, words",
    [
        (None, "none", "It returns None"),
        ("text", "dtype", "is text where an array of numbers"),
        (X + 0j, "dtype", "is complex numbers"),
        (np.array([["a", "b"]] * 2), "dtype", "an array of text"),
        (np.array([[1, None], [2, 3]]), "dtype", "an array of objects"),
        (lambda: X, "dtype", "a function"),
        (X.ravel(), "shape", "has the shape (4,) where (2, 2)"),
        (X * np.nan, "nan", "holds NaN"),
        (X + np.inf, "inf", "holds inf"),
        (X.astype(np.float32) * 1.1, "dtype", "is in float32"),
        (X * (1 + 1e-7), "precision", "first digits are right"),
        (X + 1, "value", "wrong on 1 of 1 inputs"),
    ],
)
def test_a_wrong_answer_is_told_what_is_wrong_with_it(answer, kind, words):
    task = Task("f", "an array", lambda: X)
    result = exercises.verdict(task, {}, [()], [answer])
    assert (result["status"], result["kind"]) == ("failed", kind) and words in result["message"], (
        result
    )
    given, right = result["example"].removeprefix("f() gives ").split(", right is ")
    assert given != right, "two equal texts explain no difference"


@pytest.mark.parametrize(
    "given, right",
    [
        (np.float64(1 + 1e-8), 1.0),
        (np.array([1 + 1e-8]), np.array([1.0])),
        (np.float32(0.1), 0.1),
        ([1, 2.0 + 1e-8], [1, 2]),
        (np.arange(40.0) + 1e-8, np.arange(40.0)),
    ],
)
def test_two_numbers_that_differ_are_shown_with_the_digits_that_differ(given, right):
    one, two = exercises.show_two(given, right)
    assert one.strip("[].") != two.strip("[].")


def test_of_a_tuple_only_what_is_wrong_is_named():
    task = Task("f", "two", lambda: (X, 3), returns=("dx", "calls"))
    assert exercises.verdict(task, {}, [()], [(X, 4)])["example"] == "f(): calls is 4, right is 3"
    assert "dx has the shape (4,)" in exercises.verdict(task, {}, [()], [(X.ravel(), 3)])["message"]
    assert "(dx, calls)" in exercises.verdict(task, {}, [()], [(X,)])["message"]


def test_an_accepted_answer_passes_with_a_remark():
    result = verdict(lambda x: x + x + 0.5, accepted={"squares": lambda x: 2 * x + 0.5})
    assert (result["status"], result["earned"], result["hint"]) == ("passed", 1, "squares")


def test_nearly_right_has_a_hint_of_its_own():
    assert (
        verdict(lambda x: 2 * x + 1e-9 * x, tolerance=1e-12, nearly={"raises": 1e-8})["hint"]
        == "raises"
    )
    assert verdict(lambda x: 2 * x + 1e-6 * x, nearly={"raises": 1e-8})["kind"] == "precision"


def raising(error):
    raise error


def test_what_is_not_written_is_to_do_and_what_raises_is_an_error():
    assert verdict(lambda x: raising(NotImplementedError()))["status"] == "todo"
    assert judge(double(), HINTS, object(), np.random.default_rng(0))["status"] == "todo"
    result = verdict(lambda x: raising(KeyError("oops")))
    assert result["status"] == "error" and result["hint"] is None
    assert (
        result["message"] == "It raises KeyError: 'oops'"
        and result["example"] == "double(2) raises KeyError"
    )


def test_an_answer_cannot_change_the_inputs():
    task = Task("f", "first", lambda xs: xs[0], lambda rng: [([1, 2],), ([3],)])

    class Changes:
        def f(self, xs):
            first = xs.pop(0)
            xs.append(99)
            return first

    assert judge(task, {}, Changes(), np.random.default_rng(0))["status"] == "passed"


def test_a_task_waits_for_those_it_needs():
    tasks = [double(), Task("after", "more", lambda: 1, needs=("double",))]
    found = judge_all(tasks, HINTS, Student(lambda x: x * x), 0)
    assert [result["status"] for result in found] == ["failed", "waits"] and found[1][
        "hint"
    ] is None


def test_a_number_by_hand_shows_neither_the_answer_nor_the_input():
    task = number("N", "a number", 1.75, {"squares": 2.5}, tolerance=1e-3)

    def of(value):
        student = type("S", (), {"N": value})()
        return judge(task, HINTS, student, np.random.default_rng(0))

    assert (
        of(1.7501)["status"] == "passed"
        and of(2.5)["hint"] == "squares"
        and of(None)["status"] == "todo"
    )
    assert of(9.0)["status"] == "failed" and "1.75" not in of(9.0)["message"]
    assert of("a lot")["status"] == "failed" and of([1.75, 2])["status"] == "failed"
    for value, words in (
        ("1.75", "without quotes"),
        (1.8, "rounded too far"),
        ([1.75], "one number is expected"),
    ):
        assert words in of(value)["message"] and not of(value)["example"], value
    share = number("N", "a share", 0.36, {}, tolerance=1e-3)
    assert "a percentage" in exercises.verdict(share, {}, [()], [36])["message"]


@pytest.mark.parametrize(
    "a, b, equal",
    [
        (1, 1.0, True),
        ([1, 2], (1, 2), True),
        (np.array([1, 2]), [1, 2], True),
        ([], (), True),
        ({1: [2]}, {1: (2,)}, True),
        (1 + 1e-12, 1.0, True),
        (1 + 1e-6, 1.0, False),
        ([1e9, 1.0], [1e9, 1.0 + 1e-3], True),
        (float("nan"), float("nan"), True),
        (float("inf"), float("inf"), True),
        (1e300, float("inf"), False),
        (float("nan"), 1.0, False),
        (None, 0, False),
        (0, None, False),
        (None, None, True),
        ("a", "a", True),
        ("a", b"a", False),
        (1, True, False),
        (np.True_, True, True),
        ([1, 2], [1, 2, 3], False),
        ([[1], [2, 3]], [[1], [2, 3]], True),
        (np.zeros((2, 1)), np.zeros(2), False),
        ({1: 2}, {1: 2, 3: 0}, False),
        (Raises("KeyError"), Raises("KeyError"), True),
        (Raises("KeyError"), Raises("ValueError"), False),
        (Raises("KeyError"), 1, False),
        ({1, 2}, {2, 1}, True),
        ("2.5", 2.5, False),
    ],
)
def test_what_counts_as_the_same(a, b, equal):
    assert exercises.same(a, b, 1e-9) is equal


def test_a_broken_contract_is_refused():
    for tasks, hints in (
        ([], {}),
        ([double(), double()], HINTS),
        ([double(needs=("gone",))], HINTS),
        ([double()], {}),
        ([double()], HINTS | {"unused": Hint("a.", "b.")}),
    ):
        with pytest.raises(UserError):
            exercises.check_tasks(tasks, hints)
