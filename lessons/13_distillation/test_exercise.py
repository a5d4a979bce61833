"""What is checked in exercise 13, and which misconceptions are recognised. The words used here:
minillm/course/exercises.py."""

import numpy as np

from minillm.config import DistillConfig
from minillm.course.exercises import Hint, Task, normal, number, sizes
from minillm.in_numpy import distill, ops

HINTS = {
    "direction": Hint(
        "Your divergence goes the other way: KL(q || p), which weighs by the student's "
        "probabilities. It is small for a student that knows one thing the teacher would say, "
        "and nothing else.",
        "Let the student give one likely token nearly everything: KL(p || q) must become large.",
    ),
    "nats_not_bits": Hint(
        "That is the answer in nats. A bit is a logarithm to base 2.",
        "How often must 1/8 be doubled to give 1/2? That is the logarithm in bits.",
    ),
    "mean_over_vocabulary": Hint(
        "You took a mean over the vocabulary where a sum belongs: p already holds the weights of "
        "its tokens, and they add up to 1. With a mean the loss and the step shrink as the "
        "vocabulary grows.",
        "Append a token that both call impossible (a logit of -1000): the result must not change.",
    ),
    "cross_entropy": Hint(
        "That is the cross-entropy of p and q. The divergence is what is left of it after the "
        "entropy of p, and it is 0 where the two agree.",
        "Give teacher and student the same logits: the result must be 0.",
    ),
    "times_temperature": Hint(
        "You multiplied the logits by T. A high temperature must make the shares more alike, not "
        "less.",
        "Soften (0, 2) with T = 1 and T = 100: the second must be close to one half each.",
    ),
    "temperature_after": Hint(
        "You applied the temperature after the softmax, or not at all. Shares divided by T are "
        "the same shares; divide the logits.",
        "Soften (0, 2) with T = 1 and with T = 100: the second must be close to one half each, "
        "and add up to 1.",
    ),
    "no_shift": Hint(
        "exp overflows: exp(1000) is inf, and inf / inf is not a number. Subtracting the same "
        "number from all logits of a row changes no share.",
        "Soften (1000, 1001) and (0, 1) with T = 1: both must give the same.",
    ),
    "one_side": Hint(
        "You softened only one of the two. Then the student at T = 1 learns to match the "
        "softened teacher, or the reverse.",
        "Give teacher and student the same logits and T = 3: there must be nothing left to "
        "learn, a loss of 0 and a gradient of 0.",
    ),
    "no_T2": Hint(
        "The factor T^2 is missing. Softened distributions are closer to each other, and the "
        "derivative of logits / T brings another 1 / T: without the factor the teacher's part "
        "fades as T grows, and every T would need its own learning rate and mix.",
        "Compute the gradient for T = 1 and T = 100 at small logits: the two should be about "
        "equally large.",
    ),
    "chain_T": Hint(
        "The loss is a function of logits / T, and the derivative of that by the logits is 1 / "
        "T: that factor is missing.",
        "Change one logit of the student by 0.00001 and see how much the loss changes, for T = 2.",
    ),
    "at_temperature_1": Hint(
        "That is the gradient at temperature 1. Two things bring in T: the loss has T^2 in "
        "front, and the logits enter as logits / T. The two do not cancel.",
        "Change one logit of the student by 0.00001 and see how much `kl` changes, for T = 2.",
    ),
    "mean_twice": Hint(
        "You divided by N once more. `kl` is a mean already, so its gradient has the 1 / N in it.",
        "Pass every row of x twice: the step must stay the same.",
    ),
    "sum_over_tokens": Hint(
        "You added up the rows. The loss is a mean over the tokens, so that it does not grow "
        "with the batch.",
        "Pass the same row twice: the loss must be that of the row alone.",
    ),
    "mean_missing": Hint(
        "The loss is a mean over N rows, so each row has a share of 1 / N in it, and so has its "
        "gradient.",
        "Pass the same row twice: each of the two gradients must be half of that of the row alone.",
    ),
    "log_of_zero": Hint(
        "You took the logarithm of a probability that is 0 in floating point. The log of a "
        "softmax needs no softmax: compute it from the logits, their largest, and the log of a "
        "sum.",
        "Compute the log of the softmax of (0, -1000) on paper: it is (0, -1000).",
    ),
    "wrong_sign": Hint(
        "Your sign is reversed: a step against this gradient would push the student away from "
        "its teacher.",
        "Where q is larger than p the logit must fall, so its derivative must be positive. Is it?",
    ),
    "shares_swapped": Hint(
        "You exchanged the shares: alpha is the teacher's, 1 - alpha the text's.",
        "With alpha = 1 the targets must not matter: change one of them.",
    ),
    "not_shares": Hint(
        "You did not multiply the part of the text by 1 - alpha.",
        "With alpha = 1 the targets must not matter: change one of them.",
    ),
    "hard_softened": Hint(
        "You softened the student for the text too. When it writes it does so at temperature 1, "
        "and the text trains that; the temperature is for the comparison with the teacher.",
        "With alpha = 0 the temperature must not matter.",
    ),
    "T2_on_both": Hint(
        "You multiplied the whole loss by T^2. It makes up for the softening, and the part of "
        "the text is not softened.",
        "With alpha = 0 the temperature must not matter.",
    ),
    "teacher_learns": Hint(
        "Your teacher took a step too. Its derivative exists, and following it makes the loss "
        "smaller by teaching the teacher to agree with the student. The teacher is a constant "
        "(in JAX: an argument that is not differentiated, or stop_gradient).",
        "Print the teacher's matrix before and after.",
    ),
    "uphill": Hint(
        "You added the step. Gradients point to where the loss grows.",
        "Compute the loss before and after a small step.",
    ),
    "least_probable": Hint(
        "Those are the least probable tokens, or the order is reversed: sorting puts the "
        "smallest first.",
        "Keep the first of (0, 3, 1): its id is 1.",
    ),
    "renormalised": Hint(
        "You made the kept tokens add up to 1. The student then learns that all others are "
        "impossible, which is not what the teacher said.",
        "A teacher that says 1/2, 1/4, 1/4, of which one token is kept: what is p of that token, "
        "what is left for the others?",
    ),
    "raw_logits": Hint(
        "You returned the logits themselves. A logit becomes the log of a probability when you "
        "subtract the log of the sum over all V tokens, including those that are not kept.",
        "Compute exp of what you return for k = V - 1: do the probabilities add up to less than 1?",
    ),
    "not_logs": Hint(
        "You returned probabilities; return their logarithms.", "Can what you return be positive?"
    ),
    "rest_dropped": Hint(
        'The event "another token" is missing. Then a student is punished for giving the kept '
        "tokens too little and rewarded without limit for giving them too much: the sum can even "
        "be negative.",
        "Let the teacher say 1/2 and 1/2, keep one token, and let the student give it 0.99: is "
        "the divergence positive?",
    ),
    "rest_even": Hint(
        "You spread what was left of p evenly over the other tokens. The teacher did not say "
        "that they are equally likely, and the student would learn it.",
        "Let the student agree with the teacher on all tokens, and the others not be equally "
        "likely: the divergence must be 0.",
    ),
}


