"""Lesson 07: five optimizers on one model, each with a learning rate searched for it alone; what happens when a part is left out."""

import json
import math
from dataclasses import replace
from pathlib import Path

from minillm.course.demos import beside, main, measured
from minillm.course.small_models import stories

HERE = Path(__file__).parent
QUICK, FULL, SEEDS = 100, 200, (0, 1, 2)             # steps of training; seeds of the full version
BATCH, CONTEXT, VOCABULARY, MEGABYTES = 8, 96, 512, 1.5
SIZES = dict(hidden_size=64, intermediate_size=176, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, head_dim=16,
             initializer_range=1 / 8)
BATCHES = 3                                          # of 32 rows: to choose the rate on, and as many others to report
WORST = 10.0                                         # a loss that is higher, or not a number, is written as this
ENOUGH = 4.3                                         # standard errors that make a difference: Student's t for 95% and three pairs
BASE = "AdamW"
OPTIMIZERS = {                                       # the rule, where its search begins (the rate is 2 to this), extra numbers a weight
    "SGD": (dict(move="sgd"), 2, 0), "momentum": (dict(move="momentum"), 1, 1), "Adam": (dict(move="adam"), -5, 2),
    BASE: (dict(move="adam", decay="outside"), -5, 2), "Muon": (dict(move="muon", decay="outside"), -3, 1)}
RACE = ("SGD", BASE, "Muon")                        # those that run without --full


def compute(console, full):
    import numpy as np
    rules = beside(__file__, "rules")
    steps, seeds = (FULL, SEEDS) if full else (QUICK, SEEDS[:1])
    data = stories(MEGABYTES, 0.2, VOCABULARY, CONTEXT, **SIZES)
    rows = [array[: 2 * BATCHES * 32].reshape(2, BATCHES, 32, CONTEXT) for array in data["rows"]]
    data["rows"] = dict(zip(("validation", "test"), zip(*rows)))
    kept = HERE / "runs.jsonl"
    lines = kept.read_text(encoding="utf-8").splitlines() if full and kept.exists() else []
    runs = {(row["name"], row["power"], row["seed"]): row for row in map(json.loads, lines)}    # --full goes on where it was stopped

    def run(name, power, seed):
        if (name, power, seed) not in runs:
            row = {"name": name, "power": power, "seed": seed, **one_run(rules, rule_of(rules, name), 2.0**power, data, steps, seed)}
            runs[name, power, seed] = row
            console.print(f"{name}, rate 2^{power}, seed {seed}: {row['validation']:.3f} nats a token")
            if full:
                with open(kept, "a", encoding="utf-8") as file:
                    file.write(json.dumps(row) + "\n")
        return runs[name, power, seed]

    found = {name: search(lambda power: [run(name, power, seed) for seed in seeds], OPTIMIZERS[name][1], 2 if full else 1)
             for name in (OPTIMIZERS if full else RACE)}
    parts = rules.PARTS if full else {}
    for name, (base, _) in parts.items():
        found[name] = search(lambda power: [run(name, power, seed) for seed in seeds], OPTIMIZERS[base][1] - 1, 1)
    exact = {"steps": steps, "tokens": steps * BATCH * CONTEXT, "seeds": len(seeds), "parameters": data["parameters"], "factor": ENOUGH,
             "optimizers": [name for name in found if name in OPTIMIZERS], "parts": [[name, base] for name, (base, _) in parts.items()],
             "valley": valley(), "hump": hump(), "left": left()}
    return {"exact": exact, "measured": summary(found, exact, np) | extremes(found, full)}


def rule_of(rules, name):
    if name in OPTIMIZERS:
        return rules.Rule(**OPTIMIZERS[name][0])
    base, change = rules.PARTS[name]
    return replace(rules.Rule(**OPTIMIZERS[base][0]), **change)


def search(run, start, beside):
    """{power of two: runs}: from three rates on, until the best by the mean over seeds has `beside` worse ones on either side."""
    found = {power: run(power) for power in (start - 1, start, start + 1)}
    while True:
        best = best_of(found)
        missing = [power for power in range(best - beside, best + beside + 1) if power not in found]
        if not missing:
            return dict(sorted(found.items()))
        found[missing[0]] = run(missing[0])


def best_of(found):
    """The power with the lowest mean loss on the rows that are there for choosing."""
    return min(found, key=lambda power: sum(row["validation"] for row in found[power]))


def summary(found, exact, np):
    """Of each rule: all rates and losses; of its best rate the losses on other rows, the curve, the norms."""
    best = {name: best_of(powers) for name, powers in found.items()}
    at_best = {name: powers[best[name]] for name, powers in found.items()}
    tested = np.array([[row["test"] for row in rows] for rows in at_best.values()])
    more = {}
    if tested.shape[1] > 1:
        names = list(found)
        base = [names.index(dict(exact["parts"]).get(name, BASE)) for name in names]
        pairs = tested - tested[base]                                # the same seed: the same beginning, the same batches
        differences, errors = pairs.mean(axis=1), pairs.std(axis=1, ddof=1) / pairs.shape[1] ** 0.5
        more = {"differences": measured(differences.tolist(), -5, 9.5), "errors": measured(errors.tolist(), 0, 5),
                "clear": measured([int(abs(difference) > ENOUGH * error) for difference, error in zip(differences, errors)], 0, 1)}
    runs = sum(len(rows) for powers in found.values() for rows in powers.values())
    return more | {
        "runs": measured(runs, 3, 1000), "powers": measured([list(powers) for powers in found.values()], -25, 15),
        "losses": measured([[[row["validation"] for row in rows] for rows in powers.values()] for powers in found.values()], 0.5, WORST),
        "best": measured([2.0**power for power in best.values()], 0, 1e4),
        "tested": measured(tested.tolist(), 0.5, WORST),
        "curves": measured([np.mean([row["curve"] for row in rows], axis=0).tolist() for rows in at_best.values()], 0.5, WORST),
        "clipped": measured([float(np.mean([row["clipped"] for row in rows])) for rows in at_best.values()], 0, 1),
        "sizes": measured([float(np.mean([row["size"] for row in rows])) for rows in at_best.values()], 0, 1e3),
        "wide": measured([wide(powers) for powers in found.values()], 1, 1e4)}


