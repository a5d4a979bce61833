"""What is checked in exercise 15, and which misconceptions are recognised. The words used here:
minillm/course/exercises.py."""

from pathlib import Path

import numpy as np

from minillm.course.exercises import Hint, Task, normal, number, sizes
from minillm.course.lessons import load_module
from minillm.in_numpy import ops
from minillm.inspection.restart import random_like

asking = load_module(Path(__file__).with_name("asking.py"), "asking")

HINTS = {
    "attention_explains": Hint(
        "You took the attention itself for the answer. A pattern says how much of each value is "
        "fetched, not what is in it: much of a small value can be less than little of a large "
        "one.",
        "Let both tokens be looked at equally, 0.5 and 0.5, and say which adds more.",
    ),
    "values_alone": Hint(
        "You compared what the values would add, without how much of each is fetched.",
        'Let the head look at "the" with all its attention: what share comes from "Ann" then?',
    ),
    "amount": Hint(
        'That is how much comes from "Ann", not which share of the whole.',
        'Compute the same for "the": the two shares must add up to 1.',
    ),
    "other_share": Hint(
        "That is the share of the other token.",
        "Compute how much each of the two adds, and look which is more.",
    ),
    "nothing_returned": Hint(
        "Your tap kept the activation and returned nothing, so the model could not "
        "continue. A tap is in the middle of the computation: the model continues with what it "
        "returns.",
        "Print what the tap returns, and what the run does with it on its next line.",
    ),
    "alias": Hint(
        "You kept the array itself instead of its numbers. The run went on to change that array "
        "in place, and your record changed with it.",
        "Print one entry of the record inside the tap, and again when the run is over.",
    ),
    "last_layer": Hint(
        "Your layers overwrote each other: an activation has the same name in every layer, "
        "except for the layer's number before it.",
        "Print the names that the tap is given, and how many entries the record has.",
    ),
    "no_norm": Hint(
        "The final norm is missing. The head was trained on normalized streams; a raw stream is "
        "longer or shorter, and its numbers are weighted differently.",
        "Multiply the whole stream by 10: with eps = 0 no logit, and no part of it, may change.",
    ),
    "eps_forgotten": Hint(
        "eps is missing under the root. For a long stream it makes no visible difference; the "
        "model was trained with it all the same.",
        "Pass a row of zeros with eps = 0.1: there must be no division by zero.",
    ),
    "left_out": Hint(
        "You took the part out and normalized the rest of the stream again. That is ablation: "
        "the divisor changes too, and the numbers no longer add up to the logit.",
        "Add up your parts, and compare with the logit of the stream.",
    ),
    "no_weight": Hint(
        "You left out the weight of the norm: it scales each number of the stream before the "
        "head reads it.",
        "Compute your answer with weights of 1, then with other ones: it must change.",
    ),
    "one_rms": Hint(
        "You divided all layers by one number. The stream of each layer has its own size (it "
        "grows from layer to layer) and is divided by its own root.",
        "Multiply one row of x by 10: with eps = 0 no logit may change.",
    ),
    "own_rms": Hint(
        "You normalized each part by its own size. The norm sees the whole stream, once; its "
        "divisor is one number for all parts, or the sum is no longer the logit.",
        "Add up your parts, and compare with the logit of the stream.",
    ),
    "pythagoras": Hint(
        "You made the divisor from the sizes of the parts, as if they were at right angles. "
        "Parts may point the same way or cancel.",
        "Take two parts that are equal, and two that cancel: what is the size of their sum?",
    ),
    "length_not_rms": Hint(
        "You divided by the length of the stream, the root of the sum of squares. RMSNorm "
        "divides by the root of their mean.",
        "Norm the stream and compute the mean of the squares of the result: it must be 1.",
    ),
    "no_root": Hint(
        "You divided by the mean square instead of its root.",
        "Make the stream twice as large: after the norm nothing may have changed.",
    ),
    "no_control": Hint(
        "You have no control: it compares the run with itself, or with nothing. Taking out any "
        "vector harms a model; a number without its control does not say whether this vector "
        "mattered.",
        "Print the control for a `written` that is large: is it 0 everywhere?",
    ),
    "noise_unscaled": Hint(
        "You took out the random vectors as they came, whatever their length. A longer vector "
        "does more harm, so the control must be as long as what the head wrote.",
        "Print the length of what is taken out at each token, in both cases.",
    ),
    "one_length": Hint(
        "You used one length for all tokens together. The control is then too weak where the "
        "head writes much, and too strong where it writes little.",
        "Print the length of what is taken out at each token, in both cases.",
    ),
    "unit_noise": Hint(
        "You gave the random vectors length 1 instead of the length of what the head wrote.",
        "Print the length of what is taken out at each token, in both cases.",
    ),
    "sign": Hint(
        "Your difference is the wrong way round: without the head, a token that it helps to "
        "predict is more surprising, and that is a positive effect.",
        "Take out a head that does everything: is its effect positive?",
    ),
    "added": Hint(
        "You added what the head wrote once more instead of taking it out.",
        "Let `written` be the whole stream: what must be left?",
    ),
    "backwards": Hint(
        "You put the corrupt activation into the clean run. That asks whether a token is needed "
        "for the answer; this exercise asks whether it is enough. The two differ wherever the "
        "answer has more than one way through the model.",
        "Print the score of the run that you change, before any change: is it the corrupt run's?",
    ),
    "off_by_one": Hint(
        "Your numbers are one token away from what was patched. With a begin-of-text token in "
        "front, or when you think of the token that is predicted, this is the easiest slip, and "
        "the map still looks reasonable.",
        "Let clean and corrupt differ in one token only: where is your 1?",
    ),
    "piles_up": Hint(
        "You left each patch in when you made the next: the result says what all tokens up to t "
        "carry together.",
        "Print how many rows of the patched stream differ from the corrupt one, for each t.",
    ),
    "not_a_share": Hint(
        "That is the change of the score, not the share of the difference that came back: on "
        "another prompt the numbers would have another size.",
        "Put all of the clean stream in: the result must be 1.",
    ),
    "of_clean_score": Hint(
        "You divided the change by the clean run's score. What the two scores have in common "
        "does not matter here: 0 must mean the corrupt run, and 1 the clean one.",
        "Put all of the clean stream in: the result must be 1.",
    ),
    "missing_share": Hint(
        "That is the share that is still missing: 1 where nothing changed.",
        "Patch a token whose stream is the same in both runs: the result must be 0.",
    ),
}


