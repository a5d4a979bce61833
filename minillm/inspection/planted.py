"""Ground truth for heads: where in a story of the story world a token can only be known by looking back, and at what.

A story mentions each of its facts again and again (storyworld.py). Whoever writes the second mention can know it from the first:
from the position before it (the query), attention must reach an earlier mention (the keys). That is planted, so it can be checked.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from minillm.storyworld import Mention, Story
from minillm.tokenizer import Tokenizer

# relation -> (the fact whose next mention is to be known, the facts whose earlier mentions tell it)
RELATIONS = {
    "the hero's name comes back": ("hero", ("hero",)),
    "the friend's name comes back": ("friend", ("friend",)),
    "the object comes back": ("thing", ("thing",)),
    "the pronoun agrees with earlier pronouns": ("she", ("she",)),
    "the pronoun looks at the hero's name": ("she", ("hero",)),
    "the pronoun looks at the occupation": ("she", ("job",)),
    "the place comes back": ("place", ("place",)),
}


@dataclass(frozen=True)
class Planted:
    """One planted prediction: the token at `token` is to be known from `query` = token - 1, by looking at `keys`."""

    relation: str
    query: int
    token: int
    keys: tuple[int, ...]


def mention_tokens(mention: Mention, ends_T: np.ndarray) -> range:
    """The positions of the tokens that hold a mention; ends_T: where each token ends in the text, in characters."""
    first = int(np.searchsorted(ends_T, mention.start, "right"))
    return range(first, int(np.searchsorted(ends_T, mention.end, "left")) + 1)


def tokens_and_ends(text: str, tokenizer: Tokenizer, begin: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """(tokens, where each ends in the text) of an ASCII text after its begin-of-text tokens, which end at 0."""
    ids = tokenizer.encode(text)
    ends = np.cumsum([0] * len(begin) + [len(tokenizer.decode_bytes([i])) for i in ids])
    return np.array([*begin, *ids], np.int32), ends


def planted(
    story: Story, tokenizer: Tokenizer, begin: Sequence[int] = ()
) -> tuple[np.ndarray, list[Planted]]:
    """The story's tokens, and every planted prediction in it: all mentions of a fact but those that
    nothing foretells.

    The pronoun's first mention has no earlier pronoun; it can be foretold (in part) from the
    occupation alone.
    """
    tokens_T, ends_T = tokens_and_ends(story.text, tokenizer, begin)
    places = {
        fact: [mention_tokens(mention, ends_T) for mention in found.mentions]
        for fact, found in story.facts.items()
    }
    predictions = []
    for relation, (fact, sources) in RELATIONS.items():
        for place in places.get(fact, ()):
            keys = tuple(
                at
                for source in sources
                for earlier in places[source]
                for at in earlier
                if at < place[0]
            )
            if keys:
                predictions.append(Planted(relation, place[0] - 1, place[0], keys))
    return tokens_T, predictions
