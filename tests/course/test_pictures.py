"""Promise: every lesson has a drawing; its words are on its sheet and not on each other, in light
and in dark, and it says in words what it shows.
"""

import re
from inspect import signature
from xml.etree import ElementTree

import pytest

from helpers import ROOT
from minillm.course import pictures
from minillm.course.demos import read_results
from minillm.course.lessons import all_lessons
from minillm.course.pictures.drawing import NARROW

DRAWN = [(lesson.folder, name) for lesson in all_lessons()
         for name in re.findall(r"\{\{ picture (\w+) \}\}", lesson.text)]
WORDS = """
const off = [], on = [];
for (const svg of document.querySelectorAll("svg")) {
  const [, , width, height] = svg.getAttribute("viewBox").split(" ").map(Number);
  const boxes = [...svg.querySelectorAll("text:not([transform])")].map((t) => [t, t.getBBox()]);
  for (const [text, b] of boxes) {
    if (b.x < -1 || b.y < -2 || b.x + b.width > width + 1 || b.y + b.height > height + 2)
      off.push([svg.ariaLabel.slice(0, 40), text.textContent]);
    for (const [other, o] of boxes)
      if (text !== other && b.x < o.x + o.width - 2 && o.x < b.x + b.width - 2 &&
          b.y + 4 < o.y + o.height - 4 && o.y + 4 < b.y + b.height - 4)
        on.push([svg.ariaLabel.slice(0, 40), text.textContent, other.textContent]);
  }
}
return [off, on, document.querySelectorAll("svg").length];
"""


def drawing(folder, name):
    draw = getattr(pictures, name)
    return draw(read_results(folder)) if signature(draw).parameters else draw()


def test_every_lesson_has_a_drawing():
    assert {folder.name for folder, _ in DRAWN} == {lesson.name for lesson in all_lessons()}


@pytest.mark.parametrize("folder, name", DRAWN, ids=[name for _, name in DRAWN])
def test_a_drawing_is_said_in_words_and_fetches_nothing(folder, name):
    made = drawing(folder, name)
    tree = ElementTree.fromstring(made.svg())
    assert len(made.title.split()) >= 12
    assert made.width <= NARROW                                # read on a phone without scrolling
    ids = [part.get("id") for part in tree.iter() if part.get("id")]
    assert len(ids) == len(set(ids))
    used = set(re.findall(r"url\(#([^)]+)\)", made.svg()))
    assert used <= set(ids) and "href" not in made.svg() and "<script" not in made.svg()


def test_words_are_on_the_sheet_and_not_on_each_other(browser, tmp_path):
    css = (ROOT / "minillm" / "course" / "assets" / "content.css").read_text(encoding="utf-8")
    drawn = "".join(drawing(*one).svg() for one in DRAWN)
    file = tmp_path / "drawings.html"
    file.write_text('<!doctype html><meta charset="utf-8"><body style="font-family: sans-serif">'
                    f"<style>{css}</style>{drawn}", encoding="utf-8")
    browser.get(file.as_uri())
    off, on, count = browser.execute_script(WORDS)
    assert count == len(DRAWN) and off == [] and on == []