# ---- Fresh inputs, small ones first. What runs is an object, so that it can be shown in a line --


def runs(rng):
    for layers in (0, 1, 2, 3):
        yield (asking.Run(int(rng.integers(1 << 30)), layers),)


def streams(rng):
    yield (
        np.array([[3.0, 4.0], [6.0, 8.0]]),
        np.array([1.0, 2.0]),
        np.array([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]]),
        0.0,
    )
    for N, D, V in ((1, 2, 1), (2, 2, 1), *sizes(rng, 2, 7, (20, 3))):
        x = rng.choice([0.5, 1, 2, 3], (N, 1)) * normal(rng, N, D)
        yield (
            x,
            np.round(rng.uniform(0.2, 2, D), 1),
            normal(rng, D, V),
            float(rng.choice([0, 1e-5, 0.1])),
        )


def taken_apart(rng):
    yield (
        np.array([[0.0, 1.0], [3.0, 2.0], [0.0, 1.0]]),
        np.array([1.0, 2.0]),
        np.array([[10.0, 1.0], [5.0, 0.0]]),
        0,
        0.0,
    )
    for N, D, V in ((2, 2, 1), (2, 2, 1), *sizes(rng, 2, 7, (20, 3))):
        parts = rng.choice([0.5, 1, 2], (N, 1)) * normal(rng, N, D)
        yield (
            parts,
            np.round(rng.uniform(0.2, 2, D), 1),
            normal(rng, D, V),
            int(rng.integers(V)),
            float(rng.choice([0, 1e-5, 0.1])),
        )


