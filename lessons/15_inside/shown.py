"""What lesson 15 shows: the tables of heads and layers and the maps of one story."""

import numpy as np


def tables(results):
    from rich.table import Table
    exact = results["exact"]
    heads = Table("head", "looks at the name", "patched: comes back", "its control", "ablated: nats", "its control", "other tokens",
                  title=f"Every head, at the token before the name comes back; means of {exact['stories']} held-out stories (± standard error); "
                        f"an even look would give {exact['even']:.1%}")
    for h in range(exact["heads"]):
        at = {name: exact[name][0][h] for name in ("looks", "back", "back_control", "back_error", "ablated", "ablated_error", "ablated_control", "ablated_others")}
        heads.add_row(f"0.{h}", f"{at['looks']:.1%}", f"{at['back']:.3f} ± {at['back_error']:.3f}", f"{at['back_control']:+.3f}",
                      f"{at['ablated']:+.2f} ± {at['ablated_error']:.2f}", f"{at['ablated_control']:+.2f}", f"{at['ablated_others']:+.2f}")
    later = {name: max(max(row) for row in exact[name][1:]) for name in ("looks", "back", "back_control", "ablated", "ablated_control", "ablated_others")}
    heads.add_row(f"the other {(exact['layers'] - 1) * exact['heads']}, at most", f"{later['looks']:.1%}", f"{later['back']:.3f}",
                  f"{later['back_control']:+.3f}", f"{later['ablated']:+.2f}", f"{later['ablated_control']:+.2f}", f"{later['ablated_others']:+.2f}")
    yield "heads", heads
    lens = Table("read after", "p of the name", "name comes first", "p, without the final norm", "patched here, at the name", "at the last token", "elsewhere, most",
                 title=f"Layer by layer, means of {exact['stories']} stories")
    for n in range(exact["layers"] + 1):
        moved = [f"{exact[name][n]:.2f}" for name in ("at_name", "at_query", "at_others")] if n < exact["layers"] else ["-"] * 3
        lens.add_row("the embedding" if n == 0 else f"layer {n - 1}", f"{exact['lens_p'][n]:.3f}", f"{exact['lens_right'][n]:.0%}", f"{exact['lens_p_bare'][n]:.3f}", *moved)
    yield "layers", lens
    truth = Table("planted (tokens measured)", "looks most", "even", "from elsewhere", "taken out: nats", "on other tokens", "other heads",
                  title=f"Every planted relation ({exact['planted']['stories']} held-out stories, recorded): the head was chosen on one half, measured on the other")
    for row in exact["planted"]["rows"]:
        truth.add_row(f"{row['relation']} ({row['tokens']})", f"{row['head']}: {row['attention']:.1%}", f"{row['even']:.1%}", f"{row['attention_from_elsewhere']:.1%}",
                      f"{row['effect']:+.2f} ± {row['standard_error']:.2f}", f"{row['effect_on_other_tokens']:+.2f}", f"{row['effect_of_other_heads']:+.2f}")
    yield "truth", truth
    yield from real_tables(exact)


def real_tables(exact):
    """The same on a checkpoint that nobody planted anything in: the heads that bring back most, and those that look most."""
    from rich.table import Table
    real = exact["real"]
    back, looks = np.array(real["back"]), np.array(real["looks"])
    chosen = dict.fromkeys((*np.argsort(-back, axis=None)[:3].tolist(), *np.argsort(-looks, axis=None)[:4].tolist()))
    table = Table("head", "looks at the name", "patched: comes back", "its control", "ablated: nats", "its control", "induction score",
                  title=f"{real['name']}, {real['texts']} texts (recorded): the three heads that bring back most, and the four that look most; an even look would give {real['even']:.1%}, "
                        f"an even induction score {real['uniform']['induction']:.1%}")
    for i, h in (divmod(head, real["heads"]) for head in chosen):
        at = {name: real[name][i][h] for name in ("looks", "back", "back_error", "back_control", "ablated", "ablated_control", "induction")}
        table.add_row(f"{i}.{h}", f"{at['looks']:.1%}", f"{at['back']:.3f} ± {at['back_error']:.3f}", f"{at['back_control']:+.3f}", f"{at['ablated']:+.2f}",
                      f"{at['ablated_control']:+.2f}", f"{at['induction']:.1%}")
    yield "real", table
    layers = Table("read after", "p of the name", "name comes first", "patched here, at the name", "at the last token", title=f"{real['name']}, layer by layer (recorded)")
    for n in range(real["layers"] + 1):
        moved = [f"{real[name][n]:.2f}" for name in ("at_name", "at_query")] if n < real["layers"] else ["-"] * 2
        layers.add_row("the embedding" if n == 0 else f"layer {n - 1}", f"{real['lens_p'][n]:.3f}", f"{real['lens_right'][n]:.0%}", *moved)
    yield "real_layers", layers


