"""The story world: one derivation per story, a known entropy, true facts, readable English."""

import itertools
import math
import re
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from minillm.text import storyworld
from minillm.text.ngram import ngram_loss
from minillm.text.storyworld_words import (
    NAMES,
    NUMBERS,
    PLOTS,
    PRONOUN_RATES,
    RULES,
    STEPS,
    VARIABLES,
    WORDS,
)

seeds = st.integers(0, 2**32 - 1)


def words_in(text):
    return re.findall(r"[A-Za-z]+", text)


@pytest.fixture(scope="module")
def many():
    rng = np.random.default_rng(20)
    return [storyworld.sample(rng) for _ in range(3000)]


# ---- the grammar is unambiguous and its probabilities are exact -------------------------------------------

@settings(max_examples=150, deadline=None)
@given(seeds)
def test_a_story_has_one_derivation_with_its_log_probability_and_facts(seed):
    story = storyworld.sample(np.random.default_rng(seed))
    found = list(storyworld.derivations(story.text))
    assert len(found) == 1
    assert found[0].log_probability == pytest.approx(story.log_probability, abs=1e-9)
    assert found[0].facts == story.facts
    assert found[0].text == story.text
    assert storyworld.parse(story.text) == found[0]


@settings(max_examples=50, deadline=None)
@given(seeds, st.data())
def test_what_is_not_a_story_has_no_derivation(seed, data):
    text = storyworld.sample(np.random.default_rng(seed)).text
    cut = data.draw(st.integers(0, len(text) - 1))
    for other in (text[:cut], text + " ", text[:cut] + "#" + text[cut:]):
        assert list(storyworld.derivations(other)) == []
        with pytest.raises(ValueError, match="not a story"):
            storyworld.parse(other)


def test_an_arithmetic_mistake_or_a_changed_name_is_not_a_story(many):
    story = next(story for story in many if story.facts["plot"].value == "share")
    total = story.facts["total"].value
    wrong = "nine" if total != "nine" else "eight"
    assert list(storyworld.derivations(re.sub(rf"\b{total}\b", wrong, story.text))) == []
    last = story.facts["hero"].mentions[-1]
    names = story.facts["hero"].value, story.facts["friend"].value
    other = next(name for name in NAMES if name not in names)
    assert list(storyworld.derivations(story.text[:last.start] + other + story.text[last.end:])) == []


def test_every_sentence_list_and_value_is_told_apart_in_print():
    """What two choices print must differ, or a text would have two derivations."""
    for plot in storyworld.ENGLISH.plots:
        for step in plot.steps:
            assert len({sentence.parts for sentence in step}) == len(step)
            for sentence in step:
                for choices in sentence.words:
                    assert len(set(choices)) == len(choices)
                    assert all(word and not re.search(r"[{}\[\]%]", word) for word in choices)
    for fact, values in storyworld.ENGLISH.forms.items():
        assert len({forms[fact] for forms in values.values()}) == len(values)


def test_every_fact_of_a_plot_is_told_whatever_sentences_are_drawn():
    for plot in storyworld.ENGLISH.plots:
        told = set()
        for step in plot.steps:
            told |= set.intersection(*({part.fact for part in sentence.parts
                                        if isinstance(part, storyworld.Slot)} for sentence in step))
        assert told == set(plot.facts)


def test_every_sentence_and_word_list_is_used():
    paragraphs = [paragraph for _, *paragraphs in PLOTS.values() for paragraph in paragraphs]
    assert set(" ".join(paragraphs).split()) == set(STEPS)
    used = " ".join(STEPS.values())
    assert all(f"[{name}]" in used for name in WORDS)
    assert {fact for plot in storyworld.ENGLISH.plots for fact in plot.facts} == set(VARIABLES)


def test_the_probabilities_of_the_choices_sum_to_one():
    for fact, (parents, tables) in storyworld.ENGLISH.tables.items():
        weight = RULES.get(fact, (None, lambda value: 1))[1]
        for given_values, table in tables.items():
            total = sum(weight(*given_values, value) for value in storyworld.ENGLISH.forms[fact])
            for value in storyworld.ENGLISH.forms[fact]:
                p = weight(*given_values, value) / total
                assert table.count(value) / len(table) == pytest.approx(p, abs=1e-12)


