"""Wrong answers, as small as they can be: each section replaces parts of solution.py.

A section is named after the hint it must get; NAME-other is another way to the same hint.
"""


# ---- added ----
# Once more instead of once less.


def ablation(nats, stream, written, noise):
    random = noise * (np.linalg.norm(written, axis=1) / np.linalg.norm(noise, axis=1))[:, None]
    return nats(stream + written) - nats(stream), nats(stream + random) - nats(stream)


# ---- alias ----
# The array, not a copy.


def record(run):
    seen = {}
    run(lambda name, x: seen.setdefault(name, x))
    return seen


# ---- amount ----
# 0.2 * 12.
FROM_ANN = 2.4


# ---- attention_explains ----
# Where it looks is where it comes from.
FROM_ANN = 0.2


# ---- backwards-score ----
# The wrong run is changed; the share is the right formula.


def patching(score, clean, corrupt):
    low, high, back = score(corrupt), score(clean), []
    for t in range(len(clean)):
        patched = clean.copy()
        patched[t] = corrupt[t]
        back.append((score(patched) - low) / (high - low))
    return np.array(back)


# ---- backwards ----
# Breaks the clean run, and says how much broke.


def patching(score, clean, corrupt):
    high, gap, lost = score(clean), score(clean) - score(corrupt), []
    for t in range(len(clean)):
        broken = clean.copy()
        broken[t] = corrupt[t]
        lost.append((high - score(broken)) / gap)
    return np.array(lost)


# ---- eps_forgotten ----
# Without eps.


def lens(x, weight, head, eps):
    return x / np.sqrt(np.mean(x * x, axis=-1, keepdims=True)) * weight @ head


# ---- last_layer ----
# Names without their layer.


def record(run):
    seen = {}

    def tap(name, x):
        seen[name.rpartition(".")[2]] = x.copy()
        return x

    run(tap)
    return seen


# ---- left_out ----
# Ablation in place of attribution.


def attribution(parts, weight, head, token, eps):
    stream = parts.sum(axis=0)
    return np.array([(lens(stream, weight, head, eps) - lens(stream - part, weight, head, eps))[token] for part in parts])


# ---- length_not_rms-paper ----
# 30 by the root of 200.
FROM_HEAD = 2.12132


# ---- length_not_rms ----
# np.linalg.norm is not the root mean square.


def attribution(parts, weight, head, token, eps):
    return parts * weight @ head[:, token] / np.linalg.norm(parts.sum(0))


# ---- missing_share ----
# How far it still is to the clean run.


def patching(score, clean, corrupt):
    T, low, high = len(clean), score(corrupt), score(clean)
    return np.array([(high - score(np.where(np.arange(T)[:, None] == t, clean, corrupt))) / (high - low) for t in range(T)])


# ---- no_control ----
# The control is the run itself.


def ablation(nats, stream, written, noise):
    return nats(stream - written) - nats(stream), nats(stream) - nats(stream)


# ---- no_norm-paper ----
# (3, 4) . (2, 6).
FROM_HEAD = 30


# ---- no_norm-parts ----
# The parts meet the head as they are.


def attribution(parts, weight, head, token, eps):
    return np.array([part @ head[:, token] for part in parts])


# ---- no_norm-weight ----
# With the weight of the norm, but not divided by anything.


def lens(x, weight, head, eps):
    return (weight * x) @ head


# ---- no_norm ----
# Straight into the head.


def lens(x, weight, head, eps):
    return x @ head


# ---- no_root-paper ----
# 30 by 100.
FROM_HEAD = 0.3


# ---- no_root ----
# Divides by the mean square.


def attribution(parts, weight, head, token, eps):
    return parts * weight @ head[:, token] / (np.mean(parts.sum(0) ** 2) + eps)


# ---- no_weight-parts ----
# The same in the attribution.


def attribution(parts, weight, head, token, eps):
    return parts @ head[:, token] / np.sqrt((parts.sum(0) ** 2).mean() + eps)


# ---- no_weight ----
# The root mean square, and no weight.


def lens(x, weight, head, eps):
    return x / np.sqrt((x**2).mean(-1, keepdims=True) + eps) @ head


# ---- noise_unscaled ----
# The noise as it came.