def widgets(results):
    shown = results["exact"]["shown"]
    name, other = shown["names"]
    yield "lens", {"text": shown["text"]}
    short = shown["text"][shown["text"].rindex(". ", 0, shown["text"].index(name)) + 2:]
    yield "patching", {"clean": short, "corrupt": short.replace(name, other)}
    yield "live", {"prompt": shown["text"], "other": shown["text"].replace(name, other),
                   "empty": []}


def figures(results, new):
    exact, case = results["exact"], results["exact"]["shown"]
    ink = new.ink
    figure, axes = new(8.6, 3.0)
    p = np.array(case["lens_p"])
    image = axes.imshow(p, cmap="viridis", vmin=0, vmax=1, aspect="auto")
    for n, row in enumerate(case["lens_words"]):
        for t, word in enumerate(row):
            axes.text(t, n, word, ha="center", va="center", fontsize=7.5, color="#101418" if p[n, t] > 0.55 else "#ffffff")
    axes.set_xticks(range(p.shape[1]), case["words"][-p.shape[1]:], rotation=35, ha="right")
    axes.set_yticks(range(len(p)), ["embedding", *(f"after layer {i}" for i in range(len(p) - 1))])
    axes.set_xlabel("the text: what the model has read last")
    figure.colorbar(image, ax=axes, shrink=0.9, label="probability of that word")
    yield ("lens", "The logit lens over the last tokens of a story. Each cell is the word that the model would say next if it stopped there; brighter is surer. "
           "In the last row stand the model's own answers.", figure)

    figure, axes = new(8.6, 2.9)
    patched, words = np.array(case["patched"]), case["words"][case["begin"]:]
    image = axes.imshow(patched, cmap="viridis", vmin=0, vmax=1, aspect="auto")
    axes.set_xticks(range(len(words)), words, rotation=90, fontsize=7.5)
    for t in (case["name"] - case["begin"], len(words) - 1):
        axes.get_xticklabels()[t].set(color=ink["lines"][1], fontweight="bold")
    axes.set_yticks(range(len(patched)), [f"into layer {i}" for i in range(len(patched))])
    figure.colorbar(image, ax=axes, shrink=0.9, label="comes back")
    yield ("patched", f"The share of the difference between “{case['names'][0]}” and “{case['names'][1]}” that comes back when the stream of the clean run is put "
           "into one place of the corrupt run: all of it at the name before the first layer, nearly all at the last token from the next layer on, nothing elsewhere.", figure)

    figure, axes = new(8.6, 3.4, ncols=2, sharex=True)
    looks = np.array(exact["looks"]).ravel()
    names = [f"{i}.{h}" for i in range(exact["layers"]) for h in range(exact["heads"])]
    for axis, what, label in ((axes[0], "back", "patched: share that comes back"), (axes[1], "ablated", "ablated: nats")):
        values, control = np.array(exact[what]).ravel(), np.array(exact[f"{what}_control"]).ravel()
        axis.plot(looks, control, "x", color=ink["lines"][5], label="control: random vectors as long")
        axis.plot(looks, values, "o", color=ink["lines"][0], label="head")
        for at, value, name in zip(looks, values, names):
            if value > 0.08 * values.max() or at > 0.08:
                axis.annotate(name, (at, value), xytext=(5, 3), textcoords="offset points", fontsize=8.5)
        axis.set(xlabel="share of attention on the earlier name", ylabel=label)
        axis.grid(alpha=0.5)
    axes[0].legend(loc="upper left", fontsize=8.5)
    yield ("heads", "Every head: how much it looks at the earlier name, against how much of the name comes back when it alone is patched, and what is lost when it is "
           "taken out. The head that looks most also carries most, but others that look as much carry little. The controls lie near zero.", figure)

    figure, axes = new(8.6, 2.8)
    parts = case["parts"]
    labels = ["embedding", *(label for i in range(exact["layers"]) for label in (*(f"head {i}.{h}" for h in range(exact["heads"])), f"mlp {i}"))]
    values = [parts["part_embed"], *(value for i in range(exact["layers"]) for value in (*parts["part_head"][i], parts["part_mlp"][i]))]
    axes.bar(range(len(values)), values, color=[ink["lines"][1] if label[0] == "h" else ink["lines"][0] if label[0] == "m" else ink["lines"][5] for label in labels])
    axes.axhline(0, color=ink["text"], linewidth=0.6)
    axes.set_xticks(range(len(labels)), labels, rotation=90, fontsize=8)
    axes.set_ylabel("added to the logit")
    axes.grid(axis="y", alpha=0.5)
    yield ("parts", f"What each part of the model adds to logit({case['names'][0]}) minus logit({case['names'][1]}) in one story. The bars add up to the difference of the two logits.", figure)
