"""What lesson 08 shows of results.json: the tables of the run and its curves."""

from minillm.course.demos import beside, values

demo = beside(__file__, "demo")


def tables(results):
    from rich.table import Table
    exact, found = values(results)
    if "levels" in exact:
        yield from tables_of_the_run(Table, exact, found)
    else:
        yield from demo.beside("experiment").tables(exact, found)


def tables_of_the_run(Table, exact, found):
    levels = Table("model", "nats a token", "above the floor", title=f"{exact['held_out']:,} held-out stories")
    floor = exact["levels"]["floor"]
    for name, nats in {"a fair choice": exact["levels"]["uniform"], "bigram": exact["levels"]["bigram"], "5-gram": exact["levels"]["5-gram"],
                       "this model": found["loss"], "the floor": floor}.items():
        levels.add_row(name, f"{nats:.3f}", f"{nats / floor - 1:+.0%}")
    yield "levels", levels
    samples = Table("of the run", "loss", "what it writes", title="After the beginning-of-text token, always with the same random numbers")
    for (step, share), text in zip(demo.SAMPLED.items(), found["texts"]):
        loss = found["curve"][step] if step < exact["steps"] else found["loss"]
        samples.add_row(share, f"{loss:.2f}", "".join(sign if (sign := chr(number)).isprintable() else "\ufffd" for number in text))
    yield "samples", samples
    start = Table("how it starts", "variance of the logits", "logit of the token just read", "loss", title=f"Before the first step; ln {exact['vocabulary']:,} = {exact['levels']['uniform']:.2f}")
    for name, about in demo.STARTS.items():
        start.add_row(about, f"{found[f'variance_{name}']:.2f}", f"{found[f'own_{name}']:.2f}", f"{found[f'loss_{name}']:.2f}")
    yield "start", start
    forgotten = Table("forgotten", "loss of the next steps, against the run", "held-out loss at the end", title=f"Going on from step {exact['saved']}")
    for name, first, end in zip(demo.FORGOTTEN, found["forgotten_first"], found["forgotten_end"]):
        forgotten.add_row(name, f"{first:+.4f}", f"{end:.4f}")
    yield "forgotten", forgotten


def figures(results, new):
    exact, found = values(results)
    if "levels" in exact:
        yield from figures_of_the_run(exact, found, new)
    else:
        yield from demo.beside("experiment").figures(exact, found, new)


def figures_of_the_run(exact, found, new):
    lines = new.ink["lines"]
    figure, axes = new(7.0, 4.0)
    axes.plot(range(exact["steps"]), found["curve"], color=lines[5], linewidth=0.8, alpha=0.8, label="loss of each batch")
    axes.plot(exact["checked_at"], found["checked"], "o-", color=lines[0], label="held-out loss")
    for name, label, color in (("uniform", "a fair choice", lines[4]), ("bigram", "bigram", lines[2]), ("5-gram", "5-gram", lines[3]), ("floor", "the floor", lines[1])):
        axes.axhline(exact["levels"][name], color=color, linestyle="--", linewidth=1.5, label=f"{label}: {exact['levels'][name]:.2f}")
    axes.set(yscale="log", xlabel="step", ylabel="nats per token", xlim=(0, exact["steps"]), ylim=(0.7, 9))
    axes.set_yticks([0.7, 1, 1.5, 2, 3, 4, 6, 8], ["0.7", "1", "1.5", "2", "3", "4", "6", "8"])
    axes.minorticks_off()
    axes.legend(loc="upper right", bbox_to_anchor=(1.0, 0.93))
    yield ("curve", "The loss falls from a fair choice past the bigram and the 5-gram, steeply at first, and comes to rest somewhat above the floor; held-out "
           "loss and that of the batches stay together.", figure)

    figure, axes = new(7.0, 3.2)
    axes.plot(range(1, len(found["overfit"]) + 1), found["overfit"], color=lines[0], label="the same batch, again and again")
    axes.axhline(exact["memory_floor"], color=lines[1], linestyle="--", linewidth=1.5, label=f"what the best memory would lose: {exact['memory_floor']:.3f}")
    axes.set(yscale="log", xlabel="step", ylabel="nats per token", xlim=(0, len(found["overfit"])))
    axes.set_yticks([0.01, 0.1, 1, 10], ["0.01", "0.1", "1", "10"])
    axes.minorticks_off()
    axes.grid(axis="y", alpha=0.6)
    axes.legend()
    yield ("overfit", "On one batch the loss falls below a tenth within some dozen steps and comes to rest at what the best possible memory would lose.", figure)

    figure, axes = new(7.0, 3.4)
    begin = exact["saved"] - 200
    smooth = lambda values: [sum(values[max(0, i - 19): i + 1]) / len(values[max(0, i - 19): i + 1]) for i in range(len(values))]
    axes.plot(range(begin, exact["steps"]), smooth(found["curve"])[begin:], color=new.ink["text"], linewidth=3, alpha=0.45, label="the run, never stopped")
    for i, (name, losses) in enumerate(zip(demo.FORGOTTEN, found["forgotten_curves"])):
        values = smooth(found["curve"][: exact["saved"]] + losses)[exact["saved"]:]
        axes.plot(range(exact["saved"], exact["steps"]), values, color=lines[i], linestyle="-" if i else "--", label=f"{name} forgotten")
    axes.axvline(exact["saved"], color=new.ink["text"], linewidth=0.8)
    axes.set(xlabel="step", ylabel="nats per token, mean of 20 steps", xlim=(begin, exact["steps"]))
    axes.grid(alpha=0.6)
    axes.legend()
    yield ("resume", "The run that went on with nothing forgotten lies exactly on the one that was never stopped; with the step forgotten the loss jumps up "
           "and stays high; with the moments alone forgotten it hardly differs.", figure)
