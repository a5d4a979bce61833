"""Promise: the figures in README.md are those that the committed scripts measured, and what it names exists."""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))


def test_the_figures_are_not_stale():
    from report import with_figures
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert with_figures(text) == text, "run `python benchmarks/report.py`"


def test_every_file_it_names_exists():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for name in re.findall(r"`((?:minillm|tests|benchmarks|docs)/[\w./]*)`", text):
        assert (ROOT / name).exists(), name
