"""Never waits."""


def seconds(f, x, clock):
    f(x)
    began = clock()
    f(x)
    return clock() - began
