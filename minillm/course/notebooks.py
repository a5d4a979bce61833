"""A lesson as a Jupyter notebook, from the same sources: `minillm lesson notebook NN`. Needs jupytext (the extra `notebook`).

The page's blocks of Python become cells; source and tables stay text. The exercise follows as a cell to write in, and a cell that checks it.
"""

import ast
from pathlib import Path

from minillm.course.lessons import Lesson
from minillm.course.pages import lesson_page
from minillm.errors import missing

CHECK = """# Write in the cell above, run it, then run this one.
from minillm.course.notebooks import check_here

check_here("{name}")"""


def write_notebook(lesson: Lesson, folder: Path) -> Path:
    """Write NN_name.ipynb into `folder`, beside an older one of the same name if there is one. Raises UserError."""
    try:
        import jupytext
    except ModuleNotFoundError:
        raise missing("a notebook", "jupytext", "notebook") from None
    text, _ = lesson_page(lesson, "notebook")
    notebook = jupytext.reads(text, fmt="md")
    new = jupytext.reads("```python\n0\n```", fmt="md").cells[0].__class__
    notebook.cells += [cell(new, "markdown", "## Your exercise"), cell(new, "code", exercise(lesson)),
                       cell(new, "code", CHECK.format(name=lesson.name))]
    for i, made in enumerate(notebook.cells):
        made["id"] = f"{lesson.name}-{i}"
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    path = free(folder / f"{lesson.name}.ipynb")
    jupytext.write(notebook, path)
    return path


def cell(new, kind: str, source: str):
    made = new({"cell_type": kind, "metadata": {}, "source": source})
    if kind == "code":
        made |= {"outputs": [], "execution_count": None}
    return made


def exercise(lesson: Lesson) -> str:
    return (lesson.folder / "exercise.py").read_text(encoding="utf-8").rstrip()


def free(path: Path) -> Path:
    """`path`, or the first of path-2, path-3 ... that is not there: what a reader wrote is never overwritten."""
    paths = (path.with_stem(f"{path.stem}-{n}") if n > 1 else path for n in range(1, 1000))
    return next(candidate for candidate in paths if not candidate.exists())


def check_here(name: str, seed: int | None = None) -> None:
    """Check what the notebook's cells have defined so far: they are written to a file and judged as `minillm lesson check` does."""
    import tempfile
    from minillm.course.checking import check
    from minillm.course.lessons import find, show_report
    from IPython import get_ipython
    lesson = find(name)
    cells = [text for text in get_ipython().user_ns["In"] if "check_here" not in text]
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "exercise.py"
        file.write_text("\n\n".join(written(cells, lesson)), encoding="utf-8")
        show_report(check(lesson.folder, file, seed))


def written(cells: list[str], lesson: Lesson) -> list[str]:
    """What the cells define from the first one on that defines something of the exercise: those before are the page's own."""
    asked = set(map(name_of, ast.parse(exercise(lesson)).body)) - {None}
    kept = []
    for text in cells:
        try:
            parts = ast.parse(text).body
        except SyntaxError:                                    # a magic, or what is not Python yet
            continue
        if kept or asked & set(map(name_of, parts)):
            kept += [ast.unparse(part) for part in parts if name_of(part) or isinstance(part, (ast.Import, ast.ImportFrom))]
    return kept


def name_of(part) -> str | None:
    """The name that a statement defines: of a function, a class, or a constant written in capitals."""
    if isinstance(part, ast.Assign):
        return next((target.id for target in part.targets if isinstance(target, ast.Name) and target.id.isupper()), None)
    return getattr(part, "name", None) if isinstance(part, (ast.FunctionDef, ast.ClassDef)) else None
