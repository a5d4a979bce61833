"""What is checked in exercise 06, and which misconceptions are recognised. The words used here:
minillm/course/exercises.py."""

from dataclasses import replace

import numpy as np

from minillm.course.exercises import Hint, Task, normal, number, sizes
from minillm.in_numpy import ops

HINTS = {
    "residual_lost": Hint(
        "In y = x + rmsnorm(x) you followed only the path through the norm. x also goes straight "
        "into the sum, and where two paths leave a number, the derivatives that come back along "
        "them are added.",
        "Let the weights of the norm be zero: then y = x, and what must dx be?",
    ),
    "not_the_first": Hint(
        "You gave something else than the first number of dx, such as the second, or both.",
        "Read the question once more: which number of dx does it ask for, and how many?",
    ),
    "second_term": Hint(
        "You treated the size of x as a constant. But every number of x is also in the root that "
        "all are divided by, so there is a second term.",
        "With eps = 0, multiplying x by a number a little above 1 leaves the result of the norm "
        "as it is. So what comes back through the norm (dx; or dx - dy where x also goes around "
        "the norm) is at right angles to x: is yours?",
    ),
    "second_term_added": Hint(
        "The second term has the wrong sign. A larger x_1 makes the root larger, and that makes "
        "every result smaller.",
        "With eps = 0, multiplying x by a number a little above 1 leaves the result of the norm "
        "as it is. So what comes back through the norm (dx; or dx - dy where x also goes around "
        "the norm) is at right angles to x: is yours?",
    ),
    "sum_in_second_term": Hint(
        "You made the second term with a sum over the D numbers; the root contains their mean.",
        "With eps = 0, multiplying x by a number a little above 1 leaves the result of the norm "
        "as it is. So what comes back through the norm (dx; or dx - dy where x also goes around "
        "the norm) is at right angles to x: is yours?",
    ),
    "weight_forgotten": Hint(
        "You left the weights out of the derivative. y = weight * n, so each dn is dy times its "
        "weight.",
        "Let one weight be zero: can that number of n still affect the loss?",
    ),
    "x_for_n": Hint(
        "You used x in the second term where n, the normalized x, belongs. One of the two "
        "divisions by the root is missing.",
        "Multiply x by 10: with eps = 0, what comes back through the norm must become ten times "
        "smaller.",
    ),
    "mean_of_all": Hint(
        "You took one mean over all tokens. Each token has its own root, and tokens do not "
        "affect each other here.",
        "Change dy of the last token: only the last token's dx may change.",
    ),
    "dweight_of_x": Hint(
        "You made dweight from x. The weights are multiplied with the normalized x.",
        "Multiply x by 10: y stays nearly the same, so dweight must too.",
    ),
    "not_summed": Hint(
        "A parameter serves every token of every text, so its derivative is the sum over all of "
        "them. Yours leaves some out, or keeps them side by side in an array larger than the "
        "parameter.",
        "Print the shape of each derivative beside the shape of its parameter. Then set dy to "
        "zero for the last text: does the result change?",
    ),
    "averaged": Hint(
        "The derivatives of all tokens were averaged, but they add up: the parameter changes the "
        "loss at each place that it serves. A mean over tokens, where there is one, is part of "
        "the loss and comes in with the derivative from above.",
        "Pass one token, then the same token twice: the parameter's derivative must double.",
    ),
    "averaged_rows": Hint(
        "The rows of a token that occurs several times were averaged, but they add up: each "
        "place where the token occurs changes the loss.",
        "Let a text be the same token three times, dx all ones: its row must be all threes.",
    ),
    "differences": Hint(
        "You used finite differences, such as `numeric`, or float32: the first digits are right and "
        "the later ones are not. Differences are for checking a backward. They need two forwards "
        "for each number of x, two million for a model of a million parameters. The exercise is "
        "the formula.",
        "Derive it on paper, then compare it with `numeric`: they should agree to about eight "
        "digits.",
    ),
    "eps_forgotten": Hint(
        "eps is missing in the backward. It is under the root in the forward, so the root that "
        "comes back in must hold it too.",
        "Make x as small as the root of eps and compare with `numeric`.",
    ),
    "order": Hint(
        "The derivatives are right and in the wrong order: they come in the order of the "
        "arguments, dq, dk, dv.",
        "Print the shapes of what you return beside those of q, k and v, for K = 1 and G = 2.",
    ),
    "dw_transposed": Hint(
        "Your dw is transposed, (out, in). A derivative has the shape of what it belongs to.",
        "Print dw.shape and w.shape for a w that is not square.",
    ),
    "w_not_transposed": Hint(
        "You made dx with w as it is. On the way back, inputs and outputs exchange their roles, "
        "so w is transposed.",
        "Use a w that is not square and look at the shapes.",
    ),
    "overwritten": Hint(
        "Where a token occurs several times you kept only one of its places: you assigned rows "
        "instead of adding. NumPy's table[tokens] += dx does the same, since it reads all rows "
        "before it writes.",
        "Let a text be the same token three times, dx all ones: its row must be all threes.",
    ),
    "cos_for_sin": Hint(
        "You exchanged cosine and sine.",
        "Let the angle be 0: cos is 1 and sin is 0, so nothing turns and dx must be dy. Is it?",
    ),
    "half_turn": Hint(
        "All of dx has the wrong sign: that is half a turn too much.",
        "Let the angle be 0: cos is 1 and sin is 0, so nothing turns and dx must be dy. Is it?",
    ),
    "turned_forwards": Hint(
        "You turned the derivative the way x was turned. It has to be turned back.",
        "Turn by 90 degrees: y = (-x_2, x_1). If only dy_1 is not zero, which number of x gets "
        "it, and with which sign?",
    ),
    "not_turned": Hint(
        "You passed the derivative on unturned. A rotation keeps lengths, but it does change "
        "directions.",
        "Turn by 90 degrees: y = (-x_2, x_1). If only dy_1 is not zero, which number of x gets "
        "it, and with which sign?",
    ),
    "one_sine": Hint(
        "One of the two signs is wrong, so this is not a rotation: lengths change.",
        "Compute the length of dy and of dx: they must be equal.",
    ),
    "slope_of_one": Hint(
        "You took the slope of silu to be its sigmoid, as if that were a constant. gate * "
        "sigmoid(gate) is a product of two factors that both depend on gate.",
        "Compare with `numeric` at gate = 2.",
    ),
    "slope_of_sigmoid": Hint(
        "You have only one half of the product rule: gate * sigmoid(gate) changes because the "
        "sigmoid does, and because gate itself does.",
        "For a very large gate, silu(gate) = gate. What must its slope be there?",
    ),
    "slope_added": Hint(
        "The slope of the sigmoid has a wrong sign in it: it is s (1 - s).",
        "For a very large gate, silu(gate) = gate. What must its slope be there?",
    ),
    "up_left_out": Hint(
        "You left up out of dgate. silu(gate) is multiplied with up, so its derivative is too.",
        "Let up be zero: can the gate still affect the loss?",
    ),
    "dup_of_gate": Hint(
        "You made dup with gate; up is multiplied with silu(gate).",
        "Let gate be very negative, so that the gate is closed: what must dup be?",
    ),
    "exchanged": Hint(
        "Your two derivatives are in the wrong order: return them in the order of the arguments.",
        "Let up be zero everywhere: which of the two must be zero then?",
    ),
    "no_share": Hint(
        "The loss is a mean over N counted targets, so each has a share of 1/N in it, which is "
        "missing here.",
        "Repeat the same text twice in the batch: the loss stays, so each dlogits must halve.",
    ),
    "share_of_all": Hint(
        "You divided by the number of all positions, padding included. The loss is a mean over "
        "the counted targets alone.",
        "Add a text that is all padding to the batch: the loss stays, so dlogits of the other "
        "texts must too.",
    ),
    "share_of_vocabulary": Hint(
        "You divided by the size of the vocabulary as well. The mean runs over targets, not over "
        "the V logits of a position.",
        "Take one position, all logits 0, V = 4: the derivative of its target's logit is 1/4 - 1.",
    ),
    "padding": Hint(
        "Positions whose target is padding got a derivative. They are not in the loss, so their "
        "logits cannot affect it.",
        "Let one target be -100: its row of dlogits must be zero.",
    ),
    "target_forgotten": Hint(
        "You left out the target. A larger logit of the target makes the loss smaller.",
        "Print the sum of each row of dlogits: raising all logits of a position by the same "
        "amount changes nothing, so it must be 0.",
    ),
    "loss_upside_down": Hint(
        "All signs are reversed: a step against this derivative makes the loss larger.",
        "What does raising the target's logit do to the loss, and which sign has its derivative?",
    ),
    "dloss_left_out": Hint(
        "You did not use dloss. Every backward multiplies what comes from above with its own "
        "part, even where that is usually 1.",
        "Call it with dloss = 2: everything must double.",
    ),
    "diagonal": Hint(
        "You differentiated the softmax element by element, p (1 - p). But raising one score also "
        "lowers the shares of all the others.",
        "Add the same number to all scores of a row: nothing changes, so each row of dscores "
        "must add up to 0. Does it?",
    ),
    "softmax_skipped": Hint(
        "You used the derivative of the shares as if it were that of the scores: the softmax "
        "between them is missing.",
        "Add the same number to all scores of a row: nothing changes, so each row of dscores "
        "must add up to 0. Does it?",
    ),
    "over_queries": Hint(
        "In the derivative of the softmax you summed over the queries. The shares of each query "
        "add up to 1, so the sum runs over the keys.",
        "Change dz of the last query: dq of the others must not change.",
    ),
    "no_scale": Hint(
        "The scores are divided by sqrt(E), and your derivative is not: in dq, in dk or in both.",
        "Multiply q by 2 and divide k by 2: the scores stay. What must become of dq and dk?",
    ),
    "group_overwritten": Hint(
        "The keys and values of a group got the derivative of one query head alone. All G query "
        "heads use them, so their derivatives are added.",
        "Set dz of the first query head of each group to zero: dk and dv must change.",
    ),
    "group_averaged": Hint(
        "You averaged the derivatives of a group's query heads. They use the same keys and "
        "values, so what comes back is the sum.",
        "Let all query heads of a group be alike: dk must be G times that of one.",
    ),
    "group_not_summed": Hint(
        "Your dk or dv still has an axis for the query heads. A derivative has the shape of what "
        "it belongs to: add up the query heads of a group.",
        "Print the shapes of dk and k, and of dv and v.",
    ),
    "pattern_not_transposed": Hint(
        "You multiplied the shares as on the way forward. On the way back a value collects from "
        "all queries that looked at it, so rows and columns are exchanged.",
        "Only the last query looks at the last value. So the last row of dv may depend on the "
        "last row of dz alone: does it?",
    ),
}


