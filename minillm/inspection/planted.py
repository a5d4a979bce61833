"""Ground truth for heads: where a story's token can only be known by looking back, and at what.

A story of the story world mentions each of its facts several times (storyworld.py). A model can
predict the second mention only from the first: from the position before it (the query), attention
must reach an earlier mention (the keys). This is planted, so you can check heads against it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from minillm.text.storyworld import Mention, Story
from minillm.text.tokenizer import Tokenizer

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
    """One planted prediction: `query` = token - 1 must look at `keys` to predict `token`."""

    relation: str
    query: int
    token: int
    keys: tuple[int, ...]


def mention_tokens(mention: Mention, ends_T: np.ndarray) -> range:
    """The positions of a mention's tokens; ends_T: where each token ends, in characters."""
    first = int(np.searchsorted(ends_T, mention.start, "right"))
    return range(first, int(np.searchsorted(ends_T, mention.end, "left")) + 1)


def tokens_and_ends(text: str, tokenizer: Tokenizer,
                    begin: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """(tokens, their ends in the text) of an ASCII text; begin-of-text tokens end at 0."""
    ids = tokenizer.encode(text)
    ends = np.cumsum([0] * len(begin) + [len(tokenizer.decode_bytes([i])) for i in ids])
    return np.array([*begin, *ids], np.int32), ends


def planted(story: Story, tokenizer: Tokenizer,
            begin: Sequence[int] = ()) -> tuple[np.ndarray, list[Planted]]:
    """The story's tokens and all its planted predictions: the mentions that earlier text predicts.

    The first mention of the pronoun has no earlier pronoun; only the occupation predicts it, in
    part.
    """
    tokens_T, ends_T = tokens_and_ends(story.text, tokenizer, begin)
    places = {fact: [mention_tokens(mention, ends_T) for mention in found.mentions]
              for fact, found in story.facts.items()}
    predictions = []
    for relation, (fact, sources) in RELATIONS.items():
        for place in places.get(fact, ()):
            keys = tuple(at for source in sources for earlier in places[source] for at in earlier
                         if at < place[0])
            if keys:
                predictions.append(Planted(relation, place[0] - 1, place[0], keys))
    return tokens_T, predictions
