"""Lesson 13: what a teacher says that a text does not; two directions of KL; the honest table of what distillation is worth."""

from collections import Counter

import numpy as np

from minillm.course.demos import beside, main, measured

SEED, MEGABYTES = 0, 2.5
HUMPS = ((0.6, -2.0, 0.7), (0.4, 2.5, 0.7))                               # share, centre, width
TOKENS, RANK, GREAT_RANK, GREAT_TEXT = 48, 6, 24, 100_000                 # the small language; sizes of student and teacher
TEXTS, SEEDS, STEPS, RATE, EVERY = (100, 300, 1000, 3000, 10_000, 30_000), (0, 1, 2), 400, 0.04, 20
WAYS = {"data": "the text", "soft": "the teacher, KL(p ‖ q)", "reverse": "the teacher, KL(q ‖ p)"}

def compute(console, full):
    if full:
        return {"exact": beside(__file__, "experiment").results(), "measured": {}}
    exact = {"humps": {name: best_hump(name) for name in ("forward_kl", "reverse_kl")}, "line": line().tolist(),
             "teacher_density": density(teacher_logits()).tolist(), **beginnings()}
    return {"exact": exact | {"texts": TEXTS, "seeds": len(SEEDS), "tokens": TOKENS, "rank": RANK, "great_text": GREAT_TEXT, "steps": STEPS},
            "measured": small_language(console)}


# ---- Two humps ----------------------------------------------------------------------------------------------

def line():
    return np.linspace(-6, 6, 121)


def teacher_logits():
    """log p at the points of the line, two humps."""
    return np.log(sum(share * np.exp(-0.5 * ((line() - centre) / width) ** 2) / width for share, centre, width in HUMPS))


def student_logits(centre, width):
    """A student that has one hump only."""
    return -0.5 * ((line() - centre) / width) ** 2


def density(logits):
    p = np.exp(logits - logits.max())
    return p / p.sum() / (line()[1] - line()[0])


def best_hump(name):
    """The lowest end of gradient descent from five starts, by a loss and a backward of minillm/in_numpy/distill.py."""
    ends = [fit(name, start) for start in np.linspace(-4, 4, 5)]
    return min(ends, key=lambda end: end[name]) | {"ends": [round(end["centre"], 1) + 0.0 for end in ends]}


def fit(name, centre, width=1.0, steps=1500, rate=0.1):
    from minillm.in_numpy import distill
    p, targets, x = teacher_logits()[None, None], np.zeros((1, 1), int), line()
    for _ in range(steps):
        slope = getattr(distill, f"{name}_backward")(1.0, student_logits(centre, width)[None, None], p, targets, 1.0)[0, 0]
        move, stretch = np.sum(slope * (x - centre) / width**2), np.sum(slope * ((x - centre) / width) ** 2)
        centre, width = centre - rate * move, width * np.exp(-rate * stretch)
    q = student_logits(centre, width)[None, None]
    empty = density(teacher_logits()) < 0.05 * density(teacher_logits()).max()
    return {"centre": round(float(centre), 3), "width": round(float(width), 3),
            **{kl: round(float(getattr(distill, kl)(q, p, targets, 1.0)), 3) for kl in ("forward_kl", "reverse_kl")},
            "nowhere": round(float(density(q[0, 0])[empty].sum() * (x[1] - x[0])), 3), "density": [round(float(d), 4) for d in density(q[0, 0])]}


# ---- What a teacher says ---------------------------------------------------------------------------------------

def beginnings():
    """How paragraphs begin: what one story has, and what someone says who has counted many, at three temperatures."""
    from minillm.text.storyworld import corpus
    texts = corpus(SEED, "train", int(MEGABYTES * 1e6))
    counts = Counter(paragraph.split()[0].strip('"') for text in texts for paragraph in text.split("\n\n")[1:])
    words = sorted(counts, key=lambda word: (-counts[word], word))
    logits = np.log([counts[word] for word in words])
    shares = {str(t): np.exp(logits / t - np.logaddexp.reduce(logits / t))[:6].tolist() for t in (1, 2, 4)}
    return {"stories": len(texts), "words": words[:6], "different": len(words), "shares": shares,
            "one_story": texts[SEED].split("\n\n")[1].split()[0].strip('"')}


# ---- A small language whose truth is known ------------------------------------------------------------------------

