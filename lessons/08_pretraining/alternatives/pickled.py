"""Library calls: sliding windows, masked arrays, pickle in base 64; the order of an epoch extended by that of the next."""

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
