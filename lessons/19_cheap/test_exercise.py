"""What is checked in exercise 19, and which misconceptions are recognised. The words used here:
minillm/course/exercises.py."""

from minillm.architecture import cost
from minillm.config import ModelConfig
from minillm.course.exercises import Hint, Task, number, sizes
from minillm.training import machines

HINTS = {
    "kilo_for_mega": Hint(
        "You are a thousand times too high: 1,000 watts for an hour are a kilowatt hour, and 1,000 "
        "of those a megawatt hour.",
        "A household of the USA uses some 10 megawatt hours a year. Did this training take as much "
        "as 45 households in a year, or as 45,000?",
    ),
    "building_forgotten": Hint(
        "You left out the building. For each watt of its machines it draws a little more: cooling, "
        "power supplies, light.",
        "Is your result what a meter at the machines shows, or one at the gate?",
    ),
    "building_divided": Hint(
        "You divided by the building's factor. The building draws more than its machines do.",
        "Let the factor be 2: must the result double, or halve?",
    ),
    "head_twice": Hint(
        "You counted a head of V times D for tied models too. There the head is the embedding.",
        "Let V be large and all else 1: does the count depend on V once or twice?",
    ),
    "head_missing": Hint(
        "You never counted a head. Where it is not tied, it is a matrix as large as the embedding.",
        "Compare your count for tied = True with that for tied = False.",
    ),
    "keys_for_every_query": Hint(
        "You gave keys and values as many heads as queries. With grouped queries, k and v have K "
        "heads.",
        "Let H grow and leave K as it is: which two of the four matrices grow?",
    ),
    "square": Hint(
        "You gave attention four matrices of D times D. H times E need not be D, and k and v have "
        "K heads.",
        "Write the shapes of q, k, v and o, and let E grow alone.",
    ),
    "two_matrices": Hint(
        "You counted two matrices in the feed-forward part. A LLaMA has three: gate, up and down.",
        "Double F: by how much does your count grow? How many arguments has swiglu, and what "
        "follows it?",
    ),
    "norms_forgotten": Hint(
        "The norms are missing: a vector of D before attention, one before the feed-forward part, "
        "and one before the head.",
        "Let D = 1 and everything else be small, and write down every number there is.",
    ),
    "forward_alone": Hint(
        "That is the forward pass. Training goes back, too: for each product there is one for the "
        "gradient of its input and one for that of its matrix.",
        "How many matrix products has the backward of y = x w?",
    ),
    "backward_once": Hint(
        "You counted the backward pass as one forward pass. It has two products for each of the "
        "forward pass: the gradient of the input, and that of the matrix.",
        "Write down the shapes of the two products in linear_backward.",
    ),
    "embedding_multiplied": Hint(
        "You multiplied with the embedding. A row of it is looked up: no operation.",
        "Make the vocabulary ten times as large: does looking up one row take longer?",
    ),
    "attention_forgotten": Hint(
        "That is 6 N D: well known, and good for short rows. The products of queries with keys and "
        "of patterns with values are missing.",
        "Let the context grow and leave all matrices as they are: must the operations grow?",
    ),
    "no_mask": Hint(
        "You let every token see the whole row. With the mask the t-th token sees t keys, which is "
        "about half of them on average.",
        "A row of one token: how many keys does it see?",
    ),
    "half_the_keys": Hint(
        "You took half of the row as the average. The t-th token sees t keys, its own among them: "
        "the average of 1, 2, ..., T is a little more than T / 2.",
        "A row of one token: how many keys does it see?",
    ),
    "multiply_alone": Hint(
        "You counted multiplications alone. A multiplication and an addition are two operations.",
        "How many additions are in the product of a row with a matrix of one column?",
    ),
    "keys_alone": Hint(
        "You counted the keys, or the values, but not both.",
        "What does attention read of an earlier token, besides its key?",
    ),
    "cache_of_queries": Hint(
        "You kept a key and a value for each query head. The heads of a group share one: that is "
        "what grouped queries are for.",
        "Let H be eight times K: how much smaller must the cache be than with K = H?",
    ),
    "peak": Hint(
        "You took the peak for what is sustained. No program reaches it: machines wait for memory "
        "and for each other.",
        "Halve `sustained`: must it take longer?",
    ),
    "seconds": Hint(
        "That is in seconds. An hour has 3,600.",
        "Let a machine do 1 operation a second, and ask for 3,600 of them.",
    ),
    "one_machine": Hint(
        "Those are the hours of one machine (GPU hours). Together they are done sooner.",
        "Let there be ten machines: how much sooner?",
    ),
    "grams": Hint(
        "Your energy is right, your CO2 is not in tonnes. A tonne is a million grams.",
        "1 kilowatt hour at 385 grams: how many tonnes?",
    ),
    "teacher_reads_for_free": Hint(
        "You left out what the teacher does while the student learns: it reads every token.",
        "Let the student be tiny: was distilling free?",
    ),
    "student_forward_alone": Hint(
        "You counted the student's training as reading. It goes back, too: three times as much.",
        "What does one token cost in training, and what in writing?",
    ),
    "all_of_the_teacher_saved": Hint(
        "You divided by what the teacher would take. The student takes something too: what is "
        "saved is the difference.",
        "Let the student be as large as the teacher: when does it pay?",
    ),
    "by_what_it_takes": Hint(
        "You divided by what the student takes for a token. It pays by what it saves.",
        "Let the student be tiny: does it take longer to pay, or less long?",
    ),
    "never_pays": Hint(
        "A student as large as its teacher, or larger, never pays: the answer is infinite.",
        "Call it with a student larger than the teacher. What does a negative number of tokens "
        "mean?",
    ),
    "watts_for_kilowatts": Hint(
        "You multiplied the price of a kilowatt hour with watts: you are a thousand times too low.",
        "A machine of 1,000 watts, a price of 1, money 2: how long does it run?",
    ),
    "endless_month": Hint(
        "You let the machine run for longer than a month has time. Cheap electricity does not make "
        "it faster.",
        "Give it all the money in the world.",
    ),
    "hours_for_seconds": Hint(
        "You multiplied hours with tokens a second.",
        "One hour at 1 token a second: how many tokens?",
    ),
}


