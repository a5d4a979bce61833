"""What a teacher and the students get from results: text and HTML for each student, tables for
spreadsheets and learning platforms, and a page about the class.

    grades/grades.csv             a row for each student, a column for each task
    grades/canvas.csv, moodle.csv what the platform imports, from its own roster (--lms, --roster)
    grades/class.txt, class.html  histogram, pass rates, misconceptions, who is alike, details
    grades/students/NAME.txt, NAME.html      without hidden inputs and right answers
"""

import csv
import hashlib
import io
import re
import statistics
import unicodedata
from collections import Counter
from functools import cache
from pathlib import Path

import jinja2

from minillm.assignments.assignment import Assignment
from minillm.assignments.records import Records
from minillm.assignments.similar import alike
from minillm.errors import UserError
from minillm.files import make_folder, read_json, write_atomically

WORDS = {
    "passed": "passed",
    "failed": "wrong",
    "error": "error",
    "todo": "missing",
    "timeout": "too slow",
    "practice": "practice",
}
WHOLE_FILE = ("file", "syntax", "import", "grader")  # kinds that say nothing of a single task
KINDS = {
    "file": "the file was not handed in, or not under its name",
    "syntax": "the file is not Python",
    "import": "reading the file stops with an exception",
    "grader": "could not be graded: look at it by hand",
    "todo": "not written",
    "missing": "no such name in the file",
    "time": "took too long",
    "exception": "raises an exception",
}


@cache
def _templates() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=lambda value: (
            plain(value) if isinstance(value, str) and not hasattr(value, "__html__") else value
        ),
        trim_blocks=True,
    )


def plain(text) -> str:
    """Printable text: nothing in it can steer a terminal or turn the direction of writing. Line
    ends stay.
    """
    return "".join(
        c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in str(text).replace("\t", " ")
    )


def one_line(text) -> str:
    return plain(str(text).replace("\n", "\\n"))


def cell(value):
    """A value for a spreadsheet: text that begins like a formula is made text again."""
    if not isinstance(value, str):
        return value
    value = one_line(value)
    return "'" + value if value.lstrip().startswith(("=", "+", "-", "@", "|", "%")) else value


def page_name(student: str, stem: str = "") -> str:
    """The name of a student's pages: a platform's own, or the student's as it is read, made safe
    for every system.
    """
    name = f"{stem}feedback" if stem else student
    safe = "".join(
        c if c.isprintable() and c not in '\\/:*?"<>|%' else "_"
        for c in unicodedata.normalize("NFC", name)
    ).strip(" .")
    if (
        safe == name
        and 0 < len(name.encode()) <= 150
        and not re.fullmatch(r"(?i)(con|prn|aux|nul|(com|lpt)\d)(\..*)?", name)
    ):
        return name
    return (
        f"{safe[:60]}-{hashlib.sha256(student.encode('utf-8', 'surrogateescape')).hexdigest()[:10]}"
    )


def write_all(
    out: Path,
    assignment: Assignment,
    results: list[dict],
    records: Records,
    files=None,
    lms: str | None = None,
    anonymous: bool = False,
    stubs=None,
):
    """Every report. The same results give the same bytes. files: {student: {name: bytes}}, for
    sources and likeness.
    """
    out, files, students = Path(out), files or {}, []
    for result in results:
        student = _student(assignment, result, records)
        students.append(student)
        page = make_folder(out / "students") / student["page"]
        write_atomically(
            page.with_name(page.name + ".txt"), _bytes(_student_text(assignment, student))
        )
        write_atomically(
            page.with_name(page.name + ".html"),
            _bytes(
                _templates()
                .get_template("student.html")
                .render(
                    title=f"{assignment.title}: {result['student']}",
                    assignment=assignment,
                    student=student,
                )
            ),
        )
    write_atomically(out / "grades.csv", _bytes(_table(assignment, results, records), "utf-8-sig"))
    if lms:
        write_atomically(
            out / f"{lms}.csv",
            _bytes(_for_platform(assignment, results, records, lms), "utf-8-sig"),
        )
    _write_class(out, assignment, results, records, students, files, anonymous, stubs or {})


def _bytes(text: str, encoding: str = "utf-8") -> bytes:
    return text.encode(encoding, "replace")


def remove_others(out: Path, known: set[str]) -> list[str]:
    """Remove the pages of students who have a result but are not `known`; returns their names."""
    gone = []
    for path in (Path(out) / "results").glob("*.json"):
        try:
            result = read_json(path)
            student = str(result["student"])
        except (UserError, KeyError):
            continue
        page = page_name(student, str(result.get("stem", "")))
        pages = [
            p
            for p in (out / "students" / f"{page}.txt", out / "students" / f"{page}.html")
            if student not in known and p.exists()
        ]
        for path in pages:
            path.unlink()
        gone += [one_line(student)] if pages else []
    return sorted(gone)


# ---- For a student -----------------------------------------------------------------------------


