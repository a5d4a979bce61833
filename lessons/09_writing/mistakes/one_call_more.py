"""Reads each new token at once."""


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
