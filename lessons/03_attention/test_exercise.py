"""What is checked in exercise 03, and which misconceptions are recognised. The words used here:
minillm/course/exercises.py."""

import numpy as np

from minillm.course.exercises import Hint, Task, normal, number, sizes
from minillm.in_numpy import ops

HINTS = {
    "no_scale": Hint(
        "You did not divide the scores by sqrt(E). A dot product of E random numbers grows as "
        "sqrt(E), and with large scores the softmax puts everything on one key.",
        "Draw q and k from a normal distribution, with E = 4 and then E = 400, and print the "
        "standard deviation of the scores. On paper: what is sqrt(E)?",
    ),
    "divided_by_E": Hint(
        "You divided the scores by E instead of its square root: the larger the head, the more "
        "alike its scores become.",
        "Draw q and k from a normal distribution with E = 400 and print the standard deviation "
        "of the scores: it should be near 1. On paper: does the formula have E or its root?",
    ),
    "sqrt_of_tokens": Hint(
        "You divided by the square root of the number of tokens. A score is large because it "
        "adds up many products, one for each number of a query; the length of the text has no "
        "part in it.",
        "Compute the scores of two keys, then of the same two with a third beside them: the "
        "first two must not change.",
    ),
    "sqrt_of_D": Hint(
        "You divided the scores by the square root of the whole width. A score adds up the E "
        "products of one head.",
        "Compute one head alone from its own columns of q, k and v, and compare: heads do not "
        "affect each other.",
    ),
    "keys_first": Hint(
        "You exchanged rows and columns: row t must hold the scores of query t, so that each row "
        "can be made to add up to 1.",
        "Try two queries and three keys and look at the shape of the result.",
    ),
    "looks_ahead": Hint(
        "A token looked at tokens after it. A model trained like this reads its answer off the "
        "next position.",
        "Change the last row of k and v and compute again: only the last row of the result may "
        "change. On paper: how many keys may that token see?",
    ),
    "wrong_triangle": Hint(
        "You masked the wrong triangle: tokens see the future and not the past.",
        "Print which scores of a text of three tokens are finite: how many does the first token "
        "see, how many the last?",
    ),
    "not_itself": Hint(
        "You kept a token from looking at itself. Then the first token has nothing to look at.",
        "Print the first row for any T: does it have a finite score? On paper: may a token look "
        "at its own key?",
    ),
    "masked_by_zero": Hint(
        "You set masked scores to 0. A zero is a score like any other: exp(0) is 1.",
        "Pass a row of zeros with its end masked through softmax: how much weight does the end "
        "get?",
    ),
    "large_negative": Hint(
        "This passes: a large negative number in place of -inf is common in PyTorch code. It is "
        "safe while every real score is far above it, and it fails in two cases: in float16, "
        "where -1e9 does not exist, and in a row where everything is masked, which becomes an "
        "even average instead of NaN, so that the mistake goes unseen.",
        "Compute the softmax of [-1e9, -1e9] and of [-np.inf, -np.inf].",
    ),
    "inf_times_zero": Hint(
        "You multiplied with the mask. Where it is 0, infinity times 0 is not a number, and that "
        "spoils even the scores that should stay.",
        "Evaluate -np.inf * 0, and look up np.where, which chooses instead of multiplying.",
    ),
    "mask_after": Hint(
        "You masked after the softmax: the forbidden weights are gone, but their share was not "
        "given to the others.",
        "Print the sum of each row of the pattern: which rows do not add up to 1? On paper: add "
        "up the shares that you used.",
    ),
    "over_queries": Hint(
        "Your softmax ran over the queries: each column adds up to 1, each row does not. Each "
        "query shares out its own attention.",
        "Print the sums of rows and of columns for two queries and three keys.",
    ),
    "over_everything": Hint(
        "You made all numbers together add up to 1. Each query has its own attention to share out.",
        "Print the sum of each row for an array of two rows.",
    ),
    "no_shift": Hint(
        "exp overflows: exp(1000) is inf, and inf / inf is not a number. Subtracting the same "
        "number from every score of a row changes nothing in exact arithmetic.",
        "Compute the softmax of [1000, 1001] and of [0, 1]: both must give the same.",
    ),
    "one_shift": Hint(
        "You subtracted the maximum of the whole array. A row far below it becomes exp(-2000) = "
        "0 everywhere, and 0 / 0 is not a number.",
        "Compute the softmax of two rows at once, [1000, 1001] and [-1000, -1001].",
    ),
    "averages_keys": Hint(
        "You multiplied the pattern with the keys. Keys say where to look; what is fetched there "
        "are the values.",
        "Give v twice as many columns as k and look at the shape of the result.",
    ),
    "split_by_reshape": Hint(
        "You only reshaped the array. Reshape keeps the order of the numbers in memory, so a "
        "head gets all columns of a few tokens instead of a few columns of all tokens.",
        "Split x = np.arange(8).reshape(2, 4) into two heads on paper: head 0 must hold columns "
        "0 and 1.",
    ),
    "interleaved_heads": Hint(
        "You gave the columns to the heads in turn. A head owns E neighbouring columns.",
        "Split x = np.arange(8).reshape(2, 4) into two heads on paper: head 0 must hold columns "
        "0 and 1.",
    ),
    "wrong_group": Hint(
        "You gave neighbouring query heads different key/value heads. Neighbours share one.",
        "For H = 4 and K = 2, write the key/value head beside each query head: it must read 0 0 "
        "1 1.",
    ),
    "one_group": Hint(
        "All your query heads used the first key/value head.",
        "Set k and v to zero outside their first E columns: for K = 2, half of the result must "
        "change.",
    ),
    "joined_by_reshape": Hint(
        "You joined the heads by a reshape alone, so a row of the result mixes tokens. The row "
        "of a token holds what its own heads computed.",
        "Compute (heads, T, E) for two tokens and two heads, with numbers that tell their head "
        "and token, and join them on paper.",
    ),
}


