"""The text from its beginning."""


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
