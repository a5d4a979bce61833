"""What is checked in exercise 11, and which misconceptions are recognised. The words used here:
minillm/course/exercises.py."""

from functools import partial
from pathlib import Path

import numpy as np

from minillm.architecture.quantized import Quantized, Scheme
from minillm.course.exercises import Hint, Task, normal, number, sizes
from minillm.course.lessons import load_module
from minillm.in_numpy import quantize as ours

asking = load_module(Path(__file__).with_name("asking.py"), "asking")

HINTS = {
    "scale_128": Hint(
        "You made the scale with 128. An int8 goes from -128 to 127: there is no +128, so the "
        "largest positive weight does not fit.",
        "Quantize [1.0, -1.0]: which integer should 1.0 become, and does an int8 hold it?",
    ),
    "uneven": Hint(
        "You made the scale from 255 steps, from -128 to 127. These ends differ in size, so the "
        "steps are a little too small, and 127 of them do not reach the largest positive weight.",
        "Quantize [1.0, -1.0] and turn it back: do both come back with the same size?",
    ),
    "truncated": Hint(
        "You cut the fraction off instead of rounding; a cast to an integer does that. The error "
        "is then up to a whole step instead of half a step, and all errors have one direction: "
        "towards zero with a cast, down with floor.",
        "Divide 0.99 by a scale of 1: which integer is nearest, and which does your code give?",
    ),
    "signed_max": Hint(
        "You took the largest number, not the largest absolute value. Where the largest weight "
        "is negative, it does not fit into the integers.",
        "Quantize [0.1, -2.0] on paper: with your scale, which integer is -2.0?",
    ),
    "divided_by_scale": Hint(
        "The integers were divided by the scale. A scale is the step between two neighbouring "
        "integers, so an integer stands for that many steps.",
        "With a scale of 0.5, which number does the integer 3 stand for?",
    ),
    "signed_sizes": Hint(
        "The largest numbers were taken with their sign. What counts is how far from zero the "
        "activations and weights of an input reach, on either side.",
        "Run it on x = [[-100, 1]]: the first input is the difficult one, and its s must be the "
        "larger.",
    ),
    "same_exponent": Hint(
        "Both sizes have the exponent alpha. The exponents share out the difficulty, so they add "
        "up to 1.",
        "With alpha = 1, s must not depend on the weights at all: does it?",
    ),
    "inverse_scale": Hint(
        "Your scale is upside down. Here an integer times the scale gives the number back; some "
        "papers, LLM.int8() among them, call the inverse of this the scale.",
        "The scale of weights around 0.1 must be about 0.001, not 1000: it is the step between "
        "two integers.",
    ),
    "whole_step": Hint(
        "This is not the size of errors that are spread evenly between half a step below and "
        "half a step above. It is neither a whole step nor half a step (the largest), but the "
        "root of the mean of their squares.",
        "Draw ten thousand numbers evenly from -0.5 to 0.5: what is the root of the mean of "
        "their squares?",
    ),
    "not_a_share": Hint(
        "You gave the error in the units of w. The question is its share of the root mean square "
        "of w.",
        "Multiply w by 10: the share must stay what it is.",
    ),
    "wrong_axis": Hint(
        "Your scales do not match the rows. A scale belongs to an output: a row of w and, after "
        "the product, a column of y. It has size 1 along the axis where it does not differ.",
        "Use a matrix of two rows and three columns, with the second row 100 times the first: "
        "how many different scales are there, and which numbers does each of them multiply?",
    ),
    "not_an_input": Hint(
        "Your s has a number for each token or each output. It belongs to an input: a column of x "
        "and the same column of w.",
        "Print the shape of s for an x of shape (3, 2): it must be (2,).",
    ),
    "one_scale": Hint(
        "All your rows have the same scale. A row with small weights then uses only a few of the "
        "255 integers.",
        "Make one row 100 times smaller than the others: which integers does it get?",
    ),
    "one_token_scale": Hint(
        "You gave all tokens one scale. One large activation of one token then takes the "
        "precision from all others, and the result of a token depends on the tokens beside it.",
        "Compute the first token alone, then beside a second one that is 100 times larger: the "
        "first row must not change.",
    ),
    "division_by_zero": Hint(
        "Where all numbers of a row are zero, the largest is zero too, and you divided by it. "
        "This does happen: with unused tokens of a vocabulary.",
        "Run it on an array in which one row is zero, and look for a scale of 0, for nan and for "
        "inf.",
    ),
    "zero_factor": Hint(
        "You gave an input that was always 0 the factor s = 0. The next step, x / s, divides by "
        "it.",
        "Run it on an x with a column of zeros, then divide x by what it gives.",
    ),
    "not_returned": Hint(
        "That is the integer that is stored. The question is which number it represents when it "
        "is turned back.",
        "Compare it with the original weight: what comes back is at most half a step away.",
    ),
    "flat_scales": Hint(
        "The scales are right, but they have lost an axis: their shape is (O,), not (O, 1). "
        "Against a matrix (O, I) NumPy would match them with its columns.",
        "Multiply integers and scales of a matrix of two rows and three columns, then of a "
        "square one: what does NumPy do with the shapes?",
    ),
    "wrong_type": Hint(
        "The integers have another dtype than the one asked for: int8 for what is stored, int32 "
        "for sums of products. Wider types take two to eight times the memory, uint8 has no "
        "negative numbers, and np.round alone leaves floats.",
        "Print the dtype of the array of integers, and its nbytes.",
    ),
    "int8_overflow": Hint(
        "You computed the product in integers that are too small. One product of two int8 can be "
        "16129, and many are added up; NumPy keeps the type of its inputs and gives no warning. "
        "Converting the result afterwards is too late.",
        "Multiply np.int8([[100, 100]]) with itself, transposed: the answer is 20000.",
    ),
    "float32_product": Hint(
        "You computed the product in float32, which holds whole numbers exactly only up to 2^24 "
        "= 16,777,216. That is enough for about 1000 products of int8, not for more.",
        "Print np.float32(16777217): is it odd?",
    ),
    "not_transposed": Hint(
        "You did not transpose the weights. Their rows are outputs, so each output is the "
        "product of a row of x with a row of w.",
        "Try x of shape (1, 3) and w of shape (2, 3): the result has shape (1, 2).",
    ),
    "float_activations": Hint(
        "You left the activations as floats. That is right where only weights are stored in 8 "
        "bits, but here you multiply integers.",
        "Is any array of int8 made from x in your function?",
    ),
    "scale_forgotten": Hint(
        "One of the two scales is missing from the result. The integers of x represent x divided "
        "by its scale, those of w the weights divided by theirs.",
        "Multiply x by 10, then the scales of w by 10: each time the result must become 10 times "
        "as large.",
    ),
    "exponents_swapped": Hint(
        "You exchanged the exponents. With alpha = 1 the activations give up all of their "
        "differences, with alpha = 0 none.",
        "With alpha = 1, divide the activations by s: the largest of each input should be 1.",
    ),
    "inverted": Hint(
        "Your factor is upside down. Activations are divided by s and weights multiplied with "
        "it, so an input with large activations needs a large s.",
        "Make one input 100 times larger: must its s grow or shrink so that x / s becomes smaller?",
    ),
}


