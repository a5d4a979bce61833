"""Reference solution of exercise.py."""

MEGAWATT_HOURS = 1_022_362 * 400 * 1.1 / 1e6


def parameters(V, D, F, L, H, K, E, tied):
    attention = 2 * D * H * E + 2 * D * K * E
    layer = attention + 3 * D * F + 2 * D
    return V * D + L * layer + D + (0 if tied else V * D)


def training_flop(embedding, products, L, H, E, context, tokens):
    keys = (context + 1) / 2  # what a token sees on average
    forward = 2 * products + 4 * L * H * E * keys
    return 3 * forward * tokens


def cache_bytes(L, H, K, E, length, bytes_each):
    return 2 * L * K * E * length * bytes_each


def training_hours(flop, peak, sustained, machines):
    return flop / (peak * sustained * machines) / 3600


def footprint(hours, watts, pue, grid):
    kilowatt_hours = hours * watts * pue / 1000
    return kilowatt_hours / 1000, kilowatt_hours * grid / 1e6


def break_even(teacher, student, tokens):
    spent = tokens * (2 * teacher + 6 * student)
    saved = 2 * teacher - 2 * student
    return spent / saved if saved > 0 else float("inf")


def tokens_a_month(money, price, watts, tokens_per_second):
    hours = money / price / (watts / 1000)
    return min(hours, 30 * 24) * 3600 * tokens_per_second
