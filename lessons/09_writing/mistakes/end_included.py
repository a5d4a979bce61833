"""Appends before it looks."""


def generate(model, prompt, coins, end):
    written, tokens, cache = [], prompt, None
    for coin in coins:
        p, cache = model(tokens, cache)
        written.append(sample(p, coin))
        tokens = written[-1:]
        if tokens == [end]:
            break
    return written
