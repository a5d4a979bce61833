"""What is checked in exercise 22, and which misconceptions are recognised. The words used here:
minillm/course/exercises.py."""

import numpy as np

from minillm.course.exercises import Hint, Task, number
from minillm.training import scaling

HINTS = {
    "swapped": Hint(
        "You exchanged the two exponents. The term that falls slowly needs the more growth: N "
        "grows as C^(b / (a + b)).",
        "Let b be very large. Tokens are then as good as free: what takes all of the compute?",
    ),
    "all_to_size": Hint(
        "You gave all of the compute to the model. Then the tokens stay as they were, and B / D^b "
        "does not fall.",
        "The product of both factors must be 8. What is left for the tokens?",
    ),
    "embedding_counted": Hint(
        "Your count includes the embedding. For small models it is a large part, of another kind: "
        "a row is looked up, not multiplied.",
        "Double V: the answer must stay the same.",
    ),
    "unequal_schedules": Hint(
        "You kept losses from the middle of a run. The learning rate is still high there, and the "
        "loss is larger than that of a run that ends there.",
        "Would a run whose schedule ends at this D have the same loss?",
    ),
    "linear_space": Hint(
        "You compared the losses themselves. The difference of their logarithms is asked for, so "
        "that one percent counts the same everywhere.",
        "Multiply all losses and all of E, A and B by 2: the objective must stay the same.",
    ),
    "no_irreducible": Hint(
        "E is missing from your law. Text has an entropy, which no model gets below.",
        "Let N and D be enormous: which loss does your law promise?",
    ),
    "plain_squares": Hint(
        "Your gradient is that of squares. Beyond delta Huber's loss is a line, and its slope no "
        "longer grows.",
        "One run has a residual of 100 delta: how steep is its Huber loss?",
    ),
    "not_divided": Hint(
        "The derivative of log L is that of L divided by L. You left the division out.",
        "Change one entry of theta by 0.00001, and see how the objective changes.",
    ),
    "six_forgotten": Hint(
        "You took C = N D. Training takes six operations for each parameter and token.",
        "Multiply your N and D, and then by 6: is it C?",
    ),
}


def shapes(rng):
    yield 5, 2, 3, 1
    for _ in range(4):
        yield tuple(int(x) for x in rng.integers(2, 40, size=4))


def readings(rng):
    yield np.array([1.0, 2.0, 3.0]), np.array([3.0, 3.0, 3.0])
    for _ in range(4):
        ends = rng.integers(2, 9, size=6).astype(float)
        yield np.where(rng.random(6) < 0.5, ends, ends - 1), ends


def law(rng):
    return np.array([rng.normal() / 4, *rng.uniform(1, 3, 2), *rng.uniform(0.2, 0.7, 2)])


def runs(rng):
    for count in (1, 1, 4, 6, 6):
        theta, N, D = law(rng), rng.uniform(5, 1000, count), rng.uniform(5, 1000, count)
        loss = scaling.predict([*np.exp(theta[:3]), *theta[3:]], N, D)
        for spread in (0.02, 0.5):
            yield theta, N, D, loss * np.exp(spread * rng.normal(size=count)), 0.1


def budgets(rng):
    for _ in range(5):
        yield law(rng), float(rng.uniform(1e3, 1e9))


def right_frontier(theta, C):
    return np.array(scaling.frontier([*np.exp(theta[:3]), *theta[3:]], C))


def linear(theta, N, D, loss, delta):
    r = np.abs(scaling.predict([*np.exp(theta[:3]), *theta[3:]], N, D) - loss)
    return np.where(r <= delta, r**2 / 2, delta * (r - delta / 2)).sum()


def no_floor(theta, N, D, loss, delta):
    return scaling.huber(np.array([-1e3, *theta[1:]]), N, D, loss, delta)[0]


def squares(theta, N, D, loss, delta):
    return scaling.huber(theta, N, D, loss, np.inf)[1]


def not_divided(theta, N, D, loss, delta):
    value, slope = scaling.log_loss(theta, N, D)
    return np.clip(value - np.log(loss), -delta, delta) @ (slope * np.exp(value)[:, None])


def swapped(theta, C):
    N, D = right_frontier(theta, C)
    a, b = theta[3:]
    turn = (C / 6) ** ((a - b) / (a + b))
    return np.array([N * turn, D / turn])


def counted(V, d, f, layers):
    return layers * (4 * d * d + 3 * d * f + 2 * d) + d


TASKS = [
    number("FACTOR", "eight times the compute", 4.0, {"swapped": 2.0, "all_to_size": 8.0}),
    Task("parameters", "what is counted", counted, shapes,
         {"embedding_counted": lambda V, d, f, layers: V * d + counted(V, d, f, layers)}),
    Task("usable", "which losses may be fitted", lambda D, ends: D == ends, readings,
         {"unequal_schedules": lambda D, ends: D <= ends}),
    Task("objective", "Huber on logarithms", lambda *some: scaling.huber(*some)[0], runs,
         {"linear_space": linear, "no_irreducible": no_floor}),
    Task("gradient", "its gradient by hand", lambda *some: scaling.huber(*some)[1], runs,
         {"plain_squares": squares, "not_divided": not_divided}),
    Task("frontier", "the best size and data", right_frontier, budgets,
         {"swapped": swapped, "six_forgotten": lambda theta, C: right_frontier(theta, 6 * C)}),
]
