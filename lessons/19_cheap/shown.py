"""What lesson 19 shows: published energies, the speed of writing, attention's share."""

from minillm.course.demos import values

TWINS = {"numpy": "NumPy", "jax": "JAX"}
SIZES = ("15M", "42M", "110M")


def tables(results):
    from rich.table import Table
    exact, found = values(results)
    energy = Table("model", "GPU hours", "MWh", "published", "t CO2", "published",
                   "share of the peak", title="LLaMA's training, from its hours")
    for row in exact["published"]:
        energy.add_row(row["model"], f"{row['hours']:,d}", f"{row['mwh']:.1f}",
                       str(row["published_mwh"]), f"{row['tonnes']:.1f}",
                       str(row["published_tonnes"]), f"{row['sustained']:.0%}")
    yield "published", energy
    speed = Table("model", "MB of weights", "by memory alone", "predicted", "wrote", "off",
                  title="Tokens a second of one text")
    for twin, label in TWINS.items():
        for name in SIZES:
            of = f"{twin}_{name}"
            speed.add_row(f"{label}, {name}", f"{exact['models'][name]['bytes'] / 1e6:,.0f}",
                          *(f"{found[of + more]:,.0f}" for more in ("_bound", "_predicted", "")),
                          f"{found[of + '_off']:+.0%}")
    yield "writing", speed


def figures(results, new):
    exact, found = values(results)
    figure, axes = new(7.0, 3.2)
    contexts, shares = zip(*exact["share"])
    axes.plot(contexts, shares, "o-", color=new.ink["lines"][0])
    axes.set(xscale="log", xlabel="tokens in a row", ylabel="attention's share of the operations",
             ylim=(0, 1))
    axes.set_xticks(contexts, [f"{context:,d}" for context in contexts])
    axes.minorticks_off()
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0", "25%", "50%", "75%", "100%"])
    first, last = shares[0], shares[-1]
    yield ("attention", f"The share of a training's operations that attention takes, against the "
           f"length of the rows: {first:.0%} at {contexts[0]} tokens, {last:.0%} at "
           f"{contexts[-1]:,d}.", figure)

    figure, axes = new(7.0, 3.2)
    for i, (twin, label) in enumerate(TWINS.items()):
        left = [j + 0.4 * i for j in range(len(SIZES))]
        whole = [1000 / found[f"{twin}_{name}_predicted"] for name in SIZES]
        memory = [1000 / found[f"{twin}_{name}_bound"] for name in SIZES]
        axes.bar(left, memory, 0.34, color=new.ink["lines"][i], label=f"{label}: reading weights")
        axes.bar(left, [a - b for a, b in zip(whole, memory)], 0.34, bottom=memory, alpha=0.45,
                 color=new.ink["lines"][i], label=f"{label}: the rest of each layer")
        axes.plot(left, [1000 / found[f"{twin}_{name}"] for name in SIZES], "_", markersize=22,
                  markeredgewidth=2.5, color=new.ink["text"],
                  label="as written" if i else None)
    axes.set_xticks([j + 0.2 for j in range(len(SIZES))], SIZES)
    axes.set(ylabel="milliseconds a token")
    axes.legend(fontsize=8)
    yield ("writing", "Milliseconds a token of three sizes in both twins, as predicted: a part for "
           "reading the weights, which grows with the size, and a part for each layer's small "
           "operations; a mark shows what was measured.", figure)
