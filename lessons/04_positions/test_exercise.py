"""What is checked in exercise 04, and which misconceptions are recognised. The words used here:
minillm/course/exercises.py."""

import numpy as np

from minillm.architecture import bloom
from minillm.config import ModelConfig
from minillm.course.exercises import Hint, Task, normal, number, sizes
from minillm.in_numpy import ops

HINTS = {
    "angle_from_D": Hint(
        "You made the angles from the width of the model. Each head turns by itself: its "
        "frequencies come from E, and all heads turn alike.",
        "For two heads, turn an x whose two halves of columns are equal: the two heads of the "
        "result must be equal too. On paper: is it D or E in the exponent?",
    ),
    "radians_only": Hint(
        "This is how many tokens turn the pair by one radian. A full turn is more than six "
        "radians.",
        "Multiply your number by the frequency: which angle is it, and is (cos, sin) of it (1, 0)?",
    ),
    "half_exponent": Hint(
        "The exponent is i/E; with 2i/E the frequencies go nearly down to 1/theta, with i/E only "
        "to its square root.",
        "Print the last frequency for E = 64 and theta = 10000: it should be close to 1/10000. On "
        "paper: which numbers does 2i take for the pairs of a head?",
    ),
    "grows": Hint(
        "Your frequencies grow. The first pair turns by one radian per token, and each later "
        "pair more slowly.",
        "Print them: is the first one 1 and the last one the smallest?",
    ),
    "interleaved": Hint(
        "You turned neighbouring columns, 2i and 2i + 1, as pairs. Here (as in Hugging Face) "
        "column i goes with column i + E/2. Both are rotary embeddings, but a checkpoint made "
        "for one does not work with the other.",
        "Turn [1, 0, 0, 0] by a quarter turn, theta = 1: in which column does the 1 end up?",
    ),
    "clockwise": Hint(
        "You turned the pairs the other way. Scores do not change as long as queries and keys "
        "turn alike, but keys that another program turned no longer fit.",
        "Turn [1, 0] by a quarter turn, position pi/2: is the result [0, 1] or [0, -1]?",
    ),
    "one_speed": Hint(
        "All your pairs turned at the same speed. Then positions 2 pi apart look the same in "
        "every pair.",
        "Turn a vector of four ones to position 1: do both pairs give the same two numbers?",
    ),
    "not_turned": Hint(
        "You turned nothing, so the order of the words does not affect the scores.",
        "Exchange the first two rows of k and v: the result of the last token must change.",
    ),
    "turned_v": Hint(
        "You turned the values too. Positions are for finding; what is fetched should be the "
        "same wherever it was found.",
        "Let all rows of v be equal: then every row of the result must be that row.",
    ),
    "one_side": Hint(
        "You turned only one of q and k. The distance enters the score as the difference of two "
        "angles, so both must turn.",
        "Shift all positions by 5 and compute the scores again: they must not change.",
    ),
    "restarts": Hint(
        "You counted the new tokens from 0 again. They come after the kept ones.",
        "Compute attention on a whole text, then on its first part and go on: the last rows must "
        "agree.",
    ),
    "one_further": Hint(
        "You turned each token by one position too many. Positions count from 0, and a token at "
        "position 0 is not turned at all.",
        "Rotate [1, 0] at position 0: it must come back as it was.",
    ),
    "first_is_one": Hint(
        "Your new tokens are one position too far: the first token of a text is at position 0, "
        "so S kept tokens have the positions 0 to S - 1. Inside one text this goes unseen, since "
        "only differences count.",
        "Compute attention on a whole text, then on its first part and go on: the last rows must "
        "agree.",
    ),
    "turned_twice": Hint(
        "You turned the old keys a second time. They were kept after turning.",
        "Compute attention on a whole text, then keep rotate(k) of its first part and go on: the "
        "last rows must agree.",
    ),
    "mask_restarts": Hint(
        "You showed new token t only the first t + 1 keys. It comes after all the old ones, so "
        "it sees all of them.",
        "Print the mask for two new tokens after three old ones: it has two rows and five columns.",
    ),
    "from_zero": Hint(
        "You counted the heads from 0, so the first slope is 1 and the whole list is one step "
        "too steep.",
        "Print the slopes for 8 heads: they are 1/2, 1/4, ... 1/256.",
    ),
    "power_of_two": Hint(
        "You used the formula for powers of two for every H. For other numbers the models of the "
        "paper (and BLOOM) combine two lists.",
        "Compare slopes(12)[:8] with slopes(8): they must be the same.",
    ),
    "first_of_double": Hint(
        "You gave the remaining heads the first slopes of the longer list. Take every other one: "
        "the second, fourth, ... are already in the shorter list.",
        "Print slopes(12): is any slope in it twice?",
    ),
    "second_of_double": Hint(
        "You took every other slope of the longer list from its second one on. Those are in the "
        "shorter list already: begin with the first.",
        "Print slopes(12): is any slope in it twice?",
    ),
    "sorted": Hint(
        "You sorted the slopes. Which head has which slope was fixed when the model was trained.",
        "Compare slopes(12)[:8] with slopes(8): they must be the same.",
    ),
}


