"""CSV files: what teachers and platforms wrote, and the tables that go back to them."""

import csv
import io
from pathlib import Path

from minillm.assignments.assignment import Assignment
from minillm.errors import UserError

IMPORTED = {                                                # columns that a platform wants back
    "canvas": ("student", "id", "sis user id", "sis login id", "section"),
    "moodle": ("identifier", "full name", "first name", "last name", "surname", "id number",
               "email address", "username")}


def read_table(path) -> tuple[list[str], list[dict]]:
    """(header, rows by that header in lower case) of a CSV file. Raises UserError."""
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            return ([name for name in rows.fieldnames or () if name],
                    [{key.strip().lower(): (value or "").strip()
                      for key, value in row.items() if key} for row in rows])
    except (OSError, ValueError, csv.Error) as error:
        raise UserError(f"{Path(path)}: cannot be read as CSV: {error}") from None


def table(rows) -> bytes:
    """A CSV file that spreadsheets read as UTF-8: text that begins like a formula is made text."""
    file = io.StringIO()
    csv.writer(file, lineterminator="\r\n").writerows([cell(v) for v in row] for row in rows)
    return file.getvalue().encode("utf-8-sig", "replace")


def cell(value):
    if not isinstance(value, str):
        return value
    value = one_line(value)
    return "'" + value if value.lstrip().startswith(tuple("=+-@|%")) else value


def grades(assignment: Assignment, scores: dict, records) -> bytes:
    """grades.csv of {student: Score}: student, points, of, percent, days late, then the points of
    each lesson and each task; then who is absent.
    """
    of = f"{assignment.of:g}"
    rows = [["student", "points", "of", "percent", "days_late",
             *(part.name for part in assignment.parts),
             *(f"{part.name}.{task}" for part in assignment.parts for task in part.points)]]
    for name, score in scores.items():
        rows.append([name, f"{score.points:g}", of, f"{100 * score.points / assignment.of:.1f}",
                     score.days, *(f"{n:g}" for n in score.parts.values()),
                     *(f"{n:g}" for n in score.tasks.values())])
    empty = [""] * (len(rows[0]) - 5)
    return table(rows + [[name, "0", of, "0.0", 0, *empty] for name in records.absent(scores)])


def for_platform(assignment: Assignment, scores: dict, records, lms: str) -> bytes:
    """The rows of the platform's own roster with a column for this assignment, as it imports
    them.
    """
    points = {id(records.row_of(name)): score.points for name, score in scores.items()}
    keep = [name for name in records.columns if name.strip().lower() in IMPORTED[lms]]
    rows = [[*keep, assignment.title if lms == "canvas" else "Grade"]]
    if lms == "canvas":
        rows.append(["    Points Possible", *[""] * (len(keep) - 1), f"{assignment.of:g}"])
    return table(rows + [[*(row[name.strip().lower()] for name in keep),
                          f"{points.get(id(row), 0):g}"] for row in records.roster])


def plain(text) -> str:
    """Printable text: nothing in it can steer a terminal or turn the direction of writing. Line
    ends stay.
    """
    return "".join(c if c.isprintable() or c == "\n" else ascii(c)[1:-1]
                   for c in str(text).replace("\t", " "))


def one_line(text) -> str:
    return plain(str(text).replace("\n", "\\n"))
