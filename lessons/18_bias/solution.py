"""Lesson 18, the reference solution."""

import numpy as np

LEAN = 1.3863  # ln 2 - ln 1/2


def log_odds(she, he):
    return (np.log(she) - np.log(he)).mean(axis=1)


def claimed(she, he, least):
    return (she + he).mean(axis=1) >= least


def slope(x, y):
    dx = x - x.mean()
    return dx @ (y - y.mean()) / (dx @ dx)


def interval(x, y, picks):
    slopes = [slope(x[pick], y[pick]) for pick in picks]
    return tuple(np.quantile(slopes, [0.025, 0.975]))


def probe(x, labels, rate, steps):
    weight, bias = np.zeros(x.shape[1]), 0.0
    for _ in range(steps):
        error = 1 / (1 + np.exp(-(x @ weight + bias))) - labels
        weight, bias = weight - rate * x.T @ error / len(x), bias - rate * error.mean()
    return weight, bias


def erase(x, labels, fitted):
    mean, z = x[fitted].mean(axis=0), labels[fitted] - labels[fitted].mean()
    seen = x[fitted] - mean
    covariance, c = seen.T @ seen / len(seen), seen.T @ z / len(seen)
    back = np.linalg.solve(covariance, c)
    return x - np.outer((x - mean) @ back, c) / (c @ back)
