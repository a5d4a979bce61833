"""Adds before it asks."""


def sample(p, coin):
    token, upto = 0, 0.0
    while upto <= coin:
        upto += p[token]
        token += 1
    return token