# ---- Fresh inputs, small ones first -------------------------------------------------------------


def on_grid(rng, rows, columns):
    """Float64 numbers near integers times a scale a row, none of them halfway; the largest of a
    row is 127 or -127 times its scale."""
    scales = rng.integers(1, 64, (rows, 1)) * 2.0 ** rng.integers(-12, -3, (rows, 1))
    w = scales * (
        rng.integers(-126, 127, (rows, columns)) + rng.uniform(-0.45, 0.45, (rows, columns))
    )
    w[np.arange(rows), rng.integers(0, columns, rows)] = (
        127 * scales[:, 0] * rng.choice([-1, 1], rows)
    )
    return w


def matrices(rng):
    """One scale: a single row of the grid, folded."""
    yield (np.array([[0.1, -2.0]]),)
    yield (np.array([[1.0, -1.0]]),)
    for O, I in ((1, 2), (1, 3), (2, 2), *sizes(rng, 2, 7, (25, 2))):
        w = on_grid(rng, 1, O * I).reshape(O, I)
        yield (w if np.max(w) > 0 else -w,)


def row_matrices(rng):
    for O, I in ((2, 3), (2, 2), *sizes(rng, 2, 7, (25, 2))):
        w = on_grid(rng, O, I)
        if O > 2 and rng.random() < 0.5:
            w[rng.integers(0, O)] = 0
        yield (w,)
    yield (np.array([[127.0, 3.0], [0.0, 0.0], [-1.0, 12.7]]),)


