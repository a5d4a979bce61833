"""What is checked in exercise 02, and which misconceptions are recognised. The words used here:
minillm/course/exercises.py."""

import numpy as np

from minillm.course.exercises import Hint, Task, number

HINTS = {
    "base": Hint(
        "You mixed two bases of logarithms: a power of 2 where e is needed, or the reverse.",
        "A fair coin has ln 2 = 0.69 nats, which is 1 bit, and perplexity 2 in either unit. Put "
        "it through your formula.",
    ),
    "not_a_power": Hint(
        "This is the mean surprise in bits or nats. Perplexity is a power of it: among how many "
        "equally probable tokens the model seems to choose.",
        "A fair coin costs 1 bit, or 0.69 nats. Its perplexity is the number of its sides.",
    ),
    "mean_of_inverses": Hint(
        "This is the arithmetic mean of 1/p. The probabilities of a text are multiplied, so you "
        "need the mean of their logarithms, a geometric mean.",
        "Multiply the four probabilities: which single probability, multiplied four times, gives "
        "the same product?",
    ),
    "mean_of_probabilities": Hint(
        "You averaged the probabilities before taking the logarithm. A model that is sure and "
        "wrong half of the time then looks harmless.",
        "Compare two tokens at 1/2 each with one at 1 and one at almost 0: the first text is "
        "possible, the second is not.",
    ),
    "across_documents": Hint(
        "You counted the last token of a document as coming before the first of the next. "
        "Documents are independent.",
        "Count two documents [0, 0]: the token 0 comes after 0 twice, not three times.",
    ),
    "transposed": Hint(
        "You exchanged rows and columns: the row is the token that came before.",
        "Count [0, 5, 0] by hand: which of counts[0, 5] and counts[5, 0] says that 5 comes after "
        "0?",
    ),
    "once_only": Hint(
        "You counted a pair that occurs several times in a document once. In NumPy, counts[rows, "
        "columns] += 1 adds one to each different place, however often it is named.",
        "Count [0, 3, 3, 3, 0] and look at counts[3, 3].",
    ),
    "columns": Hint(
        "Your columns add up to 1. What must add up to 1 are the probabilities of all tokens "
        "that may follow the same token.",
        "Print P.sum(axis=0) and P.sum(axis=1): which of the two should be all ones?",
    ),
    "joint": Hint(
        "This is the probability of the pair, p(a, b), not of b after a.",
        "Add up a row: for p(b | a) the sum is 1 for every a, also for a rare one.",
    ),
    "alpha_once": Hint(
        "You added alpha to each count but only once to their sum, so the rows add up to more "
        "than 1.",
        "Take counts of zero: with nothing seen, each of V tokens should get 1/V.",
    ),
    "mean_of_means": Hint(
        "You gave each document the same weight, however long it is. The loss is a mean over "
        "tokens.",
        "Take one document with one predicted token and one with a hundred: how much should the "
        "first one count?",
    ),
    "counts_first": Hint(
        "You divided by the number of all tokens, but the first token of each document is given, "
        "not predicted.",
        "Take the document [0, 0]: how many predictions does it contain?",
    ),
    "sign": Hint(
        "The loss is negative. The logarithm of a probability is at most 0, and surprise is its "
        "opposite.",
        "A model that is right with certainty has loss 0; every other model should have more.",
    ),
    "log_zero": Hint(
        "Something happened that the model calls impossible, and your loss stayed finite: you "
        "added a small number or left the token out. The result then says more about that number "
        "than about the model.",
        "Change the small number from 1e-10 to 1e-20 and watch the loss of the same model. The "
        "fix belongs in the model, not in the metric: smoothing.",
    ),
    "per_token": Hint(
        "These are bits per token. A tokenizer with longer tokens makes this number larger "
        "without making the model worse.",
        "Encode the same text in half as many tokens with the same total loss: bits per byte "
        "must not change.",
    ),
    "bytes_per_token": Hint(
        "You multiplied the loss by bytes per token; it must be divided.",
        "A token of four bytes costs 8 bits: how many bits is that per byte?",
    ),
}


def documents(rng, vocab_size, most=6, longest=12):
    return [
        [0, *map(int, rng.integers(1, vocab_size, rng.integers(0, longest))), 0]
        for _ in range(rng.integers(1, most + 1))
    ]


def texts(rng):
    yield [[0, 0], [0, 0]], 2
    yield [[0, 3, 3, 3, 0]], 4
    for most, longest in ((1, 3),) * 8 + ((2, 4),) * 6 + ((6, 12),) * 15:
        size = int(rng.integers(2, 9))
        yield documents(rng, size, most, longest), size


def counts_and_alphas(rng):
    yield np.zeros((3, 3)), 1.0
    for largest in (3,) * 8 + (9,) * 17:
        size = int(rng.integers(2, largest))
        yield (
            rng.integers(0, 6, (size, size)).astype(float),
            float(rng.choice([0.01, 0.1, 0.5, 1.0, 2.0])),
        )


def texts_and_models(rng):
    yield [[0, 0]], np.array([[0.5, 0.5], [0.5, 0.5]])
    yield [[0, 1, 0], [0, 0]], np.array([[0.25, 0.75], [0.5, 0.5]])
    yield (
        [[0, 1, 1, 0]],
        np.array([[0.25, 0.75], [1.0, 0.0]]),
    )  # after token 1 only the end is possible
    for _ in range(25):
        size = int(rng.integers(3, 9))
        P = rng.dirichlet(np.ones(size), size)
        P[2] = np.eye(size)[0]  # after token 2 only the end is possible
        yield documents(rng, size), P


