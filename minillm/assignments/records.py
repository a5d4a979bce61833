"""What a teacher writes down about students, in CSV files: times, a roster, extensions,
overrides; and what is left of the points after them. Names are the same in any case and any
Unicode form, and an id of the roster is as good.

    times.csv        student, time
    extensions.csv   student, due, grace          one of the two may be empty; grace in minutes
    overrides.csv    student, task, points, note  task: LESSON.TASK, LESSON, or empty for the sum
    groups.csv       group, student               a group's submission counts for each of them
    roster.csv       Canvas' gradebook, Moodle's grading worksheet, or a column student
"""

import contextlib
import unicodedata
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from minillm.assignments.assignment import Assignment, after_lateness, days_late, moment, rounded
from minillm.assignments.tables import read_table
from minillm.errors import UserError

FORMATS = ("%m/%d/%Y %I:%M %p", "%m/%d/%Y %H:%M", "%m/%d/%y %H:%M", "%d.%m.%Y %H:%M")
NAMES = ("student", "name", "full name")
IDS = ("id", "identifier", "sis login id", "sis user id", "id number", "email address", "email",
       "username", "login")


@dataclass(frozen=True)
class Score:
    """`points` are what is left of `earned` after lateness and overrides; `overrides` in words.
    parts: {lesson: n}, tasks: {(lesson, task): n}."""

    earned: float
    points: float
    days: int
    parts: dict
    tasks: dict
    overrides: list


@dataclass
class Records:
    """By the `same_name` of a student. roster: rows by their header in lower case; columns: that
    header as it is in the file.
    """

    times: dict = field(default_factory=dict)
    extensions: dict = field(default_factory=dict)
    overrides: dict = field(default_factory=dict)
    roster: list = field(default_factory=list)
    columns: list = field(default_factory=list)
    groups: dict = field(default_factory=dict)

    def score(self, assignment: Assignment, result: dict) -> Score:
        """The points of a result, with the student's own due time, grace and overrides."""
        name = same_name(result["student"])
        given, tasks, parts = self.overrides.get(name, {}), {}, {}

        def set_or(where, points):
            return given.get(where, (points, ""))[0]

        for part, found in zip(assignment.parts, result["parts"], strict=True):
            own = {}
            for task in found["tasks"]:
                full = part.points.get(task["name"], 0) if task["status"] == "passed" else 0
                own[part.name, task["name"]] = set_or(f"{part.name}.{task['name']}", full)
            tasks |= own
            parts[part.name] = set_or(part.name, rounded(sum(own.values())))
        earned = rounded(sum(parts.values()))
        days = days_late(replace(assignment, **self.extensions.get(name, {})), self.times.get(name))
        notes = [f"{where or 'the sum'}: {n:g}" + f" ({note})" * bool(note)
                 for where, (n, note) in given.items()]
        points = set_or("", after_lateness(assignment, earned, days))
        return Score(earned, points, days, parts, tasks, notes)

    def row_of(self, student: str) -> dict | None:
        """The student's row of the roster, by name or by an id at the end of the name."""
        wanted = {same_name(student), same_name(student).rpartition("_")[2]}
        return next((row for row in self.roster if wanted & _called(row)), None)

    def absent(self, students: list[str]) -> list[str]:
        """Names of the roster without a submission."""
        there = [id(self.row_of(student)) for student in students]
        return [name_of(row) for row in self.roster if id(row) not in there]

    def strangers(self, students: list[str]) -> list[str]:
        """Students who are not in the roster."""
        return [name for name in students if self.roster and self.row_of(name) is None]


def same_name(name: str) -> str:
    """Equal for names that people take for the same: any case, any Unicode form, any spaces."""
    folded = unicodedata.normalize("NFC", str(name)).casefold()
    return " ".join(unicodedata.normalize("NFC", folded).split())


def name_of(row: dict) -> str:
    last = row.get("last name") or row.get("surname", "")
    return next(filter(None, map(row.get, NAMES)), f"{row.get('first name', '')} {last}".strip())


def _called(row: dict) -> set[str]:
    name = name_of(row)
    last, _, first = name.partition(",")
    identifiers = [row[key].removeprefix("Participant ") for key in IDS if row.get(key)]
    forms = (name, f"{first} {last}", f"{last}{first}".replace(" ", ""), *identifiers)
    return {same_name(form) for form in forms} - {""}


