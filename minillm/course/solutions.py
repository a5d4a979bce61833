"""After the exercise: `minillm lesson solution NN`, and the reader's functions beside those of the
package.

A lesson's discussion.md says in a few sentences what the package does differently. Its front
matter names, for a task, the function of the package that does the same: [package] softmax =
"minillm.in_numpy.ops.softmax".
"""

import ast
import tomllib
from dataclasses import dataclass
from pathlib import Path

from minillm.course.lessons import FRONT, Lesson
from minillm.course.source import source_of
from minillm.errors import UserError

WIDTH = 80


@dataclass(frozen=True)
class Discussion:
    """`package`: {task: dotted name of the package's function}; `text`: paragraphs."""

    package: dict
    text: str


def read_discussion(lesson: Lesson) -> Discussion:
    """What discussion.md of the lesson says. Raises UserError."""
    path = lesson.folder / "discussion.md"
    try:
        text = path.read_text(encoding="utf-8")
        front = FRONT.match(text)
        return Discussion(tomllib.loads(front[1])["package"], text[front.end() :].strip())
    except (OSError, TypeError, KeyError, ValueError) as error:
        raise UserError(
            f"{path}: needs front matter with a table [package], then the discussion ({error})"
        ) from None


def code_lines(source: str) -> int:
    """Lines of code: without blank lines, comments, and docstrings."""
    tree = ast.parse(source)
    lines = {n for n, line in enumerate(source.splitlines(), 1) if line.strip()
             and not line.lstrip().startswith("#")}
    for node in ast.walk(tree):
        if (isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.Module))
            and ast.get_docstring(node) is not None):
            text = node.body[0]
            lines -= set(range(text.lineno, text.end_lineno + 1))
    return len(lines)


def lengths(file: Path) -> dict[str, int]:
    """Lines of code of each function and class that a file defines."""
    try:
        source = file.read_bytes().decode("utf-8", "replace")
        return {node.name: code_lines(ast.get_source_segment(source, node))
                for node in ast.parse(source).body
                if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
    except (OSError, SyntaxError, ValueError):
        return {}


def comparison(lesson: Lesson, file: Path) -> list[str]:
    """A line for each task that the package has too: the reader's lines of code, and where the
    package's are."""
    package, own = read_discussion(lesson).package, lengths(file)
    rows = [(task, own[task], *source_of(name)) for task, name in package.items() if task in own]
    width = max((len(task) for task, *_ in rows), default=0)
    return [f"{task:{width}}  {lines:>3}   {code_lines(source):>3}  {file}:{line}"
            for task, lines, file, line, source in rows]


def show_solution(lesson: Lesson, console) -> None:
    """Print solution.py and the discussion, at most WIDTH columns wide where the code allows it."""
    from rich.markdown import Markdown
    from rich.syntax import Syntax

    discussion = read_discussion(lesson)
    source = (lesson.folder / "solution.py").read_text(encoding="utf-8").rstrip()
    console.print(
        Syntax(source, "python", theme="ansi_dark", background_color="default", word_wrap=True))
    console.print()
    console.print(Markdown(discussion.text))
    console.print("\nIn the package:")
    width = max(map(len, discussion.package))
    for task, name in discussion.package.items():
        file, line, _ = source_of(name)
        console.print(f"  {task:{width}}  {file}:{line}", soft_wrap=True)
