"""Lesson 17, the reference solution."""

from math import comb

import numpy as np

PASS = 0.7  # both wrong: 3/5 * 2/4 = 3/10


def policy_gradient(logits, rewards):
    p = np.exp(logits - logits.max())
    p = p / p.sum()
    return p * (rewards - p @ rewards)


def advantages(rewards):
    return rewards - rewards.mean(axis=1, keepdims=True)


def objective(log_p, old, advantage, answer, clip):
    ratio = np.exp(log_p - old)
    a = advantage[:, None]
    gain = np.minimum(ratio * a, np.clip(ratio, 1 - clip, 1 + clip) * a)
    return gain[answer].mean()


def gradient(log_p, old, advantage, answer, clip):
    ratio = np.exp(log_p - old)
    a = advantage[:, None]
    held = (ratio * a) > (np.clip(ratio, 1 - clip, 1 + clip) * a)
    return np.where(answer & ~held, ratio * a, 0) / answer.sum()


def kl(log_p, reference, answer):
    g = (reference - log_p)[answer]
    return np.mean(np.exp(g) - g - 1)


def pass_at(k, right, times):
    return 1 - comb(times - right, k) / comb(times, k)
