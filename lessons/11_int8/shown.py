"""What lesson 11 shows: errors, costs and published figures; the grid, and what a large input does to it."""

from minillm.course.demos import beside, read_results, unbroken, values
from minillm.course.lessons import lessons_folder

demo = beside(__file__, "demo")
SHORT = ("stories260K", "tiny")                                # models of the short table; the others are in a fold


def tables(results):
    yield from (tables_of_benchmarks if "models" in results["exact"] else tables_of_quick)(results)


def tables_of_quick(results):
    from rich.table import Table
    exact, found = values(results)
    wrong = Table("matrix", "largest / rms", "predicted", *demo.PER.values(),
                  title="Error of the matrices in percent of their size, by what shares a scale")
    for name, (crest, *parts) in zip(demo.MATRICES, found["errors"]):
        wrong.add_row(name, f"{crest:.1f}", f"{100 * crest / 127 / 12**0.5:.2f}", *(f"{part:.2f}" for part in parts))
    yield "errors", wrong
    cost = Table("", "bits per weight", "bytes", "loss", "KL", "same choice",
                 title=f"{exact['parameters']:,} parameters, {exact['tokens']:,} held-out tokens; loss: its change, nats a token")
    for name, size in exact["schemes"].items():
        row = found["costs"][demo.SCHEMES.index(name)] if name in demo.SCHEMES else None
        cost.add_row(unbroken(name), f"{size['bits_per_weight']:.2f}", f"{size['bytes']:,}",
                     *((unbroken(f"{row[0]:+.4f}±{row[1]:.4f}"), f"{row[2]:.5f}", f"{row[3]:.1%}") if row else ("-",) * 3))
    yield "costs", cost
    swept = Table("input 7 times", *demo.MENDS.values(), title="Change of the held-out loss, nats a token; weights and activations in int8")
    for i, factor in enumerate(exact["factors"]):
        swept.add_row(str(factor), *(f"{found[name][i]:+.4f}" for name in demo.MENDS))
    yield "planted", swept
    stay = Table("matrix", "percent of its inputs", title=f"What LLM.int8() leaves in float, input {demo.CHANNEL} times {exact['factors'][-1]}, "
                                                          f"threshold {exact['threshold']:g}; mean over the layers")
    for name, share in zip(demo.MATRICES[1:], found["llm_int8_kept"]):
        stay.add_row(name, f"{share:.1f}")
    yield "kept", stay


def megabytes(n):
    return f"{n / 1e6:.3f}"


def tables_of_benchmarks(results):
    from rich.table import Table
    models = results["exact"]["models"]
    yield "models", table_of_models(models, [name for name in models if name in SHORT])
    yield "more_models", table_of_models(models, [name for name in models if name not in SHORT])
    planted = Table("scheme, method", *models,
                    title="One input of every norm times 1024, undone in the matrices behind it: change of the loss, nats a token")
    for run in next(iter(models.values()))["planted"]:
        planted.add_row(unbroken(run.replace(" ", ", ")), *(f"{model['planted'][run]['difference']:+.4f}" for model in models.values()))
    yield "planted", planted
    decoding = results["exact"]["decoding"]
    yield "speed", table_of_speed(decoding, list(decoding)[-1:])
    yield "more_speed", table_of_speed(decoding, list(decoding)[:-1])
    others = Table("source", "model, text", "what is in 8 bits", "perplexity", "in 8 bits", "nats a token")
    for row in results["exact"]["published"]:
        others.add_row(row["source"], row["model"], row["scheme"], f"{row['before']:g}", f"{row['after']:,g}", f"{row['nats']:+.4f}")
    yield "published", others


def table_of_models(models, names):
    from rich.table import Table
    table = Table("", "bits per weight", "MB, memory", "MB, disk", "loss", "KL", "same choice", "tokens/s",
                  title="The row with a model's name: float32, loss in nats a token. Below: int8, change of the loss and its standard error. "
                        "Tokens a second: greedy decoding by JAX on two cores, the fastest of several short rounds")
    for name in names:
        model = models[name]
        for scheme, row in model["rows"].items():
            quality = ((f"{row['difference']:+.5f}±{row['standard_error']:.5f}", f"{row['kl']:.5f}", f"{row['agreement']:.1%}")
                       if "kl" in row else (f"{model['loss']:.5f}", "-", "-"))
            speed = row["tokens_per_second"]
            table.add_row(unbroken(name if scheme == "float32" else scheme.removeprefix("int8-")), f"{row['bits_per_weight']:.2f}", megabytes(row["memory"]),
                          megabytes(row["disk"]), *map(unbroken, quality), f"{speed:,.0f}" if speed else "-")
    return table


