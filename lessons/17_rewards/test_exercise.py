"""What is checked in exercise 17, and which misconceptions are recognised. The words used here:
minillm/course/exercises.py."""

import numpy as np

from minillm.config import IGNORE, TuneConfig
from minillm.course.exercises import Hint, Task, normal, number, sizes
from minillm.in_numpy import ops, preference
from minillm.tuning import pass_at, rewarded

HINTS = {
    "with_replacement": Hint(
        "You drew with replacement: 1 - (1 - c/n)^k may draw the same wrong answer twice. It is "
        "too small on average, most of all for few answers.",
        "Of three answers one is right, and you draw all three. Can you miss it?",
    ),
    "one_draw": Hint(
        "That is the share of right answers, the chance for one draw.",
        "Draw as many answers as there are: if one is right, the chance is 1.",
    ),
    "both_right": Hint(
        "That is the chance that all of the answers drawn are right. One is enough.",
        "What is the chance that none is right? The rest is what is asked.",
    ),
    "none_right": Hint(
        "That is the chance that none of those drawn is right. What is asked is the rest.",
        "Let all answers be right: what must come out?",
    ),
    "one_draw_longer": Hint(
        "You added up the chances of the draws. Draws in which two answers are right are then "
        "counted twice, and the sum can exceed 1.",
        "Draw two of two right answers: is your chance 1?",
    ),
    "no_baseline": Hint(
        "That is p times the reward, without taking the mean reward off. The softmax does it: to "
        "give one word more is to give all others less.",
        "Let all rewards be equal: nothing can be gained, so the derivative must be 0.",
    ),
    "not_weighted": Hint(
        "The words have to be weighted by p: in the mean reward, in front of it, or both. A word "
        "that is never said changes nothing.",
        "Give one word a logit of -1000 and a reward of 100: the derivatives must not notice it.",
    ),
    "uphill_is_downhill": Hint(
        "Your sign is reversed. The derivative of the expected reward is positive where a larger "
        "logit gains reward (a loss would be its negative).",
        "Two words, one with reward 1, one with 0: must the first logit grow?",
    ),
    "whole_batch": Hint(
        "You took off the mean of the whole batch. Then an answer to an easy question is good "
        "because the question is easy, whatever was answered.",
        "Let every answer to one question be right and every one to the other wrong: no answer is "
        "better than its group, so all advantages are 0.",
    ),
    "divided_by_spread": Hint(
        "You divided by the standard deviation of the group, as the first paper on GRPO does. "
        "Questions that are nearly always (or nearly never) answered rightly then gain most by it. "
        "Here the difference alone is asked for.",
        "Groups (1, 0, 0, 0) and (1, 1, 0, 0): how much larger is your first advantage than that "
        "of a right answer in the second?",
    ),
    "leave_one_out": Hint(
        "You compared an answer with the mean of the others in its group. That is a sound choice "
        "(RLOO), and G / (G - 1) times what is asked for: the mean includes the answer itself.",
        "Group (1, 0): the mean is one half.",
    ),
    "wrong_way": Hint(
        "You took means over the questions, not over the answers to a question.",
        "Axis 0 counts questions, axis 1 the answers to one. Which of them must vanish?",
    ),
    "prompt_rewarded": Hint(
        "The tokens of the questions are in your mean. The model did not write them, so no reward "
        "is due to it for them: `answer` says which tokens are the answers'.",
        "Change log_p where `answer` is False: nothing may change.",
    ),
    "prompt_counted": Hint(
        "You left the questions out of the sum but not out of the count: the longer the "
        "questions, the less every answer counts.",
        "Append a column where `answer` is False: nothing may change.",
    ),
    "length_bias": Hint(
        "You averaged within each answer first. A token of a long answer then counts less than "
        "one of a short answer: a wrong answer gets off lightly by being long, and a right one "
        "gains by being short. Here every token counts alike.",
        "Two answers, of 1 and of 9 tokens: what share of the mean has the short one's token?",
    ),
    "summed": Hint(
        "You added up the tokens. What is asked for is their mean (or its derivative), so that it "
        "does not grow with the batch.",
        "Pass every row twice: the mean must stay the same.",
    ),
    "clip_alone": Hint(
        "You clipped every ratio. Then an answer that has moved the wrong way (worse than its "
        "group and yet more probable) is held there too. The smaller of the two products counts, "
        "so the clip limits what is gained, never what is lost.",
        "r = 1.5, A = -1, clip = 0.2: which is smaller, r A or 1.2 A?",
    ),
    "clip_forgotten": Hint(
        "The clip is missing: you used the ratio as it is.",
        "r = 2, A = 1, clip = 0.2: what is the objective of this token, and does it change with r?",
    ),
    "log_ratio": Hint(
        "You used the difference of the logarithms where the ratio belongs.",
        "If old and new model are the same the ratio is 1, and the objective the mean of A.",
    ),
    "loss_sign": Hint(
        "Your sign is reversed: that is the loss. The objective is what should grow.",
        "One token, r = 1, A = 1: the objective is 1.",
    ),
    "old_with_gradient": Hint(
        "Your gradient is 0 everywhere. That is what comes out if the old log-probabilities are "
        "computed from the model that is trained and differentiated with it: the ratio is then 1 "
        "whatever the model does. The old ones are constants, numbers from when the answer was "
        "written.",
        "Change one log_p by 0.00001, leave old as it is, and see how `objective` changes.",
    ),
    "ratio_forgotten": Hint(
        "The ratio is missing. The objective has r = exp(log_p - old), and the derivative of that "
        "by log_p is r again (it is 1 only where old and new model agree).",
        "Change one log_p by 0.00001 and see how much `objective` changes.",
    ),
    "held_both_ways": Hint(
        "You set the gradient to 0 wherever the ratio is outside the clip. It is 0 only where "
        "the clipped product is the smaller one: a bad answer that became more probable must be "
        "pushed back.",
        "r = 1.5, A = -1, clip = 0.2: which product does the minimum choose, and does it change "
        "with r?",
    ),
    "held_where_equal": Hint(
        "Inside the clip both products are the same, and the minimum moves with the ratio. You let "
        "a token go only where the plain product is strictly the smaller one.",
        "r = 1.1, A = 1, clip = 0.2: change r a little. Does the minimum change?",
    ),
    "kl_sign": Hint(
        "Your difference is the wrong way round. The answers were drawn from the model, so "
        "exp(g) must average to 1 over them, and that is so for g = log of reference / model.",
        "Two words, p = (1/2, 1/2), reference (1/4, 3/4): weigh the parts of both words by p, and "
        "compare with the sum of p log(p / reference).",
    ),
    "kl_plain": Hint(
        "The mean of log_p - reference is right on average, but a single token can be negative, "
        "and it varies much.",
        "Let the reference be more probable at one token: its part must not be negative.",
    ),
    "kl_absolute": Hint(
        "The size of the difference is never negative, but it is not right on average: it is too "
        "large wherever the reference is the more probable one.",
        "Two words, p = (1/2, 1/2), reference (1/4, 3/4): weigh the parts of both words by p, and "
        "compare with the sum of p log(p / reference).",
    ),
    "kl_square": Hint(
        "Half the squared difference is never negative and varies little, but it is not right on "
        "average: it only nears KL where the two nearly agree.",
        "Two words, p = (1/2, 1/2), reference (1/100, 99/100): compare with p log(p / reference).",
    ),
    "kl_shifted": Hint(
        "A 1 is missing, or added: your part is not 0 where the two agree.",
        "Pass the same numbers as log_p and reference.",
    ),
    "kl_probabilities": Hint(
        "You weighted the tokens by p. They were drawn from the model already, so the likely ones "
        "occur more often; with the weight they count twice.",
        "What is the mean over draws from p of a function: do you multiply by p again?",
    ),
    "always": Hint(
        "You asked whether a right answer is among those written. pass@k asks about k of them.",
        "Of ten answers one is right, and you draw one: what is the chance?",
    ),
}


