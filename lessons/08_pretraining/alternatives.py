"""Right answers written another way: each section replaces parts of solution.py.

All tasks must pass. A section named after a remark must get this remark.
"""


# ---- loops ----
# Token by token; epochs as one endless list; the state as hexadecimal numbers, two texts in one.
import math

LOSS_AT_START = 9 * 0.693


def split(documents, share):
    held_out = int(share * len(documents) + 0.5)
    train, validation = documents[:-held_out], documents[-held_out:]
    return [document for document in train if all(document != other for other in validation)], validation


def visits(step, seed, batch_size, count):
    everything, epoch = [], 0
    while len(everything) < (step + 1) * batch_size:
        everything += list(np.random.default_rng([seed, epoch]).permutation(count))
        epoch += 1
    return everything[step * batch_size:(step + 1) * batch_size]


def rows(tokens, begins, T):
    inputs, targets = [], []
    for begin in begins:
        row = tokens[begin:begin + T + 1]
        inputs.append(row[:-1])
        targets.append(row[1:])
    return inputs, targets


def loss(logits, targets):
    costs = []
    for row, target in zip(logits, targets):
        if target != IGNORE:
            top = max(row)
            costs.append(top + math.log(sum(math.exp(x - top) for x in row)) - row[target])
    return sum(costs) / len(costs)


def evaluate(mean_loss, inputs, targets, batch_size):
    nats, counted = [], []
    for row, target in zip(inputs, targets):
        counted.append(int((target >= 0).sum()))
        nats.append(mean_loss(row[None], target[None]) * counted[-1])
    return sum(nats) / sum(counted)


def save(state):
    lines = [str(state["seed"]), str(state["step"]), *(" ".join(float(x).hex() for x in state[name]) for name in ("w", "mean"))]
    return "\n".join([*lines, json.dumps(state["rng"].bit_generator.state)])


def load(text):
    seed, step, w, mean, rng = text.split("\n")
    generator = np.random.Generator(np.random.PCG64())
    generator.bit_generator.state = json.loads(rng)
    return {"seed": int(seed), "step": int(step), "w": np.array([float.fromhex(x) for x in w.split()]),
            "mean": np.array([float.fromhex(x) for x in mean.split()]), "rng": generator}


# ---- pickled ----
# Library calls: sliding windows, masked arrays, pickle in base 64; the order of an epoch extended
# by that of the next.
import base64
import pickle

LOSS_AT_START = 6.24


def split(documents, share):
    number = np.rint(len(documents) * share).astype(int)
    validation = list(documents[len(documents) - number:])
    return list(filter(lambda document: document not in validation, documents[:len(documents) - number])), validation


def visits(step, seed, batch_size, count):
    epoch, place = divmod(step * batch_size, count)
    both = np.concatenate([np.random.default_rng([seed, epoch + i]).permutation(count) for i in range(2)])
    return both[place:place + batch_size]


def rows(tokens, begins, T):
    windows = np.lib.stride_tricks.sliding_window_view(tokens, T + 1)[begins]
    return windows[:, :-1], windows[:, 1:]


def loss(logits, targets):
    known = targets >= 0
    logits, targets = logits[known], targets[known]
    chosen = np.take_along_axis(logits, targets[:, None], axis=1)[:, 0]
    return float((np.logaddexp.reduce(logits, axis=1) - chosen).sum() / known.sum())


def evaluate(mean_loss, inputs, targets, batch_size):
    cuts = range(batch_size, len(inputs), batch_size)
    parts = list(zip(np.split(inputs, cuts), np.split(targets, cuts)))
    return np.average([mean_loss(*part) for part in parts], weights=[np.count_nonzero(part[1] != IGNORE) for part in parts])


def save(state):
    return base64.b64encode(pickle.dumps(state)).decode()


def load(text):
    return pickle.loads(base64.b64decode(text))
