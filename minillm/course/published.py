"""The checks of a lesson as data, for a handout: inputs, right answers and those of every
misconception, without a function that computes any of them. A number that is worked out on paper
is there as digests alone.

    publish(checks, seeds) -> bytes         read_published(data) -> Checks, for checking.judge_file
"""

import hashlib
import math
import types
from dataclasses import dataclass, replace

import numpy as np

from minillm.course import exercises, plain
from minillm.course.checking import Checks, Known, key_of
from minillm.course.exercises import Hint, Task
from minillm.errors import UserError

DATA = (
    "name",
    "about",
    "needs",
    "points",
    "tolerance",
    "by_hand",
    "nearly",
    "returns",
)  # fields of a Task
STEPS = 2  # digests to each side of a number, within its tolerance
WORK = 2**14  # of scrypt: some 50 ms for each number that is tried


def publish(checks: Checks, seeds: list[list[int]]) -> bytes:
    """The checks with one set of inputs for each of `seeds`. Of inputs that are always the same,
    every other one.
    """
    head = {
        "name": checks.name,
        "asking": checks.asking,
        "jax": checks.jax,
        "not_lent": sorted(checks.not_lent),
        "hints": {name: [hint.misconception, hint.see] for name, hint in checks.hints.items()},
        "tasks": [{name: _plain(getattr(task, name)) for name in DATA} for task in checks.tasks],
    }
    records = [plain.record(head)]
    for i, task in enumerate(checks.tasks):
        ways = {kind: [(hint, function) for hint, functions in getattr(task, kind).items()
                       for function in exercises.each(functions)]
                for kind in ("mistakes", "accepted")}
        if task.by_hand:
            records.append(
                plain.record(_guarded(task, ways["mistakes"], f"{checks.name} {task.name}")))
            continue
        sets = [exercises.cases_of(task, np.random.default_rng([*seed, i])) for seed in seeds]
        if len({tuple(map(key_of, cases)) for cases in sets}) == 1 < len(sets):
            sets = [sets[0][::2]]
        cases = [case for cases in sets for case in cases]
        rows = {"sizes": [len(cases) for cases in sets], "cases": cases,
                "rights": [exercises.answer_of(task.oracle, case) for case in cases]}
        rows |= {kind: [(hint, [exercises.answer_of(function, case) for case in cases])
                        for hint, function in ways[kind]] for kind in ways}
        records.append(plain.record(rows, inwards=True))
    return b"".join(records)


def read_published(data: bytes, source: str) -> Checks:
    """The checks that `publish` wrote. Raises UserError."""
    try:
        head, *rows = plain.records(data)
        head = plain.read(head)
        asking = types.ModuleType("asking")
        exec(compile(head["asking"], "asking.py", "exec"), asking.__dict__)
        tasks, sets = [], {}
        for fields, row in zip(head["tasks"], rows, strict=True):
            row = plain.read(row, asking)
            task = Task(**fields, oracle=None, call=getattr(asking, fields["name"], None))
            if task.by_hand:
                tasks.append(Guarded(**vars(task), guard=row))
                continue
            known = {kind: {} for kind in ("mistakes", "accepted")}
            for kind, ways in known.items():
                for hint, answers in row[kind]:
                    ways[hint] = (*ways.get(hint, ()), _lookup(row["cases"], answers))
            tasks.append(replace(task, oracle=_lookup(row["cases"], row["rights"]), **known))
            ends = np.cumsum(row["sizes"])
            sets[task.name] = [row["cases"][end - size : end]
                               for end, size in zip(ends, row["sizes"])]
    except (plain.Refused, KeyError, TypeError, ValueError, SyntaxError) as error:
        raise UserError(f"{source}: is not what minillm assignment new wrote ({error})") from None

    def cases(task, rng):
        return [()] if task.by_hand else sets[task.name][int(rng.integers(len(sets[task.name])))]

    hints = {name: Hint(*texts) for name, texts in head["hints"].items()}
    return Checks(head["name"], tasks, hints, head["asking"], None, frozenset(head["not_lent"]),
                  head["jax"], cases)


def _plain(value):
    return (dict(value) if hasattr(value, "keys") else list(value) if isinstance(value, tuple)
            else value)


def _lookup(cases, answers) -> Known:
    return Known(None, dict(zip(map(key_of, cases), answers)))


# ---- Numbers worked out on paper ---------------------------------------------------------------


@dataclass(frozen=True)
class Guarded(Task):
    """A number on paper of which only digests are known. guard: what `_guarded` made."""

    guard: dict | None = None

    def against(self, answers) -> Task:
        """The task as one that knows whether this answer is right, or which mistake it is, and
        nothing else.
        """
        answer, guard = answers[0], self.guard
        digest = _digest(guard["salt"], _cell(answer, guard["step"]))
        hints = [hint for hint, digests in guard["mistakes"] if digest in digests]
        right = answer if digest in guard["rights"] else math.nan
        known = Task(**{name: getattr(self, name) for name in Task.__dataclass_fields__})
        return replace(known, oracle=lambda: right,
                       mistakes={hint: lambda: answer for hint in hints[:1]})


def _is_number(value) -> bool:
    array = exercises.numbers(value)
    plain_kind = array is not None and not array.ndim and array.dtype.kind != "c"
    return plain_kind and bool(np.isfinite(array))


def _cell(value, step: float) -> str:
    """What a digest is made of: the place of a number, or the whole of something else."""
    if _is_number(value):
        return str(round(float(exercises.numbers(value)) / step))
    return plain.record(list(value) if isinstance(value, tuple) else value).hex()


def _guarded(task: Task, mistakes, salt: str) -> dict:
    right = float(task.oracle())
    step = task.tolerance * max(abs(right), 1e-12) / STEPS
    step = float(f"{max(step, 1e-9):.0e}")  # a round number: it tells the size of the answer only

    def near(value):
        if not _is_number(value):
            return [_digest(salt, _cell(value, step))]
        middle = round(float(value) / step)
        return [_digest(salt, str(cell)) for cell in range(middle - STEPS, middle + STEPS + 1)]

    return {
        "salt": salt,
        "step": step,
        "rights": near(right),
        "mistakes": [(hint, near(function())) for hint, function in mistakes],
    }


def _digest(salt: str, cell: str) -> bytes:
    return hashlib.scrypt(cell.encode(), salt=salt.encode(), n=WORK, r=8, p=1, maxmem=2**26,
                          dklen=12)
