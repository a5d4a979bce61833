"""Wrong answers, as small as they can be: each section replaces parts of solution.py.

A section is named after the hint it must get; NAME-other is another way to the same hint.
"""


# ---- kilo_for_mega-paper ----
MEGAWATT_HOURS = 1_022_362 * 400 * 1.1 / 1e3


# ---- building_forgotten-paper ----
MEGAWATT_HOURS = 1_022_362 * 400 / 1e6


# ---- building_divided-paper ----
MEGAWATT_HOURS = 1_022_362 * 400 / 1.1 / 1e6


# ---- head_twice ----
# As if no head were tied.


def parameters(V, D, F, L, H, K, E, tied):
    return 2 * V * D + L * (2 * D * H * E + 2 * D * K * E + 3 * D * F + 2 * D) + D


# ---- head_missing ----


def parameters(V, D, F, L, H, K, E, tied):
    return V * D + L * (2 * D * H * E + 2 * D * K * E + 3 * D * F + 2 * D) + D


# ---- keys_for_every_query ----


def parameters(V, D, F, L, H, K, E, tied):
    return (1 if tied else 2) * V * D + L * (4 * D * H * E + 3 * D * F + 2 * D) + D


# ---- square ----
# Four square matrices.


def parameters(V, D, F, L, H, K, E, tied):
    return (1 if tied else 2) * V * D + L * (4 * D * D + 3 * D * F + 2 * D) + D


# ---- two_matrices ----
# A transformer of 2017.


def parameters(V, D, F, L, H, K, E, tied):
    attention = 2 * D * H * E + 2 * D * K * E
    return (1 if tied else 2) * V * D + L * (attention + 2 * D * F + 2 * D) + D


# ---- norms_forgotten ----


def parameters(V, D, F, L, H, K, E, tied):
    attention = 2 * D * H * E + 2 * D * K * E
    return (1 if tied else 2) * V * D + L * (attention + 3 * D * F)


# ---- forward_alone ----


def training_flop(embedding, products, L, H, E, context, tokens):
    return (2 * products + 2 * L * H * E * (context + 1)) * tokens


# ---- backward_once ----


def training_flop(embedding, products, L, H, E, context, tokens):
    return 2 * (2 * products + 2 * L * H * E * (context + 1)) * tokens


# ---- embedding_multiplied ----


def training_flop(embedding, products, L, H, E, context, tokens):
    return 3 * (2 * (embedding + products) + 2 * L * H * E * (context + 1)) * tokens


# ---- attention_forgotten ----
# 6 N D.


def training_flop(embedding, products, L, H, E, context, tokens):
    return 6 * products * tokens


# ---- no_mask ----


def training_flop(embedding, products, L, H, E, context, tokens):
    return 3 * (2 * products + 4 * L * H * E * context) * tokens


# ---- half_the_keys ----


def training_flop(embedding, products, L, H, E, context, tokens):
    return 3 * (2 * products + 2 * L * H * E * context) * tokens


# ---- multiply_alone ----


def training_flop(embedding, products, L, H, E, context, tokens):
    return 3 * (products + L * H * E * (context + 1)) * tokens


# ---- keys_alone ----


def cache_bytes(L, H, K, E, length, bytes_each):
    return L * K * E * length * bytes_each


# ---- cache_of_queries ----


def cache_bytes(L, H, K, E, length, bytes_each):
    return 2 * L * H * E * length * bytes_each


# ---- peak ----


def training_hours(flop, peak, sustained, machines):
    return flop / (peak * machines) / 3600


# ---- seconds ----


def training_hours(flop, peak, sustained, machines):
    return flop / (peak * sustained * machines)


# ---- one_machine ----


def training_hours(flop, peak, sustained, machines):
    return flop / (peak * sustained) / 3600


# ---- kilo_for_mega ----


def footprint(hours, watts, pue, grid):
    kilowatt_hours = hours * watts * pue / 1000
    return kilowatt_hours, kilowatt_hours * grid / 1e6


# ---- building_forgotten ----


def footprint(hours, watts, pue, grid):
    kilowatt_hours = hours * watts / 1000
    return kilowatt_hours / 1000, kilowatt_hours * grid / 1e6


# ---- building_divided ----


def footprint(hours, watts, pue, grid):
    kilowatt_hours = hours * watts / pue / 1000
    return kilowatt_hours / 1000, kilowatt_hours * grid / 1e6


# ---- grams ----
# Kilograms.


def footprint(hours, watts, pue, grid):
    kilowatt_hours = hours * watts * pue / 1000
    return kilowatt_hours / 1000, kilowatt_hours * grid / 1000


# ---- grams-second ----


def footprint(hours, watts, pue, grid):
    kilowatt_hours = hours * watts * pue / 1000
    return kilowatt_hours / 1000, kilowatt_hours * grid


# ---- teacher_reads_for_free ----


def break_even(teacher, student, tokens):
    saved = 2 * teacher - 2 * student
    return 6 * student * tokens / saved if saved > 0 else float("inf")


# ---- student_forward_alone ----


def break_even(teacher, student, tokens):
    saved = 2 * teacher - 2 * student
    return (2 * teacher + 2 * student) * tokens / saved if saved > 0 else float("inf")


# ---- all_of_the_teacher_saved ----


def break_even(teacher, student, tokens):
    if student >= teacher:
        return float("inf")
    return (2 * teacher + 6 * student) * tokens / (2 * teacher)


# ---- by_what_it_takes ----


def break_even(teacher, student, tokens):
    if student >= teacher:
        return float("inf")
    return (2 * teacher + 6 * student) * tokens / (2 * student)


# ---- never_pays ----


def break_even(teacher, student, tokens):
    return tokens * (2 * teacher + 6 * student) / (2 * teacher - 2 * student)


# ---- never_pays-second ----


def break_even(teacher, student, tokens):
    saved = 2 * teacher - 2 * student
    return tokens * (2 * teacher + 6 * student) / saved if saved else float("inf")


# ---- watts_for_kilowatts ----


def tokens_a_month(money, price, watts, tokens_per_second):
    return min(money / price / watts, 30 * 24) * 3600 * tokens_per_second


# ---- endless_month ----


def tokens_a_month(money, price, watts, tokens_per_second):
    return money / price / (watts / 1000) * 3600 * tokens_per_second


# ---- hours_for_seconds ----


def tokens_a_month(money, price, watts, tokens_per_second):
    return min(money / price / (watts / 1000), 30 * 24) * tokens_per_second
