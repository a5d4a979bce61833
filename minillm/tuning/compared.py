"""Tuning by comparing answers: what DPO and GRPO share, and DPO's pairs of answers.

The first model is the reference, which stays.
"""

import numpy as np

from minillm.config import IGNORE, TrainConfig, TuneConfig
from minillm.errors import UserError
from minillm.loading import Model
from minillm.tuning.conversations import Conversation
from minillm.tuning.data import Data
from minillm.tuning.rendering import rendered

PAIRS, ROOM = 2000, 16  # pairs to learn from; rows have a multiple of so many tokens


def comparing(package, model: Model, train: TrainConfig, tune: TuneConfig, batch, whole,
              base):
    """The `take` whose steps read `batch(params, step)`: ({"tokens_BT", "targets_BT", what the loss
    needs beside}, what to log). `whole(trained)` are the parameters of the model."""
    reference = package.to_device(model.params) if base is None else base

    def compare(state, one):
        if base is None:
            return package.compare_step(state, one, model.config, train, tune)
        return package.compare_adapters_step(state, base, one, model.config, train, tune)

    def take(state, first, end):
        history = []
        for step in range(first, end):
            one, about = batch(whole(state["params"]), step)
            # A reference that counts nothing, at beta = 0, need not read.
            one["reference_BT"] = one["old_BT"] if not tune.beta and "old_BT" in one else (
                package.read_log_p(reference, one["tokens_BT"], one["targets_BT"], model.config))
            state, metrics = compare(state, one)
            history.append({name: float(value) for name, value in metrics.items()} | about)
        return state, {name: np.array([metrics[name] for metrics in history])
                       for name in history[0]}

    return take


def check_task(data: Data, tune: TuneConfig):
    """Refuse data whose answers nobody can grade. Raises UserError."""
    if tune.method in ("dpo", "grpo") and data.task is None:
        raise UserError(f"--method {tune.method} needs answers that can be graded: {data.name} is "
                        "a file; give --data sums, steps or desk")


def of_pairs(package, model: Model, train: TrainConfig, tune: TuneConfig, data: Data, whole,
             base, twin: str):
    """DPO: every step reads pairs of a right and a wrong answer."""
    tokens_RT, targets_RT = pairs(model, data, train.seed)

    def batch(params, step: int):
        rng = np.random.default_rng([train.seed, step, 6])
        chosen = rng.choice(len(tokens_RT) // 2, train.batch_size // 2)
        rows = np.stack([2 * chosen, 2 * chosen + 1], axis=1).reshape(-1)
        return {"tokens_BT": tokens_RT[rows], "targets_BT": targets_RT[rows]}, {}

    return comparing(package, model, train, tune, batch, whole, base)


def pairs(model: Model, data: Data, seed: int):
    """(tokens_RT, targets_RT): even rows the right answer, odd rows a wrong one to the same."""
    rng, talks = np.random.default_rng([seed, 6]), []
    for example in data.task.some("train", PAIRS, seed):
        for answer in (example.answer, data.task.wrong(example, rng)):
            messages = [example.messages[0], {"role": "assistant", "content": answer}]
            talks.append(Conversation(messages, example.question))
    read = rendered(model, talks)
    length = -(-max(len(one.tokens) for one in read) // ROOM) * ROOM
    tokens_RT = np.zeros((len(read), length + 1), np.int32)
    targets_RT = np.full((len(read), length + 1), IGNORE, np.int32)
    for tokens, targets, one in zip(tokens_RT, targets_RT, read):
        tokens[: len(one.tokens)] = one.tokens
        targets[: len(one.tokens)] = np.where(one.counts, one.tokens, IGNORE)
    return tokens_RT[:, :-1], targets_RT[:, 1:]
