"""Lesson 08: what the runs of ablation.py show: differences, the ranking, and what minillm compare-curve says of broken runs."""

import json
from pathlib import Path

import numpy as np

from minillm.course.demos import measured
from minillm.course.lessons import load_module
from minillm.training import curves

HERE = Path(__file__).resolve().parent
ENOUGH = 3.0           # standard errors from which a difference is called one; many are looked at, so not 2
QUIET = ("no_weight_decay", "beta2", "z_loss", "no_clip", "no_warmup", "masked")       # what the page calls without effect, with the largest that was seen


def results(console, folder: Path) -> dict:
    """What results_full.json holds; does the runs that are not done yet."""
    variants, ablation = beside("variants"), beside("ablation")
    runs = ablation.all_runs(console, folder)
    larger = json.loads((HERE.parents[1] / "benchmarks" / "results" / "init_ablation.json").read_text(encoding="utf-8"))
    scale = {f"{text}_{name}": float(np.mean(larger[key][text])) for name, key in (("random", "random"), ("ours", "6 x transpose of v_proj"))
             for text in ("above_floor", "shakespeare")}
    scale["recipes"] = budget(larger["random"]["shakespeare"])
    parts = compared(variants, runs, ablation.SEEDS), broken(runs, ablation)
    return {"exact": parts[0][0] | parts[1][0] | {"larger": scale}, "measured": parts[0][1] | parts[1][1]}


def beside(name: str):
    """Another file of this lesson, as a module."""
    return load_module(HERE / f"{name}.py", name)


def budget(plain: list[float]) -> list[list]:
    """Recipes for nanoGPT's tokens of shakespeare: rows, steps, Muon's rate and momentum, losses of
    the seeds.

    `plain` are the losses of nanoGPT's batches, the others lines of benchmarks/shakespeare.py.
    """
    found = {(12, 2000, 0.02, 0.95): plain}
    file = HERE.parents[1] / "benchmarks" / "results" / "shakespeare.jsonl"
    for line in map(json.loads, file.read_text(encoding="utf-8").splitlines()):
        recipe = tuple(line["settings"].get(name, usual) for name, usual in
                       (("batch_size", 12), ("steps", 2000), ("muon_learning_rate", 0.02),
                        ("muon_momentum", 0.95)))
        found[recipe] = found.get(recipe, []) + line["losses"]
    return [[*recipe, losses] for recipe, losses in found.items()]


def compared(variants, runs: dict, seeds) -> tuple[dict, dict]:
    """Differences from minillm's recipe, seed by seed (same seed: same first numbers, same rows in the same order), on each text.

    What two runs share cancels in a difference. How far differences of one choice scatter is pooled over all choices: `spread` is
    the root of the mean of their variances, and a mean of n seeds has the standard error spread / sqrt(n).
    """
    exact = {"choices": {name: [choice, ours, other] for name, choice, ours, other, _ in variants.CHOICES}, "seeds": len(seeds), "factor": ENOUGH,
             "steps": variants.STEPS, "rows": variants.BATCH, "tokens": variants.STEPS * variants.BATCH * variants.CONTEXT, "texts": [], "used": len(runs),
             "number": len({choice for _, choice, *_ in variants.CHOICES}), "floor": runs["stories", "minillm", seeds[0]]["floor"], "others": len(variants.CHOICES)}
    found = {}
    for data in ("stories", "shakespeare"):
        if (data, "minillm", seeds[0]) not in runs:
            continue
        base = {seed: runs[data, "minillm", seed] for seed in seeds}
        differences = {name: [runs[data, name, seed]["loss"] - base[seed]["loss"] for seed in seeds if (data, name, seed) in runs] for name in exact["choices"]}
        differences = {name: np.array(values) for name, values in differences.items() if len(values) > 1}
        spread = float(np.sqrt(np.mean([np.var(values, ddof=1) for values in differences.values()])))
        exact["texts"].append(data)
        found |= {f"base_{data}": measured(float(np.mean([row["loss"] for row in base.values()])), 0.5, 4), f"spread_{data}": measured(spread, 0, 1),
                  f"error_{data}": measured(spread / len(seeds) ** 0.5, 0, 1), f"clipped_{data}": measured(float(np.mean([row["clipped"] for row in base.values()])), 0, 1)}
        for name, values in differences.items():
            found |= {f"{data}_{name}": measured(values.tolist(), -3, 3), f"{data}_{name}_mean": measured(float(values.mean()), -3, 3)}
        found[f"quiet_{data}"] = measured(max(float(np.max(np.abs(differences[name]))) for name in QUIET if name in differences), 0, 1)
    return exact, found


def broken(runs: dict, ablation) -> tuple[dict, dict]:
    """The first steps of minillm demo with one thing wrong each: losses, means of ten steps as minillm compare-curve takes them."""
    rows = [runs["demo", name, ablation.BROKEN_SEED] for name in ablation.BROKEN]
    return ({"broken": list(ablation.BROKEN), "broken_steps": ablation.BROKEN_STEPS, "broken_vocabulary": rows[0]["vocabulary"], "broken_floor": rows[0]["floor"]},
            {"broken_losses": measured([row["curve"] for row in rows], 0, 99), "broken_starts": measured([row["start"] for row in rows], 6, 9)})


def as_curve(exact, found, i: int):
    """One of the broken runs as minillm compare-curve reads it."""
    losses = np.array(found["broken_losses"][i])
    return curves.Curve(np.arange(len(losses)) * curves.EVERY, losses, {0: found["broken_starts"][i]}, exact["broken_floor"])


