"""What a teacher writes down about students, in CSV files: times, a roster, extensions,
overrides; and what is left of the points after them. Names are the same in any case and any
Unicode form, and an id of the roster is as good.

    times.csv        student, time
    extensions.csv   student, due, grace          one of the two may be empty; grace in minutes
    overrides.csv    student, task, points, note  task: LESSON.TASK, LESSON, or empty for the sum
    roster.csv       Canvas' gradebook, Moodle's grading worksheet, or a column student
"""

import csv
import dataclasses
import unicodedata
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from minillm.assignments.assignment import Assignment, after_lateness, days_late, moment, rounded
from minillm.errors import UserError

FORMATS = (
    "%m/%d/%Y %I:%M %p",
    "%m/%d/%Y %H:%M",
    "%m/%d/%y %H:%M",
    "%d.%m.%Y %H:%M",
)  # besides ISO 8601
NAMES = ("student", "name", "full name")
IDS = (
    "id",
    "identifier",
    "sis login id",
    "sis user id",
    "id number",
    "email address",
    "email",
    "username",
    "login",
)


@dataclass
class Records:
    """By the `same_name` of a student. roster: rows as they are in the file, with their header in
    `columns`.
    """

    times: dict = field(default_factory=dict)
    extensions: dict = field(default_factory=dict)
    overrides: dict = field(default_factory=dict)
    roster: list = field(default_factory=list)
    columns: list = field(default_factory=list)

    def days(self, assignment: Assignment, student: str) -> int:
        """Days late, with the student's own due time and grace."""
        own = self.extensions.get(same_name(student), {})
        return days_late(dataclasses.replace(assignment, **own), self.times.get(same_name(student)))

    def points(self, assignment: Assignment, result: dict) -> dict:
        """{"earned", "points", "days", "parts": {lesson: n}, "tasks": {(lesson, task): n},
        "overrides": [note]}.
        """
        given = self.overrides.get(same_name(result["student"]), {})
        tasks, parts = {}, {}
        for part, found in zip(assignment.parts, result["parts"]):
            for task in found["tasks"]:
                full = part.points.get(task["name"], 0) if task["status"] == "passed" else 0
                tasks[part.name, task["name"]] = given.get(f"{part.name}.{task['name']}", (full,))[
                    0
                ]
            whole = rounded(sum(n for (lesson, _), n in tasks.items() if lesson == part.name))
            parts[part.name] = given.get(part.name, (whole,))[0]
        earned = rounded(sum(parts.values()))
        days = self.days(assignment, result["student"])
        points = given.get("", (after_lateness(assignment, earned, days),))[0]
        notes = [
            f"{where or 'the sum'}: {n:g}" + (f" ({note})" if note else "")
            for where, (n, note) in given.items()
        ]
        return {
            "earned": earned,
            "points": points,
            "days": days,
            "parts": parts,
            "tasks": tasks,
            "overrides": notes,
        }

    def row_of(self, student: str) -> dict | None:
        """The student's row of the roster, by name or by an id at the end of the name."""
        wanted = {same_name(student), same_name(student).rpartition("_")[2]}
        return next((row for row in self.roster if wanted & _called(row)), None)

    def absent(self, students: list[str]) -> list[str]:
        """Names of the roster without a submission."""
        there = [id(row) for student in students if (row := self.row_of(student)) is not None]
        return [name_of(row) for row in self.roster if id(row) not in there]


def same_name(name: str) -> str:
    """Equal for names that people take for the same: any case, any Unicode form, any spaces."""
    return " ".join(
        unicodedata.normalize("NFC", unicodedata.normalize("NFC", str(name)).casefold()).split()
    )


def name_of(row: dict) -> str:
    lower = {key.strip().lower(): value for key, value in row.items()}
    full = next((lower[key] for key in NAMES if lower.get(key)), "")
    return full or " ".join(
        filter(None, (lower.get("first name"), lower.get("last name") or lower.get("surname")))
    )


def _called(row: dict) -> set[str]:
    lower = {key.strip().lower(): value for key, value in row.items()}
    name = name_of(row)
    last, _, first = name.partition(",")
    forms = {name, f"{first.strip()} {last.strip()}", f"{last}{first}".replace(" ", "")}
    identifiers = {lower[key].removeprefix("Participant ") for key in IDS if lower.get(key)}
    return {same_name(form) for form in forms | identifiers if form.strip()}