def read_records(assignment, students, times=None, roster=None, extensions=None, overrides=None,
                 groups=None, say=print) -> Records:
    """All that was given of the files. Raises UserError; says what fits no student or leaves
    something open.
    """
    records = Records()
    for row in _rows(groups, ("group", "student")):
        records.groups[same_name(row["student"])] = same_name(row["group"])
    if roster:
        records.columns, rows = read_table(roster)
        others = ("", "Points Possible", "Student, Test")
        records.roster = [row for row in rows if name_of(row) not in others]
        if not records.roster:
            raise UserError(f"{roster}: needs a column student, name, full name, or first name "
                            "and last name")
    if times:
        records.times = _times(times, assignment, students, say)
    for row in _about(extensions, ("student",), students, say):
        own = records.extensions.setdefault(same_name(row["student"]), {})
        if row.get("due"):
            what = f"{extensions}: the due time of {row['student']}"
            own["due"] = _time(row["due"], assignment, what)[0]
        if row.get("grace"):
            own["grace"] = _number(row["grace"], f"{extensions}: the grace of {row['student']}")
    known = [part.name for part in assignment.parts]
    known += [f"{part.name}.{task}" for part in assignment.parts for task in part.points]
    for row in _about(overrides, ("student", "points"), students, say):
        where = row.get("task", "")
        if where and where not in known:
            raise UserError(f"{overrides}: the task {where!r} is not one of {', '.join(known)}")
        points = _number(row["points"], f"{overrides}: the points of {row['student']}")
        own = records.overrides.setdefault(same_name(row["student"]), {})
        own[where] = (rounded(points), row.get("note", ""))
    return records


def _times(path, assignment, students, say) -> dict[str, str]:
    """{student: time of handing in}. A time without an offset has that of the due time."""
    times, twice, local = {}, set(), False
    for row in _about(path, ("student", "time"), students, say):
        name = same_name(row["student"])
        twice |= {row["student"]} if name in times else set()
        times[name] = ""
        if row["time"]:
            what = f"{path}: the time of {row['student']}"
            times[name], without_offset = _time(row["time"], assignment, what)
            local |= without_offset
    if lacking := sorted(student for student in students if not times.get(same_name(student))):
        say(f"WARNING: {path}: no time for {', '.join(lacking)}: not counted as late")
    if twice:
        say(f"WARNING: {path}: more than one time for {', '.join(sorted(twice))}: the last one "
            "counts")
    if local and assignment.due:
        say(f"{path}: times without an offset from UTC are taken to have that of the due time, "
            f"{assignment.due}")
    return {name: time for name, time in times.items() if time}


def _time(text: str, assignment: Assignment, what: str) -> tuple[str, bool]:
    """(a time in ISO 8601, had it no offset?). Spreadsheets write the month first; without an
    offset it has that of the due time. Raises UserError.
    """
    text = text.strip().replace("\u202f", " ")
    for read in (datetime.fromisoformat,
                 *(lambda t, form=form: datetime.strptime(t, form) for form in FORMATS)):
        with contextlib.suppress(ValueError):
            time = read(text)
            if time.tzinfo:
                return time.isoformat(), False
            due = moment(assignment.due, "due").tzinfo if assignment.due else UTC
            return time.replace(tzinfo=due).isoformat(), True
    raise UserError(f"{what} is {text!r}: write it as 2026-10-01T23:59+02:00, 2026-10-01 23:59 or "
                    "10/01/2026 11:59 PM")


def _number(text: str, what: str) -> float:
    with contextlib.suppress(ValueError):
        if 0 <= float(text) <= 1e6:
            return float(text)
    raise UserError(f"{what} is {text!r}: it must be a number of at least 0")


def in_groups(handed_in, groups, say) -> list:
    """The submissions with each group's in place of its students' own, for each of them. Raises
    UserError.
    """
    members: dict[str, list] = {}
    for row in _rows(groups, ("group", "student")):
        members.setdefault(same_name(row["group"]), []).append(row["student"])
    own = {same_name(s.student): s for s in handed_in if same_name(s.student) not in members}
    for together in (s for s in handed_in if same_name(s.student) in members):
        note = f"handed in by the group {together.student}"
        for student in members[same_name(together.student)]:
            if same_name(student) in own:
                say(f"WARNING: {groups}: {student} handed in alone too: the group's counts")
            own[same_name(student)] = replace(together, student=student,
                                              notes=[*together.notes, note])
    return [submission for _, submission in sorted(own.items())]


def _rows(path, needed) -> list[dict]:
    """The rows of a file, none without one. Raises UserError where it lacks a column `needed`."""
    columns, rows = read_table(path) if path else ([], [])
    if path and not set(needed) <= {name.strip().lower() for name in columns}:
        raise UserError(f"{path}: needs the columns {' and '.join(needed)}, with commas between; "
                        f"its first line has {', '.join(columns)[:100] or 'none'}")
    return rows


def _about(path, needed, students, say) -> list[dict]:
    """The rows of a file; who is no student is mentioned. Raises UserError."""
    rows, known = _rows(path, needed), set(map(same_name, students))
    if unknown := sorted({r["student"] for r in rows if same_name(r["student"]) not in known}):
        say(f"WARNING: {path}: no submission of {', '.join(unknown)}")
    return rows
