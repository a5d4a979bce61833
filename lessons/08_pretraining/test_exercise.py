"""What is checked in exercise 08, and which misconceptions are recognised. The words used here:
minillm/course/exercises.py."""

from pathlib import Path

import numpy as np

from minillm.course.exercises import Hint, Task, normal, number
from minillm.course.lessons import load_module
from minillm.in_numpy import ops

IGNORE = ops.IGNORE

asking = load_module(Path(__file__).with_name("asking.py"), "asking")

HINTS = {
    "base": Hint(
        "This is in bits, logarithms to base 2. Losses of training are in nats, natural "
        "logarithms.",
        "Loss of a fair coin: 1 bit, but ln 2 = 0.69 nats. Which of the two does your formula "
        "give?",
    ),
    "no_logarithm": Hint(
        "This is the number of choices (the perplexity) or the probability of one of them, not "
        "the surprise: the loss is the logarithm.",
        "Think of a vocabulary of one token: there is nothing to be surprised about. Does your "
        "formula give 0?",
    ),
    "summed": Hint(
        "You added up the losses of the targets. The loss is their mean, so that it does not grow "
        "with the row.",
        "Pass the same position twice: the loss must be that of the position alone.",
    ),
    "sign": Hint(
        "Your loss is negative. A probability is at most 1, its logarithm at most 0, and the "
        "loss is the opposite of that.",
        "Which model should have the smaller loss, one that knows nothing or one that is always "
        "right (0)?",
    ),
    "train_in_validation": Hint(
        "You train on the documents that are held out, too. The validation loss then measures "
        "memory and keeps falling while the model gets worse.",
        "Look for a document of your validation in your train: is any of them there?",
    ),
    "copies": Hint(
        "You held documents out by position, but some documents occur twice and the other copy "
        "is still in train. In collections from the web that is the rule, not the exception.",
        "Split [[1], [2], [1]] with a share of 1/3: validation is [[1]]. Does train still hold it?",
    ),
    "copies_in_validation": Hint(
        "You removed copies from validation instead of from train. What is left to measure on is "
        "then only what is unlike everything else, and its size depends on what train happens to "
        "contain.",
        "Split [[1], [2], [1]] with a share of 1/3: which of the two parts should lose its [1]?",
    ),
    "first_held_out": Hint(
        "You held out the first documents. Which ones are held out is a convention; here it is the "
        "last.",
        "Split ten different documents and print both parts.",
    ),
    "rounded_down": Hint(
        "You rounded the number of held-out documents down, or up. Round it to the nearest.",
        "Split 3 documents with a share of 0.6, which is 1.8 documents, and with 0.4.",
    ),
    "each_once": Hint(
        "You removed repeated documents inside train. That may be a good idea, but it is a "
        "different one: a leak is what is in both parts.",
        "Split [[1], [1], [2]] with a share of 1/3: nothing of train is in validation, so "
        "nothing is to be left out.",
    ),
    "same_order": Hint(
        "Every epoch visits the rows in the same order, because the number of the epoch is not "
        "used. The model meets the same neighbours in the same batch each time.",
        "With 4 rows and batches of 4, compare step 0 with step 1: are the orders different?",
    ),
    "not_shuffled": Hint(
        "You visited rows in the order of the text. Neighbours in a text are alike, so every "
        "batch says the same thing several times over.",
        "Print the visits of step 0: are they 0, 1, 2, ...?",
    ),
    "rest_dropped": Hint(
        "You ended an epoch when no whole batch was left, so up to batch_size - 1 rows of each "
        "epoch are never visited, and a small text loses much of itself.",
        "With 5 rows and batches of 2, collect the visits of steps 0 to 4: does each row come "
        "exactly twice?",
    ),
    "wraps": Hint(
        "You filled a batch at the end of an epoch from the beginning of the same order. Those "
        "rows are visited twice, and the next epoch begins in the middle.",
        "With 5 rows and batches of 2, look at step 2: its second row is the first of the next "
        "epoch's order.",
    ),
    "drawn_anew": Hint(
        "You drew the rows of each step independently of the other steps, so within an epoch "
        "some rows come several times and others not at all.",
        "With 6 rows and batches of 2, collect the visits of steps 0, 1, 2: are they six "
        "different ones?",
    ),
    "not_shifted": Hint(
        "Your targets are the inputs themselves. The model has to predict the token that it has "
        "just read, learns to repeat it, and its loss goes to 0, far below any floor.",
        "Put a text 10, 11, 12, 13 in. What should be answered to 10?",
    ),
    "shifted_twice": Hint(
        "You shifted the targets one position too far, so the model learns the token after the "
        "next. Often one part of a program shifts and another shifts again. Nothing fails: the "
        "loss only stays too high, and the model leaves out every second word.",
        "Put a text 10, 11, 12, 13 in and write input, target and logits of one position beside "
        "each other.",
    ),
    "backwards": Hint(
        "Your targets come one position before the inputs: the model has to predict what it has "
        "already seen.",
        "Put a text 10, 11, 12, 13 in. What should be answered to 11?",
    ),
    "rolled": Hint(
        "The last target of a row is the row's own first token: you rolled the inputs round "
        "instead of reading one position further. One target in T is wrong.",
        "Look at the last target of a row, and at the text behind the row.",
    ),
    "padding": Hint(
        "You counted padding: a target of IGNORE went into the mean, as one more token or as if "
        "it were a token. The loss then depends on the amount of padding; and in NumPy -100 is a "
        "valid index into a large vocabulary.",
        "Lengthen targets by ten IGNORE, logits by ten rows of anything: the loss must stay the "
        "same.",
    ),
    "overflow": Hint(
        "exp of a large logit is infinite. The probabilities are ordinary numbers, only the way "
        "to them overflows: a softmax does not change when the same number is subtracted from "
        "all logits.",
        "Compute the loss of logits [1000, 0] with target 0 (it is 0), then of [1000, 1000] (it "
        "is ln 2).",
    ),
    "one_batch": Hint(
        "You measured only the first batch. Its loss differs from that of the whole set by more "
        "than most improvements that you want to see.",
        "Call it with the rows in reverse order: is it still the same number?",
    ),
    "mean_of_means": Hint(
        "You gave each batch, or each row, the same weight, however many counted targets it has. "
        "A last batch of one short row then weighs as much as a full one.",
        "Take two batches, one with a single counted target of loss 10, one with ninety-nine of "
        "loss 0. The loss is 0.1.",
    ),
    "last_dropped": Hint(
        "You left out the last batch, which is not full. The result then depends on the batch "
        "size.",
        "Call it with batch sizes 1, 2 and 3 on the same five rows: the three numbers must be "
        "equal.",
    ),
    "random_state": Hint(
        "The random generator starts again from its seed, so the run draws the batches of its "
        "first steps once more. It learns from some data twice and from other data never, and "
        "nothing in the loss shows it.",
        'Draw a number from state["rng"] and one from load(save(state))["rng"], both made just '
        "now: they must be the same.",
    ),
    "moments": Hint(
        "You lost the optimizer's memory (mean): the run continues with zeros.",
        "Run 5 steps, save and load, and print mean of both states.",
    ),
    "step": Hint(
        "You lost the step, so the schedule of the rate begins again: high, after it had come "
        "down.",
        "Run 5 steps, save and load, and print step of both states.",
    ),
    "rounded": Hint(
        "You rounded numbers on their way to the text. Such a run goes on almost as before, but "
        "training is chaotic, and after some hundred steps it is another run. Only an exact copy "
        "can be checked exactly.",
        "Compare w before and after with ==, not by looking at what print shows.",
    ),
}


