"""What is checked in exercise 12, and which misconceptions are recognised. The words used here:
minillm/course/exercises.py."""

import numpy as np

from minillm.architecture.quantized import Scheme
from minillm.course.exercises import Hint, Task, number, sizes
from minillm.in_numpy import quantize as ours
from minillm.quantization import gptq

HINTS = {
    "scales_forgotten": Hint(
        "You counted only the integers. Scales and zero points are stored too, and smaller "
        "groups need more of them.",
        "Write down everything that has to be in the file for one group of 128 weights, and add "
        "up its bits.",
    ),
    "zeros_forgotten": Hint(
        "You did not count the zero points. Each group has one, beside its scale.",
        "Write down everything that has to be in the file for one group of 128 weights, and add "
        "up its bits.",
    ),
    "one_scale_a_row": Hint(
        "Your rows have one scale each. Here each group of a row has its own, so that one large "
        "weight does not cost the others of the row their precision.",
        "Make the first number of a row of 64 a hundred times larger: the integers of the second "
        "half must not change.",
    ),
    "sign_smears": Hint(
        "The sign of one integer overwrote its neighbour. A negative int8 has ones in all of its "
        "high bits, so its high half is not empty.",
        "Pack [-1, 0] on paper: -1 is 11111111 in an int8. What is the byte, and what should it "
        "be?",
    ),
    "sign_lost": Hint(
        "You lost the signs: you read four bits as 0 ... 15. In two's complement 8 ... 15 mean "
        "-8 ... -1.",
        "Pack and unpack [-1, -8]: which numbers come back?",
    ),
    "seven": Hint(
        "You read 7 as a negative number. Four bits hold 0 ... 7 and -8 ... -1: the negative ones "
        "begin at 8.",
        "Pack and unpack [7, -8]: which numbers come back?",
    ),
    "nibbles_swapped": Hint(
        "You exchanged the two halves of the byte: the even integers go into the low four bits, "
        "the odd ones into the high.",
        "Pack [1, 2]: the byte should be 0x21, which is 33.",
    ),
    "halves": Hint(
        "You put one integer of the first half of the row and one of the second into a byte "
        "(llama.cpp does that within its groups). Here they are neighbours, 2k and 2k + 1.",
        "Pack [1, 2, 3, 4] on paper and look which numbers share a byte.",
    ),
    "shifted": Hint(
        "You shifted the integers by 8, so that 0 ... 15 is stored. llama.cpp's Q4_0 does that; "
        "here the four bits are two's complement.",
        "Pack [0, 0]: which byte should it be, and which is it?",
    ),
    "scale_8": Hint(
        "You made the scale with 8. The integers here go from -7 to 7, the same on both sides, "
        "so that the largest number of a group is 7 or -7.",
        "Quantize a group whose largest number is positive: which integer does it get, and is it "
        "the nearest?",
    ),
    "signed_max": Hint(
        "You took the largest number of a group, not the largest absolute value. Where the largest "
        "is negative, it does not fit into the integers.",
        "Quantize a group of a 1 and thirty-one -2: which integer is -2?",
    ),
    "across_rows": Hint(
        "Your groups take numbers of two rows, or of other outputs. A group belongs to one row; "
        "where 32 does not divide the row, its last group is shorter.",
        "Take two rows of 48 numbers and make the second 100 times larger: the integers of the "
        "first must not change. How many scales has each row?",
    ),
    "ragged": Hint(
        "A row whose length 32 does not divide cannot be reshaped into groups of 32 as it is.",
        "Try a row of 40: how many groups has it, and how long is the last? What could be added "
        "to a group without changing its largest absolute value?",
    ),
    "sixteen_steps": Hint(
        "You divided the range by 16. From -8 to 7 there are 16 integers, but only 15 steps "
        "between them.",
        "How many steps lead from the first of three fence posts to the last?",
    ),
    "zero_left_out": Hint(
        "In a row without negative (or without positive) numbers you left 0 out of the range. "
        "Then 0 cannot be stored, and the zero point does not fit into the integers.",
        "Quantize the row [3, 4, 5] and look at its zero point: is it from -8 to 7? What does it "
        "turn 0 into?",
    ),
    "zero_sign": Hint(
        "Your zero point has the wrong sign: the number that comes back is scale * (integer - "
        "zero), so zero is the integer of 0.",
        "Put a 0 into the row: its integer must be the zero point.",
    ),
    "zero_not_rounded": Hint(
        "Your zero point is not a whole number. It is stored as an integer, and 0 must come back "
        "as exactly 0.",
        "Put a 0 into the row and turn it back.",
    ),
    "unsigned": Hint(
        "Your integers go from 0 to 15. Much other software does that, and it works; here they "
        "are four signed bits, -8 to 7.",
        "Look at the smallest integer of each row: it should be -8 where the row's range begins.",
    ),
    "no_damping": Hint(
        "You added nothing to the diagonal. An input that never occurs in the calibration text "
        "makes H singular, and one that is nearly a mixture of others makes its inverse huge.",
        "Let one row and column of H be zero and try to invert it.",
    ),
    "absolute_damping": Hint(
        "You added the damping as it is. H grows with the number of tokens and the size of the "
        "activations; a share of its own mean diagonal means the same for all.",
        "Multiply H by 10000: U must become exactly 100 times smaller.",
    ),
    "damped_everywhere": Hint(
        "You added the damping to every entry. It belongs only on the diagonal: elsewhere it "
        "claims that inputs occur together which do not.",
        "Damp a diagonal H: is it still diagonal?",
    ),
    "lower": Hint(
        "Your factor is the wrong triangle. U must be upper triangular with U^T U the inverse, "
        "so that row i of U concerns only the inputs from i on.",
        "Print U for a H of 2 x 2 and see which corner is zero; then compute U^T U.",
    ),
    "not_inverted": Hint(
        "You factorised H itself. The inverse is needed: it says how the remaining inputs must "
        "move to undo an error.",
        "Compute U^T U times the damped H: it should be the identity.",
    ),
    "no_compensation": Hint(
        "You rounded the column and left the others as they were. That is round to nearest.",
        "Let two inputs always be equal, so that H is all ones: how should the second weight "
        "move when the first is rounded up by 0.4?",
    ),
    "not_divided": Hint(
        "You did not divide the error by U_ii. What matters is how input j makes up for input i, "
        "relative to what i does itself.",
        "Multiply U by 10: the result must not change.",
    ),
    "wrong_sign": Hint(
        "You moved the other columns the wrong way, which makes the error larger.",
        "Compute error^T H error for both signs on a small example: one of them is smaller than "
        "with no move at all.",
    ),
    "column_not_row": Hint(
        "You used the column of U. Row i of U belongs to the inputs after i; in column i are "
        "those before it, which are integers already and must not move.",
        "Round column 1 of three: which columns changed?",
    ),
    "error_without_scale": Hint(
        "The error is the weight minus the number that its integer represents, and that is scale "
        "times the integer.",
        "Let all weights be whole multiples of the scale, which is not 1: nothing may move.",
    ),
    "not_clipped": Hint(
        "A weight that has moved may be outside the grid, which ends at 7 steps. Its integer "
        "must stay within, and the error that is left is passed on.",
        "Round a weight of 9 with a scale of 1: do four bits hold its integer?",
    ),
}


