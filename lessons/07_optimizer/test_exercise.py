"""What is checked in exercise 07, and which misconceptions are recognised. The words used here:
minillm/course/exercises.py."""

import numpy as np

from minillm.config import TrainConfig
from minillm.course.exercises import Hint, Task, normal, number, sizes
from minillm.in_numpy import optimizer

HINTS = {
    "uphill": Hint(
        "Your step goes the wrong way. The gradient points to where the loss grows.",
        "Take f(w) = w^2 at w = 1, where the gradient is 2: does your step come nearer to 0?",
    ),
    "old_mean": Hint(
        "You made the step from the mean before this gradient was added. The newest gradient "
        "belongs in it.",
        "In the very first step the mean was zero: does w move at all?",
    ),
    "averaged_momentum": Hint(
        "You gave the gradient a share of 1 - beta. That is Adam's way; here the whole gradient "
        "is added, so that steady gradients add up.",
        "With the same gradient again and again and beta = 0.9, the steps must grow to ten times "
        "the first.",
    ),
    "momentum_left_out": Hint(
        "You keep the mean and do not use it: the step is that of the gradient alone.",
        "Let g be zero and the mean not: does w move on?",
    ),
    "looks_ahead": Hint(
        "You stepped along beta * mean + g with the new mean, which is Nesterov's momentum. Here "
        "the step is the new mean itself.",
        "In the first step, from a mean of zero, w must move by exactly rate * g.",
    ),
    "no_correction": Hint(
        "You did not correct the moments. They begin at zero and are too small at first, each by "
        "its own factor.",
        "Compute the first step with g = 1, beta1 = 0.9 and beta2 = 0.999: the direction must be "
        "1.",
    ),
    "t_from_0": Hint(
        "You corrected with t = step, one too few. In the first step that divides by 1 - beta^0 "
        "= 0.",
        "Compute 1 - beta**step for step = 0.",
    ),
    "one_correction": Hint(
        "You corrected only one of the two moments. Both begin at zero, and they need different "
        "factors.",
        "Compute the first step with g = 1, beta1 = 0.9 and beta2 = 0.999: the direction must be "
        "1.",
    ),
    "corrected_kept": Hint(
        "You returned the corrected moments, so the next step corrects them once more. The "
        "correction is for the direction alone.",
        "From moments of zero and with g = 1, the mean must be 1 - beta1 after one step, not 1.",
    ),
    "eps_inside": Hint(
        "You added eps under the root. There it counts by its own root: 1e-8 inside is as much "
        "as 1e-4 outside, and small gradients are slowed down.",
        "With a constant gradient of 1e-6 and eps = 1e-8 the direction must be nearly 1.",
    ),
    "no_root": Hint(
        "You did not take the root of the square, so large gradients make small steps and small "
        "ones huge steps.",
        "Multiply all gradients by 10: the direction must stay.",
    ),
    "square_of_mean": Hint(
        "You squared the mean; Adam needs the mean of squares. Gradients of opposite sign cancel "
        "in one and not in the other.",
        "With gradients 1, -1, 1, -1 the square must go to 1.",
    ),
    "exchanged": Hint(
        "You exchanged beta1 and beta2. beta1 is for the mean.",
        "Set beta1 = 0: the numerator of the direction must be g alone.",
    ),
    "decay_in_gradient": Hint(
        "You added the decay to the gradient, so it went through Adam's moments and was divided "
        "by their root: large gradients, little decay. In AdamW (the W is for this) it does not.",
        "Let all gradients be zero: every matrix must shrink by the factor 1 - rate * decay, "
        "whatever its size.",
    ),
    "decay_of_all": Hint(
        "You decayed vectors too. The weights of a norm belong near 1; pulling them to 0 only "
        "makes the next matrix work against it.",
        "Let all gradients and moments be zero: vectors must stay as they are.",
    ),
    "decay_without_rate": Hint(
        "You did not scale the decay by the rate. It would pull at full strength in warm-up and "
        "at the very end.",
        "Set rate to 0: nothing may move.",
    ),
    "no_decay": Hint(
        "The weight decay is missing: this is Adam.",
        "Let all gradients and moments be zero: matrices must shrink.",
    ),
    "grows": Hint(
        "The decay has the wrong sign: weights grow.",
        "Let all gradients and moments be zero: matrices must shrink.",
    ),
    "decay_after": Hint(
        "You took the decay of the weight after the step. Both terms use the weight before it.",
        "Work out one step on paper with w = 1, direction 1, rate 0.5, decay 0.5: 1 - 0.5 (1 + "
        "0.5) = 0.25.",
    ),
    "per_tensor": Hint(
        "You clipped each gradient by its own norm. Then they are scaled by different factors, "
        "and the direction of the whole step changes.",
        "Clip {a: [3], b: [4]} to 1: it must become 0.6 and 0.8.",
    ),
    "per_number": Hint(
        "You limited every number by itself. That changes the direction of the step; clipping by "
        "the norm only shortens it.",
        "Clip {a: [3], b: [4]} to 1: it must become 0.6 and 0.8.",
    ),
    "always_scaled": Hint(
        "You made short gradients longer. Clipping only shortens.",
        "Clip {a: [0.3]} to 1: it must stay 0.3.",
    ),
    "norms_added": Hint(
        "You added up the norms of the parts. Norms do not add; their squares do.",
        "The norm of {a: [3], b: [4]} is 5, not 7.",
    ),
    "mean_square": Hint(
        "You made the norm with a mean. It is the root of the sum of all squares.",
        "The norm of {a: [3], b: [4]} is 5.",
    ),
    "norm_squared": Hint(
        "You did not take the root: that is the square of the norm.",
        "The norm of {a: [3], b: [4]} is 5, not 25.",
    ),
    "starts_at_zero": Hint(
        "Step 0 got a rate of 0: it costs as much as any other step and changes nothing.",
        "Print the first three shares for warmup = 4: they must be 1/4, 2/4, 3/4.",
    ),
    "never_arrives": Hint(
        "The last step does not get `final`: you made the cosine as if there were one more step. "
        "Steps count from 0, so the last is steps - 1.",
        "Print the share of step steps - 1.",
    ),
    "off_at_both_ends": Hint(
        "Step 0 got a rate of 0, and the last step does not get `final`: counted from 0 at the "
        "start and from 1 at the end.",
        "Print the shares for steps = 6, warmup = 2: how many different ones are there, and what "
        "are the first and the last?",
    ),
    "cosine_from_zero": Hint(
        "Your cosine began at step 0 instead of the end of warm-up, so the rate jumps down where "
        "warm-up ends.",
        "Print the share at step warmup: it must be 1.",
    ),
    "no_warm_up": Hint(
        "There is no warm-up: your first steps are as large as the peak.",
        "Print the first three shares for warmup = 4.",
    ),
    "whole_cosine": Hint(
        "You used a whole period of the cosine: down, and up again to the peak. Half a period "
        "goes from 1 to -1.",
        "Print the shares of a short run: do they fall all the way?",
    ),
    "down_to_zero": Hint(
        "The cosine ends at 0, not at `final`.", "Print the last step's share for final = 0.1."
    ),
    "added_on_top": Hint(
        "You added `final` on top, so the cosine begins above 1.",
        "Print the share at step warmup: it must be 1.",
    ),
    "straight": Hint(
        "Your rate falls along a straight line. A cosine stays near the peak at first and near "
        "the end at last.",
        "A quarter of the way down the cosine has fallen by 0.146 of the way, a line by 0.25.",
    ),
}