# ---- Fresh inputs, small ones first -------------------------------------------------------------


def words(rng):
    yield np.array([0.0, 0.0]), np.array([1.0, 0.0])
    yield np.array([1000.0, 999.0]), np.array([0.0, 1.0])
    for (V,) in sizes(rng, 2, 7, (20, 1)):
        yield 2 * normal(rng, V), normal(rng, V)


def groups(rng):
    yield (np.array([[1.0, 0.0], [1.0, 1.0]]),)
    for Q, G in ((2, 3), (3, 2), *sizes(rng, 2, 6, (20, 2))):
        yield (np.round(rng.random((Q, G)), 1),)


def rows(rng):
    """log_p and another log p (B, T), advantage (B,), answer (B, T): answers of several lengths."""
    for B, T in ((1, 2), (2, 2), (2, 3), (3, 3), *sizes(rng, 2, 7, (24, 2))):
        log_p = np.round(-3 * rng.random((B, T)), 1) - 0.1
        other = np.round(log_p + rng.choice([0.5, 0.1], (B, T)) * normal(rng, B, T), 2)
        answer = np.arange(T) >= rng.integers(1, T, (B, 1))
        answer &= np.arange(T) <= rng.integers(1, T, (B, 1)) + (np.argmax(answer, axis=1)[:, None])
        yield log_p, other, normal(rng, B), answer


