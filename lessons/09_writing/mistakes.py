"""Wrong answers, as small as they can be: each section replaces parts of solution.py.

A section is named after the hint it must get; NAME-other is another way to the same hint.
"""


# ---- ascending ----
# argsort without the minus.


def top_p(p, threshold):
    order = np.argsort(p)
    chosen = order[np.cumsum(p[order]) - p[order] < threshold]
    kept = np.zeros_like(p)
    kept[chosen] = p[chosen]
    return kept / np.sum(kept)


# ---- drops_crossing-at_least_one ----
# Somebody noticed that nothing was left, and kept the first.


def top_p(p, threshold):
    order = np.argsort(-p)
    upto = np.cumsum(p[order])
    chosen = order[: max(1, np.sum(upto < threshold))]
    kept = np.zeros_like(p)
    kept[chosen] = p[chosen]
    return kept / np.sum(kept)


# ---- drops_crossing-paper ----
# 16/30 is below 0.8, 25/30 is above: only A is left.
PROBABILITY = 0.0


# ---- drops_crossing ----
# Those whose sum stays below; where there are none, nothing.


def top_p(p, threshold):
    order = np.argsort(-p)
    chosen = order[np.cumsum(p[order]) <= threshold]
    kept = np.zeros_like(p)
    kept[chosen] = p[chosen]
    with np.errstate(all="ignore"):
        return kept / np.sum(kept)


# ---- end_included ----
# Appends before it looks.


def generate(model, prompt, coins, end):
    written, tokens, cache = [], prompt, None
    for coin in coins:
        p, cache = model(tokens, cache)
        written.append(sample(p, coin))
        tokens = written[-1:]
        if tokens == [end]:
            break
    return written


# ---- first_listed ----
# The first one in the list.


def until(pieces, stop):
    text, shown, longest = "", 0, max(len(word) for word in stop)
    for piece in pieces:
        text += piece
        for word in stop:
            if word in text:
                yield text[shown : text.index(word)]
                return
        safe = max(shown, len(text) - longest + 1)
        yield text[shown:safe]
        shown = safe
    yield text[shown:]


# ---- forgets ----
# The cache is thrown away.


def generate(model, prompt, coins, end):
    written, tokens = [], prompt
    for coin in coins:
        p, _ = model(tokens, None)
        token = sample(p, coin)
        if token == end:
            break
        written.append(token)
        tokens = [token]
    return written


# ---- grows-cut ----
# A list that grows, and no room.


def remember(kept, new, length):
    return np.vstack([kept[:length], new])


# ---- grows ----
# Behind everything.


def remember(kept, new, length):
    return np.concatenate([kept, new])


# ---- held_to_the_end-stops ----
# At least it stops reading.


def until(pieces, stop):
    text = ""
    for piece in pieces:
        text += piece
        if any(word in text for word in stop):
            break
    for word in stop:
        text = text.partition(word)[0]
    yield text


# ---- held_to_the_end ----
# Joins everything first.


def until(pieces, stop):
    text = "".join(pieces)
    for word in stop:
        text = text.split(word)[0]
    yield text


# ---- mask_too_short-old_alone ----
# The length before the new tokens.


def attend(q, k, v, kept_k, kept_v, length):
    kept_k, kept_v = remember(kept_k, k, length), remember(kept_v, v, length)
    scores = q @ kept_k.T / np.sqrt(q.shape[1])
    scores = np.where(np.arange(len(kept_k)) < length, scores, -np.inf)
    shares = np.exp(scores - np.max(scores, axis=1, keepdims=True))
    return shares / np.sum(shares, axis=1, keepdims=True) @ kept_v, kept_k, kept_v


# ---- mask_too_short-restarts ----
# The mask of a text of its own.


def attend(q, k, v, kept_k, kept_v, length):
    kept_k, kept_v = remember(kept_k, k, length), remember(kept_v, v, length)
    scores = q @ kept_k.T / np.sqrt(q.shape[1])
    scores = np.where(np.arange(len(kept_k)) <= np.arange(len(q))[:, None], scores, -np.inf)
    shares = np.exp(scores - np.max(scores, axis=1, keepdims=True))
    return shares / np.sum(shares, axis=1, keepdims=True) @ kept_v, kept_k, kept_v


# ---- mask_too_short ----
# < instead of <=: not itself.


def attend(q, k, v, kept_k, kept_v, length):
    kept_k, kept_v = remember(kept_k, k, length), remember(kept_v, v, length)
    scores = q @ kept_k.T / np.sqrt(q.shape[1])
    scores = np.where(np.arange(len(kept_k)) < length + np.arange(len(q))[:, None], scores, -np.inf)
    shares = np.exp(scores - np.max(scores, axis=1, keepdims=True))
    return shares / np.sum(shares, axis=1, keepdims=True) @ kept_v, kept_k, kept_v


