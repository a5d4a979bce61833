"""No cache at all."""


def generate(model, prompt, coins, end):
    text = list(prompt)
    for coin in coins:
        p, _ = model(text, None)
        token = sample(p, coin)
        if token == end:
            break
        text.append(token)
    return text[len(prompt):]
