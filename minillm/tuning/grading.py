"""How good a model's answers to a task are."""

from collections.abc import Callable
from math import comb

import numpy as np

from minillm.config import IGNORE, GenerateConfig
from minillm.loading import Model, twin_package
from minillm.training import row_nats
from minillm.tuning.answers import ROWS, prompts, texts, write
from minillm.tuning.conversations import Conversation
from minillm.tuning.examples import Example
from minillm.tuning.rendering import rendered


def graded(model: Model, examples: list[Example], reward: Callable, sampling: GenerateConfig,
           twin: str = "jax", times: int = 1) -> tuple[np.ndarray, list[str]]:
    """(rewards (questions, times), the first answer to each)."""
    asked = [prompt for prompt in prompts(model, [e.question for e in examples],
                                          sampling.max_new_tokens) for _ in range(times)]
    answers = texts(model, write(model, asked, sampling, twin))
    rewards = [reward(examples[i // times].question, answer) for i, answer in enumerate(answers)]
    return np.array(rewards).reshape(len(examples), times), answers[::times]


def pass_at(k: int, right: int, times: int) -> float:
    """The chance that one of k answers is right, unbiased, where `right` of `times` were.

    1 - C(times - right, k) / C(times, k). Chen et al. 2021, arXiv:2107.03374, eq. 1.
    """
    return 1 - comb(times - right, k) / comb(times, k)


def answer_loss(model: Model, examples: list[Example], twin: str = "jax") -> float:
    """What the right answers cost the model, in nats a token."""
    conversations = [Conversation(example.messages, example.question) for example in examples]
    read = rendered(model, conversations)
    length = max(len(one.tokens) for one in read)
    tokens_NT = np.zeros((len(read), length), np.int32)
    targets_NT = np.full((len(read), length), IGNORE, np.int32)
    for row, targets, one in zip(tokens_NT, targets_NT, read):
        row[: len(one.tokens)] = one.tokens
        targets[: len(one.tokens)] = np.where(one.counts, one.tokens, IGNORE)
    nats_N, counts_N = row_nats(twin_package(twin), model.on(twin).params, model.config,
                                tokens_NT[:, :-1], targets_NT[:, 1:], ROWS)
    return float(nats_N.sum() / counts_N.sum())
