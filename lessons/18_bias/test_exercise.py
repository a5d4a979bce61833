"""What is checked in exercise 18, and which misconceptions are recognised. The words used here:
minillm/course/exercises.py."""

import numpy as np

from minillm.course.exercises import Hint, Task, normal, number, sizes
from minillm.in_numpy.erase import erase as changed, leace
from minillm.inspection.bias import line

HINTS = {
    "no_neutral": Hint(
        "You left the neutral noun out. A model may prefer one pronoun whoever is spoken of; that "
        "is no bias about bakers.",
        "What would you answer if \"person\" had the same two probabilities as \"baker\"?",
    ),
    "differences": Hint(
        "You subtracted probabilities. Their difference shrinks with the probability of any "
        "pronoun at all; odds do not.",
        "Divide all probabilities by ten: should the lean change?",
    ),
    "bits": Hint(
        "Your logarithm has base 2. A nat belongs to base e.",
        "How many nats is a factor of e?",
    ),
    "one_template": Hint(
        "You used the first template alone. A single sentence may call for one pronoun by its "
        "other words.",
        "Change the last column: must the answer stay the same?",
    ),
    "two_words": Hint(
        "You made the two pronouns add up to 1, as a softmax over two words does. That hides "
        "whether the model expects a pronoun there at all.",
        "she = 1e-9 and he = 2e-9: what do you say of this occupation?",
    ),
    "pooled": Hint(
        "You averaged the probabilities first. Then the template with the most probable pronouns "
        "decides alone.",
        "Two templates, ratios 1/10 and 10, masses 0.9 and 0.01: do they cancel in your answer?",
    ),
    "turned": Hint(
        "Your sign is reversed: positive leans towards she.",
        "she = 0.9, he = 0.1.",
    ),
    "any_template": Hint(
        "You let one template speak for all: the mean over templates is what must be large enough.",
        "One template with mass 0.02 and nine with nothing, least = 0.01.",
    ),
    "each_pronoun": Hint(
        "You ask for each pronoun alone. A model that never says she of a sailor is the most "
        "biased of all, and would be left out.",
        "she = 0.001, he = 0.6: does the model expect a pronoun?",
    ),
    "no_spread": Hint(
        "That is the slope without its spread. Nobody can tell from it whether other occupations "
        "would have given another.",
        "Do your two ends differ?",
    ),
    "torn_apart": Hint(
        "You redrew the measured values but left the true ones in place. The pairs come apart, and "
        "you get what slopes look like where there is no relation.",
        "y = 2 x exactly: what must the slope of every redraw be?",
    ),
    "extremes": Hint(
        "You took the smallest and the largest slope. They move outwards the more "
        "often you redraw.",
        "Pass every redraw, and one more: can your interval get narrower?",
    ),
    "ninety": Hint(
        "Your interval holds 90% of the redraws: 5% are outside at each end.",
        "How much may be outside of 95%, at both ends together?",
    ),
    "through_zero": Hint(
        "Your line goes through the origin. A model that leans towards one pronoun everywhere then "
        "seems to have another slope.",
        "Add 100 to every y: must the slope change?",
    ),
    "uphill": Hint(
        "Your steps go uphill: they increase the loss.",
        "One example, x = 1, label 1: must the weight grow?",
    ),
    "summed": Hint(
        "You added up the examples. The loss is their mean, so that a step does not grow with N.",
        "Pass every example twice: nothing may change.",
    ),
    "squared": Hint(
        "Your gradient is that of a squared error, with a factor p (1 - p). In the cross-entropy "
        "that factor cancels.",
        "A confident and wrong p of nearly 1: should the step be nearly 0?",
    ),
    "straight": Hint(
        "You fitted a straight line to the labels: p is not a probability there.",
        "What is p for weight 0 and bias 0?",
    ),
    "no_bias": Hint(
        "Your bias stays 0: the border between the labels then goes through the origin.",
        "Let all labels be 1 and all x be 0.",
    ),
    "test_set": Hint(
        "You fitted the eraser to all rows. It has then seen the labels of the examples on which "
        "it is judged, and nobody knows what it does to new ones.",
        "Change a label where `fitted` is False: nothing may change.",
    ),
    "at_right_angles": Hint(
        "You projected at right angles along c, as if all directions varied alike and "
        "independently. It erases too, but what a linear probe needs is gone with a smaller "
        "change when the covariance is taken into account.",
        "Compare the mean squared change of x with the formula's on the fitted rows.",
    ),
    "mean_forgotten": Hint(
        "You did not take the mean off before projecting: the mean of x moves, and with it every "
        "prediction.",
        "Must the mean of the fitted rows stay where it was?",
    ),
    "mean_lost": Hint(
        "You took the mean off and did not put it back.",
        "Must the mean of the fitted rows stay where it was?",
    ),
}


# ---- Fresh inputs, small ones first -------------------------------------------------------------


def shares(rng):
    yield np.array([[0.6, 0.01]]), np.array([[0.06, 0.08]])
    for O, T in ((2, 2), *sizes(rng, 2, 6, (20, 2))):
        both, share = rng.choice([0.9, 0.1, 0.01], (O, T)), rng.uniform(0.05, 0.95, (O, T))
        yield np.round(both * share, 4) + 1e-4, np.round(both * (1 - share), 4) + 1e-4


def masses(rng):
    yield np.array([[0.001, 0.002]]), np.array([[0.002, 0.001]]), 0.01
    yield np.array([[0.001, 0.001]]), np.array([[0.6, 0.6]]), 0.01
    yield np.array([[0.02, 0.0001]]), np.array([[0.02, 0.0001]]), 0.03
    yield np.array([[0.0001, 0.02]]), np.array([[0.0001, 0.02]]), 0.01
    yield np.array([[0.02, 0.0001]]), np.array([[0.02, 0.0001]]), 0.01
    for she, he in shares(rng):
        yield she, he, float(np.median(she + he)) * 0.97