def small_language(console):
    """Students that read texts of several lengths, by three ways to learn; nats a token above the truth's own entropy."""
    from minillm.in_numpy.ops import log_softmax
    rng = np.random.default_rng(SEED)
    log_truth = log_softmax(2.4 * rng.standard_normal((TOKENS, 8)) @ rng.standard_normal((8, TOKENS)) / 8**0.5 + 0.5 * rng.standard_normal((TOKENS, TOKENS)))
    truth = np.exp(log_truth)
    often = np.linalg.matrix_power(truth, 200)[0]                          # how often each token is met in a long text

    def lost(log_q):
        return float(np.sum(often[:, None] * truth * (log_truth - log_q)))

    counts = text_of(truth, often, GREAT_TEXT, np.random.default_rng([SEED, GREAT_TEXT]))
    teacher, _ = learn(*shares_of(counts), "forward_kl", GREAT_RANK, 99, lost)
    best, _ = learn(log_truth, often, "forward_kl", RANK, 98, lost)
    found = {"floor": measured(float(-np.sum(often[:, None] * truth * log_truth)), 1, 3.5), "teacher": measured(lost(teacher), 0.005, 0.1),
             "best_student": measured(lost(best), 0.02, 0.2)}
    lines = {f"{way}_{when}": [] for way in WAYS for when in ("end", "best", "backward")}
    for n in TEXTS:
        for seed in SEEDS:
            log_p, weights = shares_of(text_of(truth, often, n, np.random.default_rng([seed, n, 1])))
            for way in WAYS:
                log_q, curve = learn(log_p if way == "data" else teacher, weights, "reverse_kl" if way == "reverse" else "forward_kl", RANK, seed, lost)
                backward = float(np.sum(often[:, None] * np.exp(log_q) * (log_q - teacher)))
                for when, value in (("end", curve[-1]), ("best", min(curve)), ("backward", backward)):
                    lines[f"{way}_{when}"].append(value)
        console.print(f"{n:6,} tokens of text: " + ", ".join(f"{label} {np.mean(lines[f'{way}_end'][-len(SEEDS):]):.2f}" for way, label in WAYS.items()))
    for name in ("data_end", "data_best", "soft_end"):
        found[f"{name}_shortest"] = measured(float(np.mean(lines[name][: len(SEEDS)])), 0.05, 12)
    for name, values in lines.items():
        found[name] = measured(np.reshape(values, (len(TEXTS), len(SEEDS))).tolist(), 0.02, 12 if name.startswith("data") else 2.5)
    return found


def text_of(truth, often, length, rng):
    """How often each token follows each, in a text of the small language."""
    counts, token, upto = np.zeros_like(truth), rng.choice(len(often), p=often / often.sum()), truth.cumsum(axis=1)
    for coin in rng.random(length):
        after = min(int(np.searchsorted(upto[token], coin)), len(often) - 1)
        counts[token, after] += 1
        token = after
    return counts


def shares_of(counts):
    """(log p of what follows each token, share of the text that each token has). What never followed has a log of -1e9."""
    rows = counts.sum(axis=1, keepdims=True)
    return np.log(np.maximum(counts / np.maximum(rows, 1), 1e-300)), rows[:, 0] / rows.sum()


def learn(log_p, weights, loss, rank, seed, lost):
    """(log q, curve): the logits of q are a product of two thin matrices and a bias, fitted by Adam. Hard targets are a log p that was counted."""
    from minillm.in_numpy import distill
    rng, V, targets = np.random.default_rng([seed, rank]), len(log_p), np.zeros((1, len(log_p)), int)
    parts = [0.3 * rng.standard_normal((V, rank)), 0.3 * rng.standard_normal((rank, V)), np.zeros(V)]
    means, squares, curve = [0 * x for x in parts], [0 * x for x in parts], []
    for step in range(1, STEPS + 1):
        logits = parts[0] @ parts[1] + parts[2]
        if step % EVERY == 1:
            curve.append(lost(distill.log_softmax(logits)))
        slope = V * weights[:, None] * getattr(distill, f"{loss}_backward")(1.0, logits[None], log_p[None], targets, 1.0)[0]
        for i, grad in enumerate((slope @ parts[1].T, parts[0].T @ slope, slope.sum(axis=0))):
            means[i], squares[i] = 0.9 * means[i] + 0.1 * grad, 0.99 * squares[i] + 0.01 * grad**2
            parts[i] = parts[i] - RATE * means[i] / (1 - 0.9**step) / (np.sqrt(squares[i] / (1 - 0.99**step)) + 1e-8)
    log_q = distill.log_softmax(parts[0] @ parts[1] + parts[2])
    return log_q, [*curve, lost(log_q)]


if __name__ == "__main__":
    main(globals())
