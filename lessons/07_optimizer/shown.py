"""What lesson 07 shows: the tables of optimizers and the figures of rates, curves and walks."""

from minillm.course.demos import beside, values

demo = beside(__file__, "demo")


def rate_text(rate):
    return f"{rate:.3g}" if rate < 10 else f"{rate:.0f}"


def row_of(i, exact, found):
    """rate, loss, and with several seeds their range, the difference and a verdict."""
    losses = found["tested"][i]
    row = [rate_text(found["best"][i]), f"{sum(losses) / len(losses):.3f}"]
    if exact["seeds"] > 1:
        clear, difference = found["clear"][i], found["differences"][i]
        row += [f"{min(losses):.2f} to {max(losses):.2f}", f"{difference:+.3f} ± {found['errors'][i]:.3f}",
                "no difference" if not clear else "better" if difference < 0 else "worse"]
    return row


def tables(results):
    from rich.table import Table
    exact, found = values(results)
    several = ("lowest to highest", "against AdamW", "verdict") if exact["seeds"] > 1 else ()
    title = f"{exact['tokens']:,} tokens each, {exact['seeds']} seed{'s' * (exact['seeds'] > 1)}"
    made = Table("optimizer", "best rate", "held-out loss", *several, "rates within 0.5 nats", "kept a weight", title=title)
    for i, name in enumerate(exact["optimizers"]):
        row = row_of(i, exact, found)
        if several and name == demo.BASE:
            row[-2:] = ["-", "-"]
        made.add_row(name, *row, f"{found['wide'][i]:.0f}-fold", str(demo.OPTIMIZERS[name][2]))
    yield "optimizers", made
    if exact["parts"]:
        made = Table("changed", "in", "best rate", "held-out loss", "lowest to highest", "difference", "verdict", title=title)
        for i, (name, base) in enumerate(exact["parts"], start=len(exact["optimizers"])):
            made.add_row(name, base, *row_of(i, exact, found))
        yield "parts", made
    made = Table("size of the gradient", "left, decay outside (AdamW)", "left, decay inside", title="A weight that begins at 1, after 100 steps")
    for size, outside, inside in exact["left"]:
        made.add_row(f"{size:g}", f"{outside:.3f}", f"{inside:.3f}")
    yield "decay", made


def figures(results, new):
    exact, found = values(results)
    colors = new.ink["lines"]
    figure, axes = new(7.0, 3.9)
    for i, name in enumerate(exact["optimizers"]):
        means = [sum(losses) / len(losses) for losses in found["losses"][i]]
        axes.plot([2.0**power for power in found["powers"][i]], means, "o-", color=colors[i], label=name, markersize=4)
    axes.set(xscale="log", xlabel="peak learning rate", ylabel="held-out loss, nats per token", ylim=(None, 6.6))
    axes.legend()
    axes.grid(alpha=0.5)
    yield ("rates", "Held-out loss against the learning rate, one curve for each optimizer: each is a valley with its floor at another rate, SGD's more "
           "than a hundred times as high as Adam's; the floors of Adam, AdamW and Muon lie far below those of SGD and momentum.", figure)

    figure, axes = new(7.0, 3.6)
    for i, name in enumerate(exact["optimizers"]):
        curve = found["curves"][i]
        axes.plot([(n + 0.5) * exact["steps"] / len(curve) for n in range(len(curve))], curve, color=colors[i], label=name)
    axes.set(xlabel="step", ylabel="training loss, nats per token")
    axes.legend()
    axes.grid(alpha=0.5)
    yield "curves", "Training loss against the step, each optimizer at its best rate: SGD stays highest, Muon and Adam fall fastest.", figure

    figure, axes = new(7.0, 5.2, nrows=3, sharex=True)
    xs, ys = [x / 10 for x in range(-100, 31)], [y / 20 for y in range(-40, 41)]
    heights = [[(x * x + demo.STEEP * y * y) / 2 for x in xs] for y in ys]
    for axis, (name, walk), color in zip(axes, exact["valley"].items(), colors):
        axis.contour(xs, ys, heights, levels=[0.5, 3, 8, 18, 32, 50], colors=[new.ink["text"]], alpha=0.35, linewidths=0.8)
        axis.plot([x for x, _ in walk], [y for _, y in walk], "o-", color=color, markersize=3, linewidth=1.2)
        axis.plot([0], [0], "+", color=new.ink["text"], markersize=12)
        axis.set(title=f"{name}, rate {demo.WALKS[name]}", ylim=(-2, 2), xlim=(-10, 3))
    yield ("valley", "Three walks of forty steps down one long valley: SGD jumps from wall to wall and creeps along the floor; momentum swings and then runs down "
           "the floor; Adam goes across the walls and along the floor at the same speed.", figure)

    figure, axes = new(7.0, 3.2)
    for (beta2, lengths), color in zip(exact["hump"].items(), colors):
        axes.plot(range(1, len(lengths) + 1), lengths, color=color, label=f"beta2 = {beta2}")
    axes.axhline(1.0, color=new.ink["text"], linewidth=0.8, linestyle=":")
    axes.set(xlabel="step", ylabel="length of a step, in rates", ylim=(0, None))
    axes.legend()
    yield ("hump", "Without bias correction the steps of Adam are too long at first: with beta2 0.99 up to twice, with 0.999 more than six times as long as the "
           "rate, and hundreds of steps later still too long.", figure)
