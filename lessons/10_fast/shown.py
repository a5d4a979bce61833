"""What lesson 10 shows of results.json: the tables of times and the figure of where they go."""

from minillm.course.demos import beside, values

demo = beside(__file__, "demo")
CORES = {"NumPy": "NumPy", "scan": "JAX, threads inside operations", "devices": "JAX, a device for each core"}


def times(x):
    """A ratio with two or three digits; 0 means that it was not there."""
    return "-" if not x else f"{x:,.0f}" if x >= 20 else f"{x:.1f}" if x >= 2 else f"{x:.2f}"


def tables(results):
    from rich.table import Table
    exact, found = values(results)
    race = Table("way", *exact["sizes"], title="Time of a training step, in steps of JAX with many steps a dispatch; " + ", ".join(
        f"{size}: {exact['parameters'][size]:,} parameters, {exact['tokens'][size]:,} tokens a step" for size in exact["sizes"]))
    for i, label in enumerate(demo.WAYS.values()):
        race.add_row(label, *(times(found[f"{size}_times"][i]) for size in exact["sizes"]))
    yield "race", race
    profile = Table("way", *(f"{what}, {size}" for size in exact["sizes"] for what in ("started", "starting", "products", "the rest")),
                    title="Where a step's time goes: how often something is started from Python; the shares of starting, of products of matrices, and of the rest")
    for i, (way, label) in enumerate(list(demo.WAYS.items())[:4]):
        cells = []
        for size in exact["sizes"]:
            starts, products = found[f"{size}_starts"][i], found[f"{size}_products"][i]
            count = found[f"{size}_operations"][i]
            if not found[f"{size}_times"][i]:
                cells += ["-"] * 4
                continue
            cells += [f"{count:,.0f}" if count >= 1 else f"1/{1 / count:.0f}", f"{starts:.1%}", f"{products:.1%}", f"{max(0, 1 - starts - products):.1%}"]
        profile.add_row(label, *cells)
    yield "profile", profile
    compiling = Table("compiling", *exact["sizes"], title="What the first call costs, in steps of JAX with many steps a dispatch")
    for i, way in enumerate(("jit", "scan", "torch compiled")):
        compiling.add_row(demo.WAYS[way], *(times(found[f"{size}_compiling"][i]) for size in exact["sizes"]))
    yield "compiling", compiling
    if "cores" in found:
        cores = Table("way", "times faster", title="The large step with two cores, against one")
        for label, gain in zip(CORES.values(), found["cores"]):
            cores.add_row(label, times(gain))
        yield "cores", cores
    numbers = Table("numbers", "bytes each", "matrix times matrix", "vector times matrix", title="Time of a product, in products of JAX in float32")
    for i, label in enumerate(demo.NUMBERS):
        numbers.add_row(label, str({"float64": 8, "float32": 4, "bfloat16": 2}[label.split(",")[0]]), *(times(row[i]) for row in found["number_times"]))
    yield "numbers", numbers


def figures(results, new):
    exact, found = values(results)
    figure, all_axes = new(7.2, 3.9, nrows=1, ncols=len(exact["sizes"]), sharey=True)
    for axes, size in zip(all_axes, exact["sizes"]):
        for i in range(4):
            if not found[f"{size}_times"][i]:
                continue
            starts = min(found[f"{size}_starts"][i], 1.0)
            products, left = min(found[f"{size}_products"][i], 1 - starts), 0.0
            for share, color, label in zip((starts, products, 1 - starts - products), new.ink["lines"], ("starting", "products of matrices", "the rest")):
                axes.barh(i, share, left=left, color=color, label=label if i == 0 else None)
                left += share
            axes.text(1.03, i, f"{times(found[f'{size}_times'][i])} x", va="center", fontsize=9)
        axes.set(title=size, xlim=(0, 1.25), xticks=[0, 0.5, 1], xticklabels=["0", "50%", "100%"])
        axes.set_yticks(range(4), [label.replace(", ", ",\n", 1) for label in list(demo.WAYS.values())[:4]], fontsize=8)
    all_axes[0].invert_yaxis()
    figure.legend(*all_axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=3, fontsize=9)
    yield ("profile", "Each way's step as a bar from 0 to 100%, split into starting, products and the rest, at two sizes; beside each bar how many times longer the step is "
           "than in the last way. In NumPy most is the rest; in JAX without compiling most is starting; compiled, starting is hardly to be seen, and products take the largest part "
           "of the large step.", figure)
