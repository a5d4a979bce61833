"""`minillm assignment grade`: a folder of submissions, in parallel; killed at any time it goes on where it was.

Each student's result is a file of its own, written at once or not at all, with the fingerprints of the submission and of the key:
what is finished is kept, what has changed is graded anew. The tables are made from those files alone.
"""

import base64
import contextlib
import hashlib
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from urllib.parse import quote

import minillm
from minillm.assignments import reports, sandbox
from minillm.assignments.assignment import digest_of, find_key, read_assignment
from minillm.assignments.submissions import Submission, collect
from minillm.errors import UserError
from minillm.files import make_folder, read_json, write_json

PACKAGE = Path(minillm.__file__).parent


def grade(submissions, key, out, way: str = "auto", jobs: int | None = None, times=None, say=print) -> list[dict]:
    """Grade every submission of a folder; returns the results, in the order of the students. Raises UserError."""
    key = find_key(key).resolve()
    assignment = read_assignment(key)
    if Path(out).resolve().is_relative_to(Path(submissions).resolve()):
        raise UserError(f"--out {out}: lies in {submissions}, where it would be taken for a student's: choose a folder outside")
    whole(key, [part.name for part in assignment.parts], say)
    handed_in = collect(Path(submissions), assignment.files, say)
    lateness = reports.read_times(times, assignment, [submission.student for submission in handed_in], say) if times else {}
    if assignment.late and not times:
        say("WARNING: late work costs points in this assignment, but without --times nobody is late")
    out = make_folder(out)
    make_folder(out / "results")
    with only_one(out / "grading.lock"):
        way = sandbox.choose(way, secrets_of(key))
        jobs = 1 if way == "user" else max(1, jobs or os.cpu_count() or 1)
        if way == "none":
            say("WARNING: submissions run with your own rights, without a sandbox: they can read and change whatever you can.")
        key_digest, results, todo = digest_of(key), {}, []
        mine(out, {part.name for part in assignment.parts}, key_digest, say)
        for submission in handed_in:
            known = kept(result_file(out, submission.student), submission, key_digest)
            if known is None:
                todo.append(submission)
            else:
                results[submission.student] = known
        say(f"{len(handed_in)} submissions, {len(results)} of them graded before; sandbox: {way}, {jobs} at a time")
        for result in grade_all(todo, key, way, min(jobs, max(1, len(todo)))):
            submission = next(s for s in todo if s.student == result["student"])
            result |= {"digest": submission.digest, "key": key_digest, "sandbox": way}
            write_json(result_file(out, submission.student), result)
            results[submission.student] = result
            lacking = "; ".join(f"{name}: {why}" for name, why in submission.problems.items())
            say(reports.plain(f"  {submission.student}: {reports.score_line(assignment, result, lateness)}" + (f" ({lacking})" if lacking else "")))
        ordered = [results[submission.student] for submission in handed_in]
        if by_hand := [result for result in ordered if of_kind_grader(result)]:
            detail = next(task["detail"] for part in by_hand[0]["parts"] for task in part["tasks"] if task["kind"] == "grader")
            last = next((line.strip() for line in reversed(detail.split("\\n")) if line.strip()), "nothing said")      # on one line: see reports.plain
            say(f"WARNING: could not be graded, and have no points until you look: {', '.join(reports.plain(result['student']) for result in by_hand)}. "
                f"The grader ended with: {last}" + (". If it is so for everyone, the key is damaged or of another version" if len(by_hand) > 1 else ""))
        if gone := reports.write_all(out, assignment, ordered, lateness):
            say(f"{out / 'students'}: removed the pages of {', '.join(gone)}: they are not in {submissions} any more; their results are kept")
    return ordered


def secrets_of(key: Path) -> tuple[Path, ...]:
    """What no submission may read: folders, and a file in each."""
    from minillm.course.lessons import lessons_folder
    lessons = ()
    with contextlib.suppress(UserError):                        # an autograder comes without
        lessons = (lessons_folder(), lessons_folder() / "README.md", *lessons_folder().glob("*/solution.py"))
    return (PACKAGE, PACKAGE / "__init__.py", key, key / "secret.json", *lessons)


def mine(out: Path, names: set[str], key_digest: str, say):
    """Raises UserError where a folder holds the grades of other lessons; says when a changed key means grading again."""
    changed = False
    for path in (out / "results").glob("*.json"):
        try:
            result = read_json(path)
            found = {part["name"] for part in result["parts"]}
        except (UserError, KeyError, TypeError):                # half a result is graded again
            continue
        if not found <= names:
            raise UserError(f"{out}: holds the grades of another assignment: choose another --out")
        changed |= result.get("key") != key_digest
    if changed:
        say(f"{out}: was graded with another key or an older version of it: those submissions are graded again")


def result_file(out: Path, student: str) -> Path:
    return out / "results" / f"{slug(student)}.json"


