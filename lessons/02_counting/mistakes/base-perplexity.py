"""Two to the power of nats."""


def perplexity(nats):
    return 2**nats
