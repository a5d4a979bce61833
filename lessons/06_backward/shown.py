"""What lesson 06 shows: the tables of errors and losses, the drawing of a block and the curves."""

from minillm.course.demos import values


def tables(results):
    from rich.table import Table
    exact, found = values(results)
    made = Table("operation", "derivative of", "numbers", "two-sided difference", "complex step", "JAX", title="Largest relative error of the backward, in float64")
    for i, (op, argument, numbers) in enumerate(exact["ops"]):
        made.add_row(op, argument, str(numbers), *(f"{found[way][i]:.0e}" if found[way][i] else "0" for way in ("central", "complex", "jax")))
    yield "checks", made
    made = Table("parameter", "complex step", title="The whole model: largest relative error over the layers")
    for part, value in zip(exact["parts"], found["whole"]):
        made.add_row(part, f"{value:.0e}")
    yield "whole", made
    several = ("difference", "verdict") if exact["seeds"] > 1 else ()
    made = Table("the backward", "error", "cosine", "held-out loss", *(("lowest to highest",) if several else ()), *several,
                 title=f"{exact['tokens']:,} tokens each, {exact['seeds']} seed{'s' * (exact['seeds'] > 1)}")
    for i, name in enumerate(exact["wrong"]):
        losses, more = found["losses"][i], ()
        if several:
            verdict = "-" if not i else "no difference" if not found["clear"][i] else "worse" if found["differences"][i] > 0 else "better"
            more = (f"{min(losses):.2f} to {max(losses):.2f}", f"{found['differences'][i]:+.3f}" if i else "-", verdict)
        made.add_row(name, f"{found['errors'][i]:.3g}" if i else "0", f"{found['cosines'][i]:.3f}", f"{sum(losses) / len(losses):.3f}", *more)
    yield "wrong", made


LINES = (                                       # (what the forward makes, what the backward gets), from the first to the last
    ("norm", "n = rmsnorm(x)", "rmsnorm_backward"), ("q, k, v", "q, k, v = linear(n)", "linear_backward, three times"), ("turn", "q, k = rope(q), rope(k)", "rope_backward"),
    ("attend", "z = attend(q, k, v)", "attend_backward"), ("out", "a = linear(z)", "linear_backward"), ("sum", "mid = x + a", "dmid = dy + dmid"),
    ("norm", "n = rmsnorm(mid)", "rmsnorm_backward"), ("gate, up", "gate, up = linear(n)", "linear_backward, twice"), ("gated", "post = swiglu(gate, up)", "swiglu_backward"),
    ("down", "linear(post)", "linear_backward"), ("sum", "y = mid + linear(post)", "dy"))


