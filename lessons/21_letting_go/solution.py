"""Lesson 21, the reference solution."""

import hashlib

import numpy as np

EXPOSURE = 8  # log2(1024) - log2(4)


def rank(log_p, secret):
    return int(np.sum(log_p >= log_p[secret]))


def exposure(log_p, secret):
    place = int(np.sum(log_p >= log_p[secret]))
    return np.log2(len(log_p)) - np.log2(place)


def plain(text):
    return " ".join(text.lower().split())


def deduplicated(documents):
    seen, kept = set(), []
    for text in documents:
        digest = hashlib.sha256(plain(text).encode()).digest()
        if digest not in seen:
            seen.add(digest)
            kept.append(text)
    return kept


def grams(document, n):
    return {tuple(document[i : i + n]) for i in range(len(document) - n + 1)}


def overlap(train, test, n):
    known = set()
    for document in train:
        known |= grams(document, n)
    return len(grams(test, n) & known) / len(grams(test, n))


def learned(tokens, keep, before):
    return [t < before or sum(tokens[t - before : t]) % keep != 0 for t in range(len(tokens))]