# ---- Fresh inputs, small ones first -------------------------------------------------------------


def rows_of_logits(rng):
    yield np.array([[0.0, 2.0]]), 2.0
    yield np.array([[1000.0, 1001.0], [0.0, -1000.0]]), 1.0
    for N, V in ((1, 2), (1, 3), *sizes(rng, 2, 7, (20, 2))):
        yield 3 * normal(rng, N, V), float(rng.choice([0.5, 2.0, 4.0]))


def pairs(rng, far=True):
    """Teacher, student, temperature; rows of two models that agree a little."""
    yield np.array([[0.0, 1.0, 2.0]]), np.array([[1.0, 0.0, 0.0]]), 1.0
    if far:
        yield np.array([[0.0, -1000.0], [0.0, 1.0]]), np.array([[0.0, 1.0], [0.0, 1.0]]), 1.0
        yield np.array([[0.0, 1.0]]), np.array([[0.0, -1000.0]]), 2.0
        yield np.array([[1000.0, 1001.0]]), np.array([[1000.0, 1000.0]]), 1.0
    for N, V in ((1, 2), (1, 2), (2, 2), (2, 3), *sizes(rng, 2, 7, (25, 2))):
        teacher = 2 * normal(rng, N, V)
        yield (
            teacher,
            np.round(teacher + 2 * normal(rng, N, V), 1),
            float(rng.choice([1.5, 2.0, 3.0, 4.0])),
        )


