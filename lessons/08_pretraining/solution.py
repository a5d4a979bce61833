"""Lesson 08, the reference solution."""

import json

import numpy as np

IGNORE = -100
LOSS_AT_START = np.log(512)


def split(documents, share):
    cut = len(documents) - round(share * len(documents))
    validation = documents[cut:]
    held_out = set(map(tuple, validation))
    return [document for document in documents[:cut] if tuple(document) not in held_out], validation


def visits(step, seed, batch_size, count):
    chosen = []
    for visit in range(step * batch_size, (step + 1) * batch_size):
        epoch, place = divmod(visit, count)
        chosen.append(int(np.random.default_rng([seed, epoch]).permutation(count)[place]))
    return chosen


def rows(tokens, begins, T):
    places = np.asarray(begins)[:, None] + np.arange(T)
    return tokens[places], tokens[places + 1]


def loss(logits, targets):
    counted = targets != IGNORE
    shifted = logits - logits.max(axis=-1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return -np.mean(log_p[counted, targets[counted]])


def evaluate(mean_loss, inputs, targets, batch_size):
    nats = counted = 0
    for i in range(0, len(inputs), batch_size):
        part = targets[i : i + batch_size]
        n = np.sum(part != IGNORE)
        nats += n * mean_loss(inputs[i : i + batch_size], part)
        counted += n
    return nats / counted


def save(state):
    arrays = {name: state[name].tolist() for name in ("w", "mean")}
    return json.dumps(state | arrays | {"rng": state["rng"].bit_generator.state})


def load(text):
    state = json.loads(text)
    rng = np.random.default_rng()
    rng.bit_generator.state = state["rng"]
    return state | {"w": np.array(state["w"]), "mean": np.array(state["mean"]), "rng": rng}