# ---- most_probable ----
# No coin.


def sample(p, coin):
    return int(np.argmax(p))


# ---- multiplied-paper ----
# Square roots instead of squares.
PROBABILITY = 3**0.5 / (2 + 3**0.5 + 2**0.5)


# ---- multiplied ----
# Times T.


def tempered(logits, temperature):
    e = np.exp((logits - np.max(logits)) * temperature)
    return e / np.sum(e)


# ---- next_one-before ----
# How many tokens end before the coin, less one.


def sample(p, coin):
    return int(np.searchsorted(np.cumsum(p), coin, side="right")) - 1


# ---- next_one ----
# Adds before it asks.


def sample(p, coin):
    token, upto = 0, 0.0
    while upto <= coin:
        upto += p[token]
        token += 1
    return token


# ---- no_shift ----
# The formula as it stands.


def tempered(logits, temperature):
    with np.errstate(all="ignore"):
        e = np.exp(logits / temperature)
        return e / np.sum(e)


# ---- not_renormalised-paper ----
# 9/30 as it was before the cut.
PROBABILITY = 0.3


# ---- not_renormalised ----
# Only cut off.


def top_p(p, threshold):
    order = np.argsort(-p)
    upto = np.cumsum(p[order])
    chosen = order[upto - p[order] < threshold]
    kept = np.zeros_like(p)
    kept[chosen] = p[chosen]
    return kept


# ---- off_by_one-near ----
# Over the last one.


def remember(kept, new, length):
    kept[length - 1 : length - 1 + len(new)] = new
    return kept


# ---- off_by_one ----
# Leaves a gap.


def remember(kept, new, length):
    kept[length + 1 : length + 1 + len(new)] = new
    return kept


# ---- one_call_more ----
# Reads each new token at once.


def generate(model, prompt, coins, end):
    written = []
    p, cache = model(prompt, None)
    for coin in coins:
        token = sample(p, coin)
        if token == end:
            break
        written.append(token)
        p, cache = model([token], cache)
    return written


# ---- one_too_many-paper ----
# A, B and C.
PROBABILITY = 9 / 29


# ---- one_too_many-reached ----
# <= where the threshold is reached exactly.


def top_p(p, threshold):
    order = np.argsort(-p)
    upto = np.cumsum(p[order])
    chosen = order[upto - p[order] <= threshold]
    kept = np.zeros_like(p)
    kept[chosen] = p[chosen]
    return kept / np.sum(kept)


# ---- one_too_many ----
# The token that crosses, and one more.


def top_p(p, threshold):
    order = np.argsort(-p)
    upto = np.cumsum(p[order])
    chosen = order[: np.sum(upto < threshold) + 2]
    kept = np.zeros_like(p)
    kept[chosen] = p[chosen]
    return kept / np.sum(kept)


# ---- order_of_size ----
# Zeroes behind, in sorted order.


def top_p(p, threshold):
    p = np.sort(p)[::-1]
    kept = np.where(np.cumsum(p) - p < threshold, p, 0)
    return kept / np.sum(kept)


# ---- piece_by_piece ----
# Looks into each piece.


def until(pieces, stop):
    for piece in pieces:
        found = [piece.index(word) for word in stop if word in piece]
        if found:
            yield piece[: min(found)]
            return
        yield piece


# ---- prompt_included ----
# The text from its beginning.


def generate(model, prompt, coins, end):
    text, cache = list(prompt), None
    tokens = prompt
    for coin in coins:
        p, cache = model(tokens, cache)
        tokens = [sample(p, coin)]
        if tokens[0] == end:
            break
        text += tokens
    return text


# ---- rank ----
# The most probable first, and no way back.


def sample(p, coin):
    return int(np.argmax(np.cumsum(np.sort(p)[::-1]) > coin))


# ---- read_twice ----
# The whole text, and the cache too.


def generate(model, prompt, coins, end):
    written, tokens, cache = [], prompt, None
    for coin in coins:
        p, cache = model(tokens, cache)
        token = sample(p, coin)
        if token == end:
            break
        written.append(token)
        tokens = [*prompt, *written]
    return written


# ---- reads_again ----
# No cache at all.


def generate(model, prompt, coins, end):
    text = list(prompt)
    for coin in coins:
        p, _ = model(text, None)
        token = sample(p, coin)
        if token == end:
            break
        text.append(token)
    return text[len(prompt):]


# ---- same_coin ----
# coins[0] in the loop.