# ---- Fresh inputs, small ones first -------------------------------------------------------------


def maps(rng):
    for B, T, wide, out in (
        (1, 1, 1, 1),
        (2, 1, 1, 1),
        (1, 2, 1, 2),
        (2, 2, 1, 1),
        (2, 1, 2, 2),
        (2, 1, 2, 3),
        *sizes(rng, 2, 5, (20, 4)),
    ):
        yield (
            normal(rng, B, T, out),
            normal(rng, B, T, wide),
            normal(rng, wide, out),
            normal(rng, out),
        )


def lookups(rng):
    yield np.ones((1, 3, 1)), np.array([[1, 1, 1]]), np.zeros((2, 1))
    for B, T, V, D in sizes(rng, 2, 5, (20, 4)):
        yield normal(rng, B, T, D), rng.integers(0, V, (B, T)), normal(rng, V, D)


def norms(rng):
    for B, T, D in (
        (1, 1, 2),
        (1, 1, 2),
        (1, 2, 1),
        (2, 1, 1),
        (2, 1, 2),
        *sizes(rng, 2, 5, (20, 3)),
    ):
        x = np.round(rng.choice([0.1, 1.0, 10.0]) * normal(rng, B, T, D), 2)
        yield normal(rng, B, T, D), x, normal(rng, D), float(rng.choice([0.1, 0.01, 0.001]))