# ---- Fresh inputs, small ones first -------------------------------------------------------------

STEPS = [
    k for k in range(1, 64) if 7 * k * (1 / 7) <= k
]  # scales that float16 holds, and that no rounding on the way makes larger


def four_bits(rng):
    yield (np.array([[1, 2]], np.int8),)
    yield (np.array([[-1, 0]], np.int8),)
    yield (np.array([[1, 2, 3, 4]], np.int8),)
    for O, half in rng.integers(1, 5, (15, 2)):
        yield (rng.integers(-8, 8, (O, 2 * half)).astype(np.int8),)


def bytes_of_two(rng):
    yield (np.array([[0x21]], np.uint8),)
    yield (np.array([[0x0F]], np.uint8),)
    for O, n in rng.integers(1, 5, (15, 2)):
        yield (rng.integers(0, 256, (O, n)).astype(np.uint8),)


def grouped_matrices(rng):
    """O * I is a multiple of 32, so that wrong groups are possible too; every group has a largest
    number of 7 scales."""
    for O, I in ((1, 32), (1, 40), (2, 48), (1, 64), (4, 40), (2, 80), (3, 64), (2, 112), (4, 72)):
        w = np.empty((O, I))
        for start in range(0, I, 32):
            size = min(32, I - start)
            scales = rng.choice(STEPS, (O, 1)) * 2.0 ** rng.integers(-12, -5, (O, 1))
            group = scales * (rng.integers(-6, 7, (O, size)) + rng.uniform(-0.4, 0.4, (O, size)))
            group[np.arange(O), rng.integers(0, size, O)] = (
                7 * scales[:, 0] * rng.choice([-1, 1], O)
            )
            w[:, start : start + size] = group
        yield (w,)