def generate(model, prompt, coins, end):
    written, tokens, cache = [], prompt, None
    for coin in coins:
        p, cache = model(tokens, cache)
        token = sample(p, coins[0])
        if token == end:
            break
        written.append(token)
        tokens = [token]
    return written


# ---- sees_ahead ----
# Everything that is filled.


def attend(q, k, v, kept_k, kept_v, length):
    kept_k, kept_v = remember(kept_k, k, length), remember(kept_v, v, length)
    scores = q @ kept_k.T / np.sqrt(q.shape[1])
    scores[:, length + len(q) :] = -np.inf
    shares = np.exp(scores - np.max(scores, axis=1, keepdims=True))
    return shares / np.sum(shares, axis=1, keepdims=True) @ kept_v, kept_k, kept_v


# ---- sees_the_room ----
# No mask.


def attend(q, k, v, kept_k, kept_v, length):
    kept_k, kept_v = remember(kept_k, k, length), remember(kept_v, v, length)
    scores = q @ kept_k.T / np.sqrt(q.shape[1])
    shares = np.exp(scores - np.max(scores, axis=1, keepdims=True))
    return shares / np.sum(shares, axis=1, keepdims=True) @ kept_v, kept_k, kept_v


# ---- shown_too_early ----
# Shows first, then looks.


def until(pieces, stop):
    text = ""
    for piece in pieces:
        text += piece
        yield piece
        if any(word in text for word in stop):
            return


# ---- stale-new_alone ----
# The keys of this call.


def attend(q, k, v, kept_k, kept_v, length):
    scores = np.where(np.tri(len(q), dtype=bool), q @ k.T / np.sqrt(q.shape[1]), -np.inf)
    shares = np.exp(scores - np.max(scores, axis=1, keepdims=True))
    return shares / np.sum(shares, axis=1, keepdims=True) @ v, remember(kept_k, k, length), remember(kept_v, v, length)


# ---- stale ----
# Attends first, remembers afterwards.


def attend(q, k, v, kept_k, kept_v, length):
    scores = q @ kept_k.T / np.sqrt(q.shape[1])
    scores = np.where(np.arange(len(kept_k)) <= length + np.arange(len(q))[:, None], scores, -np.inf)
    shares = np.exp(scores - np.max(scores, axis=1, keepdims=True))
    z = shares / np.sum(shares, axis=1, keepdims=True) @ kept_v
    return z, remember(kept_k, k, length), remember(kept_v, v, length)


# ---- stop_shown ----
# Up to its end.


def until(pieces, stop):
    text, shown, longest = "", 0, max(len(word) for word in stop)
    for piece in pieces:
        text += piece
        found = [(text.find(word), len(word)) for word in stop if word in text]
        if found:
            yield text[shown : sum(min(found))]
            return
        safe = max(shown, len(text) - longest + 1)
        yield text[shown:safe]
        shown = safe
    yield text[shown:]


# ---- tail_lost ----
# Nothing after the loop.


def until(pieces, stop):
    text, shown, longest = "", 0, max(len(word) for word in stop)
    for piece in pieces:
        text += piece
        found = [text.find(word) for word in stop if word in text]
        if found:
            yield text[shown : min(found)]
            return
        if len(text) - longest + 1 > shown:
            yield text[shown : len(text) - longest + 1]
            shown = len(text) - longest + 1


# ---- temperature_after-not_renormalised ----
# p / T.


def tempered(logits, temperature):
    p = np.exp(logits - np.max(logits))
    return p / np.sum(p) / temperature


# ---- temperature_after-paper ----
# Divided and made to add up to 1 again: .4 .3 .2 .1, of which three reach 0.8.
PROBABILITY = 3 / 9


# ---- temperature_after ----
# p / T, made to add up to 1.


def tempered(logits, temperature):
    p = np.exp(logits - np.max(logits))
    p = p / np.sum(p) / temperature
    return p / np.sum(p)


# ---- unsorted ----
# The sum in the order of the vocabulary.


def top_p(p, threshold):
    before = np.cumsum(p) - p
    kept = np.where(before < threshold, p, 0)
    return kept / np.sum(kept)


# ---- wrong_place-end ----
# At the end of the room.


def remember(kept, new, length):
    kept[-len(new) :] = new
    return kept


# ---- wrong_place ----
# At the beginning.


def remember(kept, new, length):
    kept[: len(new)] = new
    return kept


# ---- wrong_side-searchsorted ----
# NumPy's default side.


def sample(p, coin):
    return int(np.searchsorted(np.cumsum(p), coin))


# ---- wrong_side ----
# >= instead of >.


def sample(p, coin):
    return int(np.argmax(np.cumsum(p) >= coin))
