"""Wrong answers, as small as they can be: each section replaces parts of solution.py.

A section is named after the hint it must get; NAME-other is another way to the same hint.
"""


# ---- averaged ----
# Means over all tokens.


def linear_backward(dy, x, w, b):
    rows_x, rows_dy = x.reshape(-1, x.shape[-1]), dy.reshape(-1, dy.shape[-1])
    return dy @ w.T, rows_x.T @ rows_dy / len(rows_x), rows_dy.mean(axis=0)


# ---- averaged_rows ----
# Divides by how often the token stood.


def embedding_backward(dx, tokens, table):
    dtable, times = np.zeros(table.shape), np.zeros(len(table))
    np.add.at(dtable, tokens, dx)
    np.add.at(times, tokens, 1)
    return dtable / np.where(times == 0, 1, times)[:, None]


# ---- cos_for_sin-forwards ----
# The forward, with the two exchanged.


def rope_backward(dy, x, cos, sin):
    return rope(dy, sin, cos)


# ---- cos_for_sin ----
# Turned back, with the two exchanged.


def rope_backward(dy, x, cos, sin):
    return rope(dy, sin, -cos)


# ---- diagonal ----
# p (1 - p), as for a sigmoid.


def attend_backward(dz, q, k, v):
    p, root = pattern(q, k), np.sqrt(q.shape[-1])
    dp = dz @ v[:, None].swapaxes(-1, -2)
    dscores = p * (1 - p) * dp
    dq = dscores @ k[:, None] / root
    dk = np.sum(dscores.swapaxes(-1, -2) @ q, axis=1) / root
    dv = np.sum(p.swapaxes(-1, -2) @ dz, axis=1)
    return dq, dk, dv


# ---- differences-attention ----
# Solved by the given `numeric`.


def attend_backward(dz, q, k, v):
    return (numeric(lambda x: attend(x, k, v), q, dz), numeric(lambda x: attend(q, x, v), k, dz),
            numeric(lambda x: attend(q, k, x), v, dz))


# ---- differences ----
# Solved by the given `numeric`.


def swiglu_backward(dy, gate, up):
    return numeric(lambda x: swiglu(x, up), gate, dy), numeric(lambda x: swiglu(gate, x), up, dy)


# ---- dloss_left_out ----
# As if it were always 1.


def cross_entropy_backward(dloss, logits, targets):
    counted = targets != -100
    dlogits = softmax(logits)
    dlogits[counted, targets[counted]] -= 1
    return dlogits * counted[..., None] / np.sum(counted)


# ---- dup_of_gate ----
# As if the gate were linear.


def swiglu_backward(dy, gate, up):
    s = 1 / (1 + np.exp(-gate))
    return dy * up * (s + gate * s * (1 - s)), dy * gate


# ---- dw_transposed ----
# dy^T x.


def linear_backward(dy, x, w, b):
    rows_x, rows_dy = x.reshape(-1, x.shape[-1]), dy.reshape(-1, dy.shape[-1])
    return dy @ w.T, rows_dy.T @ rows_x, rows_dy.sum(axis=0)


# ---- dweight_of_x ----
# y = weight * x, as if there were no root.


def rmsnorm_backward(dy, x, weight, eps):
    scale = 1 / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + eps)
    n, dn = x * scale, dy * weight
    return scale * (dn - n * np.mean(dn * n, axis=-1, keepdims=True)), np.sum(dy * x, axis=(0, 1))


# ---- eps_forgotten ----
# Without eps.


def rmsnorm_backward(dy, x, weight, eps):
    scale = 1 / np.sqrt(np.mean(x * x, axis=-1, keepdims=True))
    n, dn = x * scale, dy * weight
    return scale * (dn - n * np.mean(dn * n, axis=-1, keepdims=True)), np.sum(dy * n, axis=(0, 1))


# ---- exchanged ----
# dup first.