def chosen(documents, P):
    return [np.array([P[a, b] for a, b in zip(document, document[1:])]) for document in documents]


@np.errstate(divide="ignore")
def right_loss(documents, P):
    return float(-np.mean(np.log(np.concatenate(chosen(documents, P)))))


def right_counts(documents, vocab_size):
    counts = np.zeros((vocab_size, vocab_size))
    for document in documents:
        for a, b in zip(document, document[1:]):
            counts[a, b] += 1
    return counts


def counted_once(documents, vocab_size):
    return sum((right_counts([document], vocab_size) > 0).astype(float) for document in documents)


def counted_once_in_all(documents, vocab_size):
    return (right_counts(documents, vocab_size) > 0).astype(float)


def silent(function):
    return np.errstate(divide="ignore", invalid="ignore")(function)


def with_a_small_number(eps):
    return lambda documents, P: float(-np.mean(np.log(np.concatenate(chosen(documents, P)) + eps)))


def with_a_least(eps):
    return lambda documents, P: float(
        -np.mean(np.log(np.maximum(np.concatenate(chosen(documents, P)), eps)))
    )


def without_zeros(documents, P):
    p = np.concatenate(chosen(documents, P))
    return float(-np.mean(np.log(p[p > 0])))


def zeros_cost_nothing(documents, P):
    p = np.concatenate(chosen(documents, P))
    return float(-np.sum(np.log(p[p > 0])) / len(p))


SMALL = (1e-6, 1e-7, 1e-8, 1e-9, 1e-10, 1e-12, 1e-15, 1e-16, 1e-20, 1e-30, 1e-100, 1e-300)

TASKS = [
    number(
        "PERPLEXITY",
        "four tokens on paper",
        2**2.25,
        {
            "base": float(np.exp(2.25)),
            "not_a_power": (2.25, 2.25 * float(np.log(2))),
            "mean_of_inverses": 5.5,
            "mean_of_probabilities": 4.0,
        },
        tolerance=2e-3,
    ),
    Task(
        "bigram_counts",
        "what comes after what",
        right_counts,
        texts,
        {
            "across_documents": lambda documents, size: right_counts([sum(documents, [])], size),
            "transposed": lambda documents, size: right_counts(documents, size).T,
            "once_only": (counted_once, counted_once_in_all),
        },
    ),
    Task(
        "bigram_probabilities",
        "counts to probabilities, smoothed",
        lambda counts, alpha: (counts + alpha) / np.sum(counts + alpha, axis=1, keepdims=True),
        counts_and_alphas,
        {
            "columns": lambda counts, alpha: (
                (counts + alpha) / np.sum(counts + alpha, axis=0, keepdims=True)
            ),
            "joint": lambda counts, alpha: (counts + alpha) / np.sum(counts + alpha),
            "alpha_once": silent(
                lambda counts, alpha: (
                    (counts + alpha) / (np.sum(counts, axis=1, keepdims=True) + alpha)
                )
            ),
        },
    ),
    Task(
        "cross_entropy",
        "the loss of any bigram model",
        right_loss,
        texts_and_models,
        {
            "mean_of_means": silent(
                lambda documents, P: float(
                    np.mean([-np.mean(np.log(p)) for p in chosen(documents, P)])
                )
            ),
            "base": silent(lambda documents, P: right_loss(documents, P) / np.log(2)),
            "counts_first": silent(
                lambda documents, P: float(
                    -np.sum(np.log(np.concatenate(chosen(documents, P)))) / sum(map(len, documents))
                )
            ),
            "sign": silent(lambda documents, P: -right_loss(documents, P)),
            "mean_of_probabilities": silent(
                lambda documents, P: float(-np.log(np.mean(np.concatenate(chosen(documents, P)))))
            ),
            "log_zero": (
                *map(with_a_small_number, SMALL),
                *map(with_a_least, SMALL),
                silent(without_zeros),
                silent(zeros_cost_nothing),
            ),
        },
        points=2,
    ),
    Task(
        "perplexity",
        "nats to perplexity",
        lambda nats: float(np.exp(nats)),
        lambda rng: [(0.0,), *((float(x),) for x in rng.uniform(0.1, 8, 20))],
        {"base": lambda nats: 2.0**nats},
    ),
    Task(
        "bits_per_byte",
        "a measure that no tokenizer changes",
        lambda nats, tokens, n_bytes: nats * tokens / np.log(2) / n_bytes,
        lambda rng: [
            (float(np.log(2)), 10, 40),
            *(
                (
                    float(rng.uniform(0.5, 6)),
                    int(rng.integers(10, 1000)),
                    int(rng.integers(1000, 5000)),
                )
                for _ in range(20)
            ),
        ],
        {
            "per_token": lambda nats, tokens, n_bytes: nats / np.log(2),
            "base": (
                lambda nats, tokens, n_bytes: nats * tokens / n_bytes,
                lambda nats, tokens, n_bytes: nats * tokens * np.log(2) / n_bytes,
            ),
            "bytes_per_token": lambda nats, tokens, n_bytes: nats / np.log(2) * n_bytes / tokens,
        },
    ),
]
