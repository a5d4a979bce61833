"""`minillm assignment grade`: a class of submissions, some at a time; killed at any time it goes
on where it was.

Each student's result is a file of its own, written at once or not at all, with the fingerprints
of the submission and of the checks: what is finished is kept, what has changed is graded anew.
Points, lateness, extensions and overrides are applied to those files when the tables are made, so
that changing them runs nothing again.
"""

import contextlib
import hashlib
import os
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict
from pathlib import Path
from urllib.parse import quote

import minillm
from minillm.assignments import reports, sandbox
from minillm.assignments.assignment import Assignment, digest_of, find_key, read_assignment
from minillm.assignments.collecting import Submission, collect
from minillm.assignments.grading import Grader, clean, of_all, stub_of
from minillm.assignments.records import in_groups, read_records
from minillm.assignments.tables import plain
from minillm.course.lessons import PACKAGE, lessons_folder
from minillm.course.process import sweep
from minillm.errors import UserError
from minillm.files import make_folder, read_json, write_json

TABLES_EVERY = 10  # results after which the tables are written again


def grade(submissions, key, out, way: str = "auto", jobs: int | None = None, lms: str | None = None,
          only: str | None = None, anonymous: bool = False, names: bool = False, say=print,
          **files) -> list[dict]:
    """Grade every submission of a folder; returns the results, in the order of the students.
    files: times, roster, extensions, overrides, groups, as read_records takes them. Raises
    UserError.
    """
    key, out = find_key(key).resolve(), Path(out)
    assignment = read_assignment(key)
    if out.resolve().is_relative_to(Path(submissions).resolve()):
        raise UserError(f"--out {out}: lies in {submissions}, where it would be taken for a "
                        "student's: choose a folder outside")
    if lms and not files.get("roster"):
        raise UserError(f"--lms {lms}: needs --roster FILE, the class as {lms} exports it, for "
                        "its ids")
    _whole(key, assignment, say)
    lessons, stubs = key / "lessons", stubs_of(key, assignment)
    given = {part.file: (stubs[part.file], (lessons / part.name / "solution.py").read_bytes())
             for part in assignment.parts}
    handed_in = collect(Path(submissions), assignment.files, say, stubs)
    handed_in = in_groups(handed_in, files.get("groups"), say)
    if names:
        for submission in handed_in:
            found = ", ".join(submission.files) or "nothing"
            say(plain(f"{submission.student}: {found}{_remarks(submission.notes)}"))
        return []
    students = {submission.student: submission for submission in handed_in}
    if only and only not in students:
        raise UserError(f"--only {only}: no submission of this name; there are "
                        f"{', '.join([*students][:20])}")
    records = read_records(assignment, students, **files, say=say)
    if assignment.late and not records.times:
        say("WARNING: late work costs points in this assignment, but without --times nobody is "
            "late")
    make_folder(out / "results")
    with only_one(out / "grading.lock"):
        sweep()
        for unfinished in out.rglob("*.part"):  # of a run that was killed while it wrote
            unfinished.unlink()
        way, jobs = sandbox.choose(way, secrets_of(key)), max(1, jobs or os.cpu_count() or 1)
        if way == "none":
            say("WARNING: submissions run with your own rights, without a sandbox: they can read "
                "and change your files, and use the network")

        def tables(whole: bool):
            found = [results[student] for student in students if student in results]
            files = {s.student: s.files for s in handed_in} if whole else None
            reports.write_all(out, assignment, found, records, files, lms, anonymous, given)

        digest = checks_digest(key, assignment)
        results = _known(out, assignment, students, digest, say)
        todo = [s for s in handed_in if s.student == only or not only and s.student not in results]
        results = {name: found for name, found in results.items() if name != only}
        say(f"{len(students)} submissions, {len(results)} of them graded before; sandbox: {way}, "
            f"{jobs} at a time")
        for count, (submission, found) in enumerate(_graded(key, way, jobs, todo), 1):
            results[submission.student] = found | {"checks": digest}
            write_json(result_file(out, submission.student), results[submission.student])
            score = reports.score_line(assignment, records.score(assignment, found))
            lacking = [f"{name}: {why}" for name, why in submission.problems.items()]
            remarks = _remarks(submission.notes + lacking)
            say(plain(f"  {submission.student}: {score}{remarks}"))
            if count % TABLES_EVERY == 0:
                tables(whole=False)
        tables(whole=True)
        _tell(out, students, results, records, say)
    return [results[student] for student in students if student in results]


def _remarks(notes: list[str]) -> str:
    return f" ({'; '.join(notes)})" if notes else ""


def _graded(key: Path, way: str, jobs: int, todo: list[Submission]):
    """Yields (submission, result) as they are done."""
    if not todo:
        return
    grader = Grader(key, way)
    with ThreadPoolExecutor(min(jobs, len(todo))) as pool:
        running = {pool.submit(_safely, grader, submission): submission for submission in todo}
        try:
            for done in as_completed(running):
                submission = running[done]
                yield submission, done.result() | {
                    "digest": submission.digest, "sandbox": way,
                    "notes": submission.notes, "stem": submission.stem}
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _safely(grader: Grader, submission: Submission) -> dict:
    """The result; where grading itself fails, one that says so and asks for a look by hand."""
    try:
        return grader.grade(submission)
    except Exception as error:
        about = ("error", "grader", "This submission could not be graded; your teacher will look "
                 "at it.", clean(f"{type(error).__name__}: {error}")[:400])
        return {"student": submission.student,
                "parts": [{"name": part.name, "printed": "", "tasks": of_all(part, *about)}
                          for part in grader.assignment.parts]}


