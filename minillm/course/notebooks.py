"""A lesson as a Jupyter notebook, from the same sources: `minillm lesson notebook NN`. Needs the extra `notebook`.

The page's blocks of Python become cells; source and tables stay text. The exercise follows: a cell for each function,
below it a cell that checks this one, and at the end a cell that checks everything.
"""

import ast
from pathlib import Path

from minillm.course.lessons import Lesson, tasks_of
from minillm.course.pages import lesson_page
from minillm.errors import missing

START = """## Your exercise

Write each function in its cell, run the cell, then run the one below it, which checks it. Whatever you write here stays in
this notebook; `minillm lesson check {number}` checks your file `exercise.py` instead."""
CHECK = """# Run this to check {what}.
from minillm.course.notebooks import check_here

check_here({arguments})"""


def write_notebook(lesson: Lesson, folder: Path) -> Path:
    """Write NN_name.ipynb into `folder`, beside an older one of the same name if there is one. Raises UserError."""
    try:
        import jupytext
    except ModuleNotFoundError:
        raise missing("a notebook", "jupytext", "notebook") from None
    text, _ = lesson_page(lesson, "notebook")
    notebook = jupytext.reads(text, fmt="md")
    new = jupytext.reads("```python\n0\n```", fmt="md").cells[0].__class__
    notebook.cells.append(cell(new, "markdown", START.format(number=int(lesson.number))))
    for name, source in pieces(lesson):
        notebook.cells += [cell(new, "code", source), check_cell(new, lesson, name)]
    notebook.cells.append(check_cell(new, lesson))
    for i, entry in enumerate(notebook.cells):
        entry["id"] = f"{lesson.name}-{i}"
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3",
                                       "language": "python"}
    path = free(folder / f"{lesson.name}.ipynb")
    jupytext.write(notebook, path)
    return path


def check_cell(new, lesson: Lesson, task: str | None = None):
    arguments = f'"{lesson.name}"' + (f', "{task}"' if task else "")
    return cell(new, "code", CHECK.format(what=task or "the whole exercise", arguments=arguments))


def pieces(lesson: Lesson) -> list[tuple[str, str]]:
    """The exercise cut after each task: (name of the task, source up to its end)."""
    source = exercise(lesson)
    lines, tasks, begin, cut = source.splitlines(), dict(tasks_of(lesson)), 0, []
    for part in ast.parse(source).body:
        if name_of(part) in tasks:
            cut.append((name_of(part), "\n".join(lines[begin:part.end_lineno]).strip("\n")))
            begin = part.end_lineno
    after = "\n".join(lines[begin:]).strip("\n")
    if after:  # given functions after the last task belong before it
        name, text = cut[-1]
        cut[-1] = (name, f"{text}\n\n\n{after}")
    return cut


def cell(new, kind: str, source: str):
    new_cell = new({"cell_type": kind, "metadata": {}, "source": source})
    if kind == "code":
        new_cell |= {"outputs": [], "execution_count": None}
    return new_cell


def exercise(lesson: Lesson) -> str:
    return (lesson.folder / "exercise.py").read_text(encoding="utf-8").rstrip()


def free(path: Path) -> Path:
    """`path`, or the first of path-2, path-3 ... that is not there: what a reader wrote is never overwritten."""
    paths = (path.with_stem(f"{path.stem}-{n}") if n > 1 else path for n in range(1, 1000))
    return next(candidate for candidate in paths if not candidate.exists())


def check_here(name: str, task: str | None = None, seed: int | None = None) -> None:
    """Check what the notebook's cells have defined so far, one task or all, as `minillm lesson check` does."""
    import tempfile

    from IPython import get_ipython
    from rich.console import Console

    from minillm.course.checking import check
    from minillm.course.lessons import find, next_step
    from minillm.course.report import show_report, show_task
    lesson = find(name)
    cells = [text for text in get_ipython().user_ns["In"] if "check_here" not in text]
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "exercise.py"
        file.write_text("\n\n".join(written(cells, lesson)), encoding="utf-8")
        report = check(lesson.folder, file, seed)
    if task is None:
        show_report(report)
        if report["points"] == report["of"]:
            print(next_step(lesson))
        return
    result = next(result for result in report["tasks"] if result["name"] == task)
    if result["status"] == "todo":
        result = result | {"message": f"there is no answer yet: write {task} in the cell above, and run that cell first"}
    show_task(result, Console(highlight=False, force_jupyter=False))


def written(cells: list[str], lesson: Lesson) -> list[str]:
    """The exercise's imports, and what cells define from the first one on that defines something of the exercise.

    The cells before are the page's own, and imports of minillm too: the exercise is to be written.
    """
    stub = ast.parse(exercise(lesson)).body
    asked = set(map(name_of, stub)) - {None}
    statements, begun = [ast.unparse(part) for part in stub
                         if isinstance(part, (ast.Import, ast.ImportFrom))], False
    for text in cells:
        try:
            parts = ast.parse(text).body
        except SyntaxError:                                    # a magic, or what is not Python yet
            continue
        begun = begun or bool(asked & set(map(name_of, parts)))
        if begun:
            statements += [ast.unparse(part) for part in parts if name_of(part) or is_import(part)]
    return statements


def is_import(part) -> bool:
    """Is it an import, of something else than minillm?"""
    text = ast.unparse(part) if isinstance(part, (ast.Import, ast.ImportFrom)) else ""
    return bool(text) and "minillm" not in text


def name_of(part) -> str | None:
    """The name that a statement defines: of a function, a class, or a constant written in capitals."""
    if isinstance(part, ast.Assign):
        return next((target.id for target in part.targets if isinstance(target, ast.Name)
                     and target.id.isupper()), None)
    return getattr(part, "name", None) if isinstance(part,
                                                     (ast.FunctionDef, ast.ClassDef)) else None