def integers_and_scales(rng):
    yield np.array([[100, -3]], np.int8), 0.5
    for O, I in sizes(rng, 2, 6, (20, 2)):
        yield (
            rng.integers(-127, 128, (O, I)).astype(np.int8),
            np.round(rng.uniform(0.01, 3, (O, 1)), 2),
        )


def integer_pairs(rng):
    yield np.array([[100, 100]], np.int8), np.array([[100, 100]], np.int8)
    for T, I, O in ((2, 3, 1), (1, 2, 2), (4, 300, 5), *sizes(rng, 2, 8, (20, 3))):
        yield (
            rng.integers(-127, 128, (T, I)).astype(np.int8),
            rng.integers(-127, 128, (O, I)).astype(np.int8),
        )
    yield np.full((1, 4), 127, np.int8), np.full((1, 4), 127, np.int8)
    yield np.full((1, 1101), 127, np.int8), np.full((1, 1101), 127, np.int8)


def without_halves(rng, T, I):
    """Normal numbers with one digit, none halfway between two integers, whatever the scale.

    Each row has one scale of its own, or all rows share one.
    """
    while True:
        x = normal(rng, T, I)
        for largest in (np.max(np.abs(x), axis=1, keepdims=True), np.max(np.abs(x))):
            steps = np.abs(127 * x / largest)
            if np.any(np.abs(steps % 1 - 0.5) < 0.01):
                break
        else:
            return x


def layers(rng):
    for T, I, O in (
        (1, 2, 1),
        (1, 2, 2),
        (2, 2, 1),
        (2, 3, 1),
        (3, 2, 3),
        *sizes(rng, 2, 8, (25, 3)),
    ):
        x = without_halves(rng, T, I) * rng.choice([0.01, 0.1, 1.0, 10.0], (T, 1))
        scales = rng.integers(1, 64, (O, 1)) / 1024
        yield x, rng.integers(-127, 128, (O, I)).astype(np.int8), scales


def calibration(rng):
    for T, I, O in ((2, 2, 1), (1, 2, 1), (2, 2, 2), (3, 2, 1), *sizes(rng, 2, 7, (25, 3))):
        x, w = normal(rng, T, I) * rng.choice([0.1, 1.0, 10.0, 100.0], I), normal(rng, O, I)
        if I > 2 and rng.random() < 0.5:
            x[:, rng.integers(0, I)] = 0
        yield x, w, float(rng.choice([0.25, 0.4, 0.5, 0.75]))
    yield np.array([[100.0, 1.0, 0.0]]), np.array([[0.5, 4.0, 2.0]]), 0.8


# ---- The right answers: minillm's own -----------------------------------------------------------


def right_quantize(w):
    record = ours.quantize(w, Scheme(8, "tensor"), transposed=False)
    return record.integers, float(record.scales[0, 0])


