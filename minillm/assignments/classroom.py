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
from minillm.assignments.grading import Grader, clean, result, stub_of
from minillm.assignments.records import Records, read_records
from minillm.course.running import sweep
from minillm.errors import UserError
from minillm.files import make_folder, read_json, write_json

PACKAGE = Path(minillm.__file__).parent
TABLES_EVERY = 10  # results after which the tables are written again


def grade(
    submissions,
    key,
    out,
    way: str = "auto",
    jobs: int | None = None,
    times=None,
    roster=None,
    extensions=None,
    overrides=None,
    lms: str | None = None,
    only: str | None = None,
    anonymous: bool = False,
    names: bool = False,
    say=print,
) -> list[dict]:
    """Grade every submission of a folder; returns the results, in the order of the students.
    Raises UserError.
    """
    key = find_key(key).resolve()
    assignment = read_assignment(key)
    if Path(out).resolve().is_relative_to(Path(submissions).resolve()):
        raise UserError(
            f"--out {out}: lies in {submissions}, where it would be taken for a student's: "
            "choose a folder outside"
        )
    _whole(key, [part.name for part in assignment.parts], say)
    handed_in = collect(Path(submissions), assignment.files, say, stubs_of(key, assignment))
    if names:
        for submission in handed_in:
            say(
                reports.plain(
                    f"{submission.student}: {', '.join(submission.files) or 'nothing'}"
                    + (f" ({'; '.join(submission.notes)})" if submission.notes else "")
                )
            )
        return []
    if lms and not roster:
        raise UserError(
            f"--lms {lms}: needs --roster FILE, the class as {lms} exports it, for its ids"
        )
    students = [submission.student for submission in handed_in]
    records = read_records(assignment, students, times, roster, extensions, overrides, say)
    if assignment.late and not records.times:
        say(
            "WARNING: late work costs points in this assignment, but without --times nobody is late"
        )
    out = make_folder(out)
    make_folder(out / "results")
    with only_one(out / "grading.lock"):
        sweep()
        for unfinished in out.rglob("*.part"):  # of a run that was killed while it wrote
            unfinished.unlink()
        way = sandbox.choose(way, secrets_of(key))
        jobs = max(1, jobs or os.cpu_count() or 1)
        if way == "none":
            say(
                "WARNING: submissions run with your own rights, without a sandbox: they can read "
                "and change whatever you can."
            )
        results = _grade_all(
            handed_in, key, assignment, out, way, jobs, only, records, lms, anonymous, say
        )
        _tables(out, key, assignment, handed_in, results, records, lms, anonymous)
        _tell(out, assignment, handed_in, results, records, say)
    return [results[student] for student in students if student in results]


def _grade_all(
    handed_in, key, assignment, out, way, jobs, only, records, lms, anonymous, say
) -> dict:
    """{student: result}, kept ones and new ones; tables are written as the run goes."""
    digest, results, todo = checks_digest(key, assignment), {}, []
    _mine(out, {part.name for part in assignment.parts}, digest, say)
    if only and only not in {submission.student for submission in handed_in}:
        raise UserError(
            f"--only {only}: no submission of this name; there are "
            f"{', '.join(s.student for s in handed_in[:20])}"
        )
    for submission in handed_in:
        known = _kept(result_file(out, submission.student), submission, digest)
        again = only == submission.student
        if known is not None and not again:
            results[submission.student] = known
        elif not only or again:
            todo.append(submission)
    say(
        f"{len(handed_in)} submissions, {len(results)} of them graded before; sandbox: {way}, "
        f"{jobs} at a time"
    )
    if not todo:
        return results
    grader = Grader(key, way)
    with ThreadPoolExecutor(min(jobs, len(todo))) as pool:
        running = {pool.submit(_safely, grader, submission): submission for submission in todo}
        try:
            for count, done in enumerate(as_completed(running), 1):
                submission = running[done]
                found = done.result() | {
                    "digest": submission.digest,
                    "checks": digest,
                    "sandbox": way,
                    "notes": submission.notes,
                    "stem": submission.stem,
                }
                write_json(result_file(out, submission.student), found)
                results[submission.student] = found
                lacking = "; ".join(
                    [
                        *submission.notes,
                        *(f"{name}: {why}" for name, why in submission.problems.items()),
                    ]
                )
                score = reports.score_line(assignment, found, records)
                say(
                    reports.plain(
                        f"  {submission.student}: {score}" + (f" ({lacking})" if lacking else "")
                    )
                )
                if count % TABLES_EVERY == 0:
                    _tables(
                        out,
                        key,
                        assignment,
                        handed_in,
                        results,
                        records,
                        lms,
                        anonymous,
                        whole=False,
                    )
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return results


def _safely(grader: Grader, submission: Submission) -> dict:
    """The result; where grading itself fails, one that says so and asks for a look by hand."""
    try:
        return grader.grade(submission)
    except Exception as error:
        task = result(
            "",
            "error",
            "grader",
            "This submission could not be graded; your teacher will look at it.",
        )
        task["example"] = clean(f"{type(error).__name__}: {error}")[:400]
        return {
            "student": submission.student,
            "parts": [
                {
                    "name": part.name,
                    "printed": "",
                    "tasks": [task | {"name": name} for name in part.points],
                }
                for part in grader.assignment.parts
            ],
        }