def table_of_speed(decoding, sizes):
    """Without four bits, which are lesson 12's."""
    from rich.table import Table
    speed = Table("shapes of", "contender", "tokens/s", "over its float32", "MB at most",
                  title="Decoding with random weights, one process each, medians of interleaved rounds; MB: all that the process held at its largest")
    for size in sizes:
        rows = {name: row for name, row in decoding[size].items() if "int4" not in name}
        for name, row in rows.items():
            base = rows.get(f"{name.split()[0]} float32", {}).get("tokens_per_second")
            speed.add_row(size, unbroken(name), f"{row['tokens_per_second']:,.0f}", f"{row['tokens_per_second'] / base:.2f}" if base else "",
                          f"{row['megabytes']:,.0f}" if row["megabytes"] else "")
    return speed


def widgets(results):
    shown = read_results(lessons_folder() / "15_inside")["exact"]["shown"]
    yield "rounding", {"text": shown["text"], "layer": 1, "matrix": "down_proj"}


def figures(results, new):
    if "models" in results["exact"]:
        return
    import numpy as np
    exact, found = values(results)
    figure, axes = new(7.0, 3.4, ncols=2)
    for axis, name, steps in zip(axes, ("whole", "middle"), (127, 4)):
        counts = found[name]
        axis.stairs(counts, np.linspace(-steps, steps, len(counts) + 1), fill=True, color=new.ink["lines"][0], alpha=0.8)
        axis.set(xlabel="weight, in steps of the grid", yticks=[])
    axes[0].set(title="all weights", xticks=[-127, -64, 0, 64, 127])
    axes[0].axvspan(-4, 4, color=new.ink["lines"][1], alpha=0.35, linewidth=0)
    axes[1].set(title="the narrow band, enlarged", xticks=range(-4, 5))
    for k in range(-4, 5):
        axes[1].axvline(k, color=new.ink["lines"][1], linewidth=1.2)
    yield ("grid", f"Histogram of {exact['shown']} from the grid's end to its end, with a bell of weights in the middle and few near "
           "the ends; and eight steps of it enlarged, where every weight moves to the nearest of the vertical lines.", figure)

    figure, axes = new(7.0, 3.2, ncols=3, sharey=True)
    for axis, (per, about), color in zip(axes, demo.PER.items(), new.ink["lines"]):
        counts = found[f"counts_{per}"]
        axis.stairs([100 * n / sum(counts) for n in counts], np.arange(-127.5, 128), fill=True, color=color)
        axis.set(title=f"{about}:\n{found[f'entropy_{per}']:.1f} of 8 bits", xlabel="integer", xticks=[-127, 0, 127], ylim=(0, None))
    axes[0].set_ylabel("percent of the weights")
    yield ("used", "How often each integer is used: with one scale for the tensor the integers crowd around zero, with a scale for each output they "
           "spread wider, with one for 32 numbers widest, with peaks at both ends, as every group has a number there.", figure)

    figure, axes = new(6.4, 3.8)
    for (name, about), marker in zip(demo.MENDS.items(), "osd"):
        axes.plot(exact["factors"], found[name], marker=marker, label=about)
    axes.set_xscale("log", base=2)
    axes.set_yscale("symlog", linthresh=0.01, linscale=0.6)
    axes.set(xlabel="one input of each norm times", ylabel="change of the loss, nats a token", xticks=exact["factors"],
             xticklabels=[str(factor) for factor in exact["factors"]], ylim=(-0.01, 10), yticks=[0, 0.01, 0.1, 1, 10],
             yticklabels=["0", "0.01", "0.1", "1", "10"])
    axes.axhline(0, color=new.ink["grid"], linewidth=1)
    axes.legend()
    yield ("planted", "Change of the loss as one input grows: with int8 and nothing else it climbs from nothing to several nats, with LLM.int8() and "
           "with SmoothQuant it stays at nothing.", figure)
