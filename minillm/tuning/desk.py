"""A service desk: the facts of a small invented shop, and what customers ask.

The facts are a table, drawn once; a quarter of its cells are empty. A question is one of many
phrasings of (what is asked, about which thing), and its answer is the fact, or "I do not know."
where the cell is empty or the shop does not sell such a thing. Held out are phrasings of facts (one
question in 5) and whole things that the shop does not sell: what a model says of those it cannot
have learned by heart.
"""

from functools import cache

import numpy as np

from minillm.text.storyworld_words import NAMES, NUMBERS, VARIABLES, WORDS
from minillm.tuning.examples import Example, one_in

HELD_OUT = 5  # one question in so many, one strange thing in so many
STRANGE_PHRASINGS = 10  # of a strange thing one phrasing in so many is asked
UNKNOWN = "I do not know."
THINGS = VARIABLES["thing"]
STRANGERS = WORDS["junk"].split("|") + WORDS["clothes"].split("|")
# what is asked: how, how it is answered, and what the shop can say
ASKED = {
    "price": (("How much is the {thing}?", "What does the {thing} cost?",
               "What is the price of the {thing}?", "How many coins is the {thing}?"),
              "The {thing} costs {fact} coins.", NUMBERS[2:]),
    "place": (("Where is the {thing}?", "Where do I find the {thing}?",
               "In which place is the {thing}?", "Can you tell me where the {thing} is?"),
              "The {thing} is {fact}.",
              ["by the window", "on the table", "in the cellar", "behind the door",
               "under the stairs", "in the attic"]),
    "maker": (("Who made the {thing}?", "Whose work is the {thing}?",
               "Who is the maker of the {thing}?", "Can you tell me who made the {thing}?"),
              "{fact} made the {thing}.", NAMES),
    "day": (("When does the next {thing} come?", "On which day does the next {thing} come?",
             "How long must I wait for the next {thing}?", "When will there be another {thing}?"),
            "The next {thing} comes on {fact}.", WORDS["day"].split("|")),
}
OPENINGS = ("", "Hello. ", "Good morning. ", "Please, ")
CLOSINGS = ("", " Thank you.")


@cache
def facts() -> dict[tuple[str, str], str | None]:
    """{(what is asked, thing): the fact, or None where nobody wrote it down}."""
    rng = np.random.default_rng(7)
    table = {}
    for asked, (_, _, values) in ASKED.items():
        empty = set(rng.choice(THINGS, len(THINGS) // 4, replace=False))
        for thing in THINGS:
            fact = values[rng.integers(len(values))]
            table[asked, thing] = None if thing in empty else fact
    return table


@cache
def all_examples() -> dict[str, tuple[Example, bool]]:
    """{question: (its example, whether it is held out)}: everything that can be asked."""
    found = {}
    for asked, (phrasings, answer, _) in ASKED.items():
        for thing in [*THINGS, *STRANGERS]:
            fact = facts().get((asked, thing))
            right = UNKNOWN if fact is None else answer.format(thing=thing, fact=fact)
            kind = "fact" if fact else "unknown" if thing in THINGS else "not sold"
            for opening in OPENINGS:
                for phrasing in phrasings:
                    for closing in CLOSINGS:
                        body = phrasing.format(thing=thing)
                        body = body[0].lower() + body[1:] if opening.endswith(", ") else body
                        question = opening + body + closing
                        if thing in THINGS:
                            held_out = one_in(HELD_OUT, question)
                        elif one_in(STRANGE_PHRASINGS, question):
                            held_out = one_in(HELD_OUT, thing)
                        else:
                            continue
                        found[question] = Example(question, right, kind), held_out
    return found


def examples(split: str, seed: int = 0) -> list[Example]:
    """All examples of a split, in an order that `seed` draws."""
    some = [example for example, out in all_examples().values() if out == (split == "validation")]
    return [some[i] for i in np.random.default_rng([seed, len(some)]).permutation(len(some))]


def wrong(example: Example, rng: np.random.Generator) -> str:
    """An answer that is right to another question."""
    answers = sorted({other.answer for other, _ in all_examples().values()} - {example.answer})
    return answers[rng.integers(len(answers))]


def reward(question: str, answer: str) -> float:
    """1 for exactly the right answer, white space around it aside; 0 for any other."""
    example, _ = all_examples().get(question, (None, False))
    return float(example is not None and answer.strip() == example.answer)
