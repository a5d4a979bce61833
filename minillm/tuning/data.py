"""What a run of tuning reads: conversations in rows, to learn from and held out."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from minillm.loading import Model
from minillm.training import HeldOut
from minillm.tuning.conversations import Conversation, read_conversations, split
from minillm.tuning.packing import Rows, packed
from minillm.tuning.rendering import rendered
from minillm.tuning.tasks import TASKS, Task, task_of

HELD_OUT = 256  # examples of a task in the held-out rows


@dataclass(frozen=True, eq=False)
class Data:
    """`train` and `held_out` rows; `questions` are messages to show samples of, `first` is how the
    first conversation reads. `floor_nats` is unknown, as of any text but stories."""

    name: str
    fingerprint: str
    train: Rows
    held_out: Rows
    questions: list[list[dict]]
    first: str
    task: Task | None = None
    floor_nats: None = None

    def rows(self, count: int | None = None) -> HeldOut:
        """The held-out rows, or `count` of them."""
        total = len(self.held_out.tokens_RT)
        some = np.unique(np.linspace(0, total - 1, min(count or total, total)).astype(int))
        return HeldOut(self.held_out.tokens_RT[some], self.held_out.targets_RT[some], 0, None)


def read_data(source, model: Model, context: int, examples: int, seed: int = 0,
              difficulty: int = 2) -> Data:
    """The data that `source` names, a task or a file, for a model with a template. Raises
    UserError."""
    task = None
    if source in TASKS:
        task = task_of(source, difficulty)
        parts = (task.conversations("train", examples, seed),
                 task.conversations("validation", HELD_OUT, seed))
    else:
        parts = split(read_conversations(source)[:examples], source)
    return of_conversations(Path(source).name, model, context, *parts, seed, task)


def of_conversations(name: str, model: Model, context: int, train: list[Conversation],
                     held_out: list[Conversation], seed: int = 0, task: Task | None = None) -> Data:
    """Conversations as rows of `context` tokens. Raises UserError."""
    learned = rendered(model, train)
    rows = [packed(some, context, seed) for some in (learned, rendered(model, held_out))]
    digest = hashlib.sha256(name.encode())
    for some in rows:
        for array in (some.tokens_RT, some.targets_RT):
            digest.update(f"{array.shape}".encode() + np.ascontiguousarray(array).tobytes())
    questions = [up_to_answer(each.messages) for each in held_out]
    return Data(name, digest.hexdigest(), *rows, questions, marked(model, learned[0]), task)


def up_to_answer(messages: list[dict]) -> list[dict]:
    """A conversation up to its first answer."""
    first = next(i for i, message in enumerate(messages) if message["role"] == "assistant")
    return messages[:first]


def marked(model: Model, one) -> str:
    """A conversation as the model reads it, what counts in [[ ]]."""
    edges = np.flatnonzero(np.diff(one.counts.astype(int), prepend=0, append=0))
    cuts = [0, *edges, len(one.tokens)]
    parts = [model.tokenizer.decode(one.tokens[a:b].tolist()) for a, b in zip(cuts, cuts[1:])]
    return "".join(f"[[{part}]]" if i % 2 else part for i, part in enumerate(parts))