def score_line(assignment, result, records: Records) -> str:
    score = records.points(assignment, result)
    late = "1 day late" if score["days"] == 1 else f"{score['days']} days late"
    if score["points"] != score["earned"]:
        each = "each of " if score["days"] > 1 else ""
        late = f"{score['earned']:g}, less {assignment.late:g}% for {each}{late}"
    return f"{score['points']:g} of {assignment.of:g} points" + (
        f" ({late})" if score["days"] else ""
    )


def task_note(task: dict) -> str:
    """What a student is told about a task."""
    helped = (
        f"(The reference stood in for {', '.join(task['helped'])}, which your file did not have "
        "right: only this task was looked at here.) "
        if task["helped"] and task["status"] != "todo"
        else ""
    )
    return (
        helped + (task["message"] if task["status"] != "passed" or task["hint"] else "")
    ).strip()


def _student(assignment, result, records: Records) -> dict:
    """A result with its points, as the pages show it."""
    score, parts = records.points(assignment, result), []
    for part, found in zip(assignment.parts, result["parts"]):
        tasks = []
        for task in found["tasks"]:
            of = part.points.get(task["name"], 0)
            points = (
                "practice"
                if task["status"] == "practice"
                else f"{score['tasks'][part.name, task['name']]:g} of {of:g}"
            )
            tasks.append(
                task
                | {
                    "word": WORDS.get(task["status"], task["status"]),
                    "note": task_note(task),
                    "points": points,
                }
            )
        notes = {(task["note"], task["example"]) for task in tasks}
        once = notes.pop()[0] if len(notes) == 1 and len(tasks) > 1 else ""
        parts.append(
            {
                "name": part.name,
                "number": part.name[:2],
                "title": part.title,
                "of": f"{part.of:g}",
                "once": once,
                "earned": f"{score['parts'][part.name]:g}",
                "tasks": tasks,
                "printed": found["printed"],
                "source": "",
            }
        )
    return {
        "name": result["student"],
        "page": page_name(result["student"], result.get("stem", "")),
        "parts": parts,
        "score": score_line(assignment, result, records),
        "notes": [
            *result.get("notes", ()),
            *(f"points set by your teacher: {note}" for note in score["overrides"]),
        ],
    }


def _student_text(assignment, student) -> str:
    lines = [
        one_line(f"{assignment.title}: {student['name']}"),
        student["score"],
        *map(one_line, student["notes"]),
        "",
    ]
    for part in student["parts"]:
        lines.append(f"{part['name']} {part['title']}: {part['earned']} of {part['of']}")
        lines += [f"            {one_line(part['once'])}"] if part["once"] else []
        for task in part["tasks"]:
            lines.append(f"  {task['word']:>8}  {task['name']}  {task['points']}")
            lines += (
                [f"            {one_line(task['note'])}"]
                if task["note"] and not part["once"]
                else []
            )
        lines.append("")
    return "\n".join(lines)


# ---- For the teacher ---------------------------------------------------------------------------


def _csv(rows) -> str:
    file = io.StringIO()
    csv.writer(file, lineterminator="\r\n").writerows(
        [cell(value) for value in row] for row in rows
    )
    return file.getvalue()


def _table(assignment, results, records: Records) -> str:
    """student, points, of, percent, days late, then the points of each lesson and each task; then
    who is absent.
    """
    rows = [
        [
            "student",
            "points",
            "of",
            "percent",
            "days_late",
            *(part.name for part in assignment.parts),
            *(f"{part.name}.{task}" for part in assignment.parts for task in part.points),
        ]
    ]
    for result in results:
        score = records.points(assignment, result)
        rows.append(
            [
                result["student"],
                f"{score['points']:g}",
                f"{assignment.of:g}",
                f"{100 * score['points'] / assignment.of:.1f}",
                score["days"],
                *(f"{n:g}" for n in score["parts"].values()),
                *(f"{n:g}" for n in score["tasks"].values()),
            ]
        )
    for name in records.absent([result["student"] for result in results]):
        rows.append([name, "0", f"{assignment.of:g}", "0.0", 0, *[""] * (len(rows[0]) - 5)])
    return _csv(rows)


def _for_platform(assignment, results, records: Records, lms: str) -> str:
    """The rows of the platform's own roster with a column for this assignment, as it imports
    them.
    """
    by_row = {
        id(row): records.points(assignment, result)["points"]
        for result in results
        if (row := records.row_of(result["student"])) is not None
    }
    keep = [
        name
        for name in records.columns
        if name.strip().lower()
        in (
            ("student", "id", "sis user id", "sis login id", "section")
            if lms == "canvas"
            else (
                "identifier",
                "full name",
                "first name",
                "last name",
                "surname",
                "id number",
                "email address",
                "username",
            )
        )
    ]
    title = assignment.title if lms == "canvas" else "Grade"
    rows = [[*keep, title]] + (
        [["    Points Possible", *[""] * (len(keep) - 1), f"{assignment.of:g}"]]
        if lms == "canvas"
        else []
    )
    rows += [
        [*(row.get(name, "") for name in keep), f"{by_row.get(id(row), 0):g}"]
        for row in records.roster
    ]
    return _csv(rows)


