"""Promise: a Python file that the source names is there, under the name that it has now."""

import re

import pytest

from helpers import ROOT

NAME = re.compile(r"(?<![\w./{*-])(?:\w+/)*\w+\.py\b(?![\w/*])")
PACKAGE = ROOT / "minillm"
SOURCES = sorted(path for path in PACKAGE.glob("**/*.py") if path.parent.name != "assignments")
# Files that a process writes for itself, and a lesson's by any name.
MADE = {"the_exercise.py", "lent.py", "name.py", "NN_name/exercise.py"}
BARE = {path.name for folder in (PACKAGE, ROOT / "lessons") for path in folder.glob("**/*.py")}


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_that_are_named_exist(source):
    absent = {name for name in NAME.findall(source.read_text(encoding="utf-8"))
              if name not in MADE | BARE
              and not any((folder / name).is_file() for folder in (ROOT, PACKAGE, source.parent))}
    assert not absent