# ---- Fresh inputs, small ones first -------------------------------------------------------------


def shapes(rng):
    yield 5, 2, 3, 1, 2, 1, 2, True
    yield 5, 2, 3, 1, 2, 1, 2, False
    for V, D, F, L, K, G, E in sizes(rng, 2, 9, (24, 7)):
        yield V + 2, D, F, L, K * G, K, 2 * E, bool(rng.integers(2))


def trainings(rng):
    yield 10, 20, 1, 1, 1, 1, 1
    yield 0, 20, 1, 2, 4, 3, 1
    for embedding, products, L, H, E, context, tokens in sizes(rng, 2, 12, (20, 7)):
        yield 10 * embedding, 100 * products, L, H, E, context, tokens * context


def caches(rng):
    yield 1, 2, 1, 3, 1, 4
    for L, K, G, E, length in sizes(rng, 2, 9, (16, 5)):
        yield L, K * G, K, E, length, int(rng.choice([1, 2, 4]))


def times(rng):
    yield 3600.0, 1.0, 0.5, 1
    for exponent, many in sizes(rng, 2, 12, (16, 2)):
        yield (float(rng.integers(1, 100)) * 10.0**exponent, float(rng.integers(1, 20)) * 1e3,
               round(float(rng.uniform(0.1, 0.8)), 2), many)


def energies(rng):
    yield 1000.0, 1000.0, 2.0, 500.0
    for _ in range(16):
        yield (float(rng.integers(10, 10**5)), float(rng.integers(5, 800)),
               round(float(rng.uniform(1.1, 2)), 2), float(rng.integers(20, 900)))


def pairs(rng):
    yield 4, 1, 1
    yield 2, 2, 3
    yield 1, 2, 3
    for teacher, student, tokens in sizes(rng, 2, 50, (24, 3)):
        yield 10 * teacher, 2 * student, tokens


def months(rng):
    yield 2.0, 1.0, 1000.0, 3.0
    yield 1000.0, 1.0, 1000.0, 3.0
    for _ in range(16):
        yield (round(float(rng.uniform(0.1, 5)), 1), round(float(rng.uniform(0.1, 0.6)), 2),
               float(rng.integers(30, 700)), float(rng.integers(1, 200)))


# ---- What is right ------------------------------------------------------------------------------


def right_parameters(V, D, F, L, H, K, E, tied):
    config = ModelConfig(*map(int, (V, D, F, L, H, K, E)), 8, tie_word_embeddings=tied)
    return sum(cost.sizes(config).values())


def right_flop(embedding, products, L, H, E, context, tokens):
    keys = context * (context + 1) // 2
    return 3 * (2 * products * tokens + 4 * L * H * E * keys * tokens / context)


def right_hours(flop, peak, sustained, many):
    machine = machines.Machine("", peak, 1, None, 1, "", None)
    return machines.training_hours(flop, machine, sustained) / many


def right_footprint(hours, watts, pue, grid):
    kilowatt_hours = machines.kilowatt_hours(hours, watts, pue)
    return kilowatt_hours / 1000, machines.tonnes_of_co2(kilowatt_hours, grid)


def right_break_even(teacher, student, tokens):
    if student >= teacher:
        return float("inf")
    return (2 * teacher + 3 * 2 * student) * tokens / (2 * teacher - 2 * student)


def right_month(money, price, watts, tokens_per_second):
    return min(money / price * 1000 / watts, 720) * 3600 * tokens_per_second


# ---- What misconceptions give -------------------------------------------------------------------


def count(V, D, F, L, H, K, E, tied, *, kv=None, inner=3, norms=True, heads=None):
    """The count of a misconception: kv heads, matrices of the feed-forward part, V x D tables."""
    tables = heads if heads is not None else (1 if tied else 2)
    layer = 2 * D * H * E + 2 * D * (kv or K) * E + inner * D * F + (2 * D if norms else 0)
    return tables * V * D + L * layer + (D if norms else 0)