# ---- Fresh inputs, small ones first -------------------------------------------------------------


def queries_and_keys(rng):
    for T, S, E in ((1, 1, 2), (1, 2, 2), (2, 1, 3), *sizes(rng, 2, 9, (30, 3))):
        yield normal(rng, T, E), normal(rng, S, E)


def square_scores(rng):
    for T in (2, 3, 1, *rng.integers(2, 9, 20)):
        yield (3 * normal(rng, T, T),)


def rows_of_scores(rng):
    yield (np.array([[0.0, 1.0]]),)
    yield (np.array([[1000.0, 1001.0]]),)
    yield (np.array([[1000.0, 1001.0], [-1000.0, -1001.0]]),)
    for T, S in ((2, 3), *sizes(rng, 2, 9, (20, 2))):
        x = int(rng.integers(1, 6)) * normal(rng, T, S)
        x[:, 1:][rng.random((T, S - 1)) < 0.2] = -np.inf
        yield (x,)


def one_head(rng):
    for T, E, M in (
        (1, 1, 1),
        (2, 1, 1),
        (2, 1, 1),
        (1, 2, 2),
        (2, 2, 1),
        *sizes(rng, 2, 8, (30, 3)),
    ):
        yield normal(rng, T, E), normal(rng, T, E), normal(rng, T, M)


def columns(rng):
    yield np.arange(8.0).reshape(2, 4), 2
    for T, H, E in sizes(rng, 2, 6, (30, 3)):
        yield normal(rng, T, H * E), int(H)


def many_heads(rng):
    for T, K, G, E in (
        (1, 2, 2, 1),
        (1, 2, 2, 1),
        (2, 2, 1, 1),
        (2, 2, 2, 1),
        (2, 2, 2, 2),
        (2, 3, 1, 4),
        *sizes(rng, 2, 5, (30, 4)),
    ):
        q, k, v = (normal(rng, T, heads * E) for heads in (K * G, K, K))
        yield q, k, v, int(K * G), int(K)


# ---- The right answers: minillm's own -----------------------------------------------------------


def right_scores(q, k):
    return right_attention_of(q, k, k, "scores_unmasked")


def right_attention_of(q, k, v, what="z"):
    """minillm.in_numpy.ops.attend for one head; or its scores, made without a mask by placing all
    queries at the end."""
    seen = {}

    def tap(name, x):
        seen[name] = x
        return x

    start = len(k) - 1 if what == "scores_unmasked" else 0
    if what == "scores_unmasked":
        rows = []
        for query in q:  # one query at the last place sees every key
            ops.attend(query[None, None, None, None], k[None, None], v[None, None], start, tap=tap)
            rows.append(seen["scores"][0, 0, 0, 0])
        return np.array(rows)
    return ops.attend(q[None, None, None], k[None, None], v[None, None], start, tap=tap)[0, 0, 0]


def right_mask(scores):
    return np.where(ops.causal(0, len(scores), len(scores)), scores, -np.inf)


def right_split(x, heads):
    return x.reshape(len(x), heads, -1).transpose(1, 0, 2)


def right_grouped(q, k, v, H, K):
    return grouped(q, k, v, H, K)


# ---- What each misconception answers ------------------------------------------------------------


def unmasked(q, k, v):
    return ops.softmax(right_scores(q, k)) @ v


def masked_with(low):
    return lambda s: np.where(ops.causal(0, len(s), len(s)), s, low)


