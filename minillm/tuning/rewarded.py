"""GRPO: the model answers, a verifier grades, and what was better than its group becomes likelier.

A step draws questions, writes a group of answers to each, and takes one update by them; the first
model is the reference. So an answer's ratio is 1 when its gradient is taken, and the clip of the
loss would hold only if the same answers were used again. The advantage of an answer is its reward
less the mean of its group, without a division by the spread (Liu et al. 2025, arXiv:2503.20783).
So beta is measured against rewards: where two answers differ by less than beta, KL holds them.
"""

import numpy as np

from minillm.config import IGNORE, GenerateConfig, TrainConfig, TuneConfig
from minillm.loading import Model
from minillm.tuning.answers import ROOM, answer_room, prompts, texts, write
from minillm.tuning.compared import comparing
from minillm.tuning.data import Data

QUESTIONS = 2000


def of_rewards(package, model: Model, train: TrainConfig, tune: TuneConfig, data: Data, whole,
               base, twin: str):
    """GRPO: every step reads what the model writes, and its rewards."""
    writer = Writer(model, data, train, tune, twin)

    def batch(params, step: int):
        one, rewards = writer.batch(params, step)
        old_BT = package.read_log_p(params, one["tokens_BT"], one["targets_BT"], model.config)
        return one | {"old_BT": old_BT}, {"reward": float(np.mean(rewards)),
                                          "groups_that_differ": differing(rewards, tune.group)}

    return comparing(package, model, train, tune, batch, whole, base)


class Writer:
    """The questions of a run, and the answers that a step writes to some of them."""

    def __init__(self, model: Model, data: Data, train: TrainConfig, tune: TuneConfig, twin: str):
        self.model, self.task, self.twin = model, data.task, twin
        self.train, self.tune = train, tune
        self.examples = self.task.some("train", QUESTIONS, train.seed)
        self.room = answer_room(model, self.examples)
        self.asked = prompts(model, [each.question for each in self.examples], self.room)

    def batch(self, params, step: int) -> tuple[dict, np.ndarray]:
        """({"tokens_BT", "targets_BT", "advantage_B"}, rewards (B,)), a function of the step."""
        group, count, asked = self.tune.group, self.train.batch_size // self.tune.group, self.asked
        chosen = np.random.default_rng([self.train.seed, step, 5]).choice(len(asked), count)
        places = np.repeat(chosen, group)
        sampling = GenerateConfig(max_new_tokens=self.room, seed=step)
        longest = max(map(len, asked))
        written = write(self.model, [asked[i] for i in places], sampling, self.twin, params,
                        len(places), longest)
        rewards_B = np.array([self.task.reward(self.examples[i].question, text)
                              for i, text in zip(places, texts(self.model, written))])
        length = -(-(longest + self.room) // ROOM) * ROOM
        tokens_BT = np.zeros((len(places), length), np.int32)
        targets_BT = np.full((len(places), length), IGNORE, np.int32)
        for row, targets, i, answer in zip(tokens_BT, targets_BT, places, written):
            whole = asked[i] + answer
            row[: len(whole)] = whole
            targets[len(asked[i]) - 1 : len(whole) - 1] = answer
        advantage_B = advantages(rewards_B.reshape(count, group)).reshape(-1)
        return {"tokens_BT": tokens_BT, "targets_BT": targets_BT,
                "advantage_B": advantage_B.astype(np.float32)}, rewards_B


def advantages(rewards_QG):
    """A = reward - mean reward of the group, (questions, answers) each.

    Without Shao et al.'s division by the group's spread (arXiv:2402.03300, section 4.1.2), which
    gives most weight to questions that are nearly always answered alike: Liu et al. 2025,
    arXiv:2503.20783, section 3.1.
    """
    return rewards_QG - rewards_QG.mean(axis=1, keepdims=True)


def differing(rewards_B, group: int) -> float:
    """The share of groups whose answers are not all graded alike: the others teach nothing."""
    return float(np.mean(np.ptp(rewards_B.reshape(-1, group), axis=1) > 0))
