"""Lesson 01, the reference solution."""

from collections import Counter
from itertools import pairwise

BYTES_PER_TOKEN = 14 / 8


def pair_counts(words):
    counts = Counter()
    for word, times in words.items():
        for pair in pairwise(word):
            counts[pair] += times
    return counts


def merge(word, pair, new):
    merged, i = [], 0
    while i < len(word):
        if tuple(word[i : i + 2]) == pair:
            merged.append(new)
            i += 2
        else:
            merged.append(word[i])
            i += 1
    return merged


def train(words, n):
    words = {tuple(word): times for word, times in words.items()}
    merges = []
    while len(merges) < n:
        counts = pair_counts(words)
        best = min(counts, key=lambda pair: (-counts[pair], pair), default=None)
        if best is None or counts[best] < 2:
            break
        words = {
            tuple(merge(word, best, 256 + len(merges))): times for word, times in words.items()
        }
        merges.append(best)
    return merges


def encode(word, merges):
    ranks = {pair: rank for rank, pair in enumerate(merges)}
    tokens = list(word)
    while True:
        known = [pair for pair in pairwise(tokens) if pair in ranks]
        if not known:
            return tokens
        first = min(known, key=ranks.get)
        tokens = merge(tokens, first, 256 + ranks[first])


def decode(tokens, merges):
    pieces = [bytes([byte]) for byte in range(256)]
    for left, right in merges:
        pieces.append(pieces[left] + pieces[right])
    return b"".join(pieces[token] for token in tokens).decode("utf-8", "replace")