def _by_hand(found: dict) -> str | None:
    """What the grader ended with, where grading itself failed: worth another try, and a look."""
    return next((task["example"] for part in found["parts"] for task in part["tasks"]
                 if task["kind"] == "grader"), None)


def _tell(out: Path, students, results, records, say):
    if failed := {name: why for name, found in results.items() if (why := _by_hand(found))}:
        everyone = ". If it is so for everyone, the key is damaged or of another version"
        say("WARNING: could not be graded, and have no points until you look: "
            f"{', '.join(map(plain, failed))}. The grader ended with: "
            f"{next(iter(failed.values()))}{everyone * (len(failed) > 1)}")
    if absent := records.absent(students):
        say(f"{len(absent)} of the roster handed in nothing: {', '.join(map(plain, absent))}")
    if strangers := records.strangers(students):
        say("WARNING: not in the roster, so not in a table for the platform: "
            f"{', '.join(map(plain, strangers))}")
    if gone := reports.remove_others(out, set(students)):
        say(f"{out / 'students'}: removed the pages of {', '.join(gone)}: no longer among the "
            "submissions; their results are kept")


def stubs_of(key: Path, assignment: Assignment) -> dict[str, bytes]:
    """{file: the stub as the handout has it}."""
    return {part.file: stub_of(key / "lessons" / part.name).encode() for part in assignment.parts}


def secrets_of(key: Path) -> tuple[Path, ...]:
    """What no submission may read: folders, and a file in each."""
    lessons = ()
    with contextlib.suppress(UserError):  # an autograder comes without
        lessons = (lessons_folder(), *lessons_folder().glob("*/solution.py"))
    return (PACKAGE, PACKAGE / "__init__.py", key, key / "secret.json", *lessons)


def checks_digest(key: Path, assignment: Assignment) -> str:
    """A fingerprint of what decides whether a task passes: checks, seed and limits; not points,
    times or titles.
    """
    limits = sorted(asdict(assignment.limits).items())
    text = (f"{digest_of(key / 'lessons')} {read_json(key / 'secret.json')} {limits} "
            f"{minillm.__version__}")
    return hashlib.sha256(text.encode()).hexdigest()


def _known(out: Path, assignment: Assignment, students, digest: str, say) -> dict:
    """{student: result} of what an earlier run has graded and would grade the same. Raises
    UserError where the folder holds the grades of other lessons.
    """
    known, changed, names = {}, False, {part.name for part in assignment.parts}
    for path in (out / "results").glob("*.json"):
        try:
            found = read_json(path)
            others = {part["name"] for part in found["parts"]} - names
            student, again = students.get(found["student"]), _by_hand(found) is not None
        except (UserError, KeyError, TypeError):  # half a result is graded again
            continue
        if others:
            raise UserError(f"{out}: holds the grades of another assignment: choose another --out")
        changed |= found.get("checks") != digest
        if student and not again and path == result_file(out, found["student"]) and (
                (found.get("digest"), found.get("checks")) == (student.digest, digest)):
            known[student.student] = found
    if changed:
        say(f"{out}: was graded with other checks: those submissions are graded again")
    return known


def result_file(out: Path, student: str) -> Path:
    """results/NAME.json, different for different names."""
    name = quote(student.encode("utf-8", "surrogateescape"), safe=" @+,=")
    if len(name) > 150:
        name = f"{name[:120]}-{hashlib.sha256(name.encode()).hexdigest()[:16]}"
    return out / "results" / f"{name}.json"


def _whole(key: Path, assignment: Assignment, say):
    """Raises UserError where a file of the key is missing; says where another minillm made it."""
    for part in assignment.parts:
        for name in ("test_exercise.py", "solution.py", "exercise.py"):
            if not (path := key / "lessons" / part.name / name).is_file():
                raise UserError(f"{path}: is missing, so the key is not whole: copy it again, or "
                                "make the assignment anew")
    proof = read_json(key / "proof.json") if (key / "proof.json").is_file() else {}
    if (made_by := proof.get("minillm", minillm.__version__)) != minillm.__version__:
        say(f"WARNING: {key}: made by minillm {plain(made_by)}, and this is "
            f"{minillm.__version__}: grade with the version that made it, or look closely at a "
            "few results")


@contextlib.contextmanager
def only_one(path: Path):
    """Two graders never write one folder: the lock goes when its holder ends, however that is.
    Raises UserError.
    """
    with open(path, "a", encoding="utf-8") as file:
        try:
            if os.name == "nt":
                import msvcrt
                msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
            else:
                import fcntl
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UserError(f"{path.parent}: another grader is writing there: wait for it, or "
                            "choose another --out") from None
        yield