def _histogram(assignment, points) -> list[tuple[str, int]]:
    """How many students are in each tenth of the points."""
    counts = Counter(min(9, int(10 * n / assignment.of + 1e-9)) for n in points)
    return [(f"{10 * i:3d}-{10 * i + 10:3d}%", counts[i]) for i in range(9, -1, -1)]


def _wrong(results, label) -> list[dict]:
    """What went wrong, the most common first: {"count", "task", "what", "text", "who"}; a whole
    file counts once.
    """
    found = {}
    for result in results:
        for part in result["parts"]:
            for task in part["tasks"]:
                if task["status"] in ("passed", "practice"):
                    continue
                whole = task["kind"] in WHOLE_FILE
                where = part["name"] if whole else f"{part['name']}.{task['name']}"
                row = found.setdefault(
                    (where, task["hint"] or f"({task['kind']})"), {"who": {}, "text": ""}
                )
                row["who"][label(result["student"])] = True
                row["text"] = (
                    task["message"]
                    if task["hint"]
                    else KINDS.get(task["kind"], "no known misconception")
                )
    rows = [
        {
            "count": len(row["who"]),
            "task": where,
            "what": what,
            "text": row["text"],
            "who": list(row["who"]),
        }
        for (where, what), row in found.items()
    ]
    return sorted(rows, key=lambda row: (-row["count"], row["task"], row["what"]))


def _task_rates(assignment, results) -> list[dict]:
    """For each task: percent of students that passed, how many did not write it, how many passed
    with help.
    """
    rows = []
    for i, part in enumerate(assignment.parts):
        for j, name in enumerate(part.points):
            tasks = [result["parts"][i]["tasks"][j] for result in results]
            rows.append(
                {
                    "name": f"{part.name}.{name}",
                    "passed": round(
                        100 * sum(t["status"] == "passed" for t in tasks) / max(1, len(tasks))
                    ),
                    "todo": sum(t["status"] == "todo" for t in tasks),
                    "helped": sum(t["status"] == "passed" and bool(t["helped"]) for t in tasks),
                }
            )
    return rows


def _summary(assignment, points) -> str:
    if not points:
        return "no submissions"
    low, middle, high = (
        statistics.quantiles(points, n=4, method="inclusive") if len(points) > 1 else points * 3
    )
    spread = f", standard deviation {statistics.stdev(points):.2f}" if len(points) > 1 else ""
    return (
        f"{len(points)} submissions; mean {statistics.mean(points):.2f}{spread}; quartiles "
        f"{low:g}, {middle:g}, {high:g} of "
        f"{assignment.of:g}; {sum(p >= assignment.of for p in points)} with all points"
    )


def _write_class(out, assignment, results, records: Records, students, files, anonymous, stubs):
    def label(student):
        return (
            f"student {hashlib.sha256(student.encode('utf-8', 'surrogateescape')).hexdigest()[:6]}"
            if anonymous
            else one_line(student)
        )

    points = [records.points(assignment, result)["points"] for result in results]
    histogram, wrong, tasks = (
        _histogram(assignment, points),
        _wrong(results, label),
        _task_rates(assignment, results),
    )
    like = [
        {"file": name, **group, "students": list(map(label, group["students"]))}
        for name in assignment.files
        for group in alike(
            {
                r["student"]: files[r["student"]][name]
                for r in results
                if name in files.get(r["student"], {})
            },
            stubs.get(name, b""),
        )
    ]
    absent = records.absent([result["student"] for result in results]) if records.roster else []
    lines = [
        one_line(assignment.title),
        _summary(assignment, points),
        "",
        *(f"{where}  {'#' * count} {count or ''}".rstrip() for where, count in histogram),
    ]
    lines += ["", "passed, by task:", *(f"{row['passed']:4d}%  {row['name']}" for row in tasks)]
    lines += [
        "",
        "what went wrong, by students:",
        *(
            f"{row['count']:4d}  {row['task']}  {row['what']}: {one_line(row['text'])[:160]}"
            for row in wrong
        ),
    ]
    lines += (
        [
            "",
            "alike (where to look, no proof):",
            *(f"      {row['file']}: {row['how']}: {', '.join(row['students'])}" for row in like),
        ]
        if like
        else []
    )
    lines += ["", f"handed in nothing: {', '.join(map(one_line, absent))}"] if absent else []
    write_atomically(out / "class.txt", _bytes("\n".join(lines) + "\n"))
    for student in students:
        for part in student["parts"]:
            if any(task["status"] not in ("passed", "practice") for task in part["tasks"]):
                part["source"] = (
                    files.get(student["name"], {})
                    .get(f"{part['name']}.py", b"")[:20000]
                    .decode("utf-8", "replace")
                )
    shown = [
        student | {"name": label(student["name"]), "page": "" if anonymous else student["page"]}
        for student in students
    ]
    write_atomically(
        out / "class.html",
        _bytes(
            _templates()
            .get_template("class.html")
            .render(
                title=assignment.title,
                assignment=assignment,
                summary=_summary(assignment, points),
                histogram=histogram,
                most=max(1, len(results)),
                tasks=tasks,
                wrong=wrong,
                alike=like if files else None,
                absent=absent,
                students=shown,
            )
        ),
    )
