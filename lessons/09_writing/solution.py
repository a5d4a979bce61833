"""Lesson 09, the reference solution."""

import numpy as np

PROBABILITY = 9 / 25  # p = .4 .3 .2 .1; squares 16 9 4 1 of 30; A and B reach 25/30


def sample(p, coin):
    return int(np.argmax(np.cumsum(p) > coin))


def tempered(logits, temperature):
    e = np.exp((logits - np.max(logits)) / temperature)
    return e / np.sum(e)


def top_p(p, threshold):
    order = np.argsort(-p)
    before = np.cumsum(p[order]) - p[order]
    chosen = order[before < threshold]
    kept = np.zeros_like(p)
    kept[chosen] = p[chosen]
    return kept / np.sum(kept)


def remember(kept, new, length):
    kept[length : length + len(new)] = new
    return kept


def attend(q, k, v, kept_k, kept_v, length):
    kept_k, kept_v = remember(kept_k, k, length), remember(kept_v, v, length)
    scores = q @ kept_k.T / np.sqrt(q.shape[1])
    positions = length + np.arange(len(q))
    scores = np.where(np.arange(len(kept_k)) <= positions[:, None], scores, -np.inf)
    shares = np.exp(scores - np.max(scores, axis=1, keepdims=True))
    return shares / np.sum(shares, axis=1, keepdims=True) @ kept_v, kept_k, kept_v


def generate(model, prompt, coins, end):
    written, tokens, cache = [], prompt, None
    for coin in coins:
        p, cache = model(tokens, cache)
        token = sample(p, coin)
        if token == end:
            break
        written.append(token)
        tokens = [token]
    return written


def until(pieces, stop):
    text, shown, longest = "", 0, max(map(len, stop))
    for piece in pieces:
        text += piece
        found = [text.find(word, shown) for word in stop if text.find(word, shown) >= 0]
        if found:
            yield text[shown : min(found)]
            return
        safe = max(shown, len(text) - longest + 1)
        yield text[shown:safe]
        shown = safe
    yield text[shown:]
