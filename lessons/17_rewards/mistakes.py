"""Wrong answers, as small as they can be: each section replaces parts of solution.py.

A section is named after the hint it must get; NAME-other is another way to the same hint.
"""


# ---- with_replacement-paper ----
# Each draw is wrong with a chance of 3/5.
PASS = 0.64


# ---- with_replacement ----
# The estimate that first comes to mind.


def pass_at(k, right, times):
    return 1 - (1 - right / times) ** k


# ---- one_draw-paper ----
PASS = 0.4


# ---- one_draw ----
# pass@1.


def pass_at(k, right, times):
    return right / times


# ---- both_right-paper ----
PASS = 0.1


# ---- none_right-paper ----
PASS = 0.3


# ---- none_right ----
# Of none.


def pass_at(k, right, times):
    return comb(times - right, k) / comb(times, k)


# ---- both_right ----
# All of them.


def pass_at(k, right, times):
    return comb(right, k) / comb(times, k)


# ---- one_draw_longer-paper ----
PASS = 0.8


# ---- one_draw_longer ----


def pass_at(k, right, times):
    return min(1.0, k * right / times)


# ---- always ----


def pass_at(k, right, times):
    return 1.0 if right else 0.0


# ---- no_baseline ----
# The log of the softmax was forgotten to have a denominator.


def policy_gradient(logits, rewards):
    p = np.exp(logits - logits.max())
    return p / p.sum() * rewards


# ---- not_weighted ----
# The mean of the rewards, as of a batch.


def policy_gradient(logits, rewards):
    p = np.exp(logits - logits.max())
    return p / p.sum() * (rewards - rewards.mean())


# ---- not_weighted-front ----
# The reward above the expected one, alone.


def policy_gradient(logits, rewards):
    p = np.exp(logits - logits.max())
    return rewards - p @ rewards / p.sum()


# ---- uphill_is_downhill ----
# Of the loss.


def policy_gradient(logits, rewards):
    p = np.exp(logits - logits.max())
    p = p / p.sum()
    return p * (p @ rewards - rewards)


# ---- whole_batch ----
# The mean of everything.


def advantages(rewards):
    return rewards - rewards.mean()


# ---- divided_by_spread ----
# As in the paper.


def advantages(rewards):
    gap = rewards - rewards.mean(axis=1, keepdims=True)
    return gap / (rewards.std(axis=1, keepdims=True) + 1e-8)


# ---- divided_by_spread-torch ----
# torch.std divides by G - 1.


def advantages(rewards):
    gap = rewards - rewards.mean(axis=1, keepdims=True)
    return gap / (rewards.std(axis=1, keepdims=True, ddof=1) + 1e-4)


# ---- leave_one_out ----
# Against the others.


def advantages(rewards):
    G = rewards.shape[1]
    return rewards - (rewards.sum(axis=1, keepdims=True) - rewards) / (G - 1)


# ---- wrong_way ----


def advantages(rewards):
    return rewards - rewards.mean(axis=0)


# ---- prompt_rewarded ----
# No mask.


def objective(log_p, old, advantage, answer, clip):
    ratio, a = np.exp(log_p - old), advantage[:, None]
    return np.minimum(ratio * a, np.clip(ratio, 1 - clip, 1 + clip) * a).mean()


# ---- prompt_rewarded-gradient ----


def gradient(log_p, old, advantage, answer, clip):
    ratio, a = np.exp(log_p - old), advantage[:, None]
    held = (ratio * a) > (np.clip(ratio, 1 - clip, 1 + clip) * a)
    return np.where(held, 0, ratio * a) / log_p.size


# ---- prompt_rewarded-kl ----


def kl(log_p, reference, answer):
    g = reference - log_p
    return np.mean(np.exp(g) - g - 1)


# ---- prompt_counted ----
# Masked, then np.mean.


def objective(log_p, old, advantage, answer, clip):
    ratio, a = np.exp(log_p - old), advantage[:, None]
    return np.mean(answer * np.minimum(ratio * a, np.clip(ratio, 1 - clip, 1 + clip) * a))


# ---- prompt_counted-gradient ----


def gradient(log_p, old, advantage, answer, clip):
    ratio, a = np.exp(log_p - old), advantage[:, None]
    held = (ratio * a) > (np.clip(ratio, 1 - clip, 1 + clip) * a)
    return np.where(answer & ~held, ratio * a, 0) / answer.size


# ---- prompt_counted-kl ----


def kl(log_p, reference, answer):
    g = reference - log_p
    return np.mean(answer * (np.exp(g) - g - 1))


# ---- length_bias ----
# Equation 3 of the paper: 1 / |o_i| inside, 1 / G outside.


def objective(log_p, old, advantage, answer, clip):
    ratio, a = np.exp(log_p - old), advantage[:, None]
    gain = np.minimum(ratio * a, np.clip(ratio, 1 - clip, 1 + clip) * a)
    return np.mean((gain * answer).sum(axis=1) / answer.sum(axis=1))


# ---- length_bias-gradient ----