def turns(rng):
    for heads, T, half in ((1, 1, 1), *sizes(rng, 1, 5, (20, 3))):
        angle = np.arange(1, T + 1)[:, None] * rng.uniform(0.1, 1.5, half)
        yield (
            normal(rng, heads, T, 2 * half),
            normal(rng, heads, T, 2 * half),
            np.cos(angle),
            np.sin(angle),
        )


def gates(rng):
    for T, F in ((1, 1), (1, 2), *sizes(rng, 1, 6, (20, 2))):
        yield normal(rng, T, F), 2 * normal(rng, T, F), normal(rng, T, F)


def predictions(rng):
    yield 1.0, np.zeros((1, 1, 4)), np.array([[2]])
    yield 1.0, np.log(np.array([[[1.0, 1, 2], [1, 2, 5]]])), np.array([[2, 0]])
    yield 1.0, np.array([[[0.0, 1.0], [1.0, -1.0]]]), np.array([[0, -100]])
    yield 2.0, np.array([[[0.0, 1.0, 0.5], [1.0, -1.0, 0.0]]]), np.array([[2, -100]])
    for i, (B, T, V) in enumerate(sizes(rng, 2, 6, (20, 3))):
        targets = rng.integers(0, V, (B, T))
        targets[rng.random((B, T)) < 0.3] = -100
        targets[0, 0], targets[-1, -1] = 0, -100
        yield (
            1.0 if i < 3 else float(rng.choice([0.5, 1.5, 2.0])),
            2 * normal(rng, B, T, V),
            targets,
        )


