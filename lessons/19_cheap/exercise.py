"""Exercise of lesson 19: what a model costs, on paper.

A product of a row with a matrix takes a multiplication and an addition for each number of the
matrix: two operations (FLOP). All arguments are plain numbers. L layers, D the width, F the
feed-forward width, H query heads and K key/value heads of size E, V the vocabulary.
Check yourself:  minillm lesson check 19
"""

# Work this out on paper, or with a pocket calculator. LLaMA-65B took 1,022,362 GPU hours at 400
# watts, in a building that draws 1.1 watts for each watt of the machines. How many megawatt hours?
# One decimal is enough.
MEGAWATT_HOURS = None


def parameters(V, D, F, L, H, K, E, tied):
    """How many numbers a LLaMA has: embedding, attention (q, k, v, o), the three matrices of the
    feed-forward part, two norms a layer and one at the end, and the head. q is D x HE, k and v are
    D x KE, o is HE x D.

    tied: the head is the embedding, and has no numbers of its own. No biases.
    """
    raise NotImplementedError


def training_flop(embedding, products, L, H, E, context, tokens):
    """Operations of training on `tokens` tokens in rows of `context`.

    embedding: numbers that are looked up; products: numbers that every token is multiplied with.
    Forward, attention multiplies a query with every key that it may see (its own among them), and
    their shares with the values: the t-th token of a row, from t = 1, sees t keys. The backward
    pass multiplies twice for every product of the forward pass, those of attention too.
    """
    raise NotImplementedError


def cache_bytes(L, H, K, E, length, bytes_each):
    """Bytes of the keys and values of `length` tokens of one text, `bytes_each` for a number."""
    raise NotImplementedError


def training_hours(flop, peak, sustained, machines):
    """Hours by the clock, from start to end, if `machines` machines share the work.

    Each has a peak of `peak` operations a second, of which it sustains the share `sustained`.
    """
    raise NotImplementedError


def footprint(hours, watts, pue, grid):
    """(megawatt hours, tonnes of CO2) of `hours` machine hours: all machines added up. Each draws
    `watts` watts.

    pue: what the building draws for each watt of the machines. grid: grams of CO2 for a kilowatt
    hour.
    """
    raise NotImplementedError


def break_even(teacher, student, tokens):
    """How many tokens the student must write before distilling it has saved operations.

    teacher, student: the numbers of each that a token is multiplied with; attention is left out.
    The student learned from `tokens` tokens: the teacher read them all, forward, and the student
    was trained on them. (The teacher was there before.) Infinite if it never pays.
    """
    raise NotImplementedError


def tokens_a_month(money, price, watts, tokens_per_second):
    """How many tokens a machine writes for `money` a month, if electricity is all that costs, at
    `price` for a kilowatt hour. At most as many as a month of 30 days has time for."""
    raise NotImplementedError
