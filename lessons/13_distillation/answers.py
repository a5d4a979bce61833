"""Makes answers.json: how far the students of benchmarks/distillation.py are from their teacher, in both directions, and what they write.

    python lessons/13_distillation/answers.py TEACHER WORK          WORK: the folder of runs that the benchmark kept (its --work)

On 64 held-out stories, nats a token: KL(p || q), KL(q || p), and the entropy of the student's own answers.
"""

import json
import sys
from pathlib import Path

import numpy as np

import minillm
from minillm import in_jax, training
from minillm.config import GenerateConfig
from minillm.in_numpy.ops import log_softmax
from minillm.text.dataset import open_dataset

ARMS, ROWS, SEED, TOKENS = ("data", "soft", "reverse", "on-policy", "pruned soft", "pruned reverse", "pruned on-policy"), 64, 0, 40


def main(teacher, work):
    teacher = minillm.load(teacher)
    rows = training.held_out(open_dataset(Path(teacher.source) / "data"), 176, ROWS)
    tokens_BT, targets_BT = (np.asarray(part[:ROWS]) for part in (rows.tokens_NT, rows.targets_NT))
    counted = targets_BT >= 0
    log_p = answers(teacher, tokens_BT)[counted]
    found = {"teacher": measure(log_p, log_p) | {"text": text_of(teacher)}}
    for arm in ARMS:
        student = minillm.load(Path(work) / f"100_{arm.replace(' ', '_')}_{SEED}")
        found[arm] = measure(log_p, answers(student, tokens_BT)[counted]) | {"text": text_of(student)}
        print(arm, found[arm])
    out = Path(__file__).with_name("answers.json")
    out.write_text(json.dumps({"rows": ROWS, "seed": SEED, "arms": found}, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def answers(model, tokens_BT):
    return np.concatenate([log_softmax(np.asarray(in_jax.forward(model.params, rows, model.config)[0], np.float32)) for rows in np.split(tokens_BT, 8)])


def measure(log_p, log_q):
    p, q = np.exp(log_p), np.exp(log_q)
    nats = {"forward": np.sum(p * (log_p - log_q), axis=-1), "backward": np.sum(q * (log_q - log_p), axis=-1), "entropy": -np.sum(q * log_q, axis=-1),
            "surest": np.max(q, axis=-1)}
    return {name: round(float(np.mean(values)), 3) for name, values in nats.items()}


def text_of(model):
    """What it writes by the same coins, from the beginning of a text."""
    coins = np.random.default_rng(3).random((TOKENS, 1), np.float32)
    written = np.asarray(in_jax.write_rows(in_jax.to_device(model.params), np.array([model.config.bos_token_id], np.int32), coins, model.config, GenerateConfig())[0])
    return " ".join(model.tokenizer.decode(written[0].tolist()).split())


if __name__ == "__main__":
    main(*sys.argv[1:])
