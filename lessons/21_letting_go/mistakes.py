"""Wrong answers, as small as they can be: each section replaces parts of solution.py.

A section is named after the hint it must get; NAME-other is another way to the same hint.
"""


# ---- natural-paper ----
EXPOSURE = 5.545


# ---- natural ----


def exposure(log_p, secret):
    return np.log(len(log_p)) - np.log(np.sum(log_p >= log_p[secret]))


# ---- from_zero-paper ----
# The fourth has three before it.
EXPOSURE = 8.415


# ---- from_zero ----


def rank(log_p, secret):
    return int(np.sum(log_p >= log_p[secret])) - 1


# ---- from_zero-sorted ----


def rank(log_p, secret):
    return sorted(log_p, reverse=True).index(log_p[secret])


# ---- rank_alone-paper ----
EXPOSURE = 2


# ---- rank_alone ----


def exposure(log_p, secret):
    return np.log2(np.sum(log_p >= log_p[secret]))


# ---- surprise ----


def exposure(log_p, secret):
    return -log_p[secret] / np.log(2)


# ---- least_first ----


def rank(log_p, secret):
    return int(np.sum(log_p <= log_p[secret]))


# ---- least_first-bits ----


def exposure(log_p, secret):
    return np.log2(len(log_p)) - np.log2(np.sum(log_p <= log_p[secret]))


# ---- equals_first ----


def rank(log_p, secret):
    return int(np.sum(log_p > log_p[secret])) + 1


# ---- equals_first-bits ----


def exposure(log_p, secret):
    return np.log2(len(log_p)) - np.log2(np.sum(log_p > log_p[secret]) + 1)


# ---- exact_copies ----


def plain(text):
    return text


# ---- last_copy ----
# A dict keeps the last value of a key.


def deduplicated(documents):
    last = {plain(text): i for i, text in enumerate(documents)}
    return [documents[i] for i in sorted(last.values())]


# ---- order_lost ----


def deduplicated(documents):
    first = {}
    for text in documents:
        first.setdefault(plain(text), text)
    return sorted(first.values())


# ---- changed_texts ----


def deduplicated(documents):
    return list(dict.fromkeys(map(plain, documents)))


# ---- all_copies ----


def deduplicated(documents):
    forms = [plain(text) for text in documents]
    return [text for text, form in zip(documents, forms) if forms.count(form) == 1]


# ---- of_training ----


def overlap(train, test, n):
    known = set()
    for document in train:
        known |= grams(document, n)
    return len(grams(test, n) & known) / len(known)


# ---- counted_twice ----


def overlap(train, test, n):
    known = set()
    for document in train:
        known |= grams(document, n)
    all_of_it = [tuple(test[i : i + n]) for i in range(len(test) - n + 1)]
    return sum(gram in known for gram in all_of_it) / len(all_of_it)


# ---- across ----


def overlap(train, test, n):
    known = grams([token for document in train for token in document], n)
    return len(grams(test, n) & known) / len(grams(test, n))


# ---- last_missing ----


def grams(document, n):
    return {tuple(document[i : i + n]) for i in range(len(document) - n)}


# ---- any ----


def overlap(train, test, n):
    return float(any(grams(test, n) & grams(document, n) for document in train))


# ---- by_place ----
# Every keep-th token is left out, wherever the text stands.


def learned(tokens, keep, before):
    return [t % keep != 0 for t in range(len(tokens))]


# ---- sees_itself ----


def learned(tokens, keep, before):
    return [t < before or sum(tokens[t - before + 1 : t + 1]) % keep != 0
            for t in range(len(tokens))]


# ---- inverted ----


def learned(tokens, keep, before):
    return [t >= before and sum(tokens[t - before : t]) % keep == 0 for t in range(len(tokens))]
