"""The built-in tasks by name: their examples in two splits, and how an answer is graded."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import islice

import numpy as np

from minillm.errors import UserError, printable
from minillm.tuning import desk, sums
from minillm.tuning.conversations import Conversation
from minillm.tuning.examples import Example

EXAMPLES = 20_000  # of an endless task, to learn from


@dataclass(frozen=True)
class Task:
    """`examples(split, seed)`: an iterable, perhaps endless; `reward(question, answer)`: 0 to 1;
    `wrong(example, rng)`: an answer that is not right."""

    name: str
    about: str
    examples: Callable
    reward: Callable[[str, str], float]
    wrong: Callable[[Example, np.random.Generator], str]

    def some(self, split: str, count: int, seed: int = 0) -> list[Example]:
        """The first `count` different examples of a split, or as many as there are."""
        seen = {}
        for example in islice(self.examples(split, seed), 4 * count):
            seen.setdefault(example.question, example)
            if len(seen) == count:
                break
        return list(seen.values())


    def conversations(self, split: str, count: int, seed: int = 0) -> list[Conversation]:
        """`some` examples as conversations."""
        return [Conversation(example.messages, f"{self.name}: {split} example {i}")
                for i, example in enumerate(self.some(split, count, seed), 1)]


TASKS = ("sums", "steps", "desk")


def task_of(name: str, difficulty: int = 2) -> Task:
    """The task of this name. Raises UserError."""
    if name == "sums":
        return Task(name, f"sums of numbers of up to {difficulty} digits, pairs held out",
                    partial(sums.examples, difficulty=difficulty), sums.reward,
                    sums.wrong)
    if name == "steps":
        return Task(name, f"the same sums of up to {difficulty} digits, answered column by column",
                    partial(sums.examples, difficulty=difficulty, steps=True),
                    sums.reward_of_steps, sums.wrong)
    if name == "desk":
        return Task(name, "the service desk of a small shop, phrasings held out", desk.examples,
                    desk.reward, desk.wrong)
    raise UserError(f"task {printable(name)} does not exist: choose {', '.join(TASKS)}")