def with_targets(rng):
    for teacher, student, temperature in pairs(rng, far=False):
        yield (
            teacher,
            student,
            rng.integers(0, teacher.shape[1], len(teacher)),
            float(rng.choice([0.1, 0.3, 0.7, 0.9])),
            temperature,
        )


def matrices(rng):
    for N, D, V in ((1, 1, 2), (2, 1, 2), *sizes(rng, 2, 6, (20, 3))):
        yield (
            normal(rng, D, V),
            normal(rng, D, V),
            normal(rng, N, D),
            float(rng.choice([1.5, 2.0, 3.0])),
            float(rng.choice([0.1, 0.2, 0.5])),
        )


def to_keep(rng):
    yield np.array([[0.0, 3.0, 1.0]]), 1
    for N, V in ((1, 3), (2, 2), (2, 3), (2, 4), *sizes(rng, 3, 9, (20, 2))):
        rows = [
            rng.choice(np.arange(-30, 31), V, replace=False) / 10 for _ in range(N)
        ]  # no two alike
        yield np.array(rows), int(rng.integers(1, V))


def kept(rng):
    for logits, k in to_keep(rng):
        yield *right_top_k(logits, k), np.round(logits + normal(rng, *logits.shape), 1)


# ---- The right answers: minillm's own -----------------------------------------------------------


def batch(x):
    return x[None]


def no_targets(x):
    return np.zeros((1, len(x)), int)


def right_soften(logits, temperature):
    return ops.softmax(logits / temperature)


def right_kl(teacher, student, temperature):
    return distill.forward_kl(batch(student), batch(teacher), no_targets(student), temperature)


def right_gradient(teacher, student, temperature):
    return distill.forward_kl_backward(
        1.0, batch(student), batch(teacher), no_targets(student), temperature
    )[0]


def right_mixed(teacher, student, targets, alpha, temperature):
    return distill.distill_loss(
        batch(student),
        batch(teacher),
        batch(targets),
        DistillConfig(alpha=alpha, temperature=temperature),
    )


def right_learn(teacher_w, student_w, x, temperature, rate):
    return teacher_w, student_w - rate * x.T @ right_gradient(
        x @ teacher_w, x @ student_w, temperature
    )


def right_top_k(logits, k):
    return tuple(part[0] for part in distill.top_k(batch(logits), k))


def right_top_k_kl(ids, log_p, student):
    teacher = distill.expand_top_k(batch(ids), batch(log_p), batch(student))
    return distill.forward_kl(batch(student), teacher, no_targets(student), 1.0)


# ---- What each misconception answers ------------------------------------------------------------


def quiet(function):
    """The same without NumPy's warnings."""

    def wrong(*arguments):
        with np.errstate(all="ignore"):
            return function(*arguments)

    return wrong


def compared(
    divergence, teacher_t=lambda t: t, student_t=lambda t: t, factor=lambda t: t * t, over=np.mean
):
    """A variation of `kl`: which side is softened, the factor, and how rows become one number."""

    def wrong(teacher, student, temperature):
        log_p, log_q = (
            distill.log_softmax(teacher / teacher_t(temperature)),
            distill.log_softmax(student / student_t(temperature)),
        )
        return factor(temperature) * over(divergence(log_p, log_q))

    return wrong