def ranked(exact, found) -> list[str]:
    """The names of the choices, the one whose other way costs most on stories first."""
    return sorted(exact["choices"], key=lambda name: -found[f"stories_{name}_mean"])


def verdict(exact, found, data: str, name: str) -> str:
    mean, error = found[f"{data}_{name}_mean"], found[f"spread_{data}"] / len(found[f"{data}_{name}"]) ** 0.5
    return "no clear difference" if abs(mean) <= exact["factor"] * error else "worse" if mean > 0 else "better"


def tables(exact, found):
    from rich.table import Table
    ranking = Table("choice: minillm's", "instead", *exact["texts"], title=f"Nats a token above minillm's recipe: mean, (lowest, highest) of {exact['seeds']} seeds; "
                    f"{exact['tokens']:,} tokens each")
    for name in ranked(exact, found):
        cells = []
        for data in exact["texts"]:
            values = found.get(f"{data}_{name}")
            cells.append("-" if values is None else f"{found[f'{data}_{name}_mean']:+.3f} ({min(values):+.3f}, {max(values):+.3f}) {verdict(exact, found, data, name)}")
        choice, ours, other = exact["choices"][name]
        ranking.add_row(f"{choice}: {ours}", other, *cells)
    yield "ranking", ranking
    recipes = Table("rows", "steps", "Muon's peak rate", "momentum", "seeds", "nats per character",
                    "against the first", title="Tiny shakespeare, 1,536,000 tokens, seeds paired")
    plain = exact["larger"]["recipes"][0][-1]
    for rows, steps, rate, momentum, losses in exact["larger"]["recipes"]:
        spread = f" ± {np.std(losses, ddof=1):.3f}" if len(losses) > 1 else ""
        less = np.mean(np.subtract(losses, plain[: len(losses)]))
        recipes.add_row(str(rows), f"{steps:,}", f"{rate:g}", f"{momentum:g}", str(len(losses)),
                        f"{np.mean(losses):.3f}{spread}", f"{less:+.3f}")
    yield "recipes", recipes
    normal = Table("what is wrong", "what minillm compare-curve says", title=f"The first {exact['broken_steps']} steps of minillm demo")
    for i, name in enumerate(exact["broken"]):
        lines, fine = curves.compare(as_curve(exact, found, i), curves.references()["demo"], exact["broken_vocabulary"])
        normal.add_row(name, "; ".join(line.strip() for line in lines[2:] if not line.startswith("held out")) + ("" if fine else ": not normal"))
    yield "normal", normal


def figures(exact, found, new):
    lines, names = new.ink["lines"], ranked(exact, found)
    figure, axes = new(7.0, 5.4)
    for place, (data, color) in enumerate(zip(exact["texts"], (lines[0], lines[1]))):
        wide = exact["factor"] * found[f"error_{data}"]
        axes.axvspan(-wide, wide, color=color, alpha=0.12, linewidth=0)
        for row, name in enumerate(names):
            values = found.get(f"{data}_{name}")
            if values is not None:
                height = row + 0.3 * place - 0.15
                axes.plot(values, [height] * len(values), ".", color=color, alpha=0.55)
                axes.plot(found[f"{data}_{name}_mean"], height, "|", color=color, markersize=11, markeredgewidth=2.2, label=data if not row else None)
    axes.axvline(0, color=new.ink["text"], linewidth=0.8)
    axes.set_yticks(range(len(names)), [f"{exact['choices'][name][0]}: {exact['choices'][name][2]}" for name in names])
    axes.invert_yaxis()
    everything = [value for data in exact["texts"] for name in names for value in found.get(f"{data}_{name}", [])]
    axes.set_xscale("symlog", linthresh=0.03)
    axes.set_xlim(1.5 * min(everything), 1.5 * max(everything))
    ticks = [tick for tick in (-0.3, -0.1, -0.03, -0.01, 0, 0.01, 0.03, 0.1, 0.3, 1) if axes.get_xlim()[0] < tick < axes.get_xlim()[1]]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    axes.set_xlabel("nats per token above minillm's recipe (worse to the right)", loc="right")
    axes.legend(loc="lower right")
    yield ("ranking", "Each choice made otherwise, ranked by what it costs on stories: dots are seeds, bars their means, the shaded bands what chance does alone. "
           "A few choices cost or gain much, most lie in or near the bands.", figure)

    figure, axes = new(7.0, 4.2)
    reference = curves.references()["demo"]
    count = exact["broken_steps"] // curves.EVERY
    mean, low, high = curves.band([curves.of_record(record).loss[:count] for record in reference["seeds"].values()])
    steps = [(i + 0.5) * curves.EVERY for i in range(count)]
    axes.fill_between(steps, low, high, color=new.ink["grid"], label=f"normal: {len(reference['seeds'])} seeds")
    for i, name in enumerate(exact["broken"]):
        axes.plot(steps, found["broken_losses"][i], color=lines[i], label=name)
    axes.axhline(exact["broken_floor"], color=new.ink["text"], linestyle="--", linewidth=1, label="the floor")
    axes.set(xlabel="step", ylabel="nats per token", xlim=(0, exact["broken_steps"]), ylim=(0, None))
    axes.grid(alpha=0.5)
    axes.legend(loc="lower center", bbox_to_anchor=(0.45, 1.0), ncols=3, fontsize=8)
    yield ("normal", "Losses of runs with one thing wrong, beside the band of normal ones: targets that are the inputs fall to zero, below the floor; targets shifted twice "
           "and rates that are wrong stay above the band.", figure)
