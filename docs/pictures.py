"""The charts of the site that are no lesson's; drawings are in minillm/course/pictures/."""

import json
from pathlib import Path

RESULTS = Path(__file__).resolve().parents[1] / "benchmarks" / "results"

def reference_curves(results, new):
    """The bands of minillm/training/reference_curves.json (a figure, not a diagram: see minillm/course/demos.py)."""
    from minillm.training import curves
    figure, axes = new(7.0, 3.8)
    for (name, reference), colour in zip(curves.references().items(), new.ink["lines"]):
        seeds = [curves.of_record(record) for record in reference["seeds"].values()]
        count = min(len(seed.loss) for seed in seeds)
        mean, low, high = curves.band([seed.loss[:count] for seed in seeds])
        steps = seeds[0].steps[:count] + curves.EVERY / 2
        axes.fill_between(steps, low, high, color=colour, alpha=0.3, linewidth=0)
        axes.plot(steps, mean, color=colour, label=curves.seeds_of(reference))
    axes.set(xlabel="step", ylabel="loss (nats per token)", yscale="log")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter("{x:g}")
    axes.grid(alpha=0.6)
    axes.legend()
    yield ("reference-curves", "The reference curves with their bands: a fall in the first steps, a shoulder at the loss of a model that knows only how frequent "
           "each token is, a steep fall when it begins to use what came before, and a slow approach to the floor.", figure)


def path_of_a_model(results, new):
    """benchmarks/results/path_of_a_model.json: what a story costs at each station, and size against distance from the floor."""
    path = Path(__file__).resolve().parents[1] / "benchmarks" / "results" / "path_of_a_model.json"
    found = json.loads(path.read_text(encoding="utf-8"))
    models, floor = found["models"], found["floor"]
    figure, left = new(6.0, 2.9)
    costs = {"text, byte by byte": found["text"]["nats"], "tokens, all alike": found["tokens"]["nats"], **{name: model["nats"] for name, model in models.items()},
             "the floor": floor}
    order = ["text, byte by byte", "tokens, all alike", "teacher", "int8 teacher", "student", "int8 student", "the floor"]
    bars = left.barh(order[::-1], [costs[name] for name in order[::-1]], color=[new.ink["lines"][5]] + [new.ink["lines"][0]] * 4 + [new.ink["lines"][1]] * 2)
    left.bar_label(bars, [f"{costs[name]:,.0f}" for name in order[::-1]], padding=3, color=new.ink["text"], fontsize=9)
    left.set(xlabel="nats for one story", xlim=(0, 1.18 * max(costs.values())))
    yield ("path-costs", "Nats that one story costs, from its bytes over its tokens to the models, which are all close to "
           "the floor.", figure)

    figure, right = new(6.0, 3.4)
    stations = ["teacher", "int8 teacher", "student", "int8 student"]
    x, y = [models[name]["bytes"] / 1e6 for name in stations], [models[name]["above"] for name in stations]
    for name, at, up, error in zip(stations, x, y, [models[name]["standard_error"] for name in stations]):
        right.errorbar(at, up, yerr=2 * error, fmt="o", color=new.ink["lines"][0], capsize=3)
        right.annotate(name, (at, up), xytext=(0, 20 if "int8" not in name else -28), textcoords="offset points", ha="center", fontsize=9)
    for way in ((0, 1), (0, 2), (2, 3)):
        right.annotate("", (x[way[1]], y[way[1]]), (x[way[0]], y[way[0]]), arrowprops={"arrowstyle": "->", "color": new.ink["lines"][5], "shrinkA": 8, "shrinkB": 8})
    right.axhline(0, color=new.ink["text"], linewidth=0.8)
    right.text(0.16, 0.25, "the floor: no model is below", fontsize=9)
    right.set(xscale="log", xlim=(0.15, 6), ylim=(-0.4, 1.25 * max(y)), xlabel="megabytes on disk", ylabel="nats per story above the floor")
    right.set_xticks([0.2, 0.5, 1, 2, 4], ["0.2", "0.5", "1", "2", "4"])
    right.minorticks_off()
    right.grid(alpha=0.5)
    yield ("path-sizes", "Megabytes against nats above the floor, for teacher, int8 teacher, student and int8 student: "
           "int8 moves left and not up, the student moves left and up.", figure)


def rates_by_depth(results, new):
    """benchmarks/results/rate_transfer.json: loss against rate, a panel for each way."""
    found = json.loads((RESULTS / "rate_transfer.json").read_text(encoding="utf-8"))["found"]
    figure, panels = new(7.0, 5.6, nrows=2, ncols=2, sharex=True, sharey=True)
    for axes, (name, rows) in zip(panels.flat, found.items()):
        for colour, (depth, row) in zip(new.ink["lines"], rows.items()):
            points = [(float(rate), loss) for rate, loss in row["losses"].items() if loss]
            axes.plot(*zip(*points), "o-", color=colour, label=f"depth {depth}")
        axes.axvline(row["kept"], linestyle=":", color=new.ink["text"])
        axes.set(xscale="log", title=name, ylim=(1.05, 2.05))
        axes.set_xticks([0.25, 0.5, 1, 2, 4, 8], ["0.25", "0.5", "1", "2", "4", "8"])
        axes.minorticks_off()
        axes.grid(alpha=0.5)
    panels[0, 0].legend(fontsize=8)
    for axes in panels[1]:
        axes.set_xlabel("rates, in multiples of the default")
    for axes in panels[:, 0]:
        axes.set_ylabel("nats a token")
    yield ("rates-by-depth", "Held-out loss against the learning rate, a line for each depth of "
           "the dial, in four panels: Muon and AdamW, as they are and by muP; the best rate of the "
           "smallest depth is dotted. Losses above 2 are cut off.", figure)