# ---- Fresh inputs, small ones first -------------------------------------------------------------


def widths(rng):
    yield 2, 10000.0
    yield 8, 10000.0
    for _ in range(20):
        yield 2 * int(rng.integers(2, 33)), float(10 ** rng.uniform(1, 6))


def theta_of(rng):
    return float(rng.choice([10, 100, 1000, 10000]))


def vectors(rng):
    yield np.array([[1.0, 0.0, 0.0, 0.0]]), np.array([1]), 10000.0
    yield np.ones((1, 4)), np.array([1]), 100.0
    for T, half in sizes(rng, 1, 6, (20, 2)):
        yield normal(rng, T, 2 * half), np.sort(rng.choice(9, T, replace=False)), theta_of(rng)


def heads(rng):
    for T, H, half in ((1, 2, 2), *sizes(rng, 2, 5, (20, 3))):
        yield (
            normal(rng, T, 2 * half * H),
            int(H),
            int(rng.integers(0, 9)) + np.arange(T),
            theta_of(rng),
        )


def texts(rng):
    for T, half in ((2, 1), (2, 1), (2, 2), *sizes(rng, 2, 7, (20, 2))):
        yield (*normal(rng, 3, T, 2 * half), theta_of(rng))


def continued(rng):
    for S, N, half in (
        (1, 1, 1),
        (1, 1, 1),
        (1, 2, 1),
        (2, 1, 1),
        (1, 1, 2),
        (3, 2, 2),
        *sizes(rng, 2, 6, (20, 3)),
    ):
        q, k, v = normal(rng, 3, S + N, 2 * half)
        theta = theta_of(rng)
        yield q[S:], k[S:], v[S:], right_rotate(k, np.arange(S + N), theta)[:S], v[:S], theta


def numbers_of_heads(rng):
    return [(8,), (12,), *((int(H),) for H in (1, 2, 3, 4, 5, 6, 7, 16, 20, 24, 32, 40))]


# ---- The right answers: minillm's own -----------------------------------------------------------


def config(E, theta):
    return ModelConfig(
        vocab_size=2,
        hidden_size=E,
        intermediate_size=1,
        num_hidden_layers=1,
        num_attention_heads=1,
        num_key_value_heads=1,
        head_dim=E,
        max_position_embeddings=1,
        rope_theta=theta,
    )


def right_frequencies(E, theta):
    from minillm.architecture.rope import frequencies

    return frequencies(config(E, theta), 1)[0]


def right_rotate(x, positions, theta):
    return ops.rope(
        x, *ops.rotation(np.asarray(positions), config(x.shape[1], theta), 1, np.float64)
    )


def right_heads(x, H, positions, theta):
    return np.concatenate(
        [right_rotate(head, positions, theta) for head in np.split(x, H, axis=1)], axis=1
    )


def attended(
    q,
    k,
    v,
    theta,
    old_k=None,
    old_v=None,
    first=None,
    start=None,
    turn_q=True,
    turn_k=True,
    turn_v=False,
    turn_old=False,
):
    """minillm.in_numpy.ops.attend on what `go_on` is given; `first` is the position of the first
    new token."""
    old_k, old_v = (k[:0], v[:0]) if old_k is None else (old_k, old_v)
    S = len(old_k)
    positions = (S if first is None else first) + np.arange(len(q))
    q = right_rotate(q, positions, theta) if turn_q else q
    k = np.concatenate(
        [
            right_rotate(old_k, np.arange(S), theta) if turn_old else old_k,
            right_rotate(k, positions, theta) if turn_k else k,
        ]
    )
    v = np.concatenate([old_v, right_rotate(v, positions, theta) if turn_v else v])
    return ops.attend(
        q[None, None, None], k[None, None], v[None, None], S if start is None else start
    )[0, 0, 0]