# ---- Fresh inputs, small ones first -------------------------------------------------------------


def pushes(rng):
    yield np.array([1.0]), np.array([2.0]), np.array([0.0]), 0.1, 0.9
    for n, m in sizes(rng, 1, 4, (15, 2)):
        yield (
            *normal(rng, 3, n, m),
            float(rng.choice([0.1, 0.2, 0.5])),
            float(rng.choice([0.4, 0.6, 0.9])),
        )


def directions(rng):
    yield np.array([1.0]), np.array([0.0]), np.array([0.0]), 0, 0.9, 0.999, 1e-8
    for i, n in enumerate((1,) * 8 + (2,) * 6 + (4,) * 11):
        size = rng.choice([0.001, 0.01, 0.1, 1.0, 10.0])
        step = 0 if i < 3 else int(rng.integers(1, 30))
        mean, square = (
            (np.zeros(n), np.zeros(n))
            if step == 0
            else (size * normal(rng, n), size**2 * np.round(rng.uniform(0.2, 2, n), 1))
        )
        yield (
            size * normal(rng, n),
            mean,
            square,
            step,
            float(rng.choice([0.5, 0.8, 0.9])),
            float(rng.choice([0.95, 0.99, 0.999])),
            float(rng.choice([1e-2, 1e-3, 1e-4])),
        )