def wide(powers, within=0.5):
    """The ratio of the largest to the smallest rate tried whose loss is within so many nats of the best's."""
    means = {power: sum(row["validation"] for row in rows) / len(rows) for power, rows in powers.items()}
    good = [power for power, mean in means.items() if mean <= min(means.values()) + within]
    return 2.0 ** (max(good) - min(good))


def extremes(found, full):
    """The numbers that the text names, each with a band: losses of the optimizers, and in the full version of what was left out."""
    at = {name: sum(row["test"] for row in powers[best_of(powers)]) / len(powers[best_of(powers)]) for name, powers in found.items()}
    bands = {"SGD": (4.2, 5.4), BASE: (3.6, 4.8), "Muon": (2.8, 4.0)} if not full else {name: (1.0, 6.0) for name in at}
    return {name.lower().replace(" ", "_").replace(",", "").replace(".", "").replace("-", "_"): measured(loss, *bands[name]) for name, loss in at.items()}


# ---- The runs --------------------------------------------------------------------------------------------------

def one_run(rules, rule, rate, data, steps, seed):
    """Held-out losses after training at this rate, the curve of the training loss, and what was seen on the way."""
    import numpy as np

    from minillm.architecture.llama import init
    from minillm.architecture.tree import flatten
    from minillm.text.dataset import batch
    batches = [batch(data["tokens"], step, seed=seed, batch_size=BATCH, context=CONTEXT, starts=data["starts"]) for step in range(steps)]
    params, losses, norms = rules.train(init(data["config"], np.random.default_rng(seed)), *(np.stack(arrays) for arrays in zip(*batches)),
                                        rate, rule, data["config"])
    found = {name: number(rules.held_out_loss(params, *rows, data["config"])) for name, rows in data["rows"].items()}
    size = math.sqrt(sum(float(np.sum(np.square(np.asarray(w, np.float64)))) for w in flatten(params).values() if w.ndim == 2))
    return found | {"curve": [number(part) for part in np.asarray(losses).reshape(20, -1).mean(axis=1)],
                    "clipped": float(np.mean(~(np.asarray(norms) <= rules.MAX_NORM))), "size": min(size, 1e3) if size == size else 1e3}


def number(loss):
    return round(min(float(loss), WORST), 5) if math.isfinite(loss) else WORST


# ---- What needs no model ---------------------------------------------------------------------------------------------

STEEP, START, WALK = 25.0, (-9.0, 1.6), 40
WALKS = {"SGD": 0.07, "momentum": 0.02, "Adam": 0.6}


def valley():
    """{name: points}: three walks in the valley f(x, y) = (x^2 + 25 y^2) / 2."""
    walks = {}
    for name, rate in WALKS.items():
        at, mean, square = list(START), [0.0, 0.0], [0.0, 0.0]
        walks[name] = [list(at)]
        for t in range(1, WALK + 1):
            for i, g in enumerate((at[0], STEEP * at[1])):
                mean[i] = 0.9 * mean[i] + g * (0.1 if name == "Adam" else 1.0)
                square[i] = 0.99 * square[i] + 0.01 * g * g
                direction = g if name == "SGD" else mean[i] if name == "momentum" else (
                    mean[i] / (1 - 0.9**t) / (math.sqrt(square[i] / (1 - 0.99**t)) + 1e-8))
                at[i] -= rate * direction
            walks[name].append(list(at))
    return walks


def hump():
    """{beta2: lengths}: how long Adam's steps are without bias correction, in rates, when the gradient is always the same."""
    return {str(beta2): [(1 - 0.9**t) / math.sqrt(1 - beta2**t) for t in range(1, 201)] for beta2 in (0.99, 0.999)}


def left():
    """[[size of the gradient, left of a weight of 1 with decay outside, and inside]]: gradients of one size and alternating sign."""
    rate, decay, steps, rows = 0.01, 0.1, 100, []
    for size in (10.0, 1.0, 0.1, 0.01):
        row = [size]
        for inside in (False, True):
            ends = []
            for sign in (1, -1):                            # half of them begin with a gradient upwards, half downwards
                w, mean, square = 1.0, 0.0, 0.0
                for t in range(1, steps + 1):
                    g = sign * size * (-1) ** t + decay * w * inside
                    mean, square = 0.9 * mean + 0.1 * g, 0.99 * square + 0.01 * g * g
                    w -= rate * (mean / (1 - 0.9**t) / (math.sqrt(square / (1 - 0.99**t)) + 1e-8) + decay * w * (not inside))
                ends.append(w)
            row.append(sum(ends) / 2)
        rows.append(row)
    return rows


if __name__ == "__main__":
    main(globals())