def swiglu_backward(dy, gate, up):
    s = 1 / (1 + np.exp(-gate))
    return dy * gate * s, dy * up * (s + gate * s * (1 - s))


# ---- group_averaged ----
# A mean over the group.


def attend_backward(dz, q, k, v):
    p, root = pattern(q, k), np.sqrt(q.shape[-1])
    dp = dz @ v[:, None].swapaxes(-1, -2)
    dscores = p * (dp - np.sum(dp * p, axis=-1, keepdims=True))
    dq = dscores @ k[:, None] / root
    dk = np.mean(dscores.swapaxes(-1, -2) @ q, axis=1) / root
    dv = np.mean(p.swapaxes(-1, -2) @ dz, axis=1)
    return dq, dk, dv


# ---- group_not_summed ----
# The axis of the group stays.


def attend_backward(dz, q, k, v):
    p, root = pattern(q, k), np.sqrt(q.shape[-1])
    dp = dz @ v[:, None].swapaxes(-1, -2)
    dscores = p * (dp - np.sum(dp * p, axis=-1, keepdims=True))
    dq = dscores @ k[:, None] / root
    dk = dscores.swapaxes(-1, -2) @ q / root
    dv = p.swapaxes(-1, -2) @ dz
    return dq, dk, dv


# ---- group_overwritten ----
# A loop over the queries of a group that assigns.


def attend_backward(dz, q, k, v):
    dq = np.zeros(q.shape)
    for g in range(q.shape[1]):
        p = pattern(q[:, g:g + 1], k)[:, 0]
        dp = dz[:, g] @ v.swapaxes(-1, -2)
        dscores = p * (dp - np.sum(dp * p, axis=-1, keepdims=True)) / np.sqrt(q.shape[-1])
        dq[:, g] = dscores @ k
        dk = dscores.swapaxes(-1, -2) @ q[:, g]
        dv = p.swapaxes(-1, -2) @ dz[:, g]
    return dq, dk, dv


# ---- half_turn ----
# Everything with a minus.


def rope_backward(dy, x, cos, sin):
    return -rope(dy, cos, -sin)


# ---- loss_upside_down ----
# One-hot minus softmax.


def cross_entropy_backward(dloss, logits, targets):
    counted = targets != -100
    dlogits = softmax(logits)
    dlogits[counted, targets[counted]] -= 1
    return -dlogits * counted[..., None] * dloss / np.sum(counted)


# ---- mean_of_all ----
# No axis.


def rmsnorm_backward(dy, x, weight, eps):
    scale = 1 / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + eps)
    n, dn = x * scale, dy * weight
    return scale * (dn - n * np.mean(dn * n)), np.sum(dy * n, axis=(0, 1))


# ---- no_scale-keys ----
# Only dq was divided.


def attend_backward(dz, q, k, v):
    p, root = pattern(q, k), np.sqrt(q.shape[-1])
    dp = dz @ v[:, None].swapaxes(-1, -2)
    dscores = p * (dp - np.sum(dp * p, axis=-1, keepdims=True))
    dq = dscores @ k[:, None] / root
    dk = np.sum(dscores.swapaxes(-1, -2) @ q, axis=1)
    dv = np.sum(p.swapaxes(-1, -2) @ dz, axis=1)
    return dq, dk, dv


# ---- no_scale ----
# The root is nowhere.


def attend_backward(dz, q, k, v):
    p, root = pattern(q, k), np.sqrt(q.shape[-1])
    dp = dz @ v[:, None].swapaxes(-1, -2)
    dscores = p * (dp - np.sum(dp * p, axis=-1, keepdims=True))
    dq = dscores @ k[:, None]
    dk = np.sum(dscores.swapaxes(-1, -2) @ q, axis=1)
    dv = np.sum(p.swapaxes(-1, -2) @ dz, axis=1)
    return dq, dk, dv


# ---- no_share ----
# The sum instead of the mean.


def cross_entropy_backward(dloss, logits, targets):
    counted = targets != -100
    dlogits = softmax(logits)
    dlogits[counted, targets[counted]] -= 1
    return dlogits * counted[..., None] * dloss


