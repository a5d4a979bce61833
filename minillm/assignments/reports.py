"""What a teacher and the students get from results: text and HTML for each student, and a page
about the class, by the templates of this folder; tables are made in tables.py.

    grades/grades.csv             a row for each student, a column for each task
    grades/canvas.csv, moodle.csv what the platform imports, from its own roster (--lms, --roster)
    grades/class.txt, class.html  histogram, pass rates, misconceptions, who is alike, details
    grades/students/NAME.txt, NAME.html      without hidden inputs and right answers
"""

import hashlib
import re
import statistics
import unicodedata
from collections import Counter
from functools import cache
from pathlib import Path

import jinja2

from minillm.assignments.assignment import Assignment
from minillm.assignments.records import Records, Score, same_name
from minillm.assignments.similar import alike
from minillm.assignments.tables import for_platform, grades, one_line, plain
from minillm.errors import UserError
from minillm.files import make_folder, read_json, write_atomically

WORDS = {"passed": "passed", "failed": "wrong", "error": "error", "todo": "missing",
         "timeout": "too slow", "practice": "practice"}
WHOLE_FILE = ("file", "syntax", "import", "grader")  # kinds that say nothing of a single task
KINDS = {
    "file": "the file was not handed in, or not under its name",
    "syntax": "the file is not Python",
    "import": "reading the file stops with an exception",
    "grader": "could not be graded: look at it by hand",
    "todo": "not written",
    "missing": "no such name in the file",
    "time": "took too long",
    "exception": "it raises an exception",
    "shape": "the answer has another shape than the right one",
    "dtype": "the answer is of another type than the right one",
    "number": "this number is not the answer",
}
TEMPLATES = Path(__file__).parent / "templates"
SOLUTION = "(the course's solution)"
SOURCE = 20_000  # bytes of a submission that are shown beside what failed


@cache
def template(name: str) -> jinja2.Template:
    """A template of this room; strangers' text is made printable in all, and escaped in HTML."""
    def safe(value):
        return plain(value) if isinstance(value, str) and not hasattr(value, "__html__") else value

    made = jinja2.Environment(loader=jinja2.FileSystemLoader(TEMPLATES), finalize=safe,
                              autoescape=name.endswith(".html"), undefined=jinja2.StrictUndefined,
                              trim_blocks=True, keep_trailing_newline=True)
    made.filters["line"] = one_line
    return made.get_template(name)


def page_name(student: str, stem: str = "") -> str:
    """The name of a student's pages: a platform's own, or the student's as it is read, made safe
    for every system.
    """
    name = f"{stem}feedback" if stem else student
    safe = "".join(c if c.isprintable() and c not in '\\/:*?"<>|%' else "_"
                   for c in unicodedata.normalize("NFC", name)).strip(" .")
    reserved = re.fullmatch(r"(?i)(con|prn|aux|nul|(com|lpt)\d)(\..*)?", name)
    if safe == name and 0 < len(name.encode()) <= 150 and not reserved:
        return name
    return f"{safe[:60]}-{_digest(student)[:10]}"


def _digest(student: str) -> str:
    return hashlib.sha256(student.encode("utf-8", "surrogateescape")).hexdigest()


def write_all(out: Path, assignment: Assignment, results: list[dict], records: Records, files=None,
              lms: str | None = None, anonymous: bool = False, given=None):
    """Every report. The same results give the same bytes. files: {student: {name: bytes}}, for
    sources and likeness; given: {name: (stub, solution)}.
    """
    scores = {found["student"]: records.score(assignment, found) for found in results}
    students = [_student(assignment, found, scores[found["student"]]) for found in results]
    for student in students:
        page = make_folder(Path(out) / "students") / student["page"]
        for kind in ("txt", "html"):
            _write(page.with_name(f"{page.name}.{kind}"), f"student.{kind}",
                   assignment=assignment, student=student)
    write_atomically(out / "grades.csv", grades(assignment, scores, records))
    if lms:
        write_atomically(out / f"{lms}.csv", for_platform(assignment, scores, records, lms))

    def label(student):
        hidden = anonymous and student != SOLUTION
        return f"student {_digest(student)[:6]}" if hidden else student

    for student in students:
        for part in student["parts"]:
            source = (files or {}).get(student["name"], {}).get(f"{part['name']}.py", b"")
            if any(task["status"] not in ("passed", "practice") for task in part["tasks"]):
                part["source"] = source[:SOURCE].decode("utf-8", "replace")
        student["page"] = "" if anonymous else student["page"]
        student["name"] = label(student["name"])
    points = [score.points for score in scores.values()]
    about = {
        "assignment": assignment, "students": students, "summary": _summary(assignment, points),
        "histogram": _histogram(assignment, points), "most": max(1, len(results)),
        "tasks": _task_rates(assignment, results), "wrong": _wrong(results, label),
        "alike": None if files is None else _alike(files, given or {}, label, records),
        "absent": records.absent(scores)}
    for kind in ("txt", "html"):
        _write(out / f"class.{kind}", f"class.{kind}", **about)


def _write(path: Path, name: str, **values):
    write_atomically(path, template(name).render(**values).encode("utf-8", "replace"))


