"""Wrong answers, as small as they can be: each section replaces parts of solution.py.

A section is named after the hint it must get; NAME-other is another way to the same hint.
"""


# ---- angle_from_D-frequencies ----
# Heads split as they should be, but frequencies made from the width of the model.


def rotate_heads(x, H, positions, theta):
    T, D = x.shape
    angle = (positions[:, None] * frequencies(D, theta)[: D // H // 2])[:, None]
    first, second = np.split(x.reshape(T, H, D // H), 2, axis=-1)
    turned = [first * np.cos(angle) - second * np.sin(angle), first * np.sin(angle) + second * np.cos(angle)]
    return np.concatenate(turned, axis=-1).reshape(T, D)


# ---- angle_from_D-paper ----
# 10000^(-6/8), the slowest pair of a head of 8.
FULL_TURN = 6283.2


# ---- angle_from_D ----
# The whole row turned as if it were one head.


def rotate_heads(x, H, positions, theta):
    return rotate(x, positions, theta)


# ---- clockwise ----
# The signs of the two sines exchanged.


def rotate(x, positions, theta):
    angle = positions[:, None] * frequencies(x.shape[1], theta)
    first, second = np.split(x, 2, axis=1)
    return np.concatenate([first * np.cos(angle) + second * np.sin(angle), second * np.cos(angle) - first * np.sin(angle)], axis=1)


# ---- one_further ----
# Positions counted from 1.


def rotate(x, positions, theta):
    angle = (positions[:, None] + 1) * frequencies(x.shape[1], theta)
    first, second = np.split(x, 2, axis=1)
    return np.concatenate([first * np.cos(angle) - second * np.sin(angle), first * np.sin(angle) + second * np.cos(angle)], axis=1)


# ---- first_is_one ----
# S tokens are kept, so the next one was taken to be number S + 1.


def go_on(q, k, v, old_k, old_v, theta):
    S, N = len(old_k), len(q)
    q = rotate(q, (S + 1 + np.arange(N)), theta)
    k = np.concatenate([old_k, rotate(k, (S + 1 + np.arange(N)), theta)])
    v = np.concatenate([old_v, v])
    scores = np.where(np.arange(S + N) <= (S + np.arange(N))[:, None], q @ k.T / np.sqrt(q.shape[1]), -np.inf)
    shares = np.exp(scores - scores.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True) @ v


def attention(q, k, v, theta):
    positions = np.arange(len(q))
    q, k = rotate(q, positions, theta), rotate(k, positions, theta)
    scores = np.where(np.tri(len(q), dtype=bool), q @ k.T / np.sqrt(q.shape[1]), -np.inf)
    shares = np.exp(scores - scores.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True) @ v


# ---- first_of_double ----
# The first ones of the longer list.


def slopes(H):
    below = 2 ** int(np.log2(H))
    first = 2.0 ** (-8 * np.arange(1, below + 1) / below)
    double = 2.0 ** (-8 * np.arange(1, 2 * below + 1) / (2 * below))
    return np.concatenate([first, double[: H - below]])


# ---- from_zero ----
# range(H) instead of range(1, H + 1).


def slopes(H):
    return 2.0 ** (-8 * np.arange(H) / H)


# ---- grows ----
# The minus forgotten.


def frequencies(E, theta):
    return theta ** (np.arange(0, E, 2) / E)


# ---- half_exponent-paper ----
# 10000^(-1/4) = 1/10.
FULL_TURN = 62.83


# ---- half_exponent ----
# The pair's number over E.


def frequencies(E, theta):
    return 1 / theta ** (np.arange(E // 2) / E)


# ---- interleaved ----
# The pairs of Meta's code: 2i and 2i + 1.


def rotate(x, positions, theta):
    angle = positions[:, None] * frequencies(x.shape[1], theta)
    even, odd = x[:, 0::2], x[:, 1::2]
    made = np.empty_like(x)
    made[:, 0::2] = even * np.cos(angle) - odd * np.sin(angle)
    made[:, 1::2] = even * np.sin(angle) + odd * np.cos(angle)
    return made


# ---- mask_restarts ----
# np.tri as in a whole text.


def go_on(q, k, v, old_k, old_v, theta):
    S, N = len(old_k), len(q)
    q = rotate(q, S + np.arange(N), theta)
    k = np.concatenate([old_k, rotate(k, S + np.arange(N), theta)])
    v = np.concatenate([old_v, v])
    scores = np.where(np.arange(S + N) <= np.arange(N)[:, None], q @ k.T / np.sqrt(q.shape[1]), -np.inf)
    shares = np.exp(scores - scores.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True) @ v


def attention(q, k, v, theta):
    positions = np.arange(len(q))
    q, k = rotate(q, positions, theta), rotate(k, positions, theta)
    scores = np.where(np.tri(len(q), dtype=bool), q @ k.T / np.sqrt(q.shape[1]), -np.inf)
    shares = np.exp(scores - scores.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True) @ v


# ---- not_turned ----
# Attention of lesson 03.


def attention(q, k, v, theta):
    positions = np.arange(len(q))
    q, k, v = q, k, v
    scores = np.where(np.tri(len(q), dtype=bool), q @ k.T / np.sqrt(q.shape[1]), -np.inf)
    shares = np.exp(scores - scores.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True) @ v


# ---- one_side-keys ----
# Keys turned, queries not.


def attention(q, k, v, theta):
    positions = np.arange(len(q))
    q, k, v = q, rotate(k, positions, theta), v
    scores = np.where(np.tri(len(q), dtype=bool), q @ k.T / np.sqrt(q.shape[1]), -np.inf)
    shares = np.exp(scores - scores.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True) @ v


# ---- one_side ----
# Queries turned, keys not.


def attention(q, k, v, theta):
    positions = np.arange(len(q))
    q, k, v = rotate(q, positions, theta), k, v
    scores = np.where(np.tri(len(q), dtype=bool), q @ k.T / np.sqrt(q.shape[1]), -np.inf)
    shares = np.exp(scores - scores.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True) @ v


# ---- one_speed ----
# The angle is the position.


def rotate(x, positions, theta):
    angle = positions[:, None]
    first, second = np.split(x, 2, axis=1)
    return np.concatenate([first * np.cos(angle) - second * np.sin(angle), first * np.sin(angle) + second * np.cos(angle)], axis=1)


# ---- power_of_two ----
# One formula for every H.


def slopes(H):
    return np.array([2 ** (-8 * h / H) for h in range(1, H + 1)])


# ---- radians_only ----
# One over the frequency.
FULL_TURN = 100


# ---- restarts ----
# Positions from 0 in every call.


def go_on(q, k, v, old_k, old_v, theta):
    S, N = len(old_k), len(q)
    q = rotate(q, np.arange(N), theta)
    k = np.concatenate([old_k, rotate(k, np.arange(N), theta)])
    v = np.concatenate([old_v, v])
    scores = np.where(np.arange(S + N) <= (S + np.arange(N))[:, None], q @ k.T / np.sqrt(q.shape[1]), -np.inf)
    shares = np.exp(scores - scores.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True) @ v


def attention(q, k, v, theta):
    positions = np.arange(len(q))
    q, k = rotate(q, positions, theta), rotate(k, positions, theta)
    scores = np.where(np.tri(len(q), dtype=bool), q @ k.T / np.sqrt(q.shape[1]), -np.inf)
    shares = np.exp(scores - scores.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True) @ v


# ---- second_of_double ----
# Every other slope, from the wrong one on.


def slopes(H):
    below = 2 ** int(np.log2(H))
    first = 2.0 ** (-8 * np.arange(1, below + 1) / below)
    double = 2.0 ** (-8 * np.arange(1, 2 * below + 1) / (2 * below))
    return np.concatenate([first, double[1::2][: H - below]])


# ---- sorted ----
# Steepest head first.


def slopes(H):
    below = 2 ** int(np.log2(H))
    first = 2.0 ** (-8 * np.arange(1, below + 1) / below)
    double = 2.0 ** (-8 * np.arange(1, 2 * below + 1) / (2 * below))
    return np.sort(np.concatenate([first, double[::2][: H - below]]))[::-1]


# ---- turned_twice ----
# All keys, old and new, are turned by their positions.


def go_on(q, k, v, old_k, old_v, theta):
    S, N = len(old_k), len(q)
    q = rotate(q, S + np.arange(N), theta)
    k = np.concatenate([rotate(old_k, np.arange(S), theta), rotate(k, S + np.arange(N), theta)])
    v = np.concatenate([old_v, v])
    scores = np.where(np.arange(S + N) <= (S + np.arange(N))[:, None], q @ k.T / np.sqrt(q.shape[1]), -np.inf)
    shares = np.exp(scores - scores.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True) @ v


def attention(q, k, v, theta):
    positions = np.arange(len(q))
    q, k = rotate(q, positions, theta), rotate(k, positions, theta)
    scores = np.where(np.tri(len(q), dtype=bool), q @ k.T / np.sqrt(q.shape[1]), -np.inf)
    shares = np.exp(scores - scores.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True) @ v


# ---- turned_v-go_on ----
# New values are turned like new keys.


def go_on(q, k, v, old_k, old_v, theta):
    S, N = len(old_k), len(q)
    q = rotate(q, S + np.arange(N), theta)
    k = np.concatenate([old_k, rotate(k, S + np.arange(N), theta)])
    v = np.concatenate([old_v, rotate(v, S + np.arange(N), theta)])
    scores = np.where(np.arange(S + N) <= (S + np.arange(N))[:, None], q @ k.T / np.sqrt(q.shape[1]), -np.inf)
    shares = np.exp(scores - scores.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True) @ v


def attention(q, k, v, theta):
    positions = np.arange(len(q))
    q, k = rotate(q, positions, theta), rotate(k, positions, theta)
    scores = np.where(np.tri(len(q), dtype=bool), q @ k.T / np.sqrt(q.shape[1]), -np.inf)
    shares = np.exp(scores - scores.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True) @ v


# ---- turned_v ----
# All three are turned.


def attention(q, k, v, theta):
    positions = np.arange(len(q))
    q, k, v = rotate(q, positions, theta), rotate(k, positions, theta), rotate(v, positions, theta)
    scores = np.where(np.tri(len(q), dtype=bool), q @ k.T / np.sqrt(q.shape[1]), -np.inf)
    shares = np.exp(scores - scores.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True) @ v