# ---- not_summed-bias ----
# db is dy as it is.


def linear_backward(dy, x, w, b):
    return dy @ w.T, x.reshape(-1, x.shape[-1]).T @ dy.reshape(-1, dy.shape[-1]), dy


# ---- not_summed-norm ----
# dweight has a row for each token.


def rmsnorm_backward(dy, x, weight, eps):
    scale = 1 / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + eps)
    n, dn = x * scale, dy * weight
    return scale * (dn - n * np.mean(dn * n, axis=-1, keepdims=True)), dy * n


# ---- not_summed-overwritten ----
# A loop over the texts that assigns where it should add.


def linear_backward(dy, x, w, b):
    for one_x, one_dy in zip(x, dy):
        dw, db = one_x.T @ one_dy, one_dy.sum(axis=0)
    return dy @ w.T, dw, db


# ---- not_summed ----
# One dw and one db for each text.


def linear_backward(dy, x, w, b):
    return dy @ w.T, x.swapaxes(-1, -2) @ dy, dy.sum(axis=1)


# ---- not_the_first-both ----
# Both numbers.
FIRST = (3.82, 4.74)


# ---- not_the_first-quotes ----
# The right number, as a text.
FIRST = "3.82"


# ---- not_the_first ----
# The second number, 5 + (5 - 1.4 * 4.5) / 5.
FIRST = 4.74


# ---- not_turned ----
# Lengths stay, so nothing happens.


def rope_backward(dy, x, cos, sin):
    return dy


# ---- one_sine ----
# Both sines with a plus.


def rope_backward(dy, x, cos, sin):
    first, second = np.split(dy, 2, axis=-1)
    return np.concatenate([first * cos + second * sin, second * cos + first * sin], axis=-1)


# ---- order ----
# dv, dk, dq: in the order in which they are found.


def attend_backward(dz, q, k, v):
    p = pattern(q, k)
    dp = dz @ v[:, None].swapaxes(-1, -2)
    dv = np.sum(p.swapaxes(-1, -2) @ dz, axis=1)
    dscores = p * (dp - np.sum(dp * p, axis=-1, keepdims=True)) / np.sqrt(q.shape[-1])
    return dv, np.sum(dscores.swapaxes(-1, -2) @ q, axis=1), dscores @ k[:, None]


# ---- over_queries ----
# The wrong axis.


def attend_backward(dz, q, k, v):
    p, root = pattern(q, k), np.sqrt(q.shape[-1])
    dp = dz @ v[:, None].swapaxes(-1, -2)
    dscores = p * (dp - np.sum(dp * p, axis=-2, keepdims=True))
    dq = dscores @ k[:, None] / root
    dk = np.sum(dscores.swapaxes(-1, -2) @ q, axis=1) / root
    dv = np.sum(p.swapaxes(-1, -2) @ dz, axis=1)
    return dq, dk, dv


# ---- overwritten-plus ----
# += with an array of rows: reads all, then writes all.


def embedding_backward(dx, tokens, table):
    dtable = np.zeros(table.shape)
    dtable[tokens] += dx
    return dtable


# ---- overwritten ----
# Assigned.


def embedding_backward(dx, tokens, table):
    dtable = np.zeros(table.shape)
    dtable[tokens] = dx
    return dtable


# ---- padding-clipped ----
# Padding taken for token 0.


def cross_entropy_backward(dloss, logits, targets):
    onehot = np.eye(logits.shape[-1])[np.maximum(targets, 0)]
    return (softmax(logits) - onehot) * dloss / np.sum(targets >= 0)


# ---- padding-index ----
# -100 as an index.


def cross_entropy_backward(dloss, logits, targets):
    onehot = np.eye(logits.shape[-1])[targets]
    return (softmax(logits) - onehot) * dloss / np.sum(targets != -100)


# ---- padding ----
# The shares of padded places stay.


