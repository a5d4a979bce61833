"""Sums and word problems in the words of the story world, graded exactly.

Numbers are written in digits. `difficulty` is how many digits the largest one that is asked for
has. What is held out is a pair of numbers: a pair of the validation split occurs in no question of
the training split, whichever way round, neither added nor taken away.
"""

import re
from collections.abc import Iterator

import numpy as np

from minillm.errors import require
from minillm.text.storyworld_words import NAMES, VARIABLES
from minillm.tuning.examples import SPLITS, Example, one_in, pattern_of

HELD_OUT = 5  # one pair of numbers in so many
DIFFICULTIES = (1, 2, 3)
FRUITS = VARIABLES["fruit"]
# {t} is the sum of {a} and {b}: what is asked for, or what is given where something is taken away.
ADDED = ("What is {a} and {b}?",
         "{hero} picked {a} {fruit} and {friend} picked {b}. How many {fruit} were there?",
         "{hero} had {a} {fruit} and found {b} more. How many {fruit} were there?",
         "There were {a} {fruit} in a basket and {b} on the table. How many {fruit} were there?")
TAKEN = ("What is {t} without {a}?",
         "{hero} had {t} {fruit} and gave {friend} {a}. How many {fruit} were left?",
         "There were {t} {fruit} in a basket, and {hero} took {a}. How many {fruit} were left?")
PATTERNS = [(pattern_of(template), template) for template in ADDED + TAKEN]


def examples(split: str, seed: int = 0, difficulty: int = 2, steps: bool = False
             ) -> Iterator[Example]:
    """The endless examples of a split; with `steps`, the answers say how. Raises UserError for a
    difficulty that does not exist."""
    require(difficulty in DIFFICULTIES, "difficulty", difficulty, "1, 2 or 3 (digits)")
    rng = np.random.default_rng([seed, SPLITS.index(split), difficulty])
    templates = ADDED + TAKEN
    while True:
        a, b = (int(n) for n in rng.integers(0, 10**difficulty, 2))
        hero, friend = rng.choice(NAMES, 2, replace=False)
        template, fruit = templates[rng.integers(len(templates))], FRUITS[rng.integers(len(FRUITS))]
        if is_held_out(a, b) == (split == "validation"):
            question = template.format(a=a, b=b, t=a + b, hero=hero, friend=friend, fruit=fruit)
            kind = "word problem" if "{fruit}" in template else "sum"
            yield Example(question, (with_steps if steps else truth)(question), kind)


def is_held_out(a: int, b: int) -> bool:
    """Does the pair belong to the validation split?"""
    return one_in(HELD_OUT, f"{min(a, b)} {max(a, b)}")


def truth(question: str) -> str | None:
    """The right answer to a question of this grammar, None for any other text."""
    said = parse(question)
    if said is None:
        return None
    a = int(said["a"])
    number = a + int(said["b"]) if "b" in said else int(said["t"]) - a
    return f"{number} {said['fruit']}" if "fruit" in said else str(number)


def with_steps(question: str) -> str | None:
    """The right answer after the columns that lead to it, from the right: "7+5=12 4+2+1=7 72 figs".

    A token of an answer is then a fact about digits or a copy, where `truth` asks for everything at
    once (Nye et al. 2021, arXiv:2112.00114, section 3).
    """
    said = parse(question)
    if said is None:
        return None
    a = int(said["a"])
    columns = _added(a, int(said["b"])) if "b" in said else _taken(int(said["t"]), a)
    return " ".join([*columns, truth(question)])


def _added(a: int, b: int) -> Iterator[str]:
    """The columns of a + b. A carry is a third number."""
    carry = 0
    while True:
        total = a % 10 + b % 10 + carry
        yield f"{a % 10}+{b % 10}{'+1' if carry else ''}={total}"
        a, b, carry = a // 10, b // 10, total // 10
        if not (a or b):
            return


def _taken(t: int, a: int) -> Iterator[str]:
    """The columns of t - a. What is borrowed is taken from the next column; the last one is what is
    left, below 20."""
    while t >= 20:
        column = t % 10 + 10 * (t % 10 < a % 10)
        yield f"{column}-{a % 10}={column - a % 10}"
        t, a = t // 10 - column // 10, a // 10
    yield f"{t}-{a}={t - a}"


def parse(question: str) -> dict | None:
    """The numbers and words of a question of this grammar, by name."""
    matches = (pattern.fullmatch(question) for pattern, _ in PATTERNS)
    return next((match.groupdict() for match in matches if match), None)


def wrong(example: Example, rng: np.random.Generator) -> str:
    """An answer that is near, and wrong: off by 1 to 10."""
    steps, number, rest = re.fullmatch(r"(.* )?(\d+)( \w+)?", example.answer).groups("")
    off = int(rng.integers(1, 11)) * (1 if int(number) < 10 else int(rng.choice([-1, 1])))
    return f"{steps}{int(number) + off}{rest}"


def reward(question: str, answer: str) -> float:
    """1 for exactly the right answer, white space around it aside; 0 for any other."""
    return float(answer.strip() == truth(question))


def reward_of_steps(question: str, answer: str) -> float:
    """1 for an answer that ends with the right one after steps, whichever; 0 for any other."""
    right = truth(question)
    return float(right is not None and answer.split()[-len(right.split()):] == right.split()
                 and "=" in answer)