# ---- Fresh inputs, small ones first -------------------------------------------------------------


def collections(rng):
    yield [[1], [2], [1]], 1 / 3
    yield [[1], [1], [2]], 1 / 3
    yield [[1], [2], [3]], 0.6
    yield [[3], [1], [1], [2], [3, 1], [3], [4]], 2 / 7
    for _ in range(25):
        n = int(rng.integers(4, 9))
        yield (
            [[int(t) for t in rng.integers(1, 4, rng.integers(1, 3))] for _ in range(n)],
            round((int(rng.integers(1, n - 1)) + float(rng.uniform(-0.35, 0.35))) / n, 3),
        )


def moments_of_training(rng):
    yield 1, 0, 4, 4
    yield 2, 0, 2, 5
    for i in range(30):
        count = int(rng.integers(5, 12))
        yield (
            int(rng.integers(0, 12)),
            int(rng.integers(0, 1000)),
            int(rng.integers(2, count)),
            count,
        )


def texts(rng):
    yield np.arange(10, 18), np.array([1, 3]), 3
    for _ in range(20):
        T, n = int(rng.integers(2, 5)), int(rng.integers(9, 20))
        yield rng.integers(0, 50, n), rng.integers(1, n - T - 2, int(rng.integers(1, 4))), T


def answers(rng):
    yield np.array([[1000.0, 0.0], [1000.0, 1000.0]]), np.array([0, 1])
    yield np.array([[0.0, 1.0], [1.0, -1.0], [0.5, 0.0]]), np.array([0, IGNORE, 1])
    for i in range(20):
        T, V = (
            int(rng.integers(4, 6 if i < 10 else 8)),
            int(rng.integers(2, 5)) if i % 2 or i < 10 else 150,
        )
        targets = rng.integers(0, V, T)
        targets[1 + rng.permutation(T - 1)[: int(rng.integers(1, T - 2))]] = (
            IGNORE  # at least two are counted
        )
        if targets[1:].max() < 0:
            targets[1] = 0
        yield normal(rng, T, V) * (1000 if i % 5 == 0 else 2), targets