def answers(rng):
    yield (np.log([[0.5, 0.9]]), np.log([[0.5, 0.3]]), np.array([-1.0]),
           np.array([[False, True]]), 0.2)
    yield (np.log([[0.5, 0.3]]), np.log([[0.5, 0.9]]), np.array([1.0]), np.array([[False, True]]),
           0.2)
    for case in rows(rng):
        yield *case, float(rng.choice([0.1, 0.2, 0.3]))


def compared(rng):
    for log_p, other, _, answer in rows(rng):
        yield log_p, other, answer


def draws(rng):
    yield 1, 1, 2
    yield 2, 1, 3
    yield 2, 2, 6
    yield 2, 4, 5
    for _ in range(20):
        times = int(rng.integers(2, 9))
        yield int(rng.integers(1, times + 1)), int(rng.integers(0, times + 1)), times


# ---- The right answers: minillm's own -----------------------------------------------------------

def targets(answer):
    return np.where(answer, 0, IGNORE)


def right_objective(log_p, old, advantage, answer, clip):
    how = TuneConfig(method="grpo", beta=0.0, clip=clip)
    return -preference.grpo(log_p, old, old, advantage, targets(answer), how)


def right_gradient(log_p, old, advantage, answer, clip):
    how = TuneConfig(method="grpo", beta=0.0, clip=clip)
    return -preference.grpo_backward(1.0, log_p, old, old, advantage, targets(answer), how)


def right_kl(log_p, reference, answer):
    how = TuneConfig(method="grpo", beta=1.0)
    return preference.grpo(log_p, log_p, reference, np.zeros(len(log_p)), targets(answer), how)


def right_policy_gradient(logits, rewards):
    """Through the softmax: d p_v / d logit_w = p_v ([v = w] - p_w)."""
    p = ops.softmax(logits)
    return (np.diag(p) - np.outer(p, p)) @ rewards


# ---- What each misconception answers ------------------------------------------------------------


def mean_of_tokens(parts_BT, answer):
    return parts_BT[answer].mean()


def mean_of_all(parts_BT, answer):
    return parts_BT.mean()


def counted_all(parts_BT, answer):
    return np.where(answer, parts_BT, 0).mean()


def mean_of_means(parts_BT, answer):
    return np.mean([part[some].mean() for part, some in zip(parts_BT, answer)])


def total(parts_BT, answer):
    return parts_BT[answer].sum()


def product(ratio, a, clip):
    return np.minimum(ratio * a, np.clip(ratio, 1 - clip, 1 + clip) * a)


def aimed(part=product, over=mean_of_tokens, ratio=np.exp):
    """A variation of `objective`: each token's part, how tokens become one number, the ratio."""

    def wrong(log_p, old, advantage, answer, clip):
        return over(part(ratio(log_p - old), advantage[:, None], clip), answer)

    return wrong


def negative(function):
    return lambda *arguments: -function(*arguments)


def free(ratio, a, clip):
    return ratio * a <= np.clip(ratio, 1 - clip, 1 + clip) * a


def inside(ratio, a, clip):
    return np.abs(ratio - 1) <= clip


def slope(moves=free, share=lambda answer: answer / answer.sum(), times=lambda ratio: ratio):
    """A variation of `gradient`: where it is not 0, the share of each token, its factor."""

    def wrong(log_p, old, advantage, answer, clip):
        ratio, a = np.exp(log_p - old), advantage[:, None]
        return np.where(moves(ratio, a, clip), times(ratio) * a, 0) * share(answer)

    return wrong


def estimated(part, over=mean_of_tokens):
    """A variation of `kl`: each token's part of g = reference - log_p, and the mean."""
    return lambda log_p, reference, answer: over(part(reference - log_p), answer)


def k3(g):
    return np.exp(g) - g - 1


def weighted(log_p, reference, answer):
    p = np.exp(log_p)
    return mean_of_tokens(p * (log_p - reference), answer)


def weighted_k3(log_p, reference, answer):
    return mean_of_tokens(np.exp(log_p) * k3(reference - log_p), answer)


def expected(weight, mean):
    """weight (reward - mean reward)."""
    return lambda logits, rewards: (
        weight(ops.softmax(logits)) * (rewards - mean(ops.softmax(logits), rewards)))


def own(p):
    return p


def one(p):
    return 1.0


