"""A generator without end as an answer, and a mapping whose items never end."""

ONCE = True


class Items(dict):
    def __len__(self):
        return 2**60

    def __iter__(self):
        while True:
            yield 1

    def items(self):
        while True:
            yield 1, 1


def attack(name, arguments):
    return Items()