def heads(rng):
    for T, D in ((1, 2), (2, 1), (2, 1), (2, 2), (2, 3), *sizes(rng, 2, 7, (20, 2))):
        written = rng.choice([0.5, 1, 2], (T, 1)) * normal(rng, T, D)
        yield (
            asking.Rest(rng, D, each=True),
            written + normal(rng, T, D),
            written,
            rng.choice([0.5, 1, 2], (T, 1)) * normal(rng, T, D),
        )


def pairs(rng):
    """Runs that differ at some tokens; with scores that are not nearly the same."""
    made = 0
    while made < 20:
        T, D = rng.integers(2, 7, 2) if made else (2, 2)
        score, clean = asking.Rest(rng, D), normal(rng, T, D)
        corrupt = clean.copy()
        changed = rng.random(T) < 0.6
        corrupt[changed] = rng.standard_normal((int(changed.sum()), D))
        if abs(score(clean) - score(corrupt)) > 0.3:
            made += 1
            yield score, clean, corrupt


# ---- The right answers, and what each misconception answers -------------------------------------


def recorded(key=lambda name: name, keep=np.copy, give=lambda x: x):
    def answer(run):
        seen = {}

        def tap(name, x):
            seen[key(name)] = keep(x)
            return give(x)

        run(tap)
        return seen

    return answer


def right_lens(x, weight, head, eps):
    return ops.linear(ops.rmsnorm(x, weight, eps), head)


def one_rms(row):
    return lambda x, weight, head, eps: x / np.sqrt(np.mean(x[row] ** 2) + eps) * weight @ head


def shares(divisor, weighted=True):
    """Attribution with another divisor."""

    def answer(parts, weight, head, token, eps):
        return (
            parts * (weight if weighted else 1) @ head[:, token] / divisor(parts, parts.sum(0), eps)
        )

    return answer


def left_out(parts, weight, head, token, eps):
    def logits(stream):
        return right_lens(stream, weight, head, eps)[..., token]

    stream = parts.sum(0)
    return logits(stream) - logits(stream - parts)


def rms(parts, stream, eps):
    return np.sqrt(np.mean(stream**2) + eps)


def ablated(length=None, sign=1, effect=-1, control=-1):
    """(effect, control) with another length of the random vectors, or another sign."""

    def answer(nats, stream, written, noise):
        random = (
            random_like(written, Fixed(noise)) if length is None else noise * length(written, noise)
        )
        return sign * (nats(stream + effect * written) - nats(stream)), sign * (
            nats(stream + control * random) - nats(stream)
        )

    return answer


class Fixed:
    """A generator that draws what it was given: the package's own control, with the exercise's
    noise."""

    def __init__(self, noise):
        self.noise = noise

    def standard_normal(self, shape):
        return self.noise


def without_control(nats, stream, written, noise):
    return nats(stream - written) - nats(stream), np.zeros(len(stream))


def patched(
    into=None,
    put=lambda t, T: t,
    at=lambda t, T: t,
    piled=False,
    share=lambda s, low, high: (s - low) / (high - low),
):
    """Patching in one of its ways: row put(t) of the one run is put at row at(t) of the other."""

    def answer(score, clean, corrupt):
        T, base, other = len(clean), *((corrupt, clean) if into is None else (clean, corrupt))
        found, changed = [], base.copy()
        for t in range(T):
            changed = changed if piled else base.copy()
            if 0 <= at(t, T) < T and 0 <= put(t, T) < T:
                changed[at(t, T)] = other[put(t, T)]
            found.append(share(score(changed), score(corrupt), score(clean)))
        return np.array(found)

    return answer


