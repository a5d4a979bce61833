"""What is checked in exercise 21, and which misconceptions are recognised. The words used here:
minillm/course/exercises.py."""

import numpy as np

from minillm.course.exercises import Hint, Task, number
from minillm.inspection import memorised
from minillm.text import overlap as texts

HINTS = {
    "natural": Hint(
        "You used the natural logarithm. Exposure is in bits, so the base is 2.",
        "If the secret is the first of 1,024, how often can a searcher halve the list?"),
    "from_zero": Hint(
        "You counted places from 0. The most probable secret has the first place, rank 1.",
        "With a rank of 0 the exposure of the most probable secret would be infinite."),
    "rank_alone": Hint(
        "You took the logarithm of the rank alone. It is large for a secret that is well hidden; "
        "exposure is large for one that is not.",
        "What is your answer for the most probable secret, and what for the last?"),
    "surprise": Hint(
        "You answered with how (im)probable the secret is. Exposure compares it with the other "
        "secrets: a sentence that is improbable as a whole may still be the first among its like.",
        "Take ln 1000 off every log_p: no place changes, so your answer must not change."),
    "least_first": Hint(
        "Your list begins with the least probable secret.",
        "Two secrets with log_p -1 and -5: which of them would an attacker try first?"),
    "equals_first": Hint(
        "Of equally probable secrets you gave each the first of their places. A model that says "
        "the same of all secrets would then have exposed every one of them.",
        "Let all log_p be equal: how many secrets must an attacker try in the worst case?"),
    "exact_copies": Hint(
        "You found only copies that agree in every character. One more space or a capital hides "
        "a copy from the hash, as it changes every bit of it.",
        'Are "A cat" and "a  cat" copies in the sense of the docstring?'),
    "last_copy": Hint(
        "You kept the last copy of each text. The first is asked for.",
        'Of "a", "b", "A", which should stay?'),
    "order_lost": Hint(
        "The texts come back in another order. The order of training text is a part of the recipe, "
        "and a set has none.",
        'Pass "b", "a": there is nothing to remove.'),
    "changed_texts": Hint(
        "You gave back the texts in the form that you hashed. Only the comparison ignores capitals "
        "and spaces: what stays is unchanged.",
        'Pass one text, "A  Cat".'),
    "all_copies": Hint(
        "You removed every text that has a copy, the first one too. Then the model never reads it.",
        'Pass "a", "a": one should stay.'),
    "of_training": Hint(
        "You divided by the number of n-grams of the training text. The question is how much of "
        "the test was seen, and a larger training set would make your answer smaller.",
        "Let the test be one of many training documents: all of it was seen."),
    "counted_twice": Hint(
        "You counted an n-gram of the test as often as it occurs. The different ones are asked "
        "for.",
        "Test (1, 1, 1, 2), n = 1: how many different 1-grams has it?"),
    "across": Hint(
        "You joined the training documents before you cut them. An n-gram across the seam of two "
        "documents is in neither.",
        "Training (1, 2) and (3, 4), test (2, 3), n = 2: where does the test stand?"),
    "last_missing": Hint(
        "The last n-gram of a document is missing.",
        "A document of n tokens has one n-gram."),
    "any": Hint(
        "You answered whether there is an overlap. How much of the test it covers is asked.",
        "Test (1, 2, 9, 9), training (1, 2), n = 1: is all of the test known?"),
    "by_place": Hint(
        "Your gaps are at every `keep`-th place. Another copy of the text begins at another place, "
        "so what was left out in one copy is learned from the next.",
        "Put a token before the text: the gaps must move along with it."),
    "sees_itself": Hint(
        "Your sum includes the token that is to be predicted. Whether it counts would then say "
        "something about it; the tokens before it alone decide.",
        "Change the last token of the text: no answer may change."),
    "inverted": Hint(
        "You have it the wrong way round: True is for tokens that count.",
        "With a large `keep` nearly all tokens must count."),
}


# ---- Fresh inputs, small ones first -------------------------------------------------------------


def opinions(rng):
    yield np.array([-1.0, -5.0, -2.0]), 2
    yield np.array([-1.0, -1.0]), 0
    for _ in range(20):
        size = int(rng.integers(3, 9))
        yield np.round(-3 * rng.random(size), 1) - 0.5, int(rng.integers(size))


def collections(rng):
    for small in (["b", "a"], ["A  Cat"], ["a", "b", "A"], ["A cat", "a  cat"], ["a", "a"]):
        yield (small,)
    words = ["a", "A", "cat", "Cat", "dog"]
    for _ in range(20):
        between = [str(rng.choice([" ", "   ", "\t", "\n\n", ""])) for _ in range(6)]
        texts = [gap.join(map(str, rng.choice(words, rng.integers(1, 3))))
                 for gap in between[: rng.integers(3, 7)]]
        yield (texts,)


def pairs(rng):
    yield [[1, 2], [3, 4]], [2, 3], 2
    yield [[1, 2]], [1, 2, 9, 9], 1
    yield [[1, 5, 6, 7]], [1, 1, 1, 2], 1
    for _ in range(24):
        n = int(rng.integers(1, 4))
        train = [rng.integers(0, 3, rng.integers(n, n + 4)).tolist()
                 for _ in range(rng.integers(1, 4))]
        yield train, rng.integers(0, 3, rng.integers(n, n + 5)).tolist(), n