def draw_block(axes, new):
    """Forward on the left, downwards; backward on the right, upwards; the residual paths beside the boxes."""
    text, (forth, back, *_) = new.ink["text"], new.ink["lines"]
    height, sums = len(LINES) + 1, [i for i, line in enumerate(LINES) if line[0] == "sum"]
    arrow = dict(arrowstyle="-|>", linewidth=1.3, shrinkA=0, shrinkB=0)

    def level(i):
        return height - 1.2 - i

    for side, color, column in ((0.0, forth, 1), (5.0, back, 2)):
        middle, edge, down = side + 1.9, side - 0.1 if column == 1 else side + 3.9, column == 1
        for i, line in enumerate(LINES):
            if line[0] != "sum":
                axes.text(middle, level(i), line[column], ha="center", va="center", fontsize=9, color=text,
                          bbox=dict(boxstyle="round,pad=0.3", facecolor="none", edgecolor=color))
        joints = zip((-0.78, sums[0] + 0.4), sums)                           # where x leaves the stream, and where the branch comes back
        circles = [(bottom if down else top, top if down else bottom) for top, bottom in joints]
        for at, other in circles:                                            # going back, the sum is where the paths had parted
            axes.text(middle, level(at), "+", ha="center", va="center", fontsize=9, color=text, bbox=dict(boxstyle="circle,pad=0.2", facecolor="none", edgecolor=color))
            axes.plot([middle], [level(other)], "o", color=color, markersize=4)
            inner = middle - 0.22 if down else middle + 0.22
            axes.plot([middle, edge, edge], [level(other), level(other), level(at)], color=color, linewidth=1.3, linestyle="--")
            axes.annotate("", (inner, level(at)), (edge, level(at)), arrowprops=dict(arrow, color=color, linestyle="--"))
        stops = sorted([*(i for i, line in enumerate(LINES) if line[0] != "sum"), *(at for at, _ in circles), -1.4, len(LINES) - 0.3])
        gaps = {at: 0.2 for at, _ in circles} | {-1.4: 0.0, len(LINES) - 0.3: 0.0}
        for a, b in zip(stops, stops[1:]):
            top, bottom = level(a) - gaps.get(a, 0.33), level(b) + gaps.get(b, 0.33)
            axes.annotate("", (middle, bottom if down else top), (middle, top if down else bottom), arrowprops=dict(arrow, color=color))
    for x, y, label in ((1.9, level(-1.65), "x"), (1.9, level(len(LINES) - 0.02), "y"), (6.9, level(-1.65), "dx"), (6.9, level(len(LINES) - 0.02), "dy")):
        axes.text(x, y, label, ha="center", va="center", fontsize=11, fontweight="bold", color=text)
    axes.text(1.9, height + 0.95, "forward, downwards", ha="center", color=forth)
    axes.text(6.9, height + 0.95, "backward, upwards", ha="center", color=back)
    for i, kept in ((0, "x"), (1, "n"), (2, "angles"), (3, "q, k, v"), (4, "z"), (6, "mid"), (7, "n"), (8, "gate, up"), (9, "post")):
        axes.annotate("", (5.35, level(i)), (3.65, level(i)), arrowprops=dict(arrow, color=text, alpha=0.35, linewidth=0.8))
        axes.text(4.5, level(i) + 0.22, kept, ha="center", va="center", fontsize=8, color=text)
    axes.set(xlim=(-0.4, 9.2), ylim=(-0.3, height + 1.3))
    axes.axis("off")


def figures(results, new):
    exact, found = values(results)
    colors = new.ink["lines"]
    figure, axes = new(7.0, 6.4)
    draw_block(axes, new)
    yield ("block", "The forward of a block on the left, top to bottom, and its backward on the right, bottom to top, box beside box; thin arrows carry what each forward step "
           "keeps to the backward step that needs it; dashed lines are the residual paths, where x goes two ways and two derivatives are added.", figure)

    figure, axes = new(7.0, 3.4)
    for name, way, marker, color in (("one-sided", "one_sided", "o", colors[0]), ("two-sided", "two_sided", "s", colors[1]), ("complex step", "imaginary", "^", colors[2])):
        axes.plot(exact["tried"], found[way], marker + "-", color=color, label=name, markersize=4)
    axes.set(xscale="log", yscale="log", xlabel="h: how far a number is moved", ylabel="relative error")
    axes.legend()
    axes.grid(alpha=0.5)
    yield ("distances", "Error of numerical derivatives against the distance h: one-sided and two-sided differences each make a V, too far on the right and too "
           "much rounding on the left, and never come below 1e-11; the complex step falls to 1e-16 and stays there.", figure)

    figure, axes = new(7.0, 4.2)
    for i, name in enumerate(exact["wrong"]):
        curve = found["curves"][i]
        axes.plot([(n + 0.5) * exact["steps"] / len(curve) for n in range(len(curve))], curve, color=new.ink["text"] if not i else colors[(i - 1) % len(colors)],
                  linewidth=2.4 if not i else 1.2, linestyle="-" if i <= len(colors) else "--", label=name)
    axes.set(xlabel="step", ylabel="training loss, nats per token")
    axes.legend(fontsize=8, ncols=2)
    axes.grid(alpha=0.5)
    yield ("wrong", "Training loss with the right backward, and with one mistake in it: the curves all fall, some nearly as fast as the right one.", figure)
