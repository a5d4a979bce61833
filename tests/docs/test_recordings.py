"""Promise: a recording of the terminal in the docs is what the command prints now, and fetches nothing."""

import html
import re
import runpy
from xml.etree import ElementTree

import pytest

from helpers import ROOT

RECORDINGS = sorted((ROOT / "docs" / "assets" / "recordings").glob("*.svg"))
made = runpy.run_path(str(ROOT / "docs" / "recordings.py"))


def said(svg: str) -> str:
    return html.unescape(re.search("<title>(.*?)</title>", svg, re.DOTALL)[1])


@pytest.mark.parametrize("printed, shown", [
    ("a\nb", "a\nb"),
    ("1%\r\x1b[2K2%\r\x1b[2Kdone\nnext", "done\nnext"),
    ("one\nbar 1\r\x1b[2K\x1b[1A\x1b[2Kone more\nbar 2", "one more\nbar 2"),
    ("bar\r\nnext", "bar\nnext"),
    ("\x1b[?25lx\x1b[?25h", "x"),
])
def test_the_screen_is_what_stands_there_in_the_end(printed, shown):
    assert made["screen"](printed) == shown


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
def test_a_recording_is_a_picture_with_its_words(path):
    svg = path.read_text(encoding="utf-8")
    ElementTree.fromstring(svg)
    assert path.stem in made["SCENES"] and said(svg).startswith("$ minillm ")
    assert not re.search(r"url\((?!#)|@import|<script|href=", svg)
    assert max(map(len, said(svg).splitlines())) <= made["COLUMNS"]


def test_what_is_recorded_is_what_is_printed_now():
    path = ROOT / "docs" / "assets" / "recordings" / "check.svg"
    assert said(made["recording"]("check")) == said(path.read_text(encoding="utf-8"))