def ablation(nats, stream, written, noise):
    return nats(stream - written) - nats(stream), nats(stream - noise) - nats(stream)


# ---- not_a_share ----
# The change of the score.


def patching(score, clean, corrupt):
    T = len(clean)
    return np.array([score(np.where(np.arange(T)[:, None] == t, clean, corrupt)) for t in range(T)]) - score(corrupt)


# ---- nothing_returned-copy ----
# Copies, and returns nothing.


def record(run):
    seen = {}

    def tap(name, x):
        seen[name] = x.copy()

    run(tap)
    return seen


# ---- nothing_returned ----
# Keeps it, and forgets that the run goes on with what comes back.


def record(run):
    seen = {}

    def tap(name, x):
        seen[name] = np.array(x)

    run(tap)
    return seen


# ---- of_clean_score ----
# As if the corrupt run's score were 0.


def patching(score, clean, corrupt):
    T = len(clean)
    return np.array([score(np.where(np.arange(T)[:, None] == t, clean, corrupt)) for t in range(T)]) / score(clean)


# ---- off_by_one-next ----
# Patches the token that is predicted from t.


def patching(score, clean, corrupt):
    low, high, back = score(corrupt), score(clean), []
    for t in range(len(clean)):
        patched = corrupt.copy()
        patched[t + 1 : t + 2] = clean[t + 1 : t + 2]
        back.append((score(patched) - low) / (high - low))
    return np.array(back)


# ---- off_by_one ----
# Counts without the token at the beginning: index -1 is the last.


def patching(score, clean, corrupt):
    low, high, back = score(corrupt), score(clean), []
    for t in range(len(clean)):
        patched = corrupt.copy()
        patched[t - 1] = clean[t - 1]
        back.append((score(patched) - low) / (high - low))
    return np.array(back)


# ---- one_length ----
# np.linalg.norm without an axis.


def ablation(nats, stream, written, noise):
    random = noise / np.linalg.norm(noise) * np.linalg.norm(written)
    return nats(stream - written) - nats(stream), nats(stream - random) - nats(stream)


# ---- one_rms-last ----
# The divisor of the last layer for all, as attribution would have it.


def lens(x, weight, head, eps):
    return weight * x / np.sqrt(np.mean(x[-1] ** 2) + eps) @ head


# ---- one_rms ----
# The mean over everything.


def lens(x, weight, head, eps):
    return x / np.sqrt(np.mean(x * x) + eps) * weight @ head


# ---- other_share ----
# 1.6 of 4.
FROM_ANN = 0.4


# ---- own_rms-paper ----
# 30 by the root of 12.5.
FROM_HEAD = 8.48528


# ---- own_rms ----
# Norms every part, then reads it.


def attribution(parts, weight, head, token, eps):
    return parts / np.sqrt(np.mean(parts * parts, axis=1, keepdims=True) + eps) * weight @ head[:, token]


# ---- piles_up ----
# One copy for all patches.


def patching(score, clean, corrupt):
    low, high, back, patched = score(corrupt), score(clean), [], corrupt.copy()
    for t in range(len(clean)):
        patched[t] = clean[t]
        back.append((score(patched) - low) / (high - low))
    return np.array(back)


# ---- pythagoras-paper ----
# 18.5 + 12.5 + 17 = 48.
FROM_HEAD = 4.33013


# ---- pythagoras ----
# Adds the mean squares of the parts.


def attribution(parts, weight, head, token, eps):
    return parts * weight @ head[:, token] / np.sqrt(np.sum(np.mean(parts * parts, axis=1)) + eps)


# ---- sign ----
# Before minus after.


def ablation(nats, stream, written, noise):
    random = noise * (np.linalg.norm(written, axis=1) / np.linalg.norm(noise, axis=1))[:, None]
    return nats(stream) - nats(stream - written), nats(stream) - nats(stream - random)


# ---- unit_noise ----
# A direction, and nothing more.


def ablation(nats, stream, written, noise):
    random = noise / np.linalg.norm(noise, axis=1, keepdims=True)
    return nats(stream - written) - nats(stream), nats(stream - random) - nats(stream)


# ---- values_alone ----
# 12 of 12 + 2.
FROM_ANN = 0.857143
