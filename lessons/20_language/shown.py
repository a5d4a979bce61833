"""What lesson 20 shows: what ten languages pay, and how far from the floor Vekari is learned."""

from minillm.course.demos import values

KINDS = {"english": "of English", "all": "of all ten", "alpha 1": "alpha 1", "alpha 0.7": "0.7",
         "alpha 0.3": "0.3", "alpha 0": "0"}
WAYS = {"scratch": "from scratch, own vocabulary", "continued": "from English, its vocabulary",
        "extended": "from English, vocabulary extended"}


def mean(numbers):
    return sum(numbers) / len(numbers)


def spread(numbers):
    """"mean (lowest to highest)", or the number alone."""
    if len(numbers) == 1:
        return f"{numbers[0]:.2f}"
    return f"{mean(numbers):.2f} ({min(numbers):.2f} to {max(numbers):.2f})"


def tables(results):
    from rich.table import Table
    exact, found = values(results)
    spoken = Table("language", "bytes", *KINDS.values(),
                   title=f"Tokens of one sentence, by vocabularies of {exact['size']} tokens")
    for name, row in exact["languages"].items():
        spoken.add_row(name, str(row["bytes"]), *(str(row[kind]) for kind in KINDS))
    spoken.add_row("worst / English", "", *(f"{exact['worst'][kind]:.1f}" for kind in KINDS))
    yield "languages", spoken
    paid = Table("language", "words", "tokens a word, English vocabulary", "of all ten",
                 "bytes a token, English vocabulary", "of all ten",
                 title="Fertility, where words are written apart")
    for name, row in exact["languages"].items():
        if row["words"] > 5:
            paid.add_row(name, str(row["words"]), *(f"{row[kind] / row['words']:.1f}"
                                                    for kind in ("english", "all")),
                         *(f"{row['bytes'] / row[kind]:.1f}" for kind in ("english", "all")))
    yield "fertility", paid
    if not exact["seeds"]:
        yield from of_tokens(exact)
        return
    learned = Table("way", *(f"{share:.0%} of the text" for share in exact["shares"]),
                    title=f"Vekari after {exact['steps']} steps: nats a word above the floor")
    for way, label in WAYS.items():
        learned.add_row(label, *(spread(found[f"{way}_{share:g}"]) for share in exact["shares"]))
    yield "learned", learned
    yield from of_tokens(exact)


def of_tokens(exact):
    """The table of what a story of Vekari costs."""
    from rich.table import Table
    cost = Table("way", *(f"{share:.0%} of the text" for share in exact["shares"]),
                 title=f"Tokens of a held-out story; the context holds {exact['context']}")
    for way, label in WAYS.items():
        cost.add_row(label, *(f"{exact['tokens'][f'{way}_{share:g}']:.0f}"
                              for share in exact["shares"]))
    yield "tokens", cost


def figures(results, new):
    exact, _ = values(results)
    names = list(exact["languages"])[::-1]
    figure, axes = new(7.0, 4.6)
    for shift, kind, label, color in ((0.26, "english", "vocabulary of English", 1),
                                      (0.0, "alpha 1", "of unequal texts, as they are", 4),
                                      (-0.26, "alpha 0.3", "the same, balanced: alpha 0.3", 0)):
        axes.barh([place + shift for place in range(len(names))],
                  [exact["languages"][name][kind] for name in names], height=0.24, label=label,
                  color=new.ink["lines"][color])
    axes.set_yticks(range(len(names)), names)
    axes.set(xlabel="tokens for the same sentence")
    axes.legend(fontsize=9)
    axes.grid(axis="x", alpha=0.6)
    yield ("languages", "Bars of the tokens that one sentence takes in ten languages, with three "
           "vocabularies of one size: learned from English, from unequal texts as they are, and "
           "from the same texts drawn with temperature, where most bars of other languages than "
           "English are shorter.", figure)

    figure, axes = new(7.0, 3.2)
    for i, (way, label) in enumerate(WAYS.items()):
        axes.plot([100 * share for share in exact["shares"]],
                  [exact["tokens"][f"{way}_{share:g}"] for share in exact["shares"]], "o-",
                  color=new.ink["lines"][i], label=label)
    axes.axhline(exact["context"], color=new.ink["text"], linewidth=0.8, linestyle="--")
    axes.annotate("the context", (1, exact["context"]), xytext=(0, 4), textcoords="offset points",
                  color=new.ink["text"], fontsize=9)
    axes.set(xscale="log", yscale="log", xlabel="of the text", ylabel="tokens of a story",
             ylim=(50, 1100))
    axes.set_xticks([1, 10, 100], ["1%", "10%", "100%"])
    axes.set_yticks([64, 128, 256, 512, 1024], ["64", "128", "256", "512", "1024"])
    axes.minorticks_off()
    axes.legend(fontsize=9, loc="center right", bbox_to_anchor=(1, 0.72))
    axes.grid(alpha=0.6)
    yield ("tokens", "Tokens of a story of Vekari against how much of its text the vocabulary was "
           "learned from. With the English vocabulary a story is several times as long as the "
           "context; with its own and with an extended one it fits, even from one per cent.",
           figure)