def multiplied_mask(s):
    forbidden = 1.0 - ops.causal(0, len(s), len(s))
    with np.errstate(invalid="ignore"):
        return s + forbidden * -np.inf


def masked_afterwards(q, k, v):
    return np.tril(ops.softmax(right_scores(q, k))) @ v


def attends_to_keys(q, k, v):
    return right_attention_of(q, k, k)


def softmax_over(axis, shift=True, whole=False):
    def wrong(x):
        with np.errstate(all="ignore"):
            e = np.exp(x - (x.max() if whole else x.max(axis=axis, keepdims=True) if shift else 0))
            return e / e.sum(axis=axis, keepdims=True)

    return wrong


def grouped(
    q,
    k,
    v,
    H,
    K,
    key_of=lambda h, H, K: h // (H // K),
    scale=1.0,
    join=lambda z: z.transpose(1, 0, 2),
):
    q, k, v = right_split(q, H) * scale, right_split(k, K), right_split(v, K)
    z = np.stack(
        [right_attention_of(q[h], k[key_of(h, H, K)], v[key_of(h, H, K)]) for h in range(H)]
    )
    return join(z).reshape(z.shape[1], -1)


LARGE_NEGATIVE = (
    -1e4,
    -1e5,
    -1e6,
    -1e7,
    -1e8,
    -1e9,
    -1e10,
    -1e12,
    -1e20,
    -1e30,
    float(np.finfo(np.float32).min),
    float(np.finfo(np.float64).min),
)

TASKS = [
    number(
        "SECOND",
        "attention on paper",
        5.0,
        {
            "looks_ahead": (8 + 3 * 4 - 4 * 8) / 8,
            "no_scale": (8 + 9 * 4) / 10,
            "divided_by_E": (8 + 3**0.5 * 4) / (1 + 3**0.5),
            "mask_after": (8 + 3 * 4) / 8,
            "not_itself": 8.0,
        },
        tolerance=1e-3,
    ),
    Task(
        "scores",
        "compare every query with every key",
        right_scores,
        queries_and_keys,
        {
            "no_scale": lambda q, k: q @ k.T,
            "divided_by_E": lambda q, k: q @ k.T / q.shape[1],
            "sqrt_of_tokens": (
                lambda q, k: q @ k.T / len(k) ** 0.5,
                lambda q, k: q @ k.T / len(q) ** 0.5,
            ),
            "keys_first": lambda q, k: k @ q.T / q.shape[1] ** 0.5,
        },
    ),
    Task(
        "masked",
        "hide the future",
        right_mask,
        square_scores,
        {
            "wrong_triangle": (
                lambda s: right_mask(s.T).T,
                lambda s: np.where(np.tri(len(s), dtype=bool), -np.inf, s),
            ),
            "not_itself": lambda s: np.where(np.tri(len(s), k=-1, dtype=bool), s, -np.inf),
            "masked_by_zero": np.tril,
            "looks_ahead": lambda s: s,
            "inf_times_zero": multiplied_mask,
        },
        accepted={"large_negative": tuple(masked_with(low) for low in LARGE_NEGATIVE)},
    ),
    Task(
        "softmax",
        "scores to shares",
        ops.softmax,
        rows_of_scores,
        {
            "no_shift": softmax_over(-1, shift=False),
            "one_shift": softmax_over(-1, whole=True),
            "over_queries": (softmax_over(0), softmax_over(0, shift=False)),
            "over_everything": (softmax_over(None, whole=True), softmax_over(None, shift=False)),
        },
    ),
    Task(
        "attention",
        "fetch a weighted mean",
        right_attention_of,
        one_head,
        {
            "looks_ahead": unmasked,
            "mask_after": masked_afterwards,
            "averages_keys": attends_to_keys,
        },
        needs=("scores", "masked", "softmax"),
        points=2,
    ),
    Task(
        "split_heads",
        "each head its own columns",
        right_split,
        columns,
        {
            "split_by_reshape": lambda x, heads: x.reshape(heads, len(x), -1),
            "interleaved_heads": lambda x, heads: x.reshape(len(x), -1, heads).transpose(2, 0, 1),
        },
    ),
    Task(
        "grouped_attention",
        "many heads, fewer keys",
        right_grouped,
        many_heads,
        {
            "wrong_group": lambda *case: grouped(*case, key_of=lambda h, H, K: h % K),
            "one_group": lambda *case: grouped(*case, key_of=lambda h, H, K: 0),
            "sqrt_of_D": lambda q, k, v, H, K: grouped(q, k, v, H, K, scale=H**-0.5),
            "joined_by_reshape": lambda *case: grouped(*case, join=lambda z: z),
        },
        needs=("attention", "split_heads"),
        points=2,
    ),
]