def right_predicted(w, step=1 / 127, share=12**-0.5, size=np.abs):
    return np.max(size(w)) * step * share / np.sqrt(np.mean(w * w))


def right_dequantize(integers, scales):
    scales = np.broadcast_to(scales, (len(integers), 1))
    return ours.dequantize(
        Quantized(
            integers, scales, None, None, None, Scheme(8, "channel"), integers.shape[1], False
        ),
        np.float64,
    )


def right_rows(w):
    record = ours.quantize(w, Scheme(8, "channel"), transposed=False)
    return asking.agreed(w, record.integers, record.scales.astype(float))


def wrong_type(*arguments):
    raise asking.WrongType


def right_linear(x, integers, scales):
    record = Quantized(
        integers,
        scales.astype(np.float32),
        None,
        None,
        None,
        Scheme(8, "channel", activations=True),
        integers.shape[1],
        True,
    )
    return ours.matmul_integers(x, record)


def right_smoothing(x, w, alpha):
    return ours.smoothing(np.max(np.abs(x), axis=0), np.max(np.abs(w), axis=0), alpha)


# ---- What each misconception answers ------------------------------------------------------------


def largest(w):
    return np.max(np.abs(w))


def rounded(scale_of, low=-127, high=127, to=np.round):
    """Integers by another scale; without `low` as a cast to int8 leaves them."""

    def wrong(w):
        with np.errstate(all="ignore"):
            scale = scale_of(w)
            integers = to(w / scale)
            return (integers if low is None else np.clip(integers, low, high)).astype(
                np.int8
            ), scale

    return wrong


def three_ways(scale_of):
    return tuple(rounded(scale_of, low) for low in (-127, -128, None))


def inverse(w):
    integers, scale = right_quantize(w)
    return integers, 1 / scale


def by_rows(scales_of):
    """Rows by other scales."""

    def wrong(w):
        with np.errstate(all="ignore"):
            scales = scales_of(w)
            return asking.agreed(w, np.round(w / scales).astype(np.int8), scales)

    return wrong


def flat(w):
    integers, scales = right_rows(w)
    return integers, scales[:, 0]


def narrow(dtype):
    def wrong(x, w):
        with np.errstate(all="ignore"):
            return x.astype(dtype) @ w.astype(dtype).T

    return wrong


def layer(x_scales=True, w_scales=True, per_token=True):
    def wrong(x, integers, scales):
        x_integers, s_x = (
            ours.quantize_tokens(x)
            if per_token
            else (np.round(x / (largest(x) / 127)), largest(x) / 127)
        )
        y = x_integers.astype(int) @ integers.astype(int).T
        return y * (s_x if x_scales else 1.0) * (scales.T if w_scales else 1.0)

    return wrong


def scales_as_rows(x, integers, scales):
    return layer(w_scales=False)(x, integers, scales) * scales


def factor(
    x_power=lambda alpha: alpha,
    w_power=lambda alpha: 1 - alpha,
    size=np.abs,
    w_size=None,
    axis=0,
    guard=np.abs,
):
    """`guard`: the size that decides which inputs keep s = 1, or None."""

    def wrong(x, w, alpha):
        with np.errstate(all="ignore"):
            x_largest, w_largest = (
                np.max(size(x), axis=axis),
                np.max((w_size or size)(w), axis=axis),
            )
            s = x_largest ** x_power(alpha) / w_largest ** w_power(alpha)
            return np.where(np.max(guard(x), axis=0) > 0, s, 1.0) if guard else s

    return wrong


def not_size(x):
    return x


def inverted(x, w, alpha):
    return 1 / right_smoothing(x, w, alpha)