def forward(log_p, log_q):
    return np.sum(np.exp(log_p) * (log_p - log_q), axis=-1)


def reverse(log_p, log_q):
    return forward(log_q, log_p)


def naive(teacher, student, temperature):
    p, q = right_soften(teacher, temperature), right_soften(student, temperature)
    return temperature**2 * np.mean(np.sum(p * (np.log(p) - np.log(q)), axis=-1))


def one(temperature):
    return 1.0


def reverse_gradient(teacher, student, temperature):
    return distill.reverse_kl_backward(
        1.0, batch(student), batch(teacher), no_targets(student), temperature
    )[0]


def slope(factor, p_t=lambda t: t, q_t=lambda t: t):
    """A variation of `kl_gradient`: factor (q - p)."""
    return lambda teacher, student, t: (
        factor(t, len(student)) * (right_soften(student, q_t(t)) - right_soften(teacher, p_t(t)))
    )


def blended(share_kl=lambda a: a, share_text=lambda a: 1 - a, text_t=one, text_factor=one):
    def wrong(teacher, student, targets, alpha, temperature):
        nats = ops.cross_entropy(batch(student) / text_t(temperature), batch(targets))
        return (
            share_kl(alpha) * right_kl(teacher, student, temperature)
            + share_text(alpha) * text_factor(temperature) * nats
        )

    return wrong


def both_learn(teacher_w, student_w, x, temperature, rate):
    """KL(p || q) is the reverse of KL(q || p), so its derivative by the teacher's logits is
    `reverse_kl_backward`'s, exchanged."""
    moved = x.T @ reverse_gradient(x @ student_w, x @ teacher_w, temperature)
    return teacher_w - rate * moved, right_learn(teacher_w, student_w, x, temperature, rate)[1]


def uphill(teacher_w, student_w, x, temperature, rate):
    return right_learn(teacher_w, student_w, x, temperature, -rate)


def mean_twice(teacher_w, student_w, x, temperature, rate):
    return right_learn(teacher_w, student_w, x, temperature, rate / len(x))


def text_summed(teacher, student, targets, alpha, temperature):
    right = right_mixed(teacher, student, targets, alpha, temperature)
    return right + (len(targets) - 1) * (right - alpha * right_kl(teacher, student, temperature))


def least(logits, k):
    ids = np.argsort(logits, axis=-1)[:, :k]
    return ids, np.take_along_axis(distill.log_softmax(logits), ids, axis=-1)


def turned(logits, k):
    return tuple(part[:, ::-1] for part in right_top_k(logits, k))


def kept_shares(logits, k):
    ids, log_p = right_top_k(logits, k)
    return ids, distill.log_softmax(log_p)


def probabilities(logits, k):
    ids, log_p = right_top_k(logits, k)
    return ids, np.exp(log_p)


def named_alone(ids, log_p, student):
    return np.mean(forward(log_p, np.take_along_axis(distill.log_softmax(student), ids, axis=-1)))


def renormalised_p(ids, log_p, student):
    return named_alone(ids, distill.log_softmax(log_p), student)


def renormalised_both(ids, log_p, student):
    log_q = np.take_along_axis(distill.log_softmax(student), ids, axis=-1)
    return np.mean(forward(distill.log_softmax(log_p), distill.log_softmax(log_q)))


def renormalised_q(ids, log_p, student):
    return np.mean(forward(log_p, distill.log_softmax(np.take_along_axis(student, ids, axis=-1))))


def rows_added(ids, log_p, student):
    return len(student) * right_top_k_kl(ids, log_p, student)