def test_the_exact_entropy_agrees_with_samples_and_with_parsing(many):
    estimate = storyworld.entropy_estimate(np.random.default_rng(1), 4000)
    assert abs(storyworld.entropy() - estimate.nats_per_story) < 4 * estimate.standard_error
    assert 0 < estimate.standard_error < 0.2
    parsed = np.array([-storyworld.parse(story.text).log_probability for story in many[:300]])
    assert abs(storyworld.entropy() - parsed.mean()) < 4 * parsed.std(ddof=1) / math.sqrt(len(parsed))
    n_words = storyworld.mean_length(lambda piece: piece.count(" ") + piece.count("\n\n")) + 1
    lengths = np.array([(len(story.text.split()), len(story.text.encode())) for story in many])
    error = lengths.std(axis=0, ddof=1) / math.sqrt(len(lengths))
    assert np.all(np.abs(lengths.mean(axis=0) - [n_words, storyworld.mean_length()]) < 4 * error)
    assert estimate.nats_per_word == pytest.approx(storyworld.entropy() / n_words, rel=0.01)
    assert estimate.nats_per_byte == pytest.approx(storyworld.entropy() / storyworld.mean_length(), rel=0.01)


def test_the_entropy_is_between_what_was_asked_for(many):
    words = sum(len(story.text.split()) for story in many)
    assert 0.8 < sum(-story.log_probability for story in many) / words < 1.5


# ---- what is planted --------------------------------------------------------------------------------------

def test_mentions_are_where_the_facts_say(many):
    for story in many[:500]:
        for fact, planted in story.facts.items():
            starts = [mention.start for mention in planted.mentions]
            assert starts == sorted(set(starts))
            for mention in planted.mentions:
                form = storyworld.ENGLISH.forms[fact][planted.value][mention.form]
                assert story.text[mention.start:mention.end] == form


def test_the_facts_return(many):
    counts = {fact: np.mean([len(story.facts[fact].mentions) for story in many if fact in story.facts])
              for fact in ("hero", "friend", "thing", "she")}
    assert all(count > 2 for count in counts.values()), counts
    for story in many:          # in every plot something planted comes back at the end of the middle or later
        last = max(mention.start for fact in story.facts.values() for mention in fact.mentions[1:])
        assert last > 0.5 * len(story.text)
    spread = [story.facts["hero"].mentions[-1].start - story.facts["hero"].mentions[0].start for story in many]
    assert np.mean(spread) > 200


def test_pronouns_follow_the_occupation_at_the_planted_rates_and_not_the_name(many):
    rows = [tuple(story.facts[fact].value for fact in ("job", "she", "hero")) for story in many]
    for job, rates in PRONOUN_RATES.items():
        assert sum(rates.values()) == pytest.approx(1)
        here = [pronoun == "she" for other, pronoun, _ in rows if other == job]
        assert abs(np.mean(here) - rates["she"]) < 4 * math.sqrt(rates["she"] * rates["he"] / len(here))
    expected = np.mean([rates["she"] for rates in PRONOUN_RATES.values()])
    for name in NAMES:
        here = [pronoun == "she" for _, pronoun, other in rows if other == name]
        assert abs(np.mean(here) - expected) < 4.5 * math.sqrt(0.25 / len(here))


def test_sums_are_right_and_names_differ(many):
    summed = 0
    for story in many:
        facts = story.facts
        assert facts["hero"].value != facts["friend"].value
        if "total" in facts:
            summed += 1
            left, right, total = (NUMBERS.index(facts[key].value) for key in ("left", "right", "total"))
            assert left + right == total
            sentence = " and ".join(f"{facts[key].value} {facts['fruit'].value}" for key in ("left", "right"))
            assert f"{sentence} make {facts['total'].value}" in story.text
    assert summed > 200


# ---- sampling and splits ----------------------------------------------------------------------------------

