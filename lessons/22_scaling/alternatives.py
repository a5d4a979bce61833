"""Right answers written another way: each section replaces parts of solution.py."""


# ---- loops ----
# Run by run.


def parameters(V, d, f, layers):
    total = d
    for _ in range(layers):
        total += d * d * 4 + d * f * 3 + d + d
    return total


def objective(theta, N, D, loss, delta):
    total = 0.0
    for n, tokens, seen in zip(N, D, loss):
        L = np.exp(theta[0]) + np.exp(theta[1]) * n ** -theta[3]
        L += np.exp(theta[2]) * tokens ** -theta[4]
        r = abs(np.log(L / seen))
        total += r * r / 2 if r <= delta else delta * (r - delta / 2)
    return total


# ---- logs ----
# The solution in logarithms.


def usable(D, ends):
    return ~(D < ends) & ~(D > ends)


def frontier(theta, C):
    _, log_A, log_B, a, b = theta
    log_N = (np.log(a / b) + log_A - log_B + b * np.log(C / 6)) / (a + b)
    return np.array([np.exp(log_N), C / 6 / np.exp(log_N)])