def remove_others(out: Path, known: set[str]) -> list[str]:
    """Remove the pages of students who have a result but are not `known`; returns their names."""
    gone = set()
    for path in (Path(out) / "results").glob("*.json"):
        try:
            result = read_json(path)
            student = str(result["student"])
        except (UserError, KeyError):
            continue
        for kind in ("txt", "html") if student not in known else ():
            page = out / "students" / f"{page_name(student, str(result.get('stem', '')))}.{kind}"
            if page.exists():
                page.unlink()
                gone.add(one_line(student))
    return sorted(gone)


# ---- For a student -----------------------------------------------------------------------------


def score_line(assignment: Assignment, score: Score) -> str:
    line = f"{score.points:g} of {assignment.of:g} points"
    if not score.days:
        return line
    late = "1 day late" if score.days == 1 else f"{score.days} days late"
    if score.points != score.earned:
        each = "each of " * (score.days > 1)
        late = f"{score.earned:g}, less {assignment.late:g}% for {each}{late}"
    return f"{line} ({late})"


def task_note(task: dict) -> str:
    """What a student is told about a task."""
    helped = ""
    if task["helped"] and task["status"] != "todo":
        helped = (f"(The reference stood in for {', '.join(task['helped'])}, which your file did "
                  "not have right: only this task was looked at here.) ")
    message = task["message"] if task["status"] != "passed" or task["hint"] else ""
    return (helped + message).strip()


def _student(assignment: Assignment, result: dict, score: Score) -> dict:
    """A result with its points, as the pages show it. once: what is said of all tasks alike."""
    parts = []
    for part, found in zip(assignment.parts, result["parts"], strict=True):
        tasks = []
        for task in found["tasks"]:
            of = part.points.get(task["name"], 0)
            points = f"{score.tasks[part.name, task['name']]:g} of {of:g}"
            tasks.append(task | {"word": WORDS.get(task["status"], task["status"]),
                                 "note": task_note(task),
                                 "points": "" if task["status"] == "practice" else points})
        notes = {(task["note"], task["example"]) for task in tasks}
        parts.append({"name": part.name, "number": part.number, "title": part.title,
                      "once": notes.pop()[0] if len(notes) == 1 < len(tasks) else "",
                      "points": f"{score.parts[part.name]:g} of {part.of:g}", "tasks": tasks,
                      "printed": found["printed"], "source": ""})
    notes = [*result.get("notes", ()),
             *(f"points set by your teacher: {note}" for note in score.overrides)]
    return {"name": result["student"], "page": page_name(result["student"], result.get("stem", "")),
            "score": score_line(assignment, score), "notes": notes, "parts": parts}


# ---- For the teacher ---------------------------------------------------------------------------


def _histogram(assignment, points) -> list[tuple[str, int]]:
    """How many students are in each tenth of the points."""
    counts = Counter(min(9, int(10 * n / assignment.of + 1e-9)) for n in points)
    return [(f"{10 * i:3d}-{10 * i + 10:3d}%", counts[i]) for i in range(9, -1, -1)]


def _wrong(results, label) -> list[dict]:
    """What went wrong, the most common first: {"task", "what", "text", "who"}; a whole file counts
    once.
    """
    found = {}
    for result in results:
        for part in result["parts"]:
            for task in part["tasks"]:
                if task["status"] in ("passed", "practice"):
                    continue
                whole = task["kind"] in WHOLE_FILE
                where = part["name"] if whole else f"{part['name']}.{task['name']}"
                what = task["hint"] or f"({task['kind']})"
                text = KINDS.get(task["kind"], "no known misconception")
                row = found.setdefault((where, what), {"task": where, "what": what, "who": {}})
                row["text"] = task["message"] if task["hint"] else text
                row["who"][label(result["student"])] = True
    return sorted(found.values(), key=lambda row: (-len(row["who"]), row["task"], row["what"]))


def _task_rates(assignment, results) -> list[dict]:
    """For each task: percent of students that passed, how many did not write it, how many passed
    with help.
    """
    rows = []
    for i, part in enumerate(assignment.parts):
        for j, name in enumerate(part.points):
            tasks = [result["parts"][i]["tasks"][j] for result in results]
            passed = [task for task in tasks if task["status"] == "passed"]
            rows.append({"name": f"{part.name}.{name}", "practice": name in part.practice,
                         "passed": round(100 * len(passed) / max(1, len(tasks))),
                         "todo": sum(task["status"] == "todo" for task in tasks),
                         "helped": sum(bool(task["helped"]) for task in passed)})
    return rows


def _alike(files, given, label, records: Records) -> list[dict]:
    one_each = {records.groups.get(same_name(student), student): student for student in files}
    found = []
    for name, (stub, solution) in given.items():
        of = {s: files[s][name] for s in one_each.values() if name in files[s]}
        for group in alike(of | {SOLUTION: solution}, stub):
            found.append(group | {"file": name, "students": list(map(label, group["students"]))})
    return found


def _summary(assignment, points) -> str:
    if not points:
        return "no submissions"
    low, middle, high, spread = points[0], points[0], points[0], ""
    if len(points) > 1:
        low, middle, high = statistics.quantiles(points, n=4, method="inclusive")
        spread = f", standard deviation {statistics.stdev(points):.2f}"
    return (f"{len(points)} submission{'s' * (len(points) > 1)}; mean "
            f"{statistics.mean(points):.2f}{spread}; quartiles {low:g}, {middle:g}, {high:g} of "
            f"{assignment.of:g}; {sum(p >= assignment.of for p in points)} with all points")
