"""Lists in lists in lists, and one that holds itself."""


def attack(name, arguments):
    deep = []
    for _ in range(100_000):
        deep = [deep]
    if name == "perplexity":
        deep = []
        deep.append(deep)
    return deep