def redraws(rng):
    for (O,) in ((3,), (4,), *sizes(rng, 5, 12, (12, 1))):
        x = np.round(0.7 * rng.permutation(O) - 1 + 0.1 * rng.random(O), 2)  # all different
        picks = rng.integers(O, size=(30, O))
        picks[:, :2] = [0, 1]
        yield x, np.round(0.7 * x + 1 + 0.3 * normal(rng, O), 2), picks


def labelled(rng):
    yield np.array([[1.0], [0.5]]), np.array([1.0, 0.0]), 0.5, 2
    for N, D in ((3, 1), (4, 2), *sizes(rng, 3, 8, (16, 2))):
        labels = (rng.random(N) < 0.5).astype(float)
        labels[:2] = 0, 1
        yield normal(rng, N, D), labels, float(rng.choice([0.1, 0.5])), int(rng.integers(2, 8))


def activations(rng):
    for D in (1, 2, 2, 3, *rng.integers(2, 6, size=12)):
        N = 6 * int(D) + 4
        labels, fitted = np.arange(N) % 2 * 1.0, np.arange(N) < N - 4
        x = normal(rng, N, D) @ (np.eye(D) + 0.4 * rng.random((D, D))) + 1
        x = np.round(x + np.outer(labels, 1 + rng.random(D)), 2)
        labels[-2:] = 1
        yield x, labels, fitted


# ---- Right answers, and wrong ones ---------------------------------------------------------------


def right_log_odds(she, he):
    return np.log(she / he).mean(axis=1)


def right_interval(x, y, picks, fit=lambda x, y: line(x, y)[0], ends=(0.025, 0.975)):
    return tuple(np.quantile([fit(x[pick], y[pick]) for pick in picks], ends))


def descended(error=lambda p, z, y: p - y, sign=-1, total=False, bias=True):
    """A probe of another gradient; `error` gets p, log-odds and label."""
    def fit(x, labels, rate, steps):
        design = np.column_stack([x, np.full(len(x), float(bias))])
        w = np.zeros(design.shape[1])
        for _ in range(steps):
            z = design @ w
            slope = design.T @ error(1 / (1 + np.exp(-z)), z, labels)
            w = w + sign * rate * slope / (1 if total else len(x))
        return w[:-1], float(w[-1])
    return fit


def right_erase(x, labels, fitted):
    return changed(x, *leace(x[fitted], labels[fitted][:, None]))


def at_right_angles(x, labels, fitted):
    mean, c = leace(x[fitted], labels[fitted][:, None])[0], None
    c = (x[fitted] - mean).T @ (labels[fitted] - labels[fitted].mean())
    return x - np.outer((x - mean) @ c, c) / (c @ c)


def mean_forgotten(x, labels, fitted):
    _, remove = leace(x[fitted], labels[fitted][:, None])
    return x - x @ remove.T


def torn_apart(x, y, picks):
    return tuple(np.quantile([line(x, y[pick])[0] for pick in picks], (0.025, 0.975)))


TASKS = [
    number("LEAN", "a lean on paper", 1.3862944,
           {"no_neutral": 0.6931472, "differences": 0.05, "bits": 2.0}, tolerance=2e-3),
    Task("log_odds", "the bias of an occupation", right_log_odds, shares, {
        "one_template": lambda she, he: np.log(she[:, 0] / he[:, 0]),
        "two_words": lambda she, he: (she / (she + he)).mean(axis=1),
        "pooled": (lambda she, he: np.log(she.sum(axis=1) / he.sum(axis=1)),
                   lambda she, he: np.log((she / he).mean(axis=1))),
        "differences": lambda she, he: (she - he).mean(axis=1),
        "turned": lambda she, he: -right_log_odds(she, he),
    }),
    Task("claimed", "where nothing can be said",
         lambda she, he, least: (she + he).mean(axis=1) >= least, masses, {
             "one_template": lambda she, he, least: she[:, 0] + he[:, 0] >= least,
             "two_words": lambda she, he, least: np.ones(len(she), bool),
             "any_template": lambda she, he, least: (she + he).max(axis=1) >= least,
             "each_pronoun": lambda she, he, least: (
                 np.minimum(she.mean(axis=1), he.mean(axis=1)) >= least),
         }),
    Task("interval", "how sure the slope is", right_interval, redraws, {
        "no_spread": lambda x, y, picks: (line(x, y)[0],) * 2,
        "torn_apart": torn_apart,
        "extremes": lambda x, y, picks: right_interval(x, y, picks, ends=(0, 1)),
        "ninety": lambda x, y, picks: right_interval(x, y, picks, ends=(0.05, 0.95)),
        "through_zero": lambda x, y, picks: right_interval(
            x, y, picks, lambda x, y: x @ y / (x @ x)),
    }, returns=("low", "high")),
    Task("probe", "a line that reads a label", descended(), labelled, {
        "uphill": descended(sign=1),
        "summed": descended(total=True),
        "squared": descended(lambda p, z, y: (p - y) * p * (1 - p)),
        "straight": descended(lambda p, z, y: z - y),
        "no_bias": descended(bias=False),
    }, points=2, returns=("weight", "bias")),
    Task("erase", "what a line cannot read", right_erase, activations, {
        "test_set": lambda x, labels, fitted: right_erase(x, labels, np.ones(len(x), bool)),
        "at_right_angles": at_right_angles,
        "mean_forgotten": mean_forgotten,
        "mean_lost": lambda x, labels, fitted: (
            right_erase(x, labels, fitted) - x[fitted].mean(axis=0)),
    }, points=2),
]