def gradient(log_p, old, advantage, answer, clip):
    ratio, a = np.exp(log_p - old), advantage[:, None]
    held = (ratio * a) > (np.clip(ratio, 1 - clip, 1 + clip) * a)
    return np.where(answer & ~held, ratio * a, 0) / answer.sum(axis=1)[:, None] / len(answer)


# ---- length_bias-kl ----


def kl(log_p, reference, answer):
    g = reference - log_p
    return np.mean(((np.exp(g) - g - 1) * answer).sum(axis=1) / answer.sum(axis=1))


# ---- summed ----


def objective(log_p, old, advantage, answer, clip):
    ratio, a = np.exp(log_p - old), advantage[:, None]
    return np.minimum(ratio * a, np.clip(ratio, 1 - clip, 1 + clip) * a)[answer].sum()


# ---- summed-gradient ----


def gradient(log_p, old, advantage, answer, clip):
    ratio, a = np.exp(log_p - old), advantage[:, None]
    held = (ratio * a) > (np.clip(ratio, 1 - clip, 1 + clip) * a)
    return np.where(answer & ~held, ratio * a, 0)


# ---- summed-kl ----


def kl(log_p, reference, answer):
    g = (reference - log_p)[answer]
    return np.sum(np.exp(g) - g - 1)


# ---- clip_alone ----
# The ratio is clipped, and that is that.


def objective(log_p, old, advantage, answer, clip):
    ratio = np.clip(np.exp(log_p - old), 1 - clip, 1 + clip)
    return (ratio * advantage[:, None])[answer].mean()


# ---- clip_forgotten ----


def objective(log_p, old, advantage, answer, clip):
    return (np.exp(log_p - old) * advantage[:, None])[answer].mean()


# ---- clip_forgotten-gradient ----


def gradient(log_p, old, advantage, answer, clip):
    return answer * np.exp(log_p - old) * advantage[:, None] / answer.sum()


# ---- log_ratio ----
# exp was forgotten.


def objective(log_p, old, advantage, answer, clip):
    ratio, a = log_p - old, advantage[:, None]
    return np.minimum(ratio * a, np.clip(ratio, 1 - clip, 1 + clip) * a)[answer].mean()


# ---- loss_sign ----


def objective(log_p, old, advantage, answer, clip):
    ratio, a = np.exp(log_p - old), advantage[:, None]
    return -np.minimum(ratio * a, np.clip(ratio, 1 - clip, 1 + clip) * a)[answer].mean()


# ---- loss_sign-gradient ----


def gradient(log_p, old, advantage, answer, clip):
    ratio, a = np.exp(log_p - old), advantage[:, None]
    held = (ratio * a) > (np.clip(ratio, 1 - clip, 1 + clip) * a)
    return -np.where(answer & ~held, ratio * a, 0) / answer.sum()


# ---- old_with_gradient ----
# What autodiff gives for exp(log_p - log_p): d ratio = ratio (dlog_p - dold) = 0.


def gradient(log_p, old, advantage, answer, clip):
    ratio, a = np.exp(log_p - old), advantage[:, None]
    dlog_p, dold = ratio * a, -ratio * a
    return np.where(answer, dlog_p + dold, 0) / answer.sum()


# ---- ratio_forgotten ----
# REINFORCE's, where the ratio is 1.


def gradient(log_p, old, advantage, answer, clip):
    ratio, a = np.exp(log_p - old), advantage[:, None]
    held = (ratio * a) > (np.clip(ratio, 1 - clip, 1 + clip) * a)
    return np.where(answer & ~held, a, 0) / answer.sum()


# ---- held_both_ways ----
# np.clip has no slope outside.


def gradient(log_p, old, advantage, answer, clip):
    ratio = np.exp(log_p - old)
    inside = (ratio >= 1 - clip) & (ratio <= 1 + clip)
    return np.where(answer & inside, ratio * advantage[:, None], 0) / answer.sum()


# ---- held_where_equal ----
# Strictly smaller.


def gradient(log_p, old, advantage, answer, clip):
    ratio, a = np.exp(log_p - old), advantage[:, None]
    goes = ratio * a < np.clip(ratio, 1 - clip, 1 + clip) * a
    return np.where(answer & goes, ratio * a, 0) / answer.sum()


# ---- kl_sign ----
# log of model / reference.


def kl(log_p, reference, answer):
    g = (log_p - reference)[answer]
    return np.mean(np.exp(g) - g - 1)


# ---- kl_plain ----
# The definition, over a sample.


def kl(log_p, reference, answer):
    return np.mean((log_p - reference)[answer])


# ---- kl_absolute ----
# Made positive by force.


def kl(log_p, reference, answer):
    return np.mean(np.abs(log_p - reference)[answer])


# ---- kl_square ----


def kl(log_p, reference, answer):
    return np.mean((log_p - reference)[answer] ** 2) / 2


# ---- kl_shifted ----


def kl(log_p, reference, answer):
    g = (reference - log_p)[answer]
    return np.mean(np.exp(g) - g)


# ---- kl_probabilities ----
# p log(p / reference), as over a whole vocabulary.


def kl(log_p, reference, answer):
    return np.mean((np.exp(log_p) * (log_p - reference))[answer])