def divided(*ddof_and_eps):
    def wrong(rewards, ddof, eps):
        with np.errstate(all="ignore"):
            spread = rewards.std(axis=1, keepdims=True, ddof=ddof)
            return rewarded.advantages(rewards) / (spread + eps)

    return tuple(lambda rewards, d=d, e=e: wrong(rewards, d, e) for d, e in ddof_and_eps)


def others(rewards):
    G = rewards.shape[1]
    return rewarded.advantages(rewards) * G / (G - 1)


def replaced(k, right, times):
    return 1 - (1 - right / times) ** k


def all_right(k, right, times):
    return 1 - pass_at(k, times - right, times)


TASKS = [
    number(
        "PASS",
        "pass@2 on paper",
        0.7,
        {"with_replacement": 0.64, "one_draw": 0.4, "both_right": 0.1, "one_draw_longer": 0.8,
         "none_right": 0.3},
        tolerance=1e-3,
    ),
    Task(
        "policy_gradient",
        "the reward of a softmax",
        right_policy_gradient,
        words,
        {
            "no_baseline": lambda logits, rewards: ops.softmax(logits) * rewards,
            "not_weighted": (
                expected(own, lambda p, r: r.mean()),
                expected(one, lambda p, r: p @ r),
                expected(one, lambda p, r: r.mean()),
            ),
            "uphill_is_downhill": negative(right_policy_gradient),
        },
    ),
    Task(
        "advantages",
        "better than its group",
        rewarded.advantages,
        groups,
        {
            "whole_batch": lambda r: r - r.mean(),
            "divided_by_spread": divided(*((d, e) for d in (0, 1) for e in (0, 1e-4, 1e-6, 1e-8))),
            "leave_one_out": others,
            "wrong_way": lambda r: r - r.mean(axis=0),
        },
    ),
    Task(
        "objective",
        "the clipped objective",
        right_objective,
        answers,
        {
            "prompt_rewarded": aimed(over=mean_of_all),
            "prompt_counted": aimed(over=counted_all),
            "length_bias": aimed(over=mean_of_means),
            "summed": aimed(over=total),
            "clip_alone": aimed(lambda r, a, clip: np.clip(r, 1 - clip, 1 + clip) * a),
            "clip_forgotten": aimed(lambda r, a, clip: r * a),
            "log_ratio": aimed(ratio=lambda gap: gap),
            "loss_sign": negative(right_objective),
        },
        points=2,
    ),
    Task(
        "gradient",
        "which way each token must go",
        right_gradient,
        answers,
        {
            "old_with_gradient": lambda log_p, *others: np.zeros_like(log_p),
            "ratio_forgotten": slope(times=np.ones_like),
            "held_both_ways": slope(moves=inside),
            "held_where_equal": slope(
                moves=lambda ratio, a, clip: ratio * a < np.clip(ratio, 1 - clip, 1 + clip) * a),
            "clip_forgotten": slope(moves=lambda ratio, a, clip: True),
            "prompt_rewarded": slope(share=lambda answer: 1 / answer.size),
            "prompt_counted": slope(share=lambda answer: answer / answer.size),
            "length_bias": slope(
                share=lambda answer: answer / answer.sum(axis=1, keepdims=True) / len(answer)),
            "summed": slope(share=lambda answer: answer),
            "loss_sign": negative(right_gradient),
        },
        points=2,
    ),
    Task(
        "kl",
        "how far from the first model",
        right_kl,
        compared,
        {
            "kl_sign": estimated(lambda g: k3(-g)),
            "kl_plain": estimated(lambda g: -g),
            "kl_absolute": estimated(np.abs),
            "kl_square": estimated(lambda g: g * g / 2),
            "kl_shifted": (estimated(lambda g: np.exp(g) - g), estimated(lambda g: k3(g) - 1)),
            "kl_probabilities": (weighted, weighted_k3),
            "prompt_rewarded": estimated(k3, mean_of_all),
            "prompt_counted": estimated(k3, counted_all),
            "length_bias": estimated(k3, mean_of_means),
            "summed": estimated(k3, total),
        },
    ),
    Task(
        "pass_at",
        "the chance that one of k is right",
        pass_at,
        draws,
        {
            "with_replacement": replaced,
            "one_draw": lambda k, right, times: right / times,
            "both_right": all_right,
            "none_right": lambda k, right, times: 1 - pass_at(k, right, times),
            "one_draw_longer": (
                lambda k, right, times: k * right / times,
                lambda k, right, times: min(1.0, k * right / times),
            ),
            "always": lambda k, right, times: float(right > 0),
        },
    ),
]