def models(rng):
    for i, (a, b) in enumerate(((1, 1), *sizes(rng, 1, 5, (20, 2)))):
        shapes = {"down_proj": (int(b), int(a)), "norm": (int(b),)} | (
            {} if i < 8 else {"embed": (int(a) + 1, int(b))}
        )
        params, grads = (
            {name: normal(rng, *shape) for name, shape in shapes.items()} for _ in range(2)
        )
        step = 0 if i < 2 else int(rng.integers(1, 30))
        means, squares = (
            {name: power(normal(rng, *shape)) * (step > 0) for name, shape in shapes.items()}
            for power in (lambda x: x, lambda x: x * x)
        )
        yield (
            params,
            grads,
            means,
            squares,
            step,
            float(rng.choice([0.1, 0.2, 0.5])),
            float(rng.choice([0.5, 0.8, 0.9])),
            float(rng.choice([0.95, 0.99, 0.999])),
            float(rng.choice([1e-2, 1e-3, 1e-4])),
            float(rng.choice([0.1, 0.3, 1.0])),
        )


def gradients(rng):
    yield {"a": np.array([3.0]), "b": np.array([4.0])}, 1.0
    yield {"a": np.array([0.3]), "b": np.array([0.4])}, 1.0
    for i, (a, b) in enumerate(sizes(rng, 1, 5, (20, 2))):
        grads = {
            "embed": normal(rng, a + 1, b),
            "norm": 0.3 * normal(rng, b),
            "down_proj": 3 * normal(rng, b, a),
        }
        yield (
            grads,
            float(
                optimizer.global_norm(grads)
                * (rng.uniform(0.2, 0.9) if i % 3 else rng.uniform(1.1, 3))
            ),
        )


def steps(rng):
    for total, warmup, final in (
        (6, 2, 0.0),
        (6, 2, 0.1),
        (5, 0, 0.1),
        *(
            (int(w) + int(n), int(w), float(f))
            for w, n, f in zip(
                rng.integers(1, 9, 6), rng.integers(4, 15, 6), rng.uniform(0.05, 0.4, 6)
            )
        ),
    ):
        for step in range(total):
            yield step, total, warmup, final


# ---- The right answers: minillm's own -----------------------------------------------------------


def flat(rate, beta1, beta2, eps, decay):
    """A configuration whose rate is the same at every step."""
    return TrainConfig(
        steps=10**6,
        warmup_steps=0,
        final_learning_rate=1.0,
        learning_rate=rate,
        beta1=beta1,
        beta2=beta2,
        eps=eps,
        weight_decay=decay,
    )


def right_adam(g, mean, square, step, beta1, beta2, eps):
    """minillm's update of a weight of 0 at a rate of 1, turned round."""
    w, mean, square = optimizer.adamw(
        np.zeros_like(g), g, mean, square, step, flat(1.0, beta1, beta2, eps, 0.0)
    )
    return -w, mean, square


def right_adamw(params, grads, means, squares, step, rate, beta1, beta2, eps, decay):
    moved = {
        name: optimizer.adamw(
            w, grads[name], means[name], squares[name], step, flat(rate, beta1, beta2, eps, decay)
        )
        for name, w in params.items()
    }
    return tuple({name: three[i] for name, three in moved.items()} for i in range(3))


def right_clip(grads, most):
    return optimizer.clip(grads, most)[0]


