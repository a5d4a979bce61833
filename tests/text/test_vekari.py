"""The story world in Vekari: one derivation a text, an exact floor, harmony, agreement."""

import math
import re

import numpy as np
import pytest

from minillm.text import storyworld
from minillm.text.corpora import read_corpus
from minillm.text.storyworld import VEKARI
from minillm.text.storyworld_vekari import GEORGIAN, LATIN, georgian, suffixed

TO_LATIN = str.maketrans(GEORGIAN, LATIN)


@pytest.fixture(scope="module")
def many():
    rng = np.random.default_rng(3)
    return [storyworld.sample(rng, VEKARI) for _ in range(2000)]


def test_no_story_has_two_derivations(many):
    for story in many:
        found = list(storyworld.derivations(story.text, VEKARI))
        assert len(found) == 1
        assert found[0].text == story.text
        assert found[0].log_probability == pytest.approx(story.log_probability, rel=1e-12)
        assert found[0].facts == story.facts


def test_no_value_of_a_list_begins_another():
    """What keeps derivations apart: no sentence can be read as another, whatever is drawn."""
    for plot in VEKARI.plots:
        for step in plot.steps:
            assert len({sentence.pattern for sentence in step}) == len(step)
            for sentence in step:
                for words in sentence.words:
                    assert len(set(words)) == len(words)
    for values in VEKARI.forms.values():
        forms = [form for fact in values.values() for name, form in fact.items()
                 if not name.endswith("_sign")]
        assert len(set(forms)) == len(forms)


def test_the_floor_is_the_mean_of_what_stories_cost():
    estimate = storyworld.entropy_estimate(np.random.default_rng(5), 20_000, VEKARI)
    assert abs(storyworld.entropy(VEKARI) - estimate.nats_per_story) < 4 * estimate.standard_error
    assert estimate.nats_per_word == pytest.approx(
        storyworld.entropy(VEKARI) / storyworld.mean_words(VEKARI), rel=0.01)
    assert estimate.nats_per_byte == pytest.approx(
        storyworld.entropy(VEKARI) / storyworld.mean_length(world=VEKARI), rel=0.01)


def test_other_texts_are_no_stories(many):
    english = storyworld.sample(np.random.default_rng(0)).text
    assert not list(storyworld.derivations(english, VEKARI))
    for story in many[:50]:
        assert not list(storyworld.derivations(story.text))
        assert not list(storyworld.derivations(story.text + " ", VEKARI))
        with pytest.raises(ValueError, match="0 derivations"):
            storyworld.parse(story.text[:-1], VEKARI)


def test_all_words_are_in_georgian_letters(many):
    assert set("".join(story.text for story in many)) <= set(GEORGIAN) | set(' \n.,:;!?"')
    assert georgian("ba {hero_in} [ba]") == "ბა {hero_in} [ba]"


@pytest.mark.parametrize("stem, suffix, word", [
    ("mako", "an", "makon"), ("tel", "an", "telen"), ("gudor", "ra", "gudorra"),
    ("sofe", "lam", "sofelem"), ("vel", "su", "velsi"), ("tova", "an", "tovan")])
def test_suffixes_follow_the_vowels(stem, suffix, word):
    assert suffixed(stem, suffix) == word


def test_adjectives_and_verbs_agree(many):
    """The same root stands after the sign of the story's thing, whatever the thing is."""
    seen = set()
    for story in many:
        if "thing" not in story.facts:
            continue
        thing = story.facts["thing"]
        sign = VEKARI.forms["thing"][thing.value]["thing_sign"]
        marks = {story.text[m.start:m.end] for m in thing.mentions if m.form == "thing_sign"}
        assert marks == {sign}
        verbs = re.findall(r" (..)(?:vanedu|tamodu|virim)\b", story.text.translate(TO_LATIN))
        assert set(verbs) <= {sign.translate(TO_LATIN)}
        seen |= set(verbs)
    assert seen == {"ki", "mo", "sa", "tu"}


def test_it_is_a_corpus_with_its_floor():
    corpus = read_corpus("storyworld-vekari", megabytes=0.1)
    assert set(corpus.train).isdisjoint(corpus.validation)
    assert corpus.floor_nats == [-storyworld.parse(text, VEKARI).log_probability
                                 for text in corpus.validation]
    assert math.isclose(np.mean(corpus.floor_nats), storyworld.entropy(VEKARI), rel_tol=0.2)
