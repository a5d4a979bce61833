"""coins[0] in the loop."""


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
