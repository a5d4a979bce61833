"""Right answers written another way: each section replaces parts of solution.py.

All tasks must pass. A section named after a remark must get this remark.
"""


# ---- by_other_roads ----
# Powers of probabilities; a smallest probability that is kept; the old cache and the new rows
# joined with the free ones; regular expressions.
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


# ---- plain_python ----
# Loops and lists, as one would on paper; stop strings held back only as far as needed.
PROBABILITY = 0.36


def sample(p, coin):
    upto = 0.0
    for token, share in enumerate(p):
        upto += share
        if coin < upto:
            return token
    raise ValueError("the probabilities do not add up to 1")


def tempered(logits, temperature):
    top = max(logits)
    e = [np.exp((x - top) / temperature) for x in logits]
    return [x / sum(e) for x in e]


def top_p(p, threshold):
    kept, reached = [0.0] * len(p), 0.0
    for token in sorted(range(len(p)), key=lambda token: -p[token]):
        kept[token] = p[token]
        reached += p[token]
        if reached >= threshold:
            break
    return [share / reached for share in kept]


def remember(kept, new, length):
    made = kept.copy()
    for t, row in enumerate(new):
        made[length + t] = row
    return made


def attend(q, k, v, kept_k, kept_v, length):
    kept_k, kept_v, z = remember(kept_k, k, length), remember(kept_v, v, length), []
    for t, query in enumerate(q):
        scores = kept_k[: length + t + 1] @ query / len(query) ** 0.5
        shares = np.exp(scores - scores.max())
        z.append(shares @ kept_v[: length + t + 1] / shares.sum())
    return np.array(z), kept_k, kept_v


def generate(model, prompt, coins, end):
    written, cache = [], None
    for n in range(len(coins)):
        p, cache = model(written[-1:] if n else prompt, cache)
        token = sample(p, coins[n])
        if token == end:
            return written
        written += [token]
    return written


def until(pieces, stop):
    held = ""
    for piece in pieces:
        for letter in piece:
            held += letter
            if any(held.endswith(word) for word in stop):
                word = next(word for word in stop if held.endswith(word))
                yield held[: -len(word)]
                return
        keep = max((n for n in range(1, len(held) + 1) if any(word.startswith(held[-n:]) for word in stop)), default=0)
        yield held[: len(held) - keep]
        held = held[len(held) - keep :]
    yield held
