"""Rows of the text of before among the conversations, so that less of it is forgotten.

Of the rows that a step reads, `share` are text, on average. Every token of text counts in the loss
and only the answers of a conversation do, so text has more than its share of what counts: the
report of the data says how much. (Rehearsal; for language models Scialom et al. 2022,
arXiv:2205.12393, section 3.)
"""

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np

from minillm.config import TuneConfig
from minillm.errors import UserError
from minillm.loading import Model
from minillm.text import tokenizer as tokenizers
from minillm.text.corpora import read_corpus
from minillm.text.dataset import DESCRIPTION, batch, open_dataset, row_starts, tokenize
from minillm.tuning.data import Data

BYTES = 8  # of text are read for each token of the rows, more than a token has


def check_replay(share: float, tune: TuneConfig):
    """Refuse a share that is none, and a method that reads no rows. Raises UserError."""
    if not 0 <= share < 1:
        raise UserError(f"--replay {share:g}: is a share of the rows, at least 0 and below 1: give "
                        "for example 0.25")
    if share and tune.method not in ("sft", "lora"):
        raise UserError(f"--replay {share:g}: --method {tune.method} reads answers to questions, "
                        "no rows of text: take sft or lora, or leave --replay out")


def with_replay(data: Data, model: Model, share: float, source, seed: int = 0) -> Data:
    """The data with rows of text, `share` of all. `source` is the folder of a dataset, or what
    `read_corpus` reads. Raises UserError."""
    rows = data.train
    context = rows.tokens_RT.shape[1]
    count = max(1, round(len(rows.tokens_RT) * share / (1 - share)))
    text, starts = tokens_of(source, model, count * context)
    tokens_RT, targets_RT = batch(text, 0, seed=seed, batch_size=count, context=context,
                                  starts=row_starts(starts, len(text), context))
    digest = hashlib.sha256(data.fingerprint.encode() + tokens_RT.tobytes()).hexdigest()
    mixed = replace(rows, tokens_RT=np.concatenate([rows.tokens_RT, tokens_RT]),
                    targets_RT=np.concatenate([rows.targets_RT, targets_RT]), text_rows=count)
    return replace(data, train=mixed, fingerprint=digest)


def tokens_of(source, model: Model, length: int):
    """(tokens, where documents start) of the text. Raises UserError."""
    folder = Path(source)
    if (folder / DESCRIPTION).exists():
        dataset = open_dataset(folder)
        if not tokenizers.same_tokenizer(tokenizers.load(folder), model.tokenizer):
            raise UserError(f"{folder}: was cut into tokens by another tokenizer than "
                            f"{model.source} has: give the text itself with --replay-text FILE")
        return dataset.train, dataset.train_starts
    corpus = read_corpus(source, megabytes=max(1.0, length * BYTES / 1e6))
    return tokenize(corpus.train, model.tokenizer, *model.begin[:1])
