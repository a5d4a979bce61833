"""What lesson 21 shows: exposure and extraction by the number of copies, and what remedies cost."""

from math import log2

from minillm.course.demos import values

WAYS = {"small": "small model", "large": "large model", "once": "large, copies removed",
        "gaps": "large, gaps in the loss"}


def flat(runs, place):
    """The numbers of all seeds at one count."""
    return [number for run in runs for number in run[place]]


def tables(results):
    from rich.table import Table

    from minillm.inspection.scoring import mean_interval, share_interval
    exact, found = values(results)
    told = Table("copies", *WAYS.values(), title=f"Secrets that are the model's first guess of "
                 f"{exact['possible']}: share of {exact['asked']}, 95% interval")
    bits = Table("copies", *WAYS.values(), title=f"Exposure in bits, mean of {exact['asked']} "
                 "secrets and 95% interval")
    for place, count in enumerate(exact["counts"]):
        shares = [share_interval(int(sum(some)), len(some)) for some in
                  (flat(found[f"{way}_first"], place) for way in WAYS)]
        told.add_row(str(count), *(f"{share:.0%} ({low:.0%} to {high:.0%})"
                                   for share, low, high in shares))
        means = [mean_interval(flat(found[f"{way}_exposure"], place)) for way in WAYS]
        bits.add_row(str(count), *(f"{middle:.1f} ± {half:.1f}" for middle, half in means))
    yield "told", told
    yield "bits", bits
    price = Table("model", "nats a token on other stories", "more than without the remedy",
                  title=f"The price: mean of {exact['seeds']} seeds (lowest to highest)")
    for way, label in WAYS.items():
        held = found[f"{way}_held"]
        more = [a - b for a, b in zip(held, found["large_held"])]
        price.add_row(label, f"{sum(held) / len(held):.3f} ({min(held):.3f} to {max(held):.3f})",
                      f"{sum(more) / len(more):+.3f} ({min(more):+.3f} to {max(more):+.3f})"
                      if way in ("once", "gaps") else "")
    yield "price", price


def figures(results, new):
    from minillm.inspection.scoring import mean_interval
    exact, found = values(results)
    figure, axes = new(7.0, 3.4)
    places = range(len(exact["counts"]))
    for i, (way, label) in enumerate(WAYS.items()):
        means = [mean_interval(flat(found[f"{way}_exposure"], place)) for place in places]
        axes.errorbar([place + 0.06 * (i - 1.5) for place in places], [a for a, _ in means],
                      [b for _, b in means], marker="o", markersize=4, capsize=2,
                      color=new.ink["lines"][i], label=label)
    axes.axhline(log2(exact["possible"]), color=new.ink["text"], linewidth=0.8, linestyle=":")
    axes.axhline(log2(2.718281828), color=new.ink["text"], linewidth=0.8, linestyle=":")
    axes.text(0, log2(exact["possible"]) - 0.55, "first guess", fontsize=9)
    axes.text(len(places) - 1.0, 0.75, "chance", fontsize=9)
    axes.set(xlabel="copies of the secret in the training text", ylabel="exposure, bits",
             ylim=(0, 10.6))
    axes.set_xticks(list(places), [str(count) for count in exact["counts"]])
    axes.legend(fontsize=9, loc="center left")
    yield ("exposure", "Exposure in bits against the number of copies of a secret, with 95% "
           "intervals, for a small and a large model and for the large one with two remedies. Two "
           "dotted lines show what chance gives and what a secret has that is the first guess.",
           figure)
