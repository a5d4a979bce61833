"""Assignments for a class: `minillm assignment ACTION`; what they do is in minillm/assignments/."""

from minillm.cli.options import add_json
from minillm.cli.parsing import add_command


def add_commands(commands):
    """Add the command of this file."""
    command = add_command(commands, "assignment", None,
                          "assignments: hand lessons out to a class, check yourself, grade safely",
                          "minillm assignment new --lessons 03,05 --out hw1\n"
                          "  minillm assignment grade SUBMISSIONS --key hw1/key --out grades")
    actions = command.add_subparsers(required=True, metavar="new|check|submit|grade|gradescope")
    add_new(actions)
    add_check(actions)
    add_submit(actions)
    add_grade(actions)
    add_gradescope(actions)


def add_new(actions):
    action = add_command(
        actions, "new", new, "make a handout for students and a key for the teacher",
        "minillm assignment new --lessons 03,05 --out hw1 --due 2026-10-01T23:59+02:00")
    action.add_argument("--lessons", required=True, metavar="LIST",
                        help="numbers or names, with commas between")
    action.add_argument("--out", required=True, metavar="DIR",
                        help="a new folder, for handout/ and key/")
    action.add_argument("--points", metavar="LIST",
                        help="LESSON=N shares N points among a lesson's tasks, LESSON.TASK=N gives "
                        "a task N (default: the lesson's)")
    action.add_argument("--seed-per-student", action="store_true", dest="per_student",
                        help="each student's hidden inputs are their own, made from the key and "
                        "the name")
    action.add_argument("--due", metavar="TIME",
                        help="as 2026-10-01T23:59+02:00; without an offset it is UTC")
    action.add_argument("--late", type=float, default=0.0, metavar="N",
                        help="percent of the points that each day begun after that costs")
    action.add_argument("--title", metavar="TEXT", help="of the assignment (default: its lessons)")
    action.add_argument("--install", metavar="SPEC",
                        help="what pip installs for students (default: a wheel of this minillm, "
                        "put into the handout)")
    action.add_argument("--seconds", type=float, default=10.0, metavar="N",
                        help="time limit of a task (three times that where a lesson needs JAX)")
    action.add_argument("--memory", type=int, default=1024, metavar="N",
                        help="memory limit in MB (at least 3072 where a lesson needs JAX)")
    add_sandbox(action)


def add_sandbox(action):
    """How submissions are kept apart."""
    action.add_argument("--sandbox", choices=("auto", "bubblewrap", "chroot", "none"),
                        default="auto", dest="way",
                        help="where submissions run: auto is bubblewrap, and refuses where that "
                        "does not work; chroot has the same walls, and is for root in a container; "
                        "none protects against nothing")


def of(options, *names) -> dict:
    """{name: value} of these options."""
    return {name: getattr(options, name) for name in names}


def new(options):
    from minillm.assignments.making import make

    make(**of(options, "lessons", "out", "points", "per_student", "due", "late", "title",
              "seconds", "memory", "way", "install"))


def add_check(actions):
    action = add_command(
        actions, "check", check, "check your work by the public checks; hidden ones decide the "
        "grade", "minillm assignment check")
    action.add_argument("folder", nargs="?", default=".", metavar="DIR", help="the handout")
    action.add_argument("--only", metavar="LESSON[.TASK]",
                        help="check this file alone; with a task, only that one decides the exit "
                        "status")
    action.add_argument("--seed", type=int, metavar="N",
                        help="of the random inputs (default: new ones each time)")
    add_json(action)
    action.add_argument("--classroom50", metavar="FILE",
                        help="also write the result that Classroom 50 reads")


def check(options) -> int:
    from minillm.assignments import student

    return student.check(options.folder, options.only, options.seed, options.json,
                         options.classroom50)


def add_submit(actions):
    action = add_command(
        actions, "submit", submit, "make the archive to hand in: the named files, nothing else",
        "minillm assignment submit --name ada")
    action.add_argument("folder", nargs="?", default=".", metavar="DIR", help="the handout")
    action.add_argument("--name", required=True, help="yours: the archive's name")
    action.add_argument("--out", metavar="FILE",
                        help="the archive (default: NAME.zip in the handout)")


def submit(options):
    from minillm.assignments import student

    student.submit(options.folder, options.name, options.out)


def add_grade(actions):
    action = add_command(
        actions, "grade", grade, "grade a folder of submissions, each in a sandbox; go on after an "
        "interruption", "minillm assignment grade SUBMISSIONS --key hw1/key --out grades")
    action.add_argument("submissions", metavar="DIR",
                        help="a folder or a .zip for each student, or a platform's download, as a "
                        "folder or a .zip")
    action.add_argument("--key", required=True, metavar="DIR", help="the key")
    action.add_argument("--out", required=True, metavar="DIR",
                        help="for grades.csv, class.html, students/ and results/")
    action.add_argument("--jobs", type=int, metavar="N",
                        help="submissions at a time (default: as many as cores)")
    for option, text in (
            ("--times", "the columns student and time: when each was handed in, for --late"),
            ("--extensions", "the columns student, due, grace: due times of their own, minutes of "
             "grace"),
            ("--overrides", "the columns student, task, points, note: points that you set"),
            ("--groups", "the columns group and student: whose submission counts for whom"),
            ("--roster", "the class, as Canvas or Moodle export it: who is absent, and ids for "
             "--lms")):
        action.add_argument(option, metavar="FILE", help=f"CSV: {text}")
    action.add_argument("--lms", choices=("canvas", "moodle"),
                        help="also write the table that the platform imports (needs --roster)")
    action.add_argument("--only", metavar="NAME", help="grade this student again, and nobody else")
    action.add_argument("--anonymous", action="store_true",
                        help="no names in class.html and class.txt")
    action.add_argument("--names", action="store_true",
                        help="only show which files are whose, and grade nothing")
    add_sandbox(action)


def grade(options):
    from minillm.assignments import classroom

    classroom.grade(**of(options, "submissions", "key", "out", "way", "jobs", "times", "roster",
                         "extensions", "overrides", "groups", "lms", "only", "anonymous", "names"))
    if not options.names:
        print(f"{options.out}: grades.csv, class.html for you, students/ for them")


def add_gradescope(actions):
    action = add_command(
        actions, "gradescope", gradescope, "write Gradescope's autograder archive, and workflows "
        "for GitHub and Classroom 50", "minillm assignment gradescope hw1")
    action.add_argument("folder", metavar="DIR", help="what minillm assignment new made")
    action.add_argument("--visibility", default="visible",
                        choices=("visible", "after_due_date", "after_published", "hidden"),
                        help="when students see each task's result")
    action.add_argument("--leaderboard", action="store_true",
                        help="show the points on a leaderboard")
    action.add_argument("--install", metavar="SPEC",
                        help="what pip installs in the workflows for GitHub and Classroom 50 "
                        "(default: as the handout)")


def gradescope(options):
    from minillm.assignments.gradescope import write

    write(options.folder, options.visibility, options.leaderboard, options.install)