TASKS = [
    number(
        "FROM_ANN",
        "what attention does not say, on paper",
        0.6,
        {"attention_explains": 0.2, "values_alone": 12 / 14, "amount": 2.4, "other_share": 0.4},
        tolerance=1e-3,
    ),
    Task(
        "record",
        "keep every activation",
        recorded(),
        runs,
        {
            "nothing_returned": recorded(give=lambda x: None),
            "last_layer": recorded(key=lambda name: name.split(".")[-1]),
            "alias": recorded(keep=lambda x: x),
        },
    ),
    Task(
        "lens",
        "stop after each layer",
        right_lens,
        streams,
        {
            "no_norm": (
                lambda x, weight, head, eps: x @ head,
                lambda x, weight, head, eps: x * weight @ head,
            ),
            "no_weight": lambda x, weight, head, eps: right_lens(
                x, np.ones_like(weight), head, eps
            ),
            "one_rms": (one_rms(-1), one_rms(slice(None)), one_rms(0)),
            "eps_forgotten": lambda x, weight, head, eps: right_lens(x, weight, head, 0.0),
        },
    ),
    number(
        "FROM_HEAD",
        "attribution on paper",
        3.0,
        {
            "own_rms": 30 / 12.5**0.5,
            "no_norm": 30.0,
            "length_not_rms": 30 / 200**0.5,
            "pythagoras": 30 / 48**0.5,
            "no_root": 0.3,
            "left_out": (14 * 2 + 2 * 6) / 10 - (11 * 2 - 2 * 6) / 62.5**0.5,
        },
        tolerance=1e-3,
    ),
    Task(
        "attribution",
        "a logit as a sum",
        shares(rms),
        taken_apart,
        {
            "own_rms": shares(lambda parts, stream, eps: np.sqrt(np.mean(parts**2, -1) + eps)),
            "pythagoras": shares(
                lambda parts, stream, eps: np.sqrt(np.mean(parts**2, -1).sum() + eps)
            ),
            "no_norm": (shares(lambda *_: 1.0), shares(lambda *_: 1.0, weighted=False)),
            "no_weight": shares(rms, weighted=False),
            "length_not_rms": (
                shares(lambda parts, stream, eps: np.sqrt(np.sum(stream**2) + eps)),
                shares(lambda parts, stream, eps: np.sqrt(np.sum(stream**2))),
            ),
            "no_root": shares(lambda parts, stream, eps: np.mean(stream**2) + eps),
            "left_out": left_out,
        },
        points=2,
    ),
    Task(
        "ablation",
        "take a head out, with a control",
        ablated(),
        heads,
        {
            "no_control": without_control,
            "noise_unscaled": ablated(lambda written, noise: 1.0),
            "one_length": ablated(
                lambda written, noise: np.linalg.norm(written) / np.linalg.norm(noise)
            ),
            "unit_noise": ablated(
                lambda written, noise: 1 / np.linalg.norm(noise, axis=-1, keepdims=True)
            ),
            "sign": ablated(sign=-1),
            "added": (ablated(effect=1, control=1), ablated(effect=1)),
        },
        points=2,
        returns=("effect", "control"),
    ),
    Task(
        "patching",
        "which token carries the answer",
        patched(),
        pairs,
        {
            "backwards": (
                patched(into="clean"),
                patched(into="clean", share=lambda s, low, high: (high - s) / (high - low)),
            ),
            "off_by_one": (
                patched(put=lambda t, T: t + 1, at=lambda t, T: t + 1),
                patched(put=lambda t, T: (t - 1) % T, at=lambda t, T: (t - 1) % T),
                patched(put=lambda t, T: t, at=lambda t, T: t + 1),
                patched(put=lambda t, T: t, at=lambda t, T: (t + 1) % T),
                patched(put=lambda t, T: (t + 1) % T, at=lambda t, T: (t + 1) % T),
                patched(put=lambda t, T: t - 1, at=lambda t, T: t - 1),
            ),
            "piles_up": patched(piled=True),
            "not_a_share": patched(share=lambda s, low, high: s - low),
            "of_clean_score": (
                patched(share=lambda s, low, high: (s - low) / high),
                patched(share=lambda s, low, high: s / high),
            ),
            "missing_share": patched(share=lambda s, low, high: (high - s) / (high - low)),
        },
        points=2,
    ),
]