def square(V, D, F, L, H, K, E, tied):
    """Attention of four matrices D x D."""
    return (1 if tied else 2) * V * D + L * (4 * D * D + 3 * D * F + 2 * D) + D


def flop(embedding, products, L, H, E, context, tokens, *, times=3, keys=None, per=2, looked_up=0,
         attention=1):
    seen = (context + 1) / 2 if keys is None else keys(context)
    forward = per * (products + looked_up * embedding) + attention * 2 * per * L * H * E * seen
    return times * forward * tokens


def with_(function, **changed):
    return lambda *arguments: function(*arguments, **changed)


def even(teacher, student, tokens, *, reading=2, training=6, saved=None):
    if student >= teacher:
        return float("inf")
    gain = 2 * teacher - 2 * student if saved is None else saved(teacher, student)
    return (reading * teacher + training * student) * tokens / gain


def even_anyway(teacher, student, tokens):
    if student == teacher:
        raise ZeroDivisionError
    return (2 * teacher + 6 * student) * tokens / (2 * teacher - 2 * student)


def no_zero(teacher, student, tokens):
    if student >= teacher:
        raise ZeroDivisionError
    return even(teacher, student, tokens)


TASKS = [
    number("MEGAWATT_HOURS", "the energy of a published training", 449.83928,
           {"kilo_for_mega": 449_839.28, "building_forgotten": 408.9448,
            "building_divided": 371.768}, tolerance=2e-4),
    Task("parameters", "how many numbers a LLaMA has", right_parameters, shapes,
         {"head_twice": with_(count, heads=2), "head_missing": with_(count, heads=1),
          "keys_for_every_query": lambda *about: count(*about, kv=about[4]),
          "two_matrices": with_(count, inner=2), "norms_forgotten": with_(count, norms=False),
          "square": square}),
    Task("training_flop", "operations of training, attention among them", right_flop, trainings,
         {"forward_alone": with_(flop, times=1), "backward_once": with_(flop, times=2),
          "embedding_multiplied": with_(flop, looked_up=1),
          "attention_forgotten": with_(flop, attention=0),
          "no_mask": with_(flop, keys=lambda context: context),
          "half_the_keys": with_(flop, keys=lambda context: context / 2),
          "multiply_alone": with_(flop, per=1)}),
    Task("cache_bytes", "bytes of a cache",
         lambda L, H, K, E, length, each: 2 * L * K * E * length * each, caches,
         {"keys_alone": lambda L, H, K, E, length, each: L * K * E * length * each,
          "cache_of_queries": lambda L, H, K, E, length, each: 2 * L * H * E * length * each}),
    Task("training_hours", "hours of a training", right_hours, times,
         {"peak": lambda flop, peak, sustained, many: flop / peak / many / 3600,
          "seconds": lambda flop, peak, sustained, many: flop / (peak * sustained * many),
          "one_machine": lambda flop, peak, sustained, many: flop / (peak * sustained) / 3600}),
    Task("footprint", "energy and CO2", right_footprint, energies,
         {"kilo_for_mega": lambda hours, watts, pue, grid: (hours * watts * pue / 1e3,
                                                            hours * watts * pue * grid / 1e9),
          "building_forgotten": lambda hours, watts, pue, grid: (hours * watts / 1e6,
                                                                 hours * watts * grid / 1e9),
          "building_divided": lambda hours, watts, pue, grid: (
              hours * watts / pue / 1e6, hours * watts / pue * grid / 1e9),
          "grams": (lambda hours, watts, pue, grid: (hours * watts * pue / 1e6,
                                                     hours * watts * pue * grid / 1e6),
                    lambda hours, watts, pue, grid: (hours * watts * pue / 1e6,
                                                     hours * watts * pue * grid / 1e3))},
         returns=("megawatt hours", "tonnes")),
    Task("break_even", "when a distilled model has paid", right_break_even, pairs,
         {"teacher_reads_for_free": with_(even, reading=0),
          "student_forward_alone": with_(even, training=2),
          "all_of_the_teacher_saved": with_(even, saved=lambda t, s: 2 * t),
          "by_what_it_takes": with_(even, saved=lambda t, s: 2 * s),
          "never_pays": (even_anyway, no_zero, lambda t, s, n: float("inf") if s == t
                         else (2 * t + 6 * s) * n / (2 * t - 2 * s))}),
    Task("tokens_a_month", "how much a month's money writes", right_month, months,
         {"watts_for_kilowatts": lambda money, price, watts, rate: min(
             money / price / watts, 720) * 3600 * rate,
          "endless_month": lambda money, price, watts, rate: money / price * 1000 / watts * 3600
          * rate,
          "hours_for_seconds": lambda money, price, watts, rate: min(
              money / price * 1000 / watts, 720) * rate})]