def slug(student: str) -> str:
    """A file name for a student's name, different for different names."""
    name = quote(student.encode("utf-8", "surrogateescape"), safe=" @+,=")
    return name if len(name) <= 150 else f"{name[:120]}-{hashlib.sha256(name.encode()).hexdigest()[:16]}"


def kept(path: Path, submission: Submission, key_digest: str) -> dict | None:
    """The result of an earlier run, if it is of this submission and this key."""
    try:
        result = read_json(path) if path.exists() else None
    except UserError:
        return None
    same = result and not of_kind_grader(result) and (result.get("student"), result.get("digest"), result.get("key")) == (submission.student, submission.digest, key_digest)
    return result if same else None


def of_kind_grader(result: dict) -> bool:
    """Did the submission end the grader? It is worth another try, and a look by hand."""
    return any(task["kind"] == "grader" for part in result["parts"] for task in part["tasks"])


def whole(key: Path, lessons: list[str], say):
    """Raises UserError where a file of the key is missing; says where another minillm made it."""
    for path in (key / "lessons" / lesson / name for lesson in lessons for name in ("test_exercise.py", "solution.py", "exercise.py")):
        if not path.is_file():
            raise UserError(f"{path}: is missing, so the key is not whole: copy it again, or make the assignment anew")
    proof = read_json(key / "proof.json") if (key / "proof.json").is_file() else {}
    if proof.get("minillm") not in (None, minillm.__version__):
        say(f"WARNING: {key}: made by minillm {reports.plain(proof['minillm'])}, and this is {minillm.__version__}: grade with the version that made it, or look closely at a few results")


@contextlib.contextmanager
def only_one(path: Path):
    """Two graders never write one folder: the lock goes when its holder ends, however that is. Raises UserError."""
    with open(path, "a", encoding="utf-8") as file:
        try:
            if os.name == "nt":
                import msvcrt
                msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
            else:
                import fcntl
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UserError(f"{path.parent}: another grader is writing there: wait for it, or choose another --out") from None
        yield


def grade_all(todo: list[Submission], key: Path, way: str, jobs: int):
    """Yields results as they come."""
    waiting, finished = queue.Queue(), queue.Queue()
    for submission in todo:
        waiting.put(submission)

    def work():
        with Worker(key, way) as worker:
            with contextlib.suppress(queue.Empty):
                while True:
                    finished.put(worker.grade(waiting.get_nowait()))

    def safely():
        try:
            work()
        except BaseException as error:
            finished.put(error)

    for _ in range(jobs):
        threading.Thread(target=safely, daemon=True).start()
    for _ in todo:
        result = finished.get()
        if isinstance(result, BaseException):
            raise result
        yield result


class Worker:
    """A process of worker.py, started anew when a submission has brought it down."""

    def __init__(self, key: Path, way: str):
        self.job, self.process = {"key": str(key), "way": way}, None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    def start(self):
        path = os.pathsep.join(filter(None, [str(PACKAGE.parent), os.environ.get("PYTHONPATH")]))
        self.errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen([sys.executable, "-m", "minillm.assignments.worker"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=self.errors, encoding="utf-8",
                                        env=os.environ | sandbox.THREADS | {"PYTHONPATH": path, "PYTHONUTF8": "1", "PYTHONHASHSEED": "0", "JAX_PLATFORMS": "cpu"})
        self.send(self.job)

    def send(self, job):
        with contextlib.suppress(OSError):
            self.process.stdin.write(json.dumps(job) + "\n")
            self.process.stdin.flush()

    def end(self):
        if self.process is not None:
            with contextlib.suppress(OSError):
                self.process.stdin.close()
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()
            self.process = None

    def grade(self, submission: Submission) -> dict:
        """The result; after two ends of the process, one that says so and asks for a look by hand."""
        files = {name: base64.b64encode(data).decode() for name, data in submission.files.items()}
        for _ in range(2):
            if self.process is None:
                self.start()
            self.send({"student": submission.student, "files": files, "problems": submission.problems})
            line = self.process.stdout.readline()
            if line.endswith("\n"):
                return json.loads(line)
            self.errors.seek(0)
            why = self.errors.read()[-2000:].decode("utf-8", "replace")
            self.end()
        assignment = read_assignment(Path(self.job["key"]))
        task = {"status": "error", "kind": "grader", "hint": None, "message": "grading this submission ended the grader; your teacher will look at it by hand.",
                "detail": reports.plain(why)[-400:], "earned": 0, "helped": [], "printed": ""}
        parts = [{"name": part.name, "title": part.title, "earned": 0, "of": part.of,
                  "tasks": [task | {"name": name, "points": points} for name, points in part.points.items()]} for part in assignment.parts]
        return {"student": submission.student, "parts": parts, "earned": 0, "of": assignment.of}