TASKS = [
    number(
        "RETURNED",
        "eight bits on paper",
        0.74,
        {
            "scale_128": 37 * 2.54 / 128,
            "uneven": 37 * 2 * 2.54 / 255,
            "truncated": 0.72,
            "signed_max": 93 / 127,
            "inverse_scale": 37 / 0.02,
            "not_returned": 37,
        },
        tolerance=1e-3,
    ),
    Task(
        "quantize",
        "one scale for a matrix",
        right_quantize,
        matrices,
        {
            "scale_128": three_ways(lambda w: largest(w) / 128),
            "uneven": (
                *three_ways(lambda w: 2 * largest(w) / 255),
                *three_ways(lambda w: (np.max(w) - np.min(w)) / 255),
            ),
            "truncated": tuple(
                rounded(lambda w: largest(w) / 127, to=to) for to in (np.trunc, np.floor)
            ),
            "signed_max": three_ways(lambda w: np.max(w) / 127),
            "inverse_scale": inverse,
            "wrong_type": wrong_type,
        },
        call=asking.quantize,
        tolerance=1e-6,
    ),
    Task(
        "predicted_error",
        "how large the error will be",
        right_predicted,
        matrices,
        {
            "whole_step": tuple(
                partial(right_predicted, share=share) for share in (1, 1 / 2, 1 / 12)
            ),
            "not_a_share": lambda w: largest(w) / 127 / 12**0.5,
            "scale_128": partial(right_predicted, step=1 / 128),
            "signed_max": partial(right_predicted, size=lambda w: w),
        },
    ),
    Task(
        "dequantize",
        "and back",
        right_dequantize,
        integers_and_scales,
        {"divided_by_scale": lambda integers, scales: integers / scales},
    ),
    Task(
        "quantize_rows",
        "a scale for each output",
        right_rows,
        row_matrices,
        {
            "wrong_axis": (
                by_rows(lambda w: np.max(np.abs(w), axis=0, keepdims=True) / 127),
                by_rows(lambda w: np.max(np.abs(w), axis=0)[:, None] / 127),
                by_rows(lambda w: np.max(np.abs(w), axis=1) / 127),
            ),
            "one_scale": (
                by_rows(lambda w: np.full((len(w), 1), largest(w) / 127)),
                by_rows(lambda w: largest(w) / 127),
            ),
            "division_by_zero": by_rows(lambda w: np.max(np.abs(w), axis=1, keepdims=True) / 127),
            "flat_scales": flat,
            "wrong_type": wrong_type,
        },
        call=asking.quantize_rows,
        needs=("quantize",),
        tolerance=1e-6,
    ),
    Task(
        "integer_product",
        "integers in, integers out",
        ours.integer_product,
        integer_pairs,
        {
            "int8_overflow": (narrow(np.int8), narrow(np.int16)),
            "float32_product": narrow(np.float32),
            "not_transposed": lambda x, w: x.astype(np.int32) @ w.astype(np.int32),
            "wrong_type": wrong_type,
        },
        call=asking.integer_product,
    ),
    Task(
        "linear",
        "a layer on integers",
        right_linear,
        layers,
        {
            "float_activations": lambda x, integers, scales: x @ (integers * scales).T,
            "one_token_scale": layer(per_token=False),
            "scale_forgotten": (
                layer(x_scales=False),
                layer(w_scales=False),
                layer(x_scales=False, w_scales=False),
            ),
            "wrong_axis": scales_as_rows,
        },
        needs=("quantize_rows", "integer_product"),
        points=2,
    ),
    Task(
        "smoothing",
        "move the difficulty",
        right_smoothing,
        calibration,
        {
            "exponents_swapped": factor(lambda alpha: 1 - alpha, lambda alpha: alpha),
            "inverted": inverted,
            "same_exponent": factor(w_power=lambda alpha: alpha),
            "signed_sizes": (
                *(
                    factor(size=not_size, w_size=w_size, guard=guard)
                    for w_size in (not_size, np.abs)
                    for guard in (np.abs, not_size)
                ),
                factor(w_size=not_size),
            ),
            "not_an_input": factor(axis=1, guard=None),
            "zero_factor": factor(guard=None),
        },
    ),
]
