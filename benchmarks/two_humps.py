"""Forward and reverse KL on a distribution with two humps, learned by a student that has only one: a figure.

    python benchmarks/two_humps.py [--json FILE] [--figure FILE.png]

The teacher p has two humps on a line of 401 points; the student q is one Gaussian of free centre and width. Gradient descent
from nine starts with the losses and backwards of minillm/in_numpy/distill.py; the best end of each is drawn. KL(p || q) makes q cover both humps, and put
much where p has nothing; KL(q || p) makes it choose one. A few seconds.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from minillm.in_numpy import distill

LINE = np.linspace(-6, 6, 401)
HUMPS = ((0.6, -2.0, 0.7), (0.4, 2.5, 0.7))                         # share, centre, width
STARTS = [(centre, 1.0) for centre in np.linspace(-4, 4, 9)]     # the student's first centres and widths


def teacher():
    """log p at the points of the line."""
    p = sum(share * np.exp(-0.5 * ((LINE - centre) / width) ** 2) / width for share, centre, width in HUMPS)
    return np.log(p / p.sum())[None, None]


def student(centre, width):
    """The logits of q: a Gaussian."""
    return (-0.5 * ((LINE - centre) / width) ** 2)[None, None]


def best(name: str) -> dict:
    """The end of lowest loss among those from all starts, and all ends."""
    ends = [fit(name, *start) for start in STARTS]
    return min(ends, key=lambda end: end[name]) | {"all_centres": [round(end["centre"], 3) for end in ends],
                                                   "all_losses": [round(end[name], 4) for end in ends]}


def fit(name: str, centre: float, width: float, steps: int = 2000, rate: float = 0.05) -> dict:
    """Descend one of the two losses; the chain rule from logits to centre and width is written out."""
    targets, p = np.zeros((1, 1), int), teacher()
    for _ in range(steps):
        dlogits = getattr(distill, f"{name}_backward")(1.0, student(centre, width), p, targets, 1.0)[0, 0]
        away = LINE - centre
        centre = centre - rate * np.sum(dlogits * away / width**2)
        width = width * np.exp(-rate * np.sum(dlogits * away**2 / width**2))           # d logits / d log width
    q = student(centre, width)
    mass, log_p = np.exp(distill.log_softmax(q))[0, 0], p[0, 0]
    rare = log_p < np.log(0.05) + log_p.max()                    # where the teacher is below a twentieth of its peak
    return {"centre": float(centre), "width": float(width), "forward_kl": float(distill.forward_kl(q, p, targets, 1.0)),
            "reverse_kl": float(distill.reverse_kl(q, p, targets, 1.0)), "where_p_has_little": float(mass[rare].sum())}


def draw(results: dict, path: Path):
    import matplotlib
    matplotlib.use("Agg")
    from matplotlib import pyplot
    figure, axes = pyplot.subplots(figsize=(8, 4), layout="constrained")
    step = LINE[1] - LINE[0]
    axes.fill_between(LINE, np.exp(teacher()[0, 0]) / step, color="#d8dee6", label="teacher p")
    for (name, found), color, words in zip(results.items(), ("#1f4e8c", "#b3402a"), (
            "forward KL(p || q): covers both humps", "reverse KL(q || p): chooses one")):
        q = np.exp(distill.log_softmax(student(found["centre"], found["width"])))[0, 0]
        axes.plot(LINE, q / step, color=color, linewidth=2, label=f"q by {words}")
    axes.set(xlabel="x", ylabel="density", xlim=(LINE[0], LINE[-1]), ylim=(0, None))
    axes.legend(frameon=False)
    figure.savefig(path, dpi=130)
    pyplot.close(figure)


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--json", help="write the results there")
    options.add_argument("--figure", help="draw them there")
    options = options.parse_args()
    results = {name: best(name) for name in ("forward_kl", "reverse_kl")}
    for name, found in results.items():
        print(name, json.dumps(found))
    if options.json:
        Path(options.json).write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    if options.figure:
        draw(results, Path(options.figure))


if __name__ == "__main__":
    main()