def heads(rng):
    for K, G, T, E in (
        (1, 1, 2, 1),
        (1, 1, 2, 1),
        (1, 2, 2, 1),
        (1, 2, 2, 1),
        (1, 1, 2, 2),
        (1, 2, 2, 4),
        (2, 2, 3, 4),
        *sizes(rng, 2, 5, (20, 4)),
    ):
        yield normal(rng, K, G, T, E), normal(rng, K, G, T, E), *normal(rng, 2, K, T, E)


# ---- The right answers: minillm's own -----------------------------------------------------------


def right_attend(dz, q, k, v):
    return tuple(dx[0] for dx in ops.attend_backward(dz[None], q[None], k[None], v[None], 0))


# ---- What each misconception answers: the right answer with one thing changed -------------------


def linear_of(
    dx=lambda dy, w: dy @ w.T,
    dw=lambda x, dy: np.einsum("bti,bto->io", x, dy),
    db=lambda dy: dy.sum(axis=(0, 1)),
):
    return lambda dy, x, w, b: (dx(dy, w), dw(x, dy), db(dy))


PER_TEXT_W, PER_TOKEN_W = (
    (lambda x, dy: np.einsum("bti,bto->bio", x, dy)),
    (lambda x, dy: np.einsum("bti,bto->btio", x, dy)),
)
LAST_W, FIRST_W = (lambda x, dy: x[-1].T @ dy[-1]), (lambda x, dy: x[0].T @ dy[0])
PER_TEXT_B, PER_TOKEN_B, LAST_B, FIRST_B = (
    (lambda dy: dy.sum(axis=1)),
    (lambda dy: dy),
    (lambda dy: dy[-1].sum(axis=0)),
    (lambda dy: dy[0].sum(axis=0)),
)
NOT_SUMMED = tuple(
    linear_of(**ways)
    for w, b in (
        (PER_TEXT_W, PER_TEXT_B),
        (PER_TOKEN_W, PER_TOKEN_B),
        (LAST_W, LAST_B),
        (FIRST_W, FIRST_B),
    )
    for ways in (dict(dw=w, db=b), dict(dw=w), dict(db=b))
) + (
    linear_of(dw=PER_TEXT_W, db=PER_TOKEN_B),
    linear_of(db=lambda dy: dy.sum(axis=0)),
    linear_of(dw=PER_TEXT_W, db=lambda dy: dy.sum(axis=0)),
)


