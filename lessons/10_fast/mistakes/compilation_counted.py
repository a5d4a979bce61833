"""One call."""


def seconds(f, x, clock):
    began = clock()
    f(x).block_until_ready()
    return clock() - began