def passages(rng):
    yield [1, 2, 3, 4], 2, 1
    for _ in range(20):
        yield (rng.integers(0, 9, rng.integers(4, 9)).tolist(), int(rng.integers(2, 5)),
               int(rng.integers(1, 4)))


# ---- The right answers --------------------------------------------------------------------------


def right_rank(log_p, secret):
    return memorised.rank(log_p, (secret,))


def right_exposure(log_p, secret):
    return memorised.exposure(log_p, (secret,))


def right_overlap(train, test, n):
    return texts.overlap(train, [test], n)[0]


def windows(tokens, keep, sums):
    """True where a sum of other tokens is no multiple of `keep`; `sums` says which for place t."""
    return [sums(t) is None or sum(tokens[sums(t)]) % keep != 0 for t in range(len(tokens))]


def right_learned(tokens, keep, before):
    return windows(tokens, keep, lambda t: slice(t - before, t) if t >= before else None)


# ---- What each misconception answers ------------------------------------------------------------


def equals_first(log_p, secret):
    return int(np.sum(log_p > log_p[secret])) + 1


def least_first(log_p, secret):
    return int(np.sum(log_p <= log_p[secret]))


def least_first_alone(log_p, secret):
    return int(np.sum(log_p < log_p[secret])) + 1


def bits(place):
    return lambda log_p, secret: np.log2(len(log_p)) - np.log2(place(log_p, secret))


def exact_copies(documents):
    return list(dict.fromkeys(documents))


def last_copy(documents):
    return texts.deduplicated(documents[::-1])[::-1]


def plain(documents):
    return [texts.normal_form(text) for text in documents]


def all_copies(documents):
    forms = plain(documents)
    return [text for text, form in zip(documents, forms) if forms.count(form) == 1]


def listed(document, n, missing=0):
    return [tuple(document[i : i + n]) for i in range(len(document) - n + 1 - missing)]


def of_training(train, test, n):
    known = set().union(*(texts.ngrams(document, n) for document in train))
    return len(known & texts.ngrams(test, n)) / len(known)


def counted_twice(train, test, n):
    known = set().union(*(texts.ngrams(document, n) for document in train))
    return float(np.mean([gram in known for gram in listed(test, n)]))


def across(train, test, n):
    return right_overlap([sum(train, [])], test, n)


def last_missing(train, test, n):
    known = {gram for document in train for gram in listed(document, n, 1)}
    grams = set(listed(test, n, 1))
    return len(grams & known) / len(grams) if grams else 0.0


def last_missing_error(train, test, n):
    return len(set(listed(test, n, 1)) & {
        gram for document in train for gram in listed(document, n, 1)}) / len(
            set(listed(test, n, 1)))


def sees_itself(tokens, keep, before):
    return windows(tokens, keep, lambda t: slice(t - before + 1, t + 1) if t >= before else None)


def sees_all(tokens, keep, before):
    return windows(tokens, keep, lambda t: slice(t - before, t + 1) if t >= before else None)


TASKS = [
    number("EXPOSURE", "an exposure on paper", 8.0,
           {"natural": float(np.log(256)), "from_zero": float(np.log2(1024 / 3)),
            "rank_alone": 2.0}, tolerance=1e-3),
    Task("rank", "the place of a secret", right_rank, opinions,
         {"from_zero": (lambda log_p, secret: right_rank(log_p, secret) - 1,
                        lambda log_p, secret: equals_first(log_p, secret) - 1),
          "least_first": (least_first, least_first_alone), "equals_first": equals_first}),
    Task("exposure", "the bits that a model gives away", right_exposure, opinions,
         {"natural": lambda log_p, secret: right_exposure(log_p, secret) * np.log(2),
          "rank_alone": (lambda log_p, secret: np.log2(right_rank(log_p, secret)),
                         lambda log_p, secret: -np.log2(right_rank(log_p, secret))),
          "surprise": (lambda log_p, secret: -log_p[secret] / np.log(2),
                       lambda log_p, secret: np.log2(len(log_p)) + log_p[secret] / np.log(2)),
          "least_first": (bits(least_first), bits(least_first_alone)),
          "equals_first": bits(equals_first)}),
    Task("deduplicated", "each text once", texts.deduplicated, collections,
         {"exact_copies": exact_copies, "last_copy": last_copy,
          "order_lost": lambda documents: sorted(texts.deduplicated(documents)),
          "changed_texts": (lambda documents: plain(texts.deduplicated(documents)),
                            lambda documents: [text.lower() for text in
                                               texts.deduplicated(documents)]),
          "all_copies": all_copies}),
    Task("overlap", "how much of a test was seen", right_overlap, pairs,
         {"of_training": of_training, "counted_twice": counted_twice, "across": across,
          "last_missing": (last_missing, last_missing_error),
          "any": lambda train, test, n: float(right_overlap(train, test, n) > 0)}),
    Task("learned", "gaps that every copy shares", right_learned, passages,
         {"by_place": (lambda tokens, keep, before: [t % keep != 0 for t in range(len(tokens))],
                       lambda tokens, keep, before: [(t + 1) % keep != 0
                                                     for t in range(len(tokens))]),
          "sees_itself": (sees_itself, sees_all),
          "inverted": (lambda tokens, keep, before: [not x for x in
                                                     right_learned(tokens, keep, before)],
                       lambda tokens, keep, before: [t < before or not x for t, x in enumerate(
                           right_learned(tokens, keep, before))])}),
]