def mean_w(x, dy):
    return np.einsum("bti,bto->io", x, dy) / (dy.shape[0] * dy.shape[1])


def last_place(dx, tokens, table):
    dtable = np.zeros(table.shape)
    dtable[tokens] = dx
    return dtable


def mean_place(dx, tokens, table):
    times = np.bincount(tokens.ravel(), minlength=len(table))
    return ops.embedding_backward(dx, tokens, table) / np.maximum(times, 1)[:, None]


def norm_of(
    second=lambda dn, n, x: n * np.mean(dn * n, axis=-1, keepdims=True),
    dn_of=lambda dy, weight: dy * weight,
    dweight=lambda dy, n, x: np.sum(dy * n, axis=(0, 1)),
):
    def wrong(dy, x, weight, eps):
        scale = 1 / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + eps)
        dn = dn_of(dy, weight)
        return scale * (dn - second(dn, x * scale, x)), dweight(dy, x * scale, x)

    return wrong


def one_sine(sign_first, sign_second):
    def wrong(dy, x, cos, sin):
        first, second = np.split(dy, 2, axis=-1)
        return np.concatenate(
            [first * cos + sign_first * second * sin, second * cos + sign_second * first * sin],
            axis=-1,
        )

    return wrong


def gated(
    slope=lambda s, gate: s + gate * s * (1 - s),
    up_of=lambda up: up,
    dup=lambda dy, gate, s: dy * gate * s,
):
    def wrong(dy, gate, up):
        s = ops.sigmoid(gate)
        return dy * up_of(up) * slope(s, gate), dup(dy, gate, s)

    return wrong


def entropy_of(
    share=lambda counted, V: np.sum(counted), minus=1.0, padding=False, used=True, sign=1.0
):
    def wrong(dloss, logits, targets):
        counted = targets != ops.IGNORE
        dlogits = ops.softmax(logits)
        dlogits[counted, targets[counted]] -= minus
        dlogits = dlogits if padding else dlogits * counted[..., None]
        return sign * dlogits * (dloss if used else 1.0) / share(counted, logits.shape[-1])

    return wrong


def padded_last(dloss, logits, targets):
    """targets of -100 clipped to 0, or counted from the end: what indexing without looking does."""
    return entropy_of(padding=True)(dloss, logits, targets)


def clipped_padding(dloss, logits, targets):
    counted = targets != ops.IGNORE
    onehot = np.eye(logits.shape[-1])[np.where(counted, targets, 0)]
    return (ops.softmax(logits) - onehot) * dloss / np.sum(counted)


def out_of_range(dloss, logits, targets):
    return (
        (ops.softmax(logits) - np.eye(logits.shape[-1])[targets])
        * dloss
        / np.sum(targets != ops.IGNORE)
    )


def attend_of(
    through=lambda p, dp: p * (dp - np.sum(dp * p, axis=-1, keepdims=True)),
    scale_q=True,
    scale_k=True,
    group_k=lambda x: x.sum(axis=1),
    group_v=lambda x: x.sum(axis=1),
    turn_k=True,
    turn_v=True,
):
    def wrong(dz, q, k, v):
        T, E = q.shape[-2:]
        scores = q @ k[:, None].swapaxes(-1, -2) / np.sqrt(E)
        p = ops.softmax(np.where(np.tri(T, dtype=bool), scores, -np.inf))
        dscores = through(p, dz @ v[:, None].swapaxes(-1, -2))
        dk = group_k((dscores.swapaxes(-1, -2) if turn_k else dscores) @ q)
        dv = group_v((p.swapaxes(-1, -2) if turn_v else p) @ dz)
        return (
            dscores @ k[:, None] / (E**0.5 if scale_q else 1),
            dk / (E**0.5 if scale_k else 1),
            dv,
        )

    return wrong