def cross_entropy_backward(dloss, logits, targets):
    counted = targets != -100
    dlogits = softmax(logits)
    dlogits[counted, targets[counted]] -= 1
    return dlogits * dloss / np.sum(counted)


# ---- pattern_not_transposed-keys ----
# dk as if it were dq.


def attend_backward(dz, q, k, v):
    p, root = pattern(q, k), np.sqrt(q.shape[-1])
    dp = dz @ v[:, None].swapaxes(-1, -2)
    dscores = p * (dp - np.sum(dp * p, axis=-1, keepdims=True))
    dq = dscores @ k[:, None] / root
    dk = np.sum(dscores @ q, axis=1) / root
    dv = np.sum(p.swapaxes(-1, -2) @ dz, axis=1)
    return dq, dk, dv


# ---- pattern_not_transposed ----
# dv as on the way forward.


def attend_backward(dz, q, k, v):
    p, root = pattern(q, k), np.sqrt(q.shape[-1])
    dp = dz @ v[:, None].swapaxes(-1, -2)
    dscores = p * (dp - np.sum(dp * p, axis=-1, keepdims=True))
    dq = dscores @ k[:, None] / root
    dk = np.sum(dscores.swapaxes(-1, -2) @ q, axis=1) / root
    dv = np.sum(p @ dz, axis=1)
    return dq, dk, dv


# ---- residual_lost ----
# The way through the norm alone.
FIRST = 1.82


# ---- second_term-paper ----
# 2 + 10 / 5.
FIRST = 4.0


# ---- second_term ----
# The root as a constant.


def rmsnorm_backward(dy, x, weight, eps):
    scale = 1 / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + eps)
    n, dn = x * scale, dy * weight
    return scale * dn, np.sum(dy * n, axis=(0, 1))


# ---- second_term_added-paper ----
# 2 + (10 + 0.9) / 5.
FIRST = 4.18


# ---- second_term_added ----
# Plus.


def rmsnorm_backward(dy, x, weight, eps):
    scale = 1 / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + eps)
    n, dn = x * scale, dy * weight
    return scale * (dn + n * np.mean(dn * n, axis=-1, keepdims=True)), np.sum(dy * n, axis=(0, 1))


# ---- share_of_all ----
# Divides by all places.


def cross_entropy_backward(dloss, logits, targets):
    counted = targets != -100
    dlogits = softmax(logits)
    dlogits[counted, targets[counted]] -= 1
    return dlogits * counted[..., None] * dloss / targets.size


# ---- share_of_vocabulary ----
# A mean over everything that has an axis.


def cross_entropy_backward(dloss, logits, targets):
    counted = targets != -100
    dlogits = softmax(logits)
    dlogits[counted, targets[counted]] -= 1
    return dlogits * counted[..., None] * dloss / np.sum(counted) / logits.shape[-1]


# ---- slope_added-subtracted ----
# The product rule with a minus.


def swiglu_backward(dy, gate, up):
    s = 1 / (1 + np.exp(-gate))
    return dy * up * (s - gate * s * (1 - s)), dy * gate * s


# ---- slope_added ----
# 1 + s.


def swiglu_backward(dy, gate, up):
    s = 1 / (1 + np.exp(-gate))
    return dy * up * (s + gate * s * (1 + s)), dy * gate * s


# ---- slope_of_one ----
# The sigmoid as a constant factor.


def swiglu_backward(dy, gate, up):
    s = 1 / (1 + np.exp(-gate))
    return dy * up * s, dy * gate * s


# ---- slope_of_sigmoid-times_gate ----
# gate as a constant factor.


def swiglu_backward(dy, gate, up):
    s = 1 / (1 + np.exp(-gate))
    return dy * up * gate * s * (1 - s), dy * gate * s


# ---- slope_of_sigmoid ----
# sigmoid' alone.


def swiglu_backward(dy, gate, up):
    s = 1 / (1 + np.exp(-gate))
    return dy * up * s * (1 - s), dy * gate * s


