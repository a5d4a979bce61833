"""Conversations side by side in rows of one length, none of them cut.

A row is filled with whole conversations; what is left is padding, which no loss counts. A
conversation opens as it does alone (with its beginning-of-text token, where the model has one), and
the first token of one is never a target of the one before it. Attention is causal and sees the
whole row, as in training on stories: earlier conversations are text that a later one may ignore.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from minillm.config import IGNORE, TrainConfig
from minillm.errors import UserError
from minillm.tuning.rendering import Rendered

OPEN = 32  # rows that are looked at for a place


@dataclass(frozen=True, eq=False)
class Rows:
    """tokens_RT, targets_RT: rows of conversations, then `text_rows` rows of text, all of which
    counts (see replay.py); a target that does not count is IGNORE."""

    tokens_RT: np.ndarray
    targets_RT: np.ndarray
    conversations: int
    longest: int
    used: int
    text_rows: int = 0

    @cached_property
    def report(self) -> str:
        """What is counted, in words."""
        rows, context = self.tokens_RT.shape
        rows -= self.text_rows
        counted = int(np.sum(self.targets_RT[:rows] != IGNORE))
        text = self.text_rows * context
        replay = (f"; {self.text_rows:,} more rows are text of before, "
                  f"{text / (text + counted):.0%} of what counts")
        return (f"{self.conversations:,} conversations in {rows:,} rows of "
                f"{context} tokens, the longest of {self.longest}: {counted:,} "
                f"tokens ({counted / self.used:.0%}) are answers and count, "
                f"{1 - self.used / (rows * context):.0%} is padding{replay if text else ''}")

    def batches(self, train: TrainConfig, first: int, end: int):
        """(tokens_NBT, targets_NBT) of the steps from `first` up to `end`, a function of the seed:
        an epoch reads every row once, in random order."""
        places = np.arange(first * train.batch_size, end * train.batch_size)
        epochs, nth = np.divmod(places, len(self.tokens_RT))
        rows = [order(train.seed, int(epoch), len(self.tokens_RT))[i]
                for epoch, i in zip(epochs, nth)]
        shape = end - first, train.batch_size, -1
        return self.tokens_RT[rows].reshape(shape), self.targets_RT[rows].reshape(shape)


@lru_cache(maxsize=4)
def order(seed: int, epoch: int, count: int):
    """The order of the rows in an epoch."""
    return np.random.default_rng([seed, epoch]).permutation(count)


def packed(conversations: list[Rendered], context: int, seed: int = 0) -> Rows:
    """The conversations in rows of `context` tokens. Raises UserError for one that is too long."""
    rows, room = [], []
    for i in np.random.default_rng([seed, 3]).permutation(len(conversations)):
        length = len(conversations[i].tokens)
        if length > context + 1:
            raise UserError(f"{conversations[i].where}: has {length} tokens, and a row holds "
                            f"{context}: shorten it, or give a larger --context")
        open_rows = range(max(0, len(rows) - OPEN), len(rows))
        r = next((r for r in open_rows if room[r] >= length), len(rows))
        if r == len(rows):
            rows.append([]), room.append(context + 1)
        rows[r].append(i)
        room[r] -= length
    tokens_RT = np.zeros((len(rows), context + 1), np.int32)
    counts_RT = np.zeros((len(rows), context + 1), bool)
    for r, row in enumerate(rows):
        for name, array_RT in (("tokens", tokens_RT), ("counts", counts_RT)):
            together = np.concatenate([getattr(conversations[i], name) for i in row])
            array_RT[r, : len(together)] = together
    targets_RT = np.where(counts_RT, tokens_RT, np.int32(IGNORE))[:, 1:]
    lengths = [len(one.tokens) for one in conversations]
    return Rows(tokens_RT[:, :-1], targets_RT, len(lengths), max(lengths), sum(lengths))
