"""What lesson 18 shows: measured log-odds against planted ones, and remedies with their price."""

from minillm.course.demos import values

MENDS = {"none": "as trained", "augmented": "trained on swapped stories",
         "erased": "erased everywhere", "erased_first": "erased up to the first pronoun",
         "random_erased": "a random direction erased", "steered": "steered",
         "random_steered": "steered at random"}


def mean(numbers):
    return sum(numbers) / len(numbers)


def spread(numbers, form):
    """"mean (lowest to highest)" of the seeds."""
    return f"{mean(numbers):{form}} ({min(numbers):{form}} to {max(numbers):{form}})"


def slopes(found, mend, at=0):
    """(slope, low, high) of each seed; at=1: of the intercept, 2: of the correlation."""
    return [line[at] for line in found[f"{mend}_line"]]


def tables(results):
    from rich.table import Table
    exact, found = values(results)
    table = Table("seed", "slope", "95%", "intercept", "correlation", "R²",
                  title=f"{len(exact['jobs'])} occupations, {exact['templates']} templates: "
                        "log-odds of the model on planted ones")
    for seed, (slope, shift, like) in enumerate(found["none_line"]):
        table.add_row(str(seed), f"{slope[0]:.2f}", f"{slope[1]:.2f} to {slope[2]:.2f}",
                      f"{shift[0]:+.2f}", f"{like[0]:.2f}", f"{like[0] ** 2:.2f}")
    yield "calibration", table
    table = Table("remedy", "slope", "95%, mean of the seeds' ends", "intercept", "nats a text",
                  "right pronoun",
                  title=f"Mean of {exact['seeds']} seeds (lowest to highest)")
    for mend, label in MENDS.items():
        lines = slopes(found, mend)
        price = [a - b for a, b in zip(found[f"{mend}_loss"], found["none_loss"])]
        table.add_row(label, spread([line[0] for line in lines], "+.2f"),
                      f"{mean([line[1] for line in lines]):+.2f} to "
                      f"{mean([line[2] for line in lines]):+.2f}",
                      f"{mean([line[0] for line in slopes(found, mend, 1)]):+.2f}",
                      f"{mean(found['none_loss']):.2f}" if mend == "none"
                      else spread(price, "+.2f"), spread(found[f"{mend}_right"], ".1%"))
    yield "mends", table
    table = Table("probe", "balanced accuracy on unseen occupations",
                  title="\"Mostly she?\" read off the last residual stream by a line")
    for name, label in (("before", "as trained"), ("after", "after erasing"),
                        ("control", "control task: rates dealt out at random")):
        table.add_row(label, spread(found[f"probe_{name}"], ".0%"))
    yield "probes", table


def figures(results, new):
    exact, found = values(results)
    figure, axes = new(7.0, 4.2)
    for mend, label, color in (("none", "as trained", 0),
                               ("augmented", "trained on swapped stories", 1),
                               ("erased_first", "erased up to the first pronoun", 2)):
        odds = list(zip(*found[f"{mend}_odds"]))
        middle = [mean(one) for one in odds]
        axes.errorbar(exact["truth"], middle,
                      [[m - min(one) for m, one in zip(middle, odds)],
                       [max(one) - m for m, one in zip(middle, odds)]], fmt="o", markersize=4,
                      linewidth=0.9, color=new.ink["lines"][color], label=label)
    ends = [min(exact["truth"]), max(exact["truth"])]
    axes.plot(ends, ends, linestyle="--", linewidth=1, color=new.ink["text"], label="the truth")
    axes.set(xlabel="planted log-odds of she", ylabel="log-odds of the model")
    axes.legend(fontsize=9)
    yield ("calibration", "The model's log-odds of she against the planted ones, one point an "
           "occupation, with bars from the lowest to the highest of the seeds, and a dashed line "
           "where both agree. Points of the model as trained are spread along a rising line; those "
           "of the two mended ones lie near a level one.", figure)
    figure, axes = new(7.0, 3.6)
    for at, mend in enumerate(MENDS):
        for line, nudge in zip(slopes(found, mend), (-0.2, 0, 0.2)):
            axes.errorbar(line[0], at + nudge, xerr=[[line[0] - line[1]], [line[2] - line[0]]],
                          fmt="o", markersize=4, color=new.ink["lines"][at % 3])
    axes.axvline(0, color=new.ink["text"], linewidth=0.8)
    axes.axvline(1, color=new.ink["text"], linewidth=0.8, linestyle="--")
    axes.set_yticks(range(len(MENDS)), list(MENDS.values()))
    axes.invert_yaxis()
    axes.set(xlabel="slope, with its 95% interval; dashed: the truth")
    yield ("slopes", "For each remedy, the slope of three models with its interval. Training on "
           "swapped stories and erasing bring it near 0. Steering and both random controls leave "
           "it where it was.", figure)