def _tables(out, key, assignment, handed_in, results, records, lms, anonymous, whole=True):
    """Pages and tables of what is graded so far; at the end also who is alike, and the sources
    beside what failed.
    """
    ordered = [
        results[submission.student] for submission in handed_in if submission.student in results
    ]
    files = {submission.student: submission.files for submission in handed_in} if whole else {}
    reports.write_all(
        out, assignment, ordered, records, files, lms, anonymous, stubs_of(key, assignment)
    )


def stubs_of(key: Path, assignment: Assignment) -> dict[str, bytes]:
    """{file: the stub as the handout has it}."""
    return {part.file: stub_of(key / "lessons" / part.name).encode() for part in assignment.parts}


def _tell(out, assignment, handed_in, results, records: Records, say):
    if by_hand := [r for r in results.values() if _of_kind_grader(r)]:
        last = next(
            task["example"]
            for part in by_hand[0]["parts"]
            for task in part["tasks"]
            if task["kind"] == "grader"
        )
        say(
            "WARNING: could not be graded, and have no points until you look: "
            f"{', '.join(reports.plain(r['student']) for r in by_hand)}. "
            f"The grader ended with: {last}"
            + (
                ". If it is so for everyone, the key is damaged or of another version"
                if len(by_hand) > 1
                else ""
            )
        )
    if absent := records.absent([submission.student for submission in handed_in]):
        say(
            f"{len(absent)} of the roster handed in nothing: "
            f"{', '.join(map(reports.plain, absent))}"
        )
    known = {submission.student for submission in handed_in}
    if gone := reports.remove_others(out, known):
        say(
            f"{out / 'students'}: removed the pages of {', '.join(gone)}: no longer among the "
            "submissions; their results are kept"
        )


def secrets_of(key: Path) -> tuple[Path, ...]:
    """What no submission may read: folders, and a file in each."""
    from minillm.course.lessons import lessons_folder

    lessons = ()
    with contextlib.suppress(UserError):  # an autograder comes without
        lessons = (lessons_folder(), *lessons_folder().glob("*/solution.py"))
    return (PACKAGE, PACKAGE / "__init__.py", key, key / "secret.json", *lessons)


def checks_digest(key: Path, assignment: Assignment) -> str:
    """A fingerprint of what decides whether a task passes: checks, seed and limits; not points,
    times or titles.
    """
    secret = read_json(key / "secret.json")
    limits = sorted(asdict(assignment.limits).items())
    text = f"{digest_of(key / 'lessons')} {secret} {limits} {minillm.__version__}"
    return hashlib.sha256(text.encode()).hexdigest()


def _mine(out: Path, names: set[str], digest: str, say):
    """Raises UserError where a folder holds the grades of other lessons; says when changed checks
    mean grading again.
    """
    changed = False
    for path in (out / "results").glob("*.json"):
        try:
            found = read_json(path)
            lessons = {part["name"] for part in found["parts"]}
        except (UserError, KeyError, TypeError):  # half a result is graded again
            continue
        if not lessons <= names:
            raise UserError(f"{out}: holds the grades of another assignment: choose another --out")
        changed |= found.get("checks") != digest
    if changed:
        say(f"{out}: was graded with other checks: those submissions are graded again")


def result_file(out: Path, student: str) -> Path:
    return out / "results" / f"{slug(student)}.json"


def slug(student: str) -> str:
    """A file name for a student's name, different for different names."""
    name = quote(student.encode("utf-8", "surrogateescape"), safe=" @+,=")
    return (
        name
        if len(name) <= 150
        else f"{name[:120]}-{hashlib.sha256(name.encode()).hexdigest()[:16]}"
    )


def _kept(path: Path, submission: Submission, digest: str) -> dict | None:
    """The result of an earlier run, if it is of this submission and these checks."""
    try:
        found = read_json(path) if path.exists() else None
        known = (found["student"], found["digest"], found["checks"]) if found else None
        return (
            found
            if known == (submission.student, submission.digest, digest)
            and not _of_kind_grader(found)
            else None
        )
    except (UserError, KeyError, TypeError, AttributeError):
        return None


def _of_kind_grader(found: dict) -> bool:
    """Did grading itself fail? It is worth another try, and a look by hand."""
    return any(task["kind"] == "grader" for part in found["parts"] for task in part["tasks"])


def _whole(key: Path, lessons: list[str], say):
    """Raises UserError where a file of the key is missing; says where another minillm made it."""
    for path in (
        key / "lessons" / lesson / name
        for lesson in lessons
        for name in ("test_exercise.py", "solution.py", "exercise.py")
    ):
        if not path.is_file():
            raise UserError(
                f"{path}: is missing, so the key is not whole: copy it again, or make the "
                "assignment anew"
            )
    proof = read_json(key / "proof.json") if (key / "proof.json").is_file() else {}
    if proof.get("minillm") not in (None, minillm.__version__):
        say(
            f"WARNING: {key}: made by minillm {reports.plain(proof['minillm'])}, and this is "
            f"{minillm.__version__}: grade with "
            "the version that made it, or look closely at a few results"
        )


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
            raise UserError(
                f"{path.parent}: another grader is writing there: wait for it, or choose another "
                "--out"
            ) from None
        yield
