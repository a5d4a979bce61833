"""Promise: the figures in README.md and on the benchmarks page are those that the committed scripts measured, what README.md names
exists, and it is short enough to be read."""

import re
import sys

import pytest

from helpers import ROOT

sys.path.insert(0, str(ROOT / "benchmarks"))
import report  # noqa: E402

README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", report.FILES)
def test_the_figures_are_not_stale(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    assert report.written(text, **report.FILES[name]) == text, "run `python benchmarks/report.py`"


def test_every_file_it_names_exists():
    names = re.findall(
        r"`((?:minillm|tests|benchmarks|docs|lessons)/[\w./]*)`|\]\(((?!https?:)[^)#]+)", README)
    assert len(names) > 20
    for code, link in names:
        assert (ROOT / (code or link)).exists(), code or link


def test_it_is_short_and_begins_with_what_a_newcomer_needs():
    assert len(README.splitlines()) <= 130
    order = ["# minillm", "![", "make demo", "make test", "def rmsnorm_backward",
             "lessons/01_tokens", "minillm.load", "benchmarks.md", "## Layout", "## Contributing",
             "license"]
    places = [README.index(word) for word in order]
    assert places == sorted(places)


def test_the_picture_fetches_nothing():
    svg = report.PICTURE.read_text(encoding="utf-8")
    assert svg == report.picture(), "run `python benchmarks/report.py`"
    assert "http" not in svg.replace('xmlns="http://www.w3.org/2000/svg"', "")
