"""Lesson 02: models that only count, beside the best model that there can be."""

import numpy as np

from minillm.course.demos import main
from minillm.text.ngram import ngram_loss

MEGABYTES, VOCAB_SIZE = 4.0, 1792
ORDERS = {1: "unigram", 2: "bigram", 3: "trigram", 4: "4-gram", 5: "5-gram"}
ALPHAS = (1e-4, 1e-3, 1e-2, 0.1, 1.0, 10.0)
SHARES = (1 / 16, 1 / 4, 1)            # of the training stories
SAMPLES, LONGEST = 3, 40


def compute(console, full):
    from minillm.text.corpora import read_corpus
    from minillm.text.storyworld import entropy
    from minillm.text.tokenizer import train
    corpus = read_corpus("storyworld", megabytes=MEGABYTES)
    made = train(corpus.train, VOCAB_SIZE)
    end, size = made.special_tokens["<|endoftext|>"], made.vocab_size
    learn, held_out = ([[*made.encode(text), end] for text in texts] for texts in (corpus.train, corpus.validation))
    tokens, n_bytes = sum(map(len, held_out)), sum(len(text.encode()) for text in corpus.validation)
    console.print(f"{len(learn):,} stories of {sum(map(len, learn)):,} tokens; {len(held_out):,} held out")

    losses = {"uniform": float(np.log(size)) * tokens / len(held_out)}
    for order, name in ORDERS.items():
        losses[name] = ngram_loss(learn, held_out, order, size)
        console.print(f"{name}: {losses[name]:.1f} nats a story")
    losses["floor"] = float(np.mean(corpus.floor_nats))
    measures = {name: {"story": nats, "token": nats * len(held_out) / tokens, "bits_per_byte": nats * len(held_out) / n_bytes / np.log(2),
                       "perplexity": np.exp(nats * len(held_out) / tokens), "above": nats / losses["floor"] - 1} for name, nats in losses.items()}
    smoothing = {order: additive(learn, held_out, order, size, end) for order in (2, 3)}
    growth = {name: [ngram_loss(learn[: int(share * len(learn))], held_out, order, size) for share in SHARES]
              for order, name in ORDERS.items() if order > 1}
    samples = {name: [write(learn, order, end, made, seed) for seed in range(SAMPLES)] for order, name in ORDERS.items() if order <= 3}
    best = {order: min(rows["losses"], key=rows["losses"].get) for order, rows in smoothing.items()}
    return {"exact": {
        "stories": len(learn), "held_out": len(held_out), "tokens": tokens, "bytes": n_bytes, "vocabulary": size, "entropy": entropy(),
        "measures": measures, "smoothing": smoothing, "best_alpha": best, "best_loss": {o: smoothing[o]["losses"][best[o]] for o in best},
        "growth": growth, "shares": [int(share * len(learn)) for share in SHARES], "samples": samples}}


def additive(learn, held_out, order, size, end):
    """Nats a story of p(w | h) = (c(hw) + alpha) / (c(h) + alpha V), and the share of held-out tokens whose hw was never seen."""
    pairs, contexts = {}, {}
    for context, token in grams(learn, order, end):
        pairs[context, token] = pairs.get((context, token), 0) + 1
        contexts[context] = contexts.get(context, 0) + 1
    seen = np.array([(pairs.get(gram, 0), contexts.get(gram[0], 0)) for gram in grams(held_out, order, end)], float)
    losses = {f"{alpha:g}": float(-np.sum(np.log((seen[:, 0] + alpha) / (seen[:, 1] + alpha * size))) / len(held_out)) for alpha in ALPHAS}
    return {"unseen": float(np.mean(seen[:, 0] == 0)), "losses": losses}


def grams(documents, order, end):
    """(context of order - 1 tokens, token), inside documents; before the first token stand end tokens."""
    for document in documents:
        padded = [end] * (order - 1) + document
        for i in range(order - 1, len(padded)):
            yield tuple(padded[i - order + 1:i]), padded[i]


def write(learn, order, end, made, seed):
    """A text drawn from the counts of one order, token by token, until its end or LONGEST tokens."""
    followers, rng = {}, np.random.default_rng(seed)
    for context, token in grams(learn, order, end):
        followers.setdefault(context, []).append(token)
    text = [end] * (order - 1)
    for _ in range(LONGEST):
        choices = followers[tuple(text[len(text) - order + 1:])]
        text.append(choices[int(rng.random() * len(choices))])
        if text[-1] == end:
            break
    whole = text[-1] == end
    return " ".join(made.decode([token for token in text if token != end]).split()) + ("" if whole else " ...")


def tables(results):
    from rich.table import Table
    exact = results["exact"]
    losses = Table("model", "nats a story", "nats a token", "bits a byte", "perplexity", "above the floor", title=f"{exact['held_out']:,} stories held out")
    for name, row in exact["measures"].items():
        losses.add_row(name, f"{row['story']:.1f}", f"{row['token']:.3f}", f"{row['bits_per_byte']:.4f}", f"{row['perplexity']:,.2f}", f"{100 * row['above']:+.1f}%")
    yield "losses", losses
    smoothing = Table("alpha", "bigram", "trigram", title="Nats a story with alpha added to every count")
    for alpha in exact["smoothing"]["2"]["losses"]:
        smoothing.add_row(alpha, *(f"{exact['smoothing'][order]['losses'][alpha]:.1f}" for order in ("2", "3")))
    smoothing.add_row("Kneser-Ney", *(f"{exact['measures'][name]['story']:.1f}" for name in ("bigram", "trigram")))
    yield "smoothing", smoothing
    samples = Table("model", "what it writes", title="Three texts of each, drawn from its counts")
    for name, texts in exact["samples"].items():
        for text in texts:
            samples.add_row(name, text)
    yield "samples", samples


def figures(results, new):
    exact = results["exact"]
    figure, axes = new(7.0, 3.6)
    names = [name for name in exact["measures"] if name != "floor"]
    nats = [exact["measures"][name]["story"] for name in names]
    axes.bar(names, nats, width=0.6, color=new.ink["lines"][0])
    floor = exact["measures"]["floor"]["story"]
    axes.axhline(floor, color=new.ink["lines"][1], linestyle="--", linewidth=2, label=f"the floor: {floor:.1f}")
    axes.legend()
    for x, value in enumerate(nats):
        axes.annotate(f"{value:.0f}", (x, value), ha="center", va="bottom")
    axes.set(yscale="log", ylabel="nats per held-out story", ylim=(80, max(nats) * 1.6))
    axes.yaxis.set_major_formatter("{x:g}")
    yield ("losses", "Nats per story of models that count: each further token of context helps less than the one before, and all stay far above the floor.", figure)

    figure, axes = new(7.0, 3.6)
    for name, values in exact["growth"].items():
        axes.plot(exact["shares"], values, marker="o", label=name)
    axes.axhline(floor, color=new.ink["text"], linestyle="--", linewidth=1, label="floor")
    axes.set(xscale="log", xlabel="stories to count", ylabel="nats per held-out story", ylim=(0.8 * floor, None))
    axes.set_xticks(exact["shares"], [f"{n:,}" for n in exact["shares"]])
    axes.minorticks_off()
    axes.grid(alpha=0.6)
    axes.legend()
    yield ("growth", "Nats per story against the number of stories counted: the longer the context, the more text it needs; the bigram is "
           "nearly flat at the end, the 5-gram still falls, and all stay well above the floor.", figure)


if __name__ == "__main__":
    main(globals())