def read_records(
    assignment, students, times=None, roster=None, extensions=None, overrides=None, say=print
) -> Records:
    """All that was given of the four files. Raises UserError; says what fits no student or leaves
    something open.
    """
    records = Records()
    if roster:
        records.columns, records.roster = _rows(roster)
        records.roster = [
            row
            for row in records.roster
            if name_of(row).strip() not in ("", "Points Possible", "Student, Test")
        ]
        if not records.roster:
            raise UserError(
                f"{roster}: needs a column student, name, full name, or first name and last name"
            )
    if times:
        records.times = _times(times, assignment, students, say)
    if extensions:
        for row in _table(extensions, ("student",), students, say):
            own = {}
            if due := row.get("due", ""):
                own["due"] = moment(
                    _local(due, assignment, f"{extensions}: the due time of {row['student']}"),
                    "due",
                ).isoformat()
            if grace := row.get("grace", ""):
                own["grace"] = _number(grace, f"{extensions}: the grace of {row['student']}")
            records.extensions[same_name(row["student"])] = own
    if overrides:
        known = {"": assignment.of} | {part.name: part.of for part in assignment.parts}
        known |= {
            f"{part.name}.{task}": n for part in assignment.parts for task, n in part.points.items()
        }
        for row in _table(overrides, ("student", "points"), students, say):
            where = row.get("task", "")
            if where not in known:
                raise UserError(
                    f"{overrides}: the task {where!r} is not one of "
                    f"{', '.join(name for name in known if name)}"
                )
            points = _number(row["points"], f"{overrides}: the points of {row['student']}")
            records.overrides.setdefault(same_name(row["student"]), {})[where] = (
                rounded(points),
                row.get("note", ""),
            )
    return records


def _times(path, assignment, students, say) -> dict[str, str]:
    """{student: time of handing in}. A time without an offset has that of the due time."""
    times, twice, local = {}, [], []
    for row in _table(path, ("student", "time"), students, say):
        name, text = same_name(row["student"]), row["time"]
        twice += [row["student"]] if name in times else []
        times[name] = (
            _local(text, assignment, f"{path}: the time of {row['student']}") if text else ""
        )
        if text and datetime.fromisoformat(times[name]).tzinfo and not _has_offset(text):
            local.append(name)
    if without := sorted(student for student in students if not times.get(same_name(student))):
        say(f"WARNING: {path}: no time for {', '.join(without)}: not counted as late")
    if twice:
        say(
            f"WARNING: {path}: more than one time for {', '.join(sorted(set(twice)))}: the last "
            "one counts"
        )
    if local and assignment.due:
        say(
            f"{path}: times without an offset from UTC are taken to have that of the due time, "
            f"{assignment.due}"
        )
    return {name: time for name, time in times.items() if time}


def _local(text: str, assignment: Assignment, what: str) -> str:
    """A time in ISO 8601 or as spreadsheets write it (month first), with the due time's offset
    where it has none.
    """
    time = None
    for read in (
        datetime.fromisoformat,
        *(lambda t, f=form: datetime.strptime(t, f) for form in FORMATS),
    ):
        try:
            time = time or read(text.strip().replace("\u202f", " "))
        except ValueError:
            pass
    if time is None:
        raise UserError(
            f"{what} is {text!r}: write it as 2026-10-01T23:59+02:00, 2026-10-01 23:59 or "
            "10/01/2026 11:59 PM"
        )
    if time.tzinfo is None:
        time = time.replace(
            tzinfo=moment(assignment.due, "due").tzinfo if assignment.due else UTC
        )
    return time.isoformat()


def _has_offset(text: str) -> bool:
    try:
        return datetime.fromisoformat(text.strip()).tzinfo is not None
    except ValueError:
        return False


def _number(text: str, what: str) -> float:
    try:
        number = float(text)
        if not 0 <= number <= 1e6:
            raise ValueError
        return number
    except ValueError:
        raise UserError(f"{what} is {text!r}: it must be a number of at least 0") from None


def _rows(path) -> tuple[list[str], list[dict]]:
    """(header, rows) of a CSV file. Raises UserError."""
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            columns = [name for name in rows.fieldnames or () if name]
            return columns, [
                {key: (value or "").strip() for key, value in row.items() if key} for row in rows
            ]
    except (OSError, ValueError, csv.Error) as error:
        raise UserError(f"{Path(path)}: cannot be read as CSV: {error}") from None


def _table(path, needed, students, say) -> list[dict]:
    """The rows of a file with these columns; who is no student is mentioned. Raises UserError."""
    columns, rows = _rows(path)
    rows = [{key.strip().lower(): value for key, value in row.items()} for row in rows]
    if not set(needed) <= {name.strip().lower() for name in columns}:
        raise UserError(
            f"{path}: needs the columns {' and '.join(needed)}, with commas between; its first "
            "line has "
            f"{', '.join(columns)[:100] or 'none'}"
        )
    known = {same_name(student) for student in students}
    if unknown := sorted(
        {row["student"] for row in rows if same_name(row["student"]) not in known}
    ):
        say(f"WARNING: {path}: no submission of {', '.join(unknown)}")
    return rows