def spread_evenly(ids, log_p, student):
    V, k = student.shape[1], ids.shape[1]
    rest = (1 - np.exp(log_p).sum(axis=-1, keepdims=True)) / (V - k)
    whole = np.repeat(np.log(rest), V, axis=1)
    np.put_along_axis(whole, ids, log_p, axis=-1)
    return np.mean(forward(whole, distill.log_softmax(student)))


TASKS = [
    number(
        "BITS",
        "a divergence on paper",
        0.625,
        {
            "direction": 0.5,
            "nats_not_bits": 0.625 * np.log(2),
            "mean_over_vocabulary": 0.625 / 4,
            "cross_entropy": 2.375,
        },
        tolerance=1e-3,
    ),
    Task(
        "soften",
        "softmax with a temperature",
        right_soften,
        rows_of_logits,
        {
            "times_temperature": lambda x, t: ops.softmax(x * t),
            "temperature_after": (lambda x, t: ops.softmax(x) / t, lambda x, t: ops.softmax(x)),
            "no_shift": quiet(
                lambda x, t: np.exp(x / t) / np.exp(x / t).sum(axis=-1, keepdims=True)
            ),
        },
    ),
    Task(
        "kl",
        "how far the student is from the teacher",
        right_kl,
        pairs,
        {
            "one_side": (compared(forward, student_t=one), compared(forward, teacher_t=one)),
            "no_T2": compared(forward, factor=one),
            "direction": compared(reverse),
            "mean_over_vocabulary": lambda p, q, t: right_kl(p, q, t) / p.shape[1],
            "cross_entropy": compared(lambda log_p, log_q: -np.sum(np.exp(log_p) * log_q, axis=-1)),
            "sum_over_tokens": compared(forward, over=np.sum),
            "log_of_zero": quiet(naive),
        },
        needs=("soften",),
    ),
    Task(
        "kl_gradient",
        "which way the student must go",
        right_gradient,
        pairs,
        {
            "no_T2": slope(lambda t, n: 1 / t / n),
            "chain_T": slope(lambda t, n: t * t / n),
            "at_temperature_1": slope(lambda t, n: 1 / n),
            "wrong_sign": slope(lambda t, n: -t / n),
            "mean_missing": slope(lambda t, n: t),
            "direction": reverse_gradient,
            "one_side": (slope(lambda t, n: t / n, q_t=one), slope(lambda t, n: t / n, p_t=one)),
            "mean_over_vocabulary": lambda p, q, t: right_gradient(p, q, t) / p.shape[1],
        },
        needs=("soften",),
        points=2,
    ),
    Task(
        "mixed",
        "the teacher and the text",
        right_mixed,
        with_targets,
        {
            "shares_swapped": blended(lambda a: 1 - a, lambda a: a),
            "not_shares": blended(share_text=lambda a: 1),
            "hard_softened": blended(text_t=lambda t: t),
            "T2_on_both": blended(text_factor=lambda t: t * t),
            "sum_over_tokens": text_summed,
        },
        needs=("kl",),
    ),
    Task(
        "learn",
        "one step",
        right_learn,
        matrices,
        {"teacher_learns": both_learn, "uphill": uphill, "mean_twice": mean_twice},
        needs=("kl_gradient",),
        returns=("teacher_w", "student_w"),
    ),
    Task(
        "top_k",
        "a teacher in short",
        right_top_k,
        to_keep,
        {
            "least_probable": (least, turned),
            "renormalised": kept_shares,
            "not_logs": probabilities,
            "raw_logits": lambda logits, k: (
                right_top_k(logits, k)[0],
                -np.sort(-logits, axis=-1)[:, :k],
            ),
        },
        returns=("ids", "log_p"),
    ),
    Task(
        "top_k_kl",
        "learning from what was kept",
        right_top_k_kl,
        kept,
        {
            "rest_dropped": named_alone,
            "renormalised": (renormalised_p, renormalised_both, renormalised_q),
            "rest_even": spread_evenly,
            "sum_over_tokens": rows_added,
        },
        needs=("top_k",),
        points=2,
    ),
]