def right_schedule(step, steps, warmup, final):
    return float(
        optimizer.schedule(
            step, TrainConfig(steps=steps, warmup_steps=warmup, final_learning_rate=final)
        )
    )


# ---- What each misconception answers: the right answer with one thing changed -------------------


def adam_of(
    first=lambda beta, step: 1 - beta ** (step + 1),
    second=lambda beta, step: 1 - beta ** (step + 1),
    root=lambda square, eps: np.sqrt(square) + eps,
    squared=lambda g, mean: g * g,
    keep=False,
):
    def wrong(g, mean, square, step, beta1, beta2, eps):
        mean = beta1 * mean + (1 - beta1) * g
        square = beta2 * square + (1 - beta2) * squared(g, mean)
        with np.errstate(all="ignore"):
            top, below = (
                mean / np.float64(first(beta1, step)),
                square / np.float64(second(beta2, step)),
            )
            direction = top / root(below, eps)
        return (direction, top, below) if keep else (direction, mean, square)

    return wrong


def never(beta, step):
    return 1.0


def from_zero(beta, step):
    return 1 - beta**step


def divides_by_zero(g, mean, square, step, beta1, beta2, eps):
    """What t = step raises where moments are plain numbers."""
    1 / (1 - beta1**step)
    return adam_of(first=from_zero, second=from_zero)(g, mean, square, step, beta1, beta2, eps)


def adamw_of(change):
    """`change(w, direction, rate, decay)`: the new weight."""

    def wrong(params, grads, means, squares, step, rate, beta1, beta2, eps, decay):
        new, mean, square = {}, {}, {}
        for name, w in params.items():
            direction, mean[name], square[name] = right_adam(
                grads[name], means[name], squares[name], step, beta1, beta2, eps
            )
            new[name] = change(w, direction, rate, decay)
        return new, mean, square

    return wrong


def decay_in_gradient(norms_too=False):
    def wrong(params, grads, means, squares, step, rate, beta1, beta2, eps, decay):
        grads = {
            name: g + decay * params[name] * (norms_too or g.ndim == 2) for name, g in grads.items()
        }
        return right_adamw(params, grads, means, squares, step, rate, beta1, beta2, eps, 0.0)

    return wrong


def clip_by(norm, at_most=True):
    def wrong(grads, most):
        factor = most / norm(list(grads.values()))
        return {name: g * (min(1.0, factor) if at_most else factor) for name, g in grads.items()}

    return wrong


def schedule_of(
    first=1,
    last=1,
    start=None,
    shape=lambda p: 0.5 * (1 + np.cos(np.pi * p)),
    mix=lambda share, final: final + (1 - final) * share,
):
    def wrong(step, steps, warmup, final):
        if step < warmup and first is not None:
            return (step + first) / warmup
        begin = warmup if start is None else start
        return mix(shape((step - begin) / (steps - last - begin)), final)

    return wrong


def late_peak(step, steps, warmup, final):
    """Warm-up that reaches 1 only at step `warmup`, where the cosine begins: 0 at step 0; and the
    end one step short."""
    return schedule_of(first=0, last=0)(step, steps, warmup, final)


