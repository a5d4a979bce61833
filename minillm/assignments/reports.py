"""What a teacher and the students get from results: text and HTML for each student, one table, a histogram, the misconceptions.

    grades/grades.csv             a row for each student
    grades/class.txt, class.html  the table, the histogram, the most common misconceptions; class.html has the teacher's details
    grades/students/NAME.txt, NAME.html      for the student: holds no hidden input and no right answer
"""

import csv
import html
import io
import statistics
from collections import Counter
from datetime import datetime
from pathlib import Path
from urllib.parse import quote, unquote

from minillm.assignments.assignment import Assignment, after_lateness, days_late, moment
from minillm.errors import UserError
from minillm.files import make_folder, write_atomically

WORDS = {"passed": "passed", "failed": "wrong", "error": "error", "todo": "missing", "practice": "practice"}
WHOLE_FILE = ("file", "syntax", "import", "grader")               # kinds that say nothing of a single task
KINDS = {"file": "the file was not handed in, or not under its name", "syntax": "the file is not Python", "import": "reading the file stops with an exception",
         "grader": "could not be graded: look at it by hand", "todo": "not written", "missing": "no such name in the file"}
STYLE = """body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222;background:#fff}
table{border-collapse:collapse;width:100%}td,th{border-bottom:1px solid #bbb;padding:.3rem .6rem;text-align:left;vertical-align:top}
td.n,th.n{text-align:right;white-space:nowrap}summary,h1,p,.notes td:last-child{overflow-wrap:anywhere}
@media(max-width:45rem){td,th{padding:.3rem}.notes tr{display:flex;flex-wrap:wrap;border-bottom:1px solid #bbb}.notes td,.notes th{border:0}
.notes td:first-child:not(.n),.notes th:first-child:not(.n){flex:1}.notes td:first-child{overflow-wrap:anywhere}.notes td:last-child{flex-basis:100%;padding-top:0}.notes td:empty,.notes th:empty{display:none}}
@media(min-width:45rem){.notes td:first-child{white-space:nowrap}.notes td:last-child{width:60%}}
.passed{color:#060}.failed,.error{color:#a00}.todo{color:#666}pre{white-space:pre-wrap;overflow:auto;max-height:15rem}
.bar{background:#456;color:#fff;padding:0 .4rem;min-width:1px;display:inline-block}
@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}.passed{color:#7d7}.failed,.error{color:#f88}.todo{color:#999}td,th{border-color:#555}}"""