@settings(max_examples=10, deadline=None)
@given(seeds)
def test_bulk_generation_is_the_same_stream_as_sample(seed):
    for split in storyworld.SPLITS:
        wanted = list(itertools.islice(storyworld.stories(seed, split), 15))
        rng = np.random.default_rng(seed)
        sampled = (storyworld.sample(rng).text for _ in itertools.count())
        kept = (text for text in sampled if storyworld.split_of(text) == split)
        assert wanted == list(itertools.islice(kept, 15))


def test_splits_are_disjoint_by_construction_and_have_their_shares(many):
    train, validation = (set(storyworld.corpus(5, split, 300_000)) for split in storyworld.SPLITS)
    assert not train & validation
    assert {storyworld.split_of(text) for text in train} == {"train"}
    assert {storyworld.split_of(text) for text in validation} == {"validation"}
    share = np.mean([storyworld.split_of(story.text) == "validation" for story in many])
    assert abs(share - 1 / 8) < 4 * math.sqrt(7 / 64 / len(many))


def test_the_split_does_not_move_the_floor():
    texts = itertools.islice(storyworld.stories(3, "validation"), 400)
    nats = np.array([-storyworld.parse(text).log_probability for text in texts])
    assert abs(nats.mean() - storyworld.entropy()) < 4 * nats.std(ddof=1) / 20


@given(seeds, st.integers(0, 20_000))
@settings(max_examples=20, deadline=None)
def test_a_corpus_is_just_as_long_as_asked_for(seed, n_bytes):
    texts = storyworld.corpus(seed, "train", n_bytes)
    sizes = [len(text.encode()) for text in texts]
    assert sum(sizes) >= n_bytes > sum(sizes[:-1]) if texts else n_bytes == 0
    assert texts == storyworld.corpus(seed, "train", n_bytes)


def test_an_unknown_split_is_refused():
    with pytest.raises(ValueError, match="split"):
        storyworld.corpus(0, "test", 100)


# ---- the language -----------------------------------------------------------------------------------------

def test_lengths_and_variety(many):
    lengths = [len(story.text.split()) for story in many]
    assert 60 <= min(lengths) and max(lengths) <= 250
    assert len({word.lower() for story in many for word in words_in(story.text)}) >= 600
    assert len(NAMES) >= 30 and len(PLOTS) >= 6
    assert len({story.text for story in many}) == len(many)
    assert Counter(story.facts["plot"].value for story in many).keys() == PLOTS.keys()
    assert STEPS["opening"].count("\n- ") >= 4 and STEPS["ending"].count("\n- ") >= 5


def test_print_is_clean(many):
    for story in many:
        text = story.text
        assert text.isascii() and text == text.strip()
        assert not re.search(r"  |\n |[{}\[\]%|]| [,.!?:]|\b(\w+) \1\b", text), text
        assert text.count('"') % 2 == 0 and text.count("\n\n") == 2
        assert all(paragraph[0].isupper() or paragraph[0] == '"' for paragraph in text.split("\n\n"))
        assert text[-1] in '."!?'
        assert all(after[0].isupper() or after[0] == '"' for after in re.split(r"[.!?] ", text)[1:])


def test_articles_fit_the_next_word(many):
    for story in many:
        assert not re.search(r"\b[Aa] [aeiou]|\b[Aa]n [^aeiou]", story.text), story.text


def test_no_slot_opens_a_paragraph_or_a_quotation():
    """A fact always has a space before it, so that a tokenizer sees one token wherever it stands."""
    for plot in storyworld.ENGLISH.plots:
        for sentence in itertools.chain.from_iterable(plot.steps):
            assert not re.search(r'^(\n\n)?\{|"\{', sentence.pattern), sentence.pattern


def test_a_trigram_stays_far_above_the_floor():
    ids = {}

    def documents(split, size):
        return [[ids.setdefault(word, len(ids))
                 for word in re.findall(r"\n\n|[A-Za-z]+|[^\sA-Za-z]", text) + ["end"]]
                for text in storyworld.corpus(1, split, size)]

    train, held_out = documents("train", 1_000_000), documents("validation", 100_000)
    assert ngram_loss(train, held_out, 3, len(ids)) > 1.45 * storyworld.entropy()