def rows_with_zero(rng):
    """Rows that begin at a number below 0, at 0, or above; nothing halfway, whole scales that
    float32 holds."""
    for O, I in ((1, 3), (1, 2), (1, 2), (1, 3), (1, 3), (2, 4), *sizes(rng, 2, 8, (20, 2))):
        w = np.empty((O, I))
        for o in range(O):
            scale, low = rng.integers(1, 64) / 64, int(rng.integers(-15, 1))
            w[o] = scale * (rng.integers(low + 1, low + 16, I) - rng.uniform(0.1, 0.4, I))
            w[o, rng.integers(0, I)] = scale * (low + 15 - 0.3 * (low > -15 and low < 0))
            w[o, rng.integers(0, I)] = scale * (low - 0.3 * (low > -15 and low < 0))
            if low in (0, -15):  # all of one sign: 0 is not among them
                w[o] = (
                    np.sign(low + 7.5) * scale * np.array([15, *rng.integers(6, 14, I - 1) + 0.2])
                )
        yield (w,)


def hessians(rng):
    for I in (2, 3, *rng.integers(2, 7, 15)):
        x = (
            rng.standard_normal((int(rng.integers(I + 1, 20)), I))
            * 10 ** rng.uniform(-0.5, 0.5, I)
            * rng.uniform(0.5, 5)
        )
        if I > 2 and rng.random() < 0.6:
            x[:, rng.integers(0, I)] = 0
        yield x.T @ x, float(rng.choice([0.01, 0.05, 0.1]))


def columns(rng):
    for O, I in ((1, 2), (2, 3), *rng.integers(2, 6, (25, 2))):
        x = rng.standard_normal((20, I)) @ rng.standard_normal((I, I))
        yield (
            4 * rng.standard_normal((O, I)),
            gptq.compensation(x.T @ x, 0.01),
            int(rng.integers(0, I)),
            rng.uniform(0.3, 0.9, (O, 1)),
        )
    yield np.array([[9.0, 0.5]]), np.array([[2.0, 1.0], [0.0, 1.0]]), 0, np.array([[0.8]])
    yield (
        np.array([[9.0, 0.5, 1.0]]),
        np.array([[2.0, 1.0, -1.0], [0.0, 1.0, 0.5], [0.0, 0.0, 1.0]]),
        0,
        np.array([[0.8]]),
    )
    yield (
        np.array([[2.0, 0.5, 1.0]]),
        np.array([[2.0, 1.0, -1.0], [0.0, 1.0, 0.5], [0.0, 0.0, 1.0]]),
        1,
        np.array([[0.8]]),
    )


# ---- The right answers: minillm's own -----------------------------------------------------------


def right_unpack(packed):
    return ours.unpack(packed, 2 * packed.shape[1])


def right_groups(w):
    record = ours.quantize(w, Scheme(4, "group32"), transposed=False)
    return ours.integers(record), record.scales.astype(float)