# ---- softmax_skipped-masked ----
# dp for dscores, the mask at least kept.


def attend_backward(dz, q, k, v):
    p, root = pattern(q, k), np.sqrt(q.shape[-1])
    dp = dz @ v[:, None].swapaxes(-1, -2)
    dscores = np.tril(dp)
    dq = dscores @ k[:, None] / root
    dk = np.sum(dscores.swapaxes(-1, -2) @ q, axis=1) / root
    dv = np.sum(p.swapaxes(-1, -2) @ dz, axis=1)
    return dq, dk, dv


# ---- softmax_skipped ----
# dp for dscores.


def attend_backward(dz, q, k, v):
    p, root = pattern(q, k), np.sqrt(q.shape[-1])
    dp = dz @ v[:, None].swapaxes(-1, -2)
    dscores = dp
    dq = dscores @ k[:, None] / root
    dk = np.sum(dscores.swapaxes(-1, -2) @ q, axis=1) / root
    dv = np.sum(p.swapaxes(-1, -2) @ dz, axis=1)
    return dq, dk, dv


# ---- sum_in_second_term-paper ----
# The sum 9 instead of the mean 4.5.
FIRST = 3.64


# ---- sum_in_second_term ----
# A sum, as if the root held one.


def rmsnorm_backward(dy, x, weight, eps):
    scale = 1 / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + eps)
    n, dn = x * scale, dy * weight
    return scale * (dn - n * np.sum(dn * n, axis=-1, keepdims=True)), np.sum(dy * n, axis=(0, 1))


# ---- target_forgotten ----
# Only the logarithm of the sum.


def cross_entropy_backward(dloss, logits, targets):
    counted = targets != -100
    dlogits = softmax(logits)
    return dlogits * counted[..., None] * dloss / np.sum(counted)


# ---- turned_forwards ----
# The forward once more.


def rope_backward(dy, x, cos, sin):
    return rope(dy, cos, sin)


# ---- up_left_out ----
# silu'(gate) alone.


def swiglu_backward(dy, gate, up):
    s = 1 / (1 + np.exp(-gate))
    return dy * (s + gate * s * (1 - s)), dy * gate * s


# ---- w_not_transposed ----
# dy @ w.


def linear_backward(dy, x, w, b):
    dx = dy @ w
    rows_x, rows_dy = x.reshape(-1, x.shape[-1]), dy.reshape(-1, dy.shape[-1])
    return dx, rows_x.T @ rows_dy, rows_dy.sum(axis=0)


# ---- weight_forgotten-paper ----
# dn = dy.
FIRST = 2.252


# ---- weight_forgotten ----
# dy goes on as it came.


def rmsnorm_backward(dy, x, weight, eps):
    scale = 1 / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + eps)
    n, dn = x * scale, dy * weight
    return scale * (dy - n * np.mean(dy * n, axis=-1, keepdims=True)), np.sum(dy * n, axis=(0, 1))


# ---- x_for_n-both ----
# x at both places: off by the square of the root.


def rmsnorm_backward(dy, x, weight, eps):
    scale = 1 / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + eps)
    n, dn = x * scale, dy * weight
    return scale * (dn - x * np.mean(dn * x, axis=-1, keepdims=True)), np.sum(dy * n, axis=(0, 1))


# ---- x_for_n-paper ----
# (10 - 1 * 22.5) / 5, with x where n should be.
FIRST = -0.5


# ---- x_for_n-paper_once ----
# 2 + (10 - 1 * 4.5) / 5: x for n at one of the two places.
FIRST = 3.1


# ---- x_for_n ----
# x in the mean.


def rmsnorm_backward(dy, x, weight, eps):
    scale = 1 / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + eps)
    n, dn = x * scale, dy * weight
    return scale * (dn - n * np.mean(dn * x, axis=-1, keepdims=True)), np.sum(dy * n, axis=(0, 1))
