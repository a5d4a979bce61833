"""What lesson 17 shows: the curves of reward and truth, and what the models answer."""

from minillm.course.demos import values

TOKENS = (*"0123456789", "+", "=", "x", "?", "")
WAYS = {"first": "before", "truth": "graded by the truth", "proxy": "graded by the proxy",
        "leash": "the same, held by KL"}


def mean(curves):
    """The mean curve over seeds."""
    return [sum(points) / len(points) for points in zip(*curves)]


def spread(curves):
    """"mean (lowest to highest)" of the ends of curves."""
    ends = [curve[-1] for curve in curves]
    return f"{sum(ends) / len(ends):.0%} ({min(ends):.0%} to {max(ends):.0%})"


def tables(results):
    from rich.table import Table
    exact, found = values(results)
    ends = Table("model", "right", "a number", "right where the answer is ?",
                 "KL from the first, an answer",
                 title=f"After {exact['steps']} steps: mean of {exact['seeds']} seeds (lowest to "
                       "highest)")
    for way, label in WAYS.items():
        names = ("truth", "proxy", "honest")
        if way == "first":
            begun = [[[curve[0]] for curve in found[f"truth_{name}"]] for name in names]
            ends.add_row(label, *map(spread, begun), "0")
        else:
            kl = [curve[-1] for curve in found[f"{way}_kl"]]
            ends.add_row(label, *(spread(found[f"{way}_{name}"]) for name in names),
                         f"{sum(kl) / len(kl):.1f} nats")
    yield "ends", ends
    said = Table("model", *("3 + 4 =", "8 + 7 =", "5 + x ="),
                 title="The most probable answers, one for each seed")
    for way, label in WAYS.items():
        written = [["".join(TOKENS[token] for token in answer) for answer in some]
                   for some in found[f"{way}_written"]]
        said.add_row(label, *(", ".join(answers) for answers in zip(*written)))
    yield "answers", said


def figures(results, new):
    exact, found = values(results)
    steps = [exact["every"] * i for i in range(len(found["truth_truth"][0]))]
    figure, axes = new(7.0, 3.4, ncols=2, sharey=True)
    for part, way, title in zip(axes, ("truth", "proxy"), ("graded by the truth", "by the proxy")):
        for name, label, color in (("proxy", "contains a number", 1), ("truth", "is right", 0)):
            for curve in found[f"{way}_{name}"]:
                part.plot(steps, curve, color=new.ink["lines"][color], linewidth=0.7, alpha=0.5)
            part.plot(steps, mean(found[f"{way}_{name}"]), color=new.ink["lines"][color],
                      linewidth=2.2, label=label)
        part.set(title=title, xlabel="steps", ylim=(0, 1.03))
        part.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0", "25%", "50%", "75%", "100%"])
    axes[0].set_ylabel("share of the answers")
    axes[0].legend(loc="lower right", fontsize=9)
    yield ("hacking", "Two panels of curves over the steps of training. Graded by the truth, the "
           "share of right answers climbs from about a half to about four fifths, and the share "
           "that contain a number stays where the questions put it. Graded by the proxy, all "
           "answers soon contain a number, and the share of right ones falls far below where it "
           "began.", figure)

    figure, axes = new(7.0, 3.2)
    for way, label, color in (("truth", "graded by the truth", 0), ("proxy", "by the proxy", 1),
                              ("leash", f"by the proxy, beta = {exact['beta']}", 2)):
        axes.plot(mean(found[f"{way}_kl"]), mean(found[f"{way}_truth"]), "o-", markersize=3,
                  color=new.ink["lines"][color], label=label)
    axes.set(xlabel="KL from the first model, nats an answer", ylabel="right", ylim=(0, 1.03))
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0", "25%", "50%", "75%", "100%"])
    axes.legend(fontsize=9)
    yield ("distance", "The share of right answers against the distance from the first model. By "
           "the truth it climbs within a short distance. By the proxy it falls as the distance "
           "grows, and a KL term keeps the model nearer and its answers better.", figure)
