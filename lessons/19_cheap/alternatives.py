"""Right answers written another way: each section replaces parts of solution.py.

All tasks must pass. A section named after a remark must get this remark.
"""


# ---- matrix_by_matrix ----


def parameters(V, D, F, L, H, K, E, tied):
    matrices = [(D, H * E), (D, K * E), (D, K * E), (H * E, D), (D, F), (D, F), (F, D)]
    total = V * D if tied else 2 * V * D
    for _ in range(L):
        total += sum(rows * columns for rows, columns in matrices) + 2 * D
    return total + D


def cache_bytes(L, H, K, E, length, bytes_each):
    return sum(K * E * bytes_each for _ in range(L) for _ in ("key", "value")) * length


# ---- token_by_token ----


def training_flop(embedding, products, L, H, E, context, tokens):
    row = sum(2 * products + 4 * L * H * E * t for t in range(1, context + 1))
    return 3 * row * (tokens / context)


def training_hours(flop, peak, sustained, machines):
    seconds = flop / peak / sustained
    return seconds / machines / 60 / 60


# ---- in_joules ----


def footprint(hours, watts, pue, grid):
    joules = hours * 3600 * watts * pue
    return joules / 3.6e9, joules / 3.6e6 * grid * 1e-6


def break_even(teacher, student, tokens):
    if teacher <= student:
        return float("inf")
    return tokens * (teacher + 3 * student) / (teacher - student)


def tokens_a_month(money, price, watts, tokens_per_second):
    joules = money / price * 3.6e6
    return min(joules / watts, 30 * 24 * 3600) * tokens_per_second
