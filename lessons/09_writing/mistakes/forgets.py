"""The cache is thrown away."""


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
