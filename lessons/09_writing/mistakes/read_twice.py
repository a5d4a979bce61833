"""The whole text, and the cache too."""


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
