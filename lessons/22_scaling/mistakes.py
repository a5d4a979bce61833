"""Wrong answers, as small as they can be: each section replaces parts of solution.py."""


# ---- swapped-paper ----
FACTOR = 2.0


# ---- all_to_size ----
FACTOR = 8.0


# ---- embedding_counted ----


def parameters(V, d, f, layers):
    return V * d + layers * (4 * d * d + 3 * d * f + 2 * d) + d


# ---- unequal_schedules ----
# Every loss of one long run.


def usable(D, ends):
    return D <= ends


# ---- linear_space ----


def objective(theta, N, D, loss, delta):
    e, log_A, log_B, a, b = theta
    r = np.abs(np.exp(e) + np.exp(log_A) / N**a + np.exp(log_B) / D**b - loss)
    return np.where(r <= delta, r**2 / 2, delta * (r - delta / 2)).sum()


# ---- no_irreducible ----


def objective(theta, N, D, loss, delta):
    e, log_A, log_B, a, b = theta
    r = np.abs(np.log(np.exp(log_A) / N**a + np.exp(log_B) / D**b) - np.log(loss))
    return np.where(r <= delta, r**2 / 2, delta * (r - delta / 2)).sum()


# ---- plain_squares ----


def gradient(theta, N, D, loss, delta):
    e, log_A, log_B, a, b = theta
    terms = np.stack([np.exp(e) + 0 * N, np.exp(log_A) / N**a, np.exp(log_B) / D**b])
    L = terms.sum(axis=0)
    slopes = np.stack([*terms, -terms[1] * np.log(N), -terms[2] * np.log(D)]) / L
    return slopes @ (np.log(L) - np.log(loss))


# ---- not_divided ----


def gradient(theta, N, D, loss, delta):
    e, log_A, log_B, a, b = theta
    terms = np.stack([np.exp(e) + 0 * N, np.exp(log_A) / N**a, np.exp(log_B) / D**b])
    L = terms.sum(axis=0)
    slopes = np.stack([*terms, -terms[1] * np.log(N), -terms[2] * np.log(D)])
    return slopes @ np.clip(np.log(L) - np.log(loss), -delta, delta)


# ---- swapped ----


def frontier(theta, C):
    _, log_A, log_B, a, b = theta
    G = (a * np.exp(log_A) / (b * np.exp(log_B))) ** (1 / (a + b))
    return np.array([G * (C / 6) ** (a / (a + b)), (C / 6) ** (b / (a + b)) / G])


# ---- six_forgotten ----


def frontier(theta, C):
    _, log_A, log_B, a, b = theta
    G = (a * np.exp(log_A) / (b * np.exp(log_B))) ** (1 / (a + b))
    return np.array([G * C ** (b / (a + b)), C ** (a / (a + b)) / G])
