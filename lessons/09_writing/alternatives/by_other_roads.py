"""Powers of probabilities; a smallest probability that is kept; the old cache and the new rows joined with the free ones; regular expressions."""

import re


def sample(p, coin):
    return int(np.searchsorted(np.cumsum(p), coin, side="right"))


def tempered(logits, temperature):
    p = np.exp(logits - np.logaddexp.reduce(logits))
    return p ** (1 / temperature) / np.sum(p ** (1 / temperature))


def top_p(p, threshold):
    falling = np.sort(p)[::-1]
    last = falling[np.searchsorted(np.cumsum(falling), threshold)]
    return np.where(p >= last, p, 0) / np.sum(p[p >= last])


def remember(kept, new, length):
    return np.concatenate([kept[:length], new, kept[length + len(new) :]])


def attend(q, k, v, kept_k, kept_v, length):
    keys, values = np.concatenate([kept_k[:length], k]), np.concatenate([kept_v[:length], v])
    e = np.exp(q @ keys.T / np.sqrt(q.shape[1])) * np.tri(len(q), len(keys), length)
    return e @ values / e.sum(axis=1, keepdims=True), remember(kept_k, k, length), remember(kept_v, v, length)


def generate(model, prompt, coins, end):
    def tokens():
        p, cache = None, None
        fed = prompt
        for coin in coins:
            p, cache = model(fed, cache)
            fed = [sample(p, coin)]
            if fed[0] == end:
                return
            yield fed[0]

    return list(tokens())


def until(pieces, stop):
    pattern, text, shown = re.compile("|".join(map(re.escape, stop))), "", 0
    for piece in pieces:
        text += piece
        found = pattern.search(text)
        if found:
            yield text[shown : found.start()]
            return
        while shown < len(text) and not any(word.startswith(text[shown : shown + len(word)]) for word in stop):
            yield text[shown]
            shown += 1
    yield text[shown:]