def held_out(rng):
    for i in range(24):
        size, T = (
            int(rng.integers(2, 3 if i < 8 else 5)),
            int(rng.integers(2, 4) if i < 8 else rng.integers(4, 9)),
        )
        N = size * int(rng.integers(1, 2 if i < 8 else 4)) + int(rng.integers(1, size))
        inputs, targets = rng.integers(0, 6, (N, T)), rng.integers(0, 6, (N, T))
        for row in targets:
            row[int(rng.integers(1, T + 1)) :] = IGNORE
        costs = rng.uniform(0, 4, (6, 6))
        yield asking.MeanLoss(costs, size), inputs, targets, size


def stops(rng):
    for _ in range(15):
        yield (
            int(rng.integers(1, 1000)),
            int(rng.integers(2, 8)),
            int(rng.integers(2, 6)),
            int(rng.integers(1, 4)),
        )


# ---- The right answers --------------------------------------------------------------------------


def right_split(documents, share):
    cut = len(documents) - round(share * len(documents))
    return [document for document in documents[:cut] if document not in documents[cut:]], documents[
        cut:
    ]


def order(seed, epoch, count):
    return np.random.default_rng([seed, epoch]).permutation(count)


def right_visits(step, seed, batch_size, count):
    return [
        int(order(seed, visit // count, count)[visit % count])
        for visit in range(step * batch_size, (step + 1) * batch_size)
    ]


def rows_with(target_of):
    def answer(tokens, begins, T):
        places = begins[:, None] + np.arange(T)
        return tokens[places], target_of(tokens, places)

    return answer


right_rows = rows_with(lambda tokens, places: tokens[places + 1])


def right_loss(logits, targets):
    return float(ops.cross_entropy(logits[None], targets[None]))


def batches(inputs, targets, size):
    return [(inputs[i : i + size], targets[i : i + size]) for i in range(0, len(inputs), size)]


def weighted(weight, drop=False, split=None):
    def answer(mean_loss, inputs, targets, batch_size):
        parts = batches(inputs, targets, split or batch_size)
        parts = parts[: len(inputs) // batch_size] if drop else parts
        weights = np.array([weight(part) for _, part in parts], float)
        return float(weights @ [mean_loss(*part) for part in parts] / weights.sum())

    return answer


def counted(targets):
    return np.sum(targets != IGNORE)


def resumed(change):
    """What `stopped` gives for a load after which `change(state)` has happened to the state."""

    def answer(seed, before, after, size):
        state, other = asking.fresh(seed, size), asking.fresh(seed, size)
        for each in (state, other):
            asking.run_on(each, before)
        change(other)
        return np.array(asking.run_on(other, after) + asking.run_on(state, after))

    return answer


# ---- What each misconception answers ------------------------------------------------------------


def counted_by(whole):
    def wrong(documents, share):
        held_out = documents[len(documents) - int(whole(share * len(documents))) :]
        rest = documents[: len(documents) - len(held_out)]
        return [document for document in rest if document not in held_out], held_out

    return wrong


def first_held_out(documents, share):
    cut = round(share * len(documents))
    held_out = documents[:cut]
    return [document for document in documents[cut:] if document not in held_out], held_out


def without_copies(documents, share):
    train, validation = right_split(documents, share)
    return [document for i, document in enumerate(train) if document not in train[:i]], validation


def cut_only(documents, share):
    cut = len(documents) - round(share * len(documents))
    return documents[:cut], documents[cut:]


def copies_in_validation(documents, share):
    train, validation = cut_only(documents, share)
    return train, [document for document in validation if document not in train]


def whole_batches_only(step, seed, batch_size, count):
    epoch, place = divmod(step, count // batch_size)
    return order(seed, epoch, count)[place * batch_size : (place + 1) * batch_size].tolist()


def wraps(step, seed, batch_size, count):
    chosen = order(seed, step * batch_size // count, count)
    return [
        int(chosen[visit % count]) for visit in range(step * batch_size, (step + 1) * batch_size)
    ]


def same_order(rng_of):
    def answer(step, seed, batch_size, count):
        chosen = rng_of(seed).permutation(count)
        return [
            int(chosen[visit % count])
            for visit in range(step * batch_size, (step + 1) * batch_size)
        ]

    return answer


def drawn(draw):
    return lambda step, seed, batch_size, count: draw(
        np.random.default_rng([seed, step]), batch_size, count
    ).tolist()


@np.errstate(over="ignore", invalid="ignore", divide="ignore")
def by_probabilities(logits, targets):
    p = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    where = targets != IGNORE
    return float(-np.mean(np.log(p[where, targets[where]])))


@np.errstate(over="ignore", invalid="ignore", divide="ignore")
def by_log_sum(logits, targets):
    where = targets != IGNORE
    log_p = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    return float(-np.mean(log_p[where, targets[where]]))


def log_p(logits):
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def rounding(digits):
    def change(state):
        state.update({name: state[name].round(digits) for name in ("w", "mean")})

    return change


def single(state):
    state.update({name: state[name].astype(np.float32).astype(float) for name in ("w", "mean")})


TASKS = [
    number(
        "LOSS_AT_START",
        "before the first step, on paper",
        float(np.log(512)),
        {"base": 9.0, "no_logarithm": 512.0, "sign": float(-np.log(512))},
        tolerance=2e-3,
    ),
    Task(
        "split",
        "held out is held out",
        right_split,
        collections,
        {
            "train_in_validation": lambda documents, share: (
                documents,
                right_split(documents, share)[1],
            ),
            "copies": cut_only,
            "copies_in_validation": copies_in_validation,
            "each_once": without_copies,
            "rounded_down": (counted_by(np.floor), counted_by(np.ceil)),
            "first_held_out": first_held_out,
        },
        returns=("train", "validation"),
    ),
    Task(
        "visits",
        "which rows at which step",
        right_visits,
        moments_of_training,
        {
            "same_order": (
                same_order(lambda seed: np.random.default_rng([seed, 0])),
                same_order(np.random.default_rng),
            ),
            "not_shuffled": lambda step, seed, batch_size, count: [
                visit % count for visit in range(step * batch_size, (step + 1) * batch_size)
            ],
            "rest_dropped": whole_batches_only,
            "wraps": wraps,
            "drawn_anew": (
                drawn(lambda rng, size, count: rng.integers(count, size=size)),
                drawn(lambda rng, size, count: rng.permutation(count)[:size]),
                drawn(lambda rng, size, count: rng.choice(count, size)),
                drawn(lambda rng, size, count: rng.choice(count, size, replace=False)),
            ),
        },
        points=2,
    ),
    Task(
        "rows",
        "inputs and targets",
        right_rows,
        texts,
        {
            "not_shifted": rows_with(lambda tokens, places: tokens[places]),
            "shifted_twice": rows_with(lambda tokens, places: tokens[places + 2]),
            "backwards": rows_with(lambda tokens, places: tokens[places - 1]),
            "rolled": rows_with(lambda tokens, places: np.roll(tokens[places], -1, axis=1)),
        },
        returns=("inputs", "targets"),
    ),
    Task(
        "loss",
        "the loss of a row, padding aside",
        right_loss,
        answers,
        {
            "shifted_twice": lambda logits, targets: right_loss(logits[:-1], targets[1:]),
            "base": lambda logits, targets: right_loss(logits, targets) / np.log(2),
            "overflow": (by_probabilities, by_log_sum),
            "summed": lambda logits, targets: right_loss(logits, targets) * counted(targets),
            "sign": lambda logits, targets: -right_loss(logits, targets),
            "padding": (
                lambda logits, targets: (
                    right_loss(logits, targets) * counted(targets) / len(targets)
                ),
                lambda logits, targets: float(
                    -np.mean(log_p(logits)[np.arange(len(targets)), targets])
                ),
            ),
        },
    ),
    Task(
        "evaluate",
        "the loss of all that was held out",
        weighted(counted, split=1),
        held_out,
        {
            "one_batch": lambda mean_loss, inputs, targets, size: mean_loss(
                inputs[:size], targets[:size]
            ),
            "mean_of_means": (
                weighted(lambda targets: 1),
                weighted(len),
                weighted(lambda targets: 1, split=1),
            ),
            "last_dropped": weighted(counted, drop=True),
        },
    ),
    Task(
        "load",
        "save, and load what was saved",
        resumed(lambda state: None),
        stops,
        {
            "random_state": (
                resumed(lambda state: state.update(rng=np.random.default_rng(state["seed"]))),
                resumed(lambda state: state.update(rng=np.random.default_rng(0))),
            ),
            "moments": resumed(lambda state: state.update(mean=np.zeros(len(state["w"])))),
            "step": resumed(lambda state: state.update(step=0)),
            "rounded": (*(resumed(rounding(digits)) for digits in range(2, 13)), resumed(single)),
        },
        call=asking.load,
        points=2,
        tolerance=0.0,
    ),
]
