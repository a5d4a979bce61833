"""Promise: benchmarks/story_faults.py says of a text that is no story why it is none."""

import sys

import numpy as np
import pytest

from helpers import ROOT
from minillm.text import storyworld

sys.path.insert(0, str(ROOT / "benchmarks"))
from story_faults import fault  # noqa: E402

RNG = np.random.default_rng(3)


@pytest.fixture(autouse=True)
def fresh():
    """Each test draws its own stories, whatever ran before it."""
    global RNG
    RNG = np.random.default_rng(3)


def a_story(plot: str):
    return next(story for story in iter(lambda: storyworld.sample(RNG), None)
                if story.facts["plot"].value == plot)


def changed(story, fact: str, mention: int, value: str) -> str:
    """The story with one mention of a fact that says another value."""
    place = story.facts[fact].mentions[mention]
    form = storyworld.ENGLISH.forms[fact][value][place.form]
    return story.text[: place.start] + form + story.text[place.end :]


def test_a_story_has_none():
    assert all(fault(storyworld.sample(RNG).text) is None for _ in range(50))


@pytest.mark.parametrize("fact", ["hero", "friend", "thing", "place", "she"])
def test_a_fact_that_comes_back_as_another(fact):
    for _ in range(5):
        story = a_story("lost")
        if len(story.facts[fact].mentions) < 2:
            continue
        values = [value for value in storyworld.ENGLISH.forms[fact]
                  if value != story.facts[fact].value
                  and value not in (story.facts["hero"].value, story.facts["friend"].value)]
        assert fault(changed(story, fact, -1, values[0])) == f"another {fact}"


def test_a_wrong_sum():
    story = a_story("share")
    wrong = next(value for value in storyworld.ENGLISH.forms["total"]
                 if value != story.facts["total"].value)
    text = story.text
    for mention in reversed(story.facts["total"].mentions):
        text = text[: mention.start] + wrong + text[mention.end :]
    assert fault(text) == "breaks the rule of total"


def test_ends():
    story = a_story("race")
    assert fault(story.text + " Then they slept.") == "goes on after its end"


@pytest.mark.parametrize("plot", ["race", "lost", "share", "promise"])
def test_a_story_that_is_cut_ends_too_early(plot):
    for _ in range(5):
        text = a_story(plot).text
        for cut in RNG.integers(1, len(text), 5):
            assert fault(text[:cut]) == "ends too early", text[:cut]


def test_sentences_in_another_order():
    story = a_story("promise")
    first, second, third = story.text.split("\n\n")
    assert fault("\n\n".join([first, third, second])) == "a sentence of another step"
