"""Promise: planted positions hold what they say: the token to be known begins a mention, and its keys hold earlier ones."""

import json

import numpy as np

from helpers import ROOT
from minillm.course.demos import rounded
from minillm.inspection.planted import RELATIONS, mention_tokens, planted, tokens_and_ends
from minillm.text import storyworld, tokenizer


def test_positions_hold_the_mentions():
    made = tokenizer.train(list(storyworld.corpus(0, "train", 60_000)), 900)
    rng, seen = np.random.default_rng(1), set()
    for _ in range(60):
        story = storyworld.sample(rng)
        tokens_T, predictions = planted(story, made, (0,))
        assert made.decode(tokens_T[1:]) == story.text and tokens_T[0] == 0
        _, ends_T = tokens_and_ends(story.text, made, (0,))
        holders = {}  # fact -> for each mention the positions that hold it
        for fact, found in story.facts.items():
            for mention in found.mentions:
                place = mention_tokens(mention, ends_T)
                text = made.decode(tokens_T[place.start : place.stop])
                assert (
                    story.text[mention.start : mention.end] in text
                    and len(text.strip()) <= mention.end - mention.start + 1
                )
                holders.setdefault(fact, []).append(place)
        for each in predictions:
            fact, sources = RELATIONS[each.relation]
            assert each.query == each.token - 1 >= max(each.keys)
            assert each.token in [place.start for place in holders[fact]]
            assert set(each.keys) <= {
                at for source in sources for place in holders[source] for at in place
            }
            seen.add(each.relation)
        returns = [each for each in predictions if each.relation == "the hero's name comes back"]
        assert len(returns) == len(holders["hero"]) - 1  # all but the first mention
        assert all(tokens_T[returns[0].keys[0]] == tokens_T[each.token] for each in returns)
    assert seen == set(RELATIONS)


def test_the_lesson_shows_the_committed_benchmark():
    """lessons/15_inside/planted.json is what benchmarks/planted_heads.py measured, and the lesson's results.json was made from both recorded files."""
    lesson, benchmark = (
        json.loads(path.read_text(encoding="utf-8"))
        for path in (
            ROOT / "lessons" / "15_inside" / "planted.json",
            ROOT / "benchmarks" / "results" / "planted_heads.json",
        )
    )
    assert lesson == benchmark
    results = json.loads(
        (ROOT / "lessons" / "15_inside" / "results.json").read_text(encoding="utf-8")
    )
    assert results["exact"]["real"] == rounded(
        json.loads(
            (ROOT / "lessons" / "15_inside" / "real_checkpoint.json").read_text(encoding="utf-8")
        )
    )
    assert [row["relation"] for row in results["exact"]["planted"]["rows"]] == list(
        lesson["relations"]
    )
