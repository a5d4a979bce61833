"""Wrong answers, as small as they can be: each section replaces parts of solution.py.

A section is named after the hint it must get; NAME-other is another way to the same hint.
"""


# ---- no_neutral ----
LEAN = 0.6931


# ---- differences-paper ----
LEAN = 0.05


# ---- bits ----
LEAN = 2.0


# ---- one_template ----


def log_odds(she, he):
    return np.log(she[:, 0]) - np.log(he[:, 0])


# ---- one_template-claimed ----


def claimed(she, he, least):
    return she[:, 0] + he[:, 0] >= least


# ---- two_words ----


def claimed(she, he, least):
    both = she + he
    return (she / both + he / both).mean(axis=1) >= least


# ---- two_words-share ----


def log_odds(she, he):
    return (she / (she + he)).mean(axis=1)


# ---- pooled ----


def log_odds(she, he):
    return np.log(she.mean(axis=1)) - np.log(he.mean(axis=1))


# ---- differences ----


def log_odds(she, he):
    return (she - he).mean(axis=1)


# ---- turned ----


def log_odds(she, he):
    return (np.log(he) - np.log(she)).mean(axis=1)


# ---- any_template ----


def claimed(she, he, least):
    return (she + he).max(axis=1) >= least


# ---- each_pronoun ----


def claimed(she, he, least):
    return (she.mean(axis=1) >= least) & (he.mean(axis=1) >= least)


# ---- no_spread ----


def interval(x, y, picks):
    return slope(x, y), slope(x, y)


# ---- torn_apart ----


def interval(x, y, picks):
    return tuple(np.quantile([slope(x, y[pick]) for pick in picks], [0.025, 0.975]))


# ---- extremes ----


def interval(x, y, picks):
    slopes = [slope(x[pick], y[pick]) for pick in picks]
    return min(slopes), max(slopes)


# ---- ninety ----


def interval(x, y, picks):
    slopes = [slope(x[pick], y[pick]) for pick in picks]
    return tuple(np.quantile(slopes, [0.05, 0.95]))


# ---- through_zero ----


def interval(x, y, picks):
    slopes = [x[pick] @ y[pick] / (x[pick] @ x[pick]) for pick in picks]
    return tuple(np.quantile(slopes, [0.025, 0.975]))


# ---- uphill ----


def probe(x, labels, rate, steps):
    weight, bias = np.zeros(x.shape[1]), 0.0
    for _ in range(steps):
        error = 1 / (1 + np.exp(-(x @ weight + bias))) - labels
        weight, bias = weight + rate * x.T @ error / len(x), bias + rate * error.mean()
    return weight, bias


# ---- summed ----


def probe(x, labels, rate, steps):
    weight, bias = np.zeros(x.shape[1]), 0.0
    for _ in range(steps):
        error = 1 / (1 + np.exp(-(x @ weight + bias))) - labels
        weight, bias = weight - rate * x.T @ error, bias - rate * error.sum()
    return weight, bias


# ---- squared ----


def probe(x, labels, rate, steps):
    weight, bias = np.zeros(x.shape[1]), 0.0
    for _ in range(steps):
        p = 1 / (1 + np.exp(-(x @ weight + bias)))
        error = (p - labels) * p * (1 - p)
        weight, bias = weight - rate * x.T @ error / len(x), bias - rate * error.mean()
    return weight, bias


# ---- straight ----


def probe(x, labels, rate, steps):
    weight, bias = np.zeros(x.shape[1]), 0.0
    for _ in range(steps):
        error = x @ weight + bias - labels
        weight, bias = weight - rate * x.T @ error / len(x), bias - rate * error.mean()
    return weight, bias


# ---- no_bias ----


def probe(x, labels, rate, steps):
    weight = np.zeros(x.shape[1])
    for _ in range(steps):
        error = 1 / (1 + np.exp(-(x @ weight))) - labels
        weight = weight - rate * x.T @ error / len(x)
    return weight, 0.0


# ---- test_set ----


def erase(x, labels, fitted):
    everything = np.ones(len(x), bool)
    mean, z = x[everything].mean(axis=0), labels - labels.mean()
    seen = x - mean
    covariance, c = seen.T @ seen / len(seen), seen.T @ z / len(seen)
    back = np.linalg.solve(covariance, c)
    return x - np.outer((x - mean) @ back, c) / (c @ back)


# ---- at_right_angles ----


def erase(x, labels, fitted):
    mean, z = x[fitted].mean(axis=0), labels[fitted] - labels[fitted].mean()
    c = (x[fitted] - mean).T @ z
    return x - np.outer((x - mean) @ c, c) / (c @ c)


# ---- mean_forgotten ----


def erase(x, labels, fitted):
    mean, z = x[fitted].mean(axis=0), labels[fitted] - labels[fitted].mean()
    seen = x[fitted] - mean
    covariance, c = seen.T @ seen / len(seen), seen.T @ z / len(seen)
    back = np.linalg.solve(covariance, c)
    return x - np.outer(x @ back, c) / (c @ back)


# ---- mean_lost ----


def erase(x, labels, fitted):
    mean, z = x[fitted].mean(axis=0), labels[fitted] - labels[fitted].mean()
    seen = x[fitted] - mean
    covariance, c = seen.T @ seen / len(seen), seen.T @ z / len(seen)
    back = np.linalg.solve(covariance, c)
    return x - mean - np.outer((x - mean) @ back, c) / (c @ back)