TASKS = [
    number(
        "WEIGHT",
        "two steps on paper",
        3.27,
        {
            "decay_in_gradient": 3.620253,
            "no_correction": 3.241677,
            "no_decay": 4.05,
            "decay_without_rate": 0.95,
            "grows": 4.91,
            "uphill": 3.21,
            "one_correction": 3.337105,
        },
        tolerance=1e-4,
    ),
    Task(
        "momentum",
        "a ball that rolls on",
        lambda w, g, mean, rate, beta: (w - rate * (beta * mean + g), beta * mean + g),
        pushes,
        {
            "uphill": lambda w, g, mean, rate, beta: (
                w + rate * (beta * mean + g),
                beta * mean + g,
            ),
            "old_mean": lambda w, g, mean, rate, beta: (w - rate * mean, beta * mean + g),
            "averaged_momentum": lambda w, g, mean, rate, beta: (
                w - rate * (beta * mean + (1 - beta) * g),
                beta * mean + (1 - beta) * g,
            ),
            "momentum_left_out": lambda w, g, mean, rate, beta: (w - rate * g, beta * mean + g),
            "looks_ahead": lambda w, g, mean, rate, beta: (
                w - rate * (beta * (beta * mean + g) + g),
                beta * mean + g,
            ),
        },
        returns=("w", "mean"),
    ),
    Task(
        "adam",
        "every number its own scale",
        right_adam,
        directions,
        {
            "no_correction": adam_of(first=never, second=never),
            "t_from_0": (adam_of(first=from_zero, second=from_zero), divides_by_zero),
            "one_correction": (adam_of(second=never), adam_of(first=never)),
            "corrected_kept": adam_of(keep=True),
            "eps_inside": adam_of(root=lambda square, eps: np.sqrt(square + eps)),
            "no_root": adam_of(root=lambda square, eps: square + eps),
            "square_of_mean": adam_of(squared=lambda g, mean: mean * mean),
            "exchanged": lambda g, mean, square, step, beta1, beta2, eps: right_adam(
                g, mean, square, step, beta2, beta1, eps
            ),
        },
        points=2,
        returns=("direction", "mean", "square"),
    ),
    Task(
        "adamw",
        "a whole model, with decay",
        right_adamw,
        models,
        {
            "decay_in_gradient": (decay_in_gradient(), decay_in_gradient(norms_too=True)),
            "decay_of_all": adamw_of(
                lambda w, direction, rate, decay: w - rate * (direction + decay * w)
            ),
            "decay_without_rate": adamw_of(
                lambda w, direction, rate, decay: w - rate * direction - decay * w * (w.ndim == 2)
            ),
            "no_decay": adamw_of(lambda w, direction, rate, decay: w - rate * direction),
            "grows": adamw_of(
                lambda w, direction, rate, decay: w - rate * (direction - decay * w * (w.ndim == 2))
            ),
            "decay_after": adamw_of(
                lambda w, direction, rate, decay: (
                    (w - rate * direction) * (1 - rate * decay * (w.ndim == 2))
                )
            ),
        },
        needs=("adam",),
        points=2,
        returns=("params", "means", "squares"),
    ),
    Task(
        "clip",
        "one length for all",
        right_clip,
        gradients,
        {
            "per_tensor": lambda grads, most: {
                name: right_clip({name: g}, most)[name] for name, g in grads.items()
            },
            "per_number": lambda grads, most: {
                name: np.clip(g, -most, most) for name, g in grads.items()
            },
            "always_scaled": clip_by(
                lambda parts: np.sqrt(sum(np.sum(g * g) for g in parts)), at_most=False
            ),
            "norms_added": clip_by(lambda parts: sum(np.sqrt(np.sum(g * g)) for g in parts)),
            "mean_square": (
                clip_by(lambda parts: np.sqrt(sum(np.mean(g * g) for g in parts))),
                clip_by(
                    lambda parts: np.sqrt(np.mean(np.concatenate([g.ravel() for g in parts]) ** 2))
                ),
            ),
            "norm_squared": clip_by(lambda parts: sum(np.sum(g * g) for g in parts)),
        },
    ),
    Task(
        "schedule",
        "the rate over time",
        right_schedule,
        steps,
        {
            "off_at_both_ends": late_peak,
            "starts_at_zero": schedule_of(first=0),
            "never_arrives": schedule_of(last=0),
            "cosine_from_zero": schedule_of(start=0),
            "no_warm_up": (
                schedule_of(first=None, start=0),
                schedule_of(first=None, shape=lambda p: 0.5 * (1 + np.cos(np.pi * max(p, 0)))),
            ),
            "whole_cosine": schedule_of(shape=lambda p: 0.5 * (1 + np.cos(2 * np.pi * p))),
            "down_to_zero": schedule_of(mix=lambda share, final: share),
            "added_on_top": (
                schedule_of(mix=lambda share, final: final + share),
                schedule_of(mix=lambda share, final: max(share, final)),
            ),
            "straight": schedule_of(shape=lambda p: 1 - p),
        },
        points=2,
    ),
]