def plain(text) -> str:
    """Printable text on one line: nothing in it can steer a terminal or turn the direction of writing."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in str(text).replace("\t", " "))


def cell(value):
    """A value for a spreadsheet: text that begins like a formula is made text again."""
    if not isinstance(value, str):
        return value
    value = plain(value)
    return "'" + value if value.lstrip().startswith(("=", "+", "-", "@", "|", "%")) else value


def final(assignment: Assignment, result: dict, lateness: dict[str, str]) -> tuple[float, int]:
    """(points after lateness, days late)."""
    days = days_late(assignment, lateness.get(result["student"]))
    return after_lateness(assignment, result["earned"], days), days


def read_times(path, assignment: Assignment, students: list[str], say=print) -> dict[str, str]:
    """{student: time of handing in} from a CSV file with a column `student` and a column `time`. A time without an offset has that of `due`.

    Who handed in nothing is mentioned, who has no time, who has several (the last counts), and times without an offset.
    Raises UserError, also where a time is none.
    """
    times, twice, local = {}, [], []
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            columns = [name for name in rows.fieldnames or () if name]
            for row in rows if {"student", "time"} <= set(columns) else ():
                twice += [row["student"]] if row["student"] in times else []
                times[row["student"]] = row["time"]
    except (OSError, ValueError, csv.Error) as error:
        raise UserError(f"{path}: cannot be read as CSV: {error}") from None
    if not {"student", "time"} <= set(columns):
        raise UserError(f"{path}: needs the columns student and time, with commas between; its first line has {plain(', '.join(columns))[:100] or 'none'}")
    for student, time in times.items():
        try:
            if time and datetime.fromisoformat(time.strip()).tzinfo is None and assignment.due:
                times[student] = datetime.fromisoformat(time.strip()).replace(tzinfo=moment(assignment.due, "due").tzinfo).isoformat()
                local.append(student)
        except ValueError:
            moment(time, f"{path}: the time of {plain(student)}")
    if unknown := sorted(times.keys() - set(students)):
        say(f"WARNING: {path}: no submission of {', '.join(map(plain, unknown))}")
    if without := sorted(student for student in students if not times.get(student)):
        say(f"WARNING: {path}: no time for {', '.join(map(plain, without))}: not counted as late")
    if twice:
        say(f"WARNING: {path}: more than one time for {', '.join(map(plain, sorted(set(twice))))}: the last one counts")
    if local:
        say(f"{path}: times without an offset from UTC are taken to have that of the due time, {assignment.due}")
    return times


def write_all(out: Path, assignment: Assignment, results: list[dict], lateness: dict[str, str]) -> list[str]:
    """Every report. The same results give the same bytes. Pages of who is not among the results go; returns their names."""
    from minillm.assignments.classroom import slug
    students = make_folder(Path(out) / "students")
    known = {slug(result["student"]) for result in results}
    gone = sorted({path.stem for path in (Path(out) / "results").glob("*.json")} - known)
    gone = [stem for stem in gone if any((students / f"{stem}{kind}").exists() for kind in (".txt", ".html"))]
    for stem in gone:
        for kind in (".txt", ".html"):
            (students / f"{stem}{kind}").unlink(missing_ok=True)
    for result in results:
        name = slug(result["student"])
        write_atomically(students / f"{name}.txt", student_text(assignment, result, lateness).encode("utf-8", "replace"))
        write_atomically(students / f"{name}.html", student_html(assignment, result, lateness).encode("utf-8", "replace"))
    write_atomically(Path(out) / "grades.csv", table_csv(assignment, results, lateness).encode("utf-8", "replace"))
    write_atomically(Path(out) / "class.txt", class_text(assignment, results, lateness).encode("utf-8", "replace"))
    write_atomically(Path(out) / "class.html", class_html(assignment, results, lateness).encode("utf-8", "replace"))
    return [plain(unquote(stem)) for stem in gone]


# ---- For a student ---------------------------------------------------------------------------------------------------

def score_line(assignment, result, lateness) -> str:
    points, days = final(assignment, result, lateness)
    late = "1 day late" if days == 1 else f"{days} days late"
    if points != result["earned"]:
        late = f"{result['earned']:g}, less {assignment.late:g}% for {'each of ' if days > 1 else ''}{late}"
    return f"{points:g} of {assignment.of:g} points" + (f" ({late})" if days else "")


def task_note(task: dict) -> str:
    """What a student is told about a task."""
    helped = f"(The reference stood in for {', '.join(task['helped'])}, which your file did not have right: only this task was looked at here.) " if task["helped"] and task["status"] != "todo" else ""
    return (helped + (task["message"] if task["status"] != "passed" else "")).strip()


def note_of_all(part: dict) -> str:
    """What is said of every task alike (the file is missing, or is not Python): worth saying once."""
    notes = {(task_note(task), task["detail"]) for task in part["tasks"]}
    return notes.pop()[0] if len(notes) == 1 and len(part["tasks"]) > 1 else ""


def student_text(assignment, result, lateness) -> str:
    lines = [plain(f"{assignment.title}: {result['student']}"), score_line(assignment, result, lateness), ""]
    for part in result["parts"]:
        lines.append(f"{part['name']} {part['title']}: {part['earned']:g} of {part['of']:g}")
        if once := note_of_all(part):
            lines.append(f"            {plain(once)}")
        for task in part["tasks"]:
            lines.append(f"  {WORDS[task['status']]:>8}  {task['name']}  {task['earned']:g} of {task['points']:g}")
            if task_note(task) and not once:
                lines.append(f"            {plain(task_note(task))}")
        lines.append("")
    return "\n".join(lines)


def student_html(assignment, result, lateness) -> str:
    body = [f"<h1>{escape(assignment.title)}</h1><p>{escape(result['student'])}: <strong>{escape(score_line(assignment, result, lateness))}</strong></p>"]
    for part in result["parts"]:
        once = note_of_all(part)
        body.append(f"<h2>{escape(part['name'][:2])} {escape(part['title'])}: {part['earned']:g} of {part['of']:g}</h2>"
                    + (f"<p>{escape(once)}</p>" if once else "") + "<table class=notes>"
                    "<tr><th>task</th><th></th><th class=n>points</th><th></th></tr>")
        for task in part["tasks"]:
            body.append(f"<tr><td>{escape(task['name'])}</td><td class={task['status']}>{WORDS[task['status']]}</td>"
                        f"<td class=n>{task['earned']:g} of {task['points']:g}</td><td>{'' if once else escape(task_note(task))}</td></tr>")
        body.append("</table>")
    return page(f"{assignment.title}: {result['student']}", body)


# ---- For the teacher -------------------------------------------------------------------------------------------------

def table_csv(assignment, results, lateness) -> str:
    """student, points, of, percent, days late, then the points of each lesson and each task."""
    file = io.StringIO()
    table = csv.writer(file, lineterminator="\r\n")
    table.writerow(["student", "points", "of", "percent", "days_late", *(part.name for part in assignment.parts),
                    *(f"{part.name}.{task}" for part in assignment.parts for task in part.points)])
    for result in results:
        points, days = final(assignment, result, lateness)
        table.writerow([cell(result["student"]), f"{points:g}", f"{assignment.of:g}", f"{100 * points / assignment.of:.1f}", days,
                        *(f"{part['earned']:g}" for part in result["parts"]),
                        *(f"{task['earned']:g}" for part in result["parts"] for task in part["tasks"])])
    return file.getvalue()


def histogram(assignment, results, lateness) -> list[tuple[str, int]]:
    """How many students are in each tenth of the points."""
    counts = Counter(min(9, int(10 * final(assignment, result, lateness)[0] / assignment.of + 1e-9)) for result in results)
    return [(f"{10 * i:3d}-{10 * i + 10:3d}%", counts[i]) for i in range(9, -1, -1)]


def misconceptions(results) -> list[tuple[int, str, str, str]]:
    """(students, lesson, hint, what it is), the most common first; then what failed without a hint, by kind."""
    found, texts, tasks = Counter(), {}, {}
    for result in results:
        seen = set()
        for part in result["parts"]:
            for task in part["tasks"]:
                if task["status"] not in ("passed", "practice"):
                    what = task["hint"] or f"({task['kind']})"
                    seen.add((part["name"], what))
                    texts.setdefault((part["name"], what), task["message"] if task["hint"] else KINDS.get(task["kind"], "no known misconception"))
                    if not task["hint"] and task["kind"] not in WHOLE_FILE:
                        tasks.setdefault((part["name"], what), {})[task["name"]] = True
        found.update(seen)
    texts = {where: f"{text}: {', '.join(tasks[where])}" if where in tasks else text for where, text in texts.items()}
    return [(count, lesson, what, texts[lesson, what]) for (lesson, what), count in sorted(found.items(), key=lambda pair: (-pair[1], pair[0]))]


def summary(assignment, results, lateness) -> str:
    points = [final(assignment, result, lateness)[0] for result in results]
    return (f"{len(results)} submissions; mean {statistics.mean(points):.2f}, median {statistics.median(points):g} of {assignment.of:g}; "
            f"{sum(p >= assignment.of for p in points)} with all points")


def class_text(assignment, results, lateness) -> str:
    lines = [plain(assignment.title), summary(assignment, results, lateness), ""]
    lines += [f"{label}  {'#' * count} {count or ''}".rstrip() for label, count in histogram(assignment, results, lateness)]
    lines += ["", "what went wrong, by students:"]
    lines += [f"{count:4d}  {lesson}  {plain(what)}: {plain(text)[:160]}" for count, lesson, what, text in misconceptions(results)]
    return "\n".join(lines) + "\n"


def class_html(assignment, results, lateness) -> str:
    from minillm.assignments.classroom import slug
    body = [f"<h1>{escape(assignment.title)}</h1><p>{escape(summary(assignment, results, lateness))}</p><h2>Points</h2><table>"]
    body += [f"<tr><td class=n>{label}</td><td style='width:80%'><span class=bar style='width:{90 * count / max(1, len(results)):.1f}%'>{count or ''}</span></td></tr>"
             for label, count in histogram(assignment, results, lateness)]
    body.append("</table><h2>What went wrong</h2><table class=notes><tr><th class=n>students</th><th>lesson</th><th>hint</th><th></th></tr>")
    body += [f"<tr><td class=n>{count}</td><td>{escape(lesson)}</td><td>{escape(what)}</td><td>{escape(text)}</td></tr>"
             for count, lesson, what, text in misconceptions(results)]
    body.append("</table><h2>Students</h2>")
    for result in results:
        body.append(f"<details><summary>{escape(result['student'])}: {escape(score_line(assignment, result, lateness))} "
                    f"<a href='students/{html.escape(quote(slug(result['student'])), quote=True)}.html'>report</a></summary><table class=notes>")
        for part in result["parts"]:
            if once := note_of_all(part):
                first = part["tasks"][0]
                body.append(f"<tr><td>{escape(part['name'])}</td><td class={first['status']}>{WORDS[first['status']]}</td><td class=n>{part['earned']:g} of "
                            f"{part['of']:g}</td><td>{escape(once)}{detail(first)}</td></tr>")
            else:
                body += [f"<tr><td>{escape(part['name'])}.{escape(task['name'])}</td><td class={task['status']}>{WORDS[task['status']]}</td>"
                         f"<td class=n>{task['earned']:g} of {task['points']:g}</td><td>{escape(task_note(task))}{detail(task)}</td></tr>" for task in part["tasks"]]
        printed = "".join(f"{part['name']}: {part['tasks'][0]['printed']}\n" for part in result["parts"] if part["tasks"] and part["tasks"][0]["printed"])
        body.append("</table>" + (f"<p>printed:</p><pre>{html.escape(''.join(c if c.isprintable() or c == chr(10) else ascii(c)[1:-1] for c in printed))}</pre>"
                                  if printed else "") + "</details>")
    return page(assignment.title, body)


def detail(task: dict) -> str:
    return f"<br><small>{escape(task['detail'])}</small>" if task["detail"] else ""


def escape(text) -> str:
    return html.escape(plain(text))


def page(title: str, body: list[str]) -> str:
    """An HTML page that loads and runs nothing."""
    return ("<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
            "<meta http-equiv=Content-Security-Policy content=\"default-src 'none'; style-src 'unsafe-inline'\">"
            f"<title>{escape(title)}</title><style>{STYLE}</style>" + "\n".join(body) + "\n")