def right_zero(w):
    record = ours.quantize(w, Scheme(4, "channel", zero_point=True), transposed=False)
    return ours.integers(record), record.scales.astype(float), record.zeros.astype(float)


def right_compensate(w, U, i, scales):
    """What minillm.quantization.gptq.gptq does with one column."""
    return step(w, U, i, scales)


# ---- What each misconception answers ------------------------------------------------------------


def packed(order=lambda n: (n[:, ::2], n[:, 1::2]), nibble=lambda n: n & 15, swap=False):
    def wrong(integers):
        low, high = order(nibble(integers).astype(np.uint8))
        return low << 4 | high if swap else low | high << 4

    return wrong


def halves(n):
    return n[:, : n.shape[1] // 2], n[:, n.shape[1] // 2 :]


def unpacked(signed=lambda n: np.where(n > 7, n - 16, n), side_by_side=True, swap=False):
    def wrong(packed):
        parts = [signed(part.astype(np.int8)) for part in (packed & 15, packed >> 4)]
        parts = parts[::-1] if swap else parts
        return (
            np.stack(parts, axis=-1).reshape(len(packed), -1)
            if side_by_side
            else np.concatenate(parts, axis=1)
        ).astype(np.int8)

    return wrong


def flat(shape):
    def wrong(w):
        groups = w.reshape(-1, 32)
        scales = np.max(np.abs(groups), axis=1, keepdims=True) / 7
        return np.round(groups / scales).reshape(w.shape).astype(np.int8), shape(scales)

    return wrong


def down_columns(w):
    scales = np.max(np.abs(w), axis=0, keepdims=True) / 7
    return np.round(w / scales).astype(np.int8), scales


def in_groups(steps=7, size=np.abs, clip=False):
    def wrong(w):
        O, I = w.shape
        groups = np.pad(w, ((0, 0), (0, -I % 32))).reshape(O, -1, 32)
        with np.errstate(all="ignore"):
            scales = np.max(size(groups), axis=2) / steps
            integers = np.round(groups / scales[..., None])
            integers = np.clip(integers, -8, 7) if clip else integers
            return integers.reshape(O, -1)[:, :I].astype(np.int8), scales

    return wrong


def whole_rows(repeat):
    def wrong(w):
        scales = np.max(np.abs(w), axis=1, keepdims=True) / 7
        return np.round(w / scales).astype(np.int8), np.repeat(
            scales, -(-w.shape[1] // 32), axis=1
        ) if repeat else scales

    return wrong


def ragged(w):
    groups = w.reshape(len(w), -1, 32)
    scales = np.max(np.abs(groups), axis=2) / 7
    return np.round(groups / scales[..., None]).reshape(w.shape).astype(np.int8), scales


def with_zero(
    steps=15, reach=True, lowest=-8, sign=1, whole=np.round, clip=False, cut=True, low_sign=-1
):
    def wrong(w):
        low, high = np.min(w, axis=1, keepdims=True), np.max(w, axis=1, keepdims=True)
        if reach:
            low, high = np.minimum(low, 0), np.maximum(high, 0)
        scales = (high - low) / steps
        zeros = whole(lowest + low_sign * low / scales)
        zeros = np.clip(zeros, -8, 7) if clip else zeros
        integers = (
            np.round(w / scales + zeros) if whole is not np.round else np.round(w / scales) + zeros
        )
        return (
            (np.clip(integers, -8, 7) if lowest < 0 and cut else integers).astype(np.int8),
            scales,
            sign * zeros,
        )

    return wrong


def zero_subtracted(w):
    _, scales, zeros = right_zero(w)
    return np.round(w / scales - zeros).astype(np.int8), scales, zeros


def factored(
    added=lambda H, d: d * np.mean(np.diag(H)) * np.eye(len(H)),
    of=lambda H: np.linalg.cholesky(np.linalg.inv(H)).T,
):
    return lambda H, damping: of(H + added(H, damping))


def step(w, U, i, scales, sign=-1, divide=True, row=True, clip=True, scaled=True, move=True):
    integers = np.round(w[:, i] / scales[:, 0])
    integers = np.clip(integers, -7, 7) if clip else integers
    error = w[:, i] - (scales[:, 0] if scaled else 1) * integers
    w = w.copy()
    if move:
        w += sign * np.outer(error / (U[i, i] if divide else 1), U[i] if row else U[:, i])
    w[:, i] = scales[:, 0] * integers
    return integers.astype(np.int8), w


def stepped(**how):
    return lambda *case: step(*case, **how)


TASKS = [
    number(
        "BITS",
        "everything counted",
        3.1875,
        {"scales_forgotten": 3, "zeros_forgotten": 3.125, "one_scale_a_row": 3 + 24 / 4096},
        tolerance=1e-5,
    ),
    Task(
        "pack",
        "two integers in a byte",
        ours.pack,
        four_bits,
        {
            "sign_smears": packed(nibble=lambda n: n),
            "nibbles_swapped": packed(swap=True),
            "halves": packed(order=halves),
            "shifted": packed(nibble=lambda n: n + 8),
        },
    ),
    Task(
        "unpack",
        "and out again",
        right_unpack,
        bytes_of_two,
        {
            "sign_lost": unpacked(signed=lambda n: n),
            "seven": unpacked(signed=lambda n: np.where(n >= 7, n - 16, n)),
            "nibbles_swapped": unpacked(swap=True),
            "halves": unpacked(side_by_side=False),
            "shifted": unpacked(signed=lambda n: n - 8),
        },
    ),
    Task(
        "quantize_groups",
        "a scale for 32 numbers",
        right_groups,
        grouped_matrices,
        {
            "scale_8": (in_groups(8), in_groups(8, clip=True)),
            "signed_max": (in_groups(size=lambda x: x), in_groups(size=lambda x: x, clip=True)),
            "across_rows": (flat(lambda s: s), flat(lambda s: s[:, 0]), down_columns),
            "ragged": ragged,
            "one_scale_a_row": (whole_rows(False), whole_rows(True)),
        },
        tolerance=1e-6,
        returns=("integers", "scales"),
    ),
    Task(
        "quantize_with_zero",
        "a grid that need not be even",
        right_zero,
        rows_with_zero,
        {
            "sixteen_steps": (
                with_zero(steps=16),
                with_zero(steps=16, clip=True),
                with_zero(steps=16, cut=False),
            ),
            "zero_left_out": (with_zero(reach=False), with_zero(reach=False, clip=True)),
            "zero_sign": (
                with_zero(sign=-1),
                zero_subtracted,
                with_zero(low_sign=1),
                with_zero(low_sign=1, cut=False),
            ),
            "zero_not_rounded": with_zero(whole=lambda z: z),
            "unsigned": with_zero(lowest=0),
        },
        tolerance=1e-6,
        returns=("integers", "scales", "zeros"),
    ),
    Task(
        "factor",
        "who can make up for whom",
        gptq.compensation,
        hessians,
        {
            "no_damping": factored(lambda H, d: 0),
            "absolute_damping": factored(lambda H, d: d * np.eye(len(H))),
            "damped_everywhere": factored(lambda H, d: d * np.mean(np.diag(H))),
            "lower": (
                factored(of=lambda H: np.linalg.cholesky(np.linalg.inv(H))),
                factored(of=lambda H: np.linalg.inv(np.linalg.cholesky(H))),
            ),
            "not_inverted": factored(of=lambda H: np.linalg.cholesky(H).T),
        },
        tolerance=1e-7,
    ),
    Task(
        "compensate",
        "one step of GPTQ",
        right_compensate,
        columns,
        {
            "no_compensation": stepped(move=False),
            "not_divided": stepped(divide=False),
            "wrong_sign": stepped(sign=1),
            "column_not_row": stepped(row=False),
            "error_without_scale": stepped(scaled=False),
            "not_clipped": stepped(clip=False),
        },
        points=2,
        returns=("integers", "w"),
    ),
]