def reordered(places):
    return lambda *case: tuple(right_attend(*case)[i] for i in places)


def groups(take):
    """One way to treat the query heads of a group, for dk and dv, for dk alone, for dv alone."""
    return attend_of(group_k=take, group_v=take), attend_of(group_k=take), attend_of(group_v=take)


BY_DIFFERENCES = {"tolerance": 1e-11, "nearly": {"differences": 1e-5}}

FIRST = number(
    "FIRST",
    "a small block on paper",
    3.82,
    {
        "residual_lost": 1.82,
        "second_term": 4.0,
        "second_term_added": 4.18,
        "sum_in_second_term": 3.64,
        "weight_forgotten": 2.252,
    },
    tolerance=1e-3,
)
FIRST = replace(
    FIRST,
    mistakes={
        **FIRST.mistakes,
        "x_for_n": (lambda: -0.5, lambda: 3.1),
        "not_the_first": (lambda: 4.74, lambda: (3.82, 4.74), lambda: "3.82"),
    },
)

TASKS = [
    FIRST,
    Task(
        "linear_backward",
        "y = x w + b",
        ops.linear_backward,
        maps,
        {
            "not_summed": NOT_SUMMED,
            "averaged": (
                linear_of(dw=mean_w, db=lambda dy: dy.mean(axis=(0, 1))),
                linear_of(dw=mean_w),
                linear_of(db=lambda dy: dy.mean(axis=(0, 1))),
            ),
            "dw_transposed": linear_of(dw=lambda x, dy: np.einsum("bti,bto->oi", x, dy)),
            "w_not_transposed": linear_of(dx=lambda dy, w: dy @ w),
        },
        returns=("dx", "dw", "db"),
        **BY_DIFFERENCES,
    ),
    Task(
        "embedding_backward",
        "rows of a table",
        ops.embedding_backward,
        lookups,
        {"overwritten": last_place, "averaged_rows": mean_place},
        **BY_DIFFERENCES,
    ),
    Task(
        "rmsnorm_backward",
        "norm each token",
        ops.rmsnorm_backward,
        norms,
        {
            "second_term": norm_of(second=lambda dn, n, x: 0),
            "second_term_added": norm_of(
                second=lambda dn, n, x: -n * np.mean(dn * n, axis=-1, keepdims=True)
            ),
            "sum_in_second_term": norm_of(
                second=lambda dn, n, x: n * np.sum(dn * n, axis=-1, keepdims=True)
            ),
            "weight_forgotten": norm_of(dn_of=lambda dy, weight: dy),
            "x_for_n": tuple(
                norm_of(second=second)
                for second in (
                    lambda dn, n, x: x * np.mean(dn * n, axis=-1, keepdims=True),
                    lambda dn, n, x: n * np.mean(dn * x, axis=-1, keepdims=True),
                    lambda dn, n, x: x * np.mean(dn * x, axis=-1, keepdims=True),
                )
            ),
            "mean_of_all": norm_of(second=lambda dn, n, x: n * np.mean(dn * n)),
            "dweight_of_x": norm_of(dweight=lambda dy, n, x: np.sum(dy * x, axis=(0, 1))),
            "not_summed": tuple(
                norm_of(dweight=dweight)
                for dweight in (
                    lambda dy, n, x: dy * n,
                    lambda dy, n, x: np.sum(dy * n, axis=1),
                    lambda dy, n, x: np.sum(dy * n, axis=0),
                    lambda dy, n, x: np.sum(dy * n, axis=-1),
                )
            ),
            "averaged": norm_of(dweight=lambda dy, n, x: np.mean(dy * n, axis=(0, 1))),
            "eps_forgotten": lambda dy, x, weight, eps: norm_of()(dy, x, weight, 0.0),
        },
        points=2,
        returns=("dx", "dweight"),
        **BY_DIFFERENCES,
    ),
    Task(
        "rope_backward",
        "turn back",
        ops.rope_backward,
        turns,
        {
            "turned_forwards": lambda dy, x, cos, sin: ops.rope(dy, cos, sin),
            "not_turned": lambda dy, x, cos, sin: dy,
            "one_sine": (one_sine(1, 1), one_sine(-1, -1)),
            "cos_for_sin": (
                lambda dy, x, cos, sin: ops.rope(dy, sin, -cos),
                lambda dy, x, cos, sin: ops.rope(dy, sin, cos),
            ),
            "half_turn": lambda dy, x, cos, sin: ops.rope(dy, -cos, sin),
        },
        **BY_DIFFERENCES,
    ),
    Task(
        "swiglu_backward",
        "through the gate",
        ops.swiglu_backward,
        gates,
        {
            "slope_of_one": gated(slope=lambda s, gate: s),
            "slope_of_sigmoid": (
                gated(slope=lambda s, gate: s * (1 - s)),
                gated(slope=lambda s, gate: gate * s * (1 - s)),
            ),
            "slope_added": (
                gated(slope=lambda s, gate: s + gate * s * (1 + s)),
                gated(slope=lambda s, gate: s - gate * s * (1 - s)),
            ),
            "up_left_out": gated(up_of=lambda up: 1.0),
            "dup_of_gate": gated(dup=lambda dy, gate, s: dy * gate),
            "exchanged": lambda dy, gate, up: ops.swiglu_backward(dy, gate, up)[::-1],
        },
        returns=("dgate", "dup"),
        **BY_DIFFERENCES,
    ),
    Task(
        "cross_entropy_backward",
        "where it all begins",
        ops.cross_entropy_backward,
        predictions,
        {
            "no_share": entropy_of(share=lambda counted, V: 1),
            "share_of_all": entropy_of(share=lambda counted, V: counted.size),
            "share_of_vocabulary": entropy_of(share=lambda counted, V: np.sum(counted) * V),
            "padding": (padded_last, clipped_padding, out_of_range),
            "target_forgotten": entropy_of(minus=0.0),
            "loss_upside_down": entropy_of(sign=-1.0),
            "dloss_left_out": entropy_of(used=False),
        },
        points=2,
        **BY_DIFFERENCES,
    ),
    Task(
        "attend_backward",
        "attention with shared keys",
        right_attend,
        heads,
        {
            "diagonal": attend_of(through=lambda p, dp: p * (1 - p) * dp),
            "softmax_skipped": (
                attend_of(through=lambda p, dp: dp),
                attend_of(through=lambda p, dp: np.tril(dp)),
            ),
            "over_queries": attend_of(
                through=lambda p, dp: p * (dp - np.sum(dp * p, axis=-2, keepdims=True))
            ),
            "no_scale": (
                attend_of(scale_q=False, scale_k=False),
                attend_of(scale_q=False),
                attend_of(scale_k=False),
            ),
            "group_overwritten": groups(lambda x: x[:, -1]) + groups(lambda x: x[:, 0]),
            "group_averaged": groups(lambda x: x.mean(axis=1)),
            "group_not_summed": groups(lambda x: x),
            "pattern_not_transposed": (
                attend_of(turn_k=False, turn_v=False),
                attend_of(turn_k=False),
                attend_of(turn_v=False),
            ),
            "order": tuple(
                reordered(places)
                for places in ((0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0))
            ),
        },
        points=3,
        returns=("dq", "dk", "dv"),
        **BY_DIFFERENCES,
    ),
]