def going_on(**how):
    def wrong(q, k, v, old_k, old_v, theta):
        given = {
            name: value(len(old_k)) if callable(value) else value for name, value in how.items()
        }
        return attended(q, k, v, theta, old_k, old_v, **given)

    return wrong


# ---- What each misconception answers ------------------------------------------------------------


def side_by_side(x, positions, theta):
    order = np.arange(x.shape[1]).reshape(-1, 2).T.ravel()
    return right_rotate(x[:, order], positions, theta)[:, np.argsort(order)]


def same_speed(x, positions, theta):
    return right_rotate(x, positions, 1.0 + 1e-15)


def angles_from_D(x, H, positions, theta):
    """The right halves of every head, but its frequencies are the first ones of a head as wide as
    the model."""
    D, E = x.shape[1], x.shape[1] // H
    angle = np.asarray(positions)[:, None] * right_frequencies(D, theta)[: E // 2]
    return np.concatenate(
        [ops.rope(head, np.cos(angle), np.sin(angle)) for head in np.split(x, H, axis=1)], axis=1
    )


def from_double(begin, step):
    def wrong(H):
        below = 2 ** int(np.log2(H))
        more = bloom.slopes(2 * below)[begin::step][: H - below]
        return np.concatenate([bloom.slopes(below), more])

    return wrong


TASKS = [
    number(
        "FULL_TURN",
        "a full turn on paper",
        2 * np.pi * 100,
        {"radians_only": 100.0, "half_exponent": 2 * np.pi * 10, "angle_from_D": 2 * np.pi * 1000},
        tolerance=2e-3,
    ),
    Task(
        "frequencies",
        "how fast each pair turns",
        right_frequencies,
        widths,
        {
            "half_exponent": lambda E, theta: theta ** (-np.arange(E // 2) / E),
            "grows": lambda E, theta: 1 / right_frequencies(E, theta),
        },
    ),
    Task(
        "rotate",
        "turn pairs by their position",
        right_rotate,
        vectors,
        {
            "interleaved": side_by_side,
            "clockwise": lambda x, positions, theta: right_rotate(x, -positions, theta),
            "one_speed": same_speed,
            "one_further": lambda x, positions, theta: right_rotate(x, positions + 1, theta),
        },
        needs=("frequencies",),
    ),
    Task(
        "rotate_heads",
        "several heads side by side",
        right_heads,
        heads,
        {
            "angle_from_D": (
                lambda x, H, positions, theta: right_rotate(x, positions, theta),
                angles_from_D,
            )
        },
        needs=("rotate",),
    ),
    Task(
        "attention",
        "attention that knows positions",
        attended,
        texts,
        {
            "turned_v": lambda *case: attended(*case, turn_v=True),
            "not_turned": lambda *case: attended(*case, turn_q=False, turn_k=False),
            "one_side": (
                lambda *case: attended(*case, turn_k=False),
                lambda *case: attended(*case, turn_q=False),
            ),
        },
        needs=("rotate",),
        points=2,
    ),
    Task(
        "go_on",
        "continue from kept keys",
        going_on(),
        continued,
        {
            "restarts": going_on(first=0),
            "first_is_one": going_on(first=lambda S: S + 1),
            "turned_twice": going_on(turn_old=True),
            "mask_restarts": going_on(start=0),
            "turned_v": going_on(turn_v=True),
        },
        needs=("rotate", "attention"),
        points=2,
    ),
    Task(
        "slopes",
        "ALiBi for any number of heads",
        bloom.slopes,
        numbers_of_heads,
        {
            "from_zero": lambda H: 2.0 ** (-8 * np.arange(H) / H),
            "power_of_two": lambda H: 2.0 ** (-8 * np.arange(1, H + 1) / H),
            "first_of_double": from_double(0, 1),
            "second_of_double": from_double(1, 2),
            "sorted": lambda H: np.sort(bloom.slopes(H))[::-1],
        },
    ),
]
