"""The verdicts of `checking.check`, printed for a person."""

import re

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding

WORDS = {"passed": "passed", "todo": "to do", "waits": "waits", "timeout": "too slow"}
COLOURS = {"passed": "green", "failed": "red", "error": "red", "timeout": "red"}


def show_report(report: dict):
    """Print a line for each task, below it the hint."""
    console = Console(highlight=False, force_jupyter=False)
    if report["printed"]:
        console.print("what the file printed:", style="dim")
        console.print(Padding(escape(shortened(report["printed"])), (0, 0, 1, 4)))
    for task in report["tasks"]:
        show_task(task, console)
    console.print(f"\n{report['points']} of {report['of']} points  "
                  f"(--seed {report['seed']} uses the same inputs again)")


def shortened(printed: str, most: int = 10) -> str:
    """The first lines of what an exercise printed; a warning names the line in the reader's
    file."""
    text = re.sub(r"\S*the_exercise\.py:(\d+): *", r"line \1 of your file: ", printed)
    lines = text.rstrip().splitlines()
    more = [f"... and {len(lines) - most} more lines"] if len(lines) > most else []
    return "\n".join([line[:300] for line in lines[:most]] + more)


def show_task(task: dict, console: Console):
    """Print one task: its status and points, what is wrong, and the smallest input that fails
    where no hint explains it."""
    status = task["status"]
    points = f"{task['earned']} of {task['points']}" if task["points"] else "for practice"
    console.print(f"[{COLOURS.get(status, 'default')}]{WORDS.get(status, 'not yet'):>8}[/]  "
                  f"[bold]{task['name']}[/]  {points}")
    if task["message"] and (status != "todo" or "there is no" in task["message"]):
        console.print(Padding(escape(task["message"]), (0, 2, 0, 10)))
    if task.get("example") and task["hint"] is None:
        console.print(Padding(escape(task["example"]), (0, 2, 0, 10)))
