"""Lesson 22: a law of loss by size and data, its known floor, and a prediction made beforehand."""

import numpy as np

from minillm.course.demos import beside, main, measured, values

MEGABYTES, VOCAB, BATCH, CONTEXT, SAMPLES = 3, 1792, 8, 176, 100  # the longest story fits
WIDTHS, STEPS, LARGEST = (16, 24, 40), (40, 80, 160), (56, 320)
NAMES, RATES = ("E", "A", "B", "a", "b"), 4  # times the default: see benchmarks/scaling.py


def compute(console, full):
    if full:
        return {"exact": beside(__file__, "grid").results()}
    from minillm.training.scaling import bootstrap, fit, predict
    dataset, rows = stories()
    found = [trained(dataset, rows, width, steps) for steps in STEPS for width in WIDTHS]
    N, D, loss = np.array(found).T
    console.print(f"{len(loss)} runs, losses {loss.max():.3f} to {loss.min():.3f}")
    law, laws = fit(N, D, loss), bootstrap(N, D, loss, SAMPLES, np.random.default_rng(0))
    largest = size(LARGEST[0]), LARGEST[1] * BATCH * CONTEXT
    guesses = [predict(one, *largest) for one in laws]
    predicted = [float(predict(law, *largest)), *np.percentile(guesses, [2.5, 97.5]).tolist()]
    console.print(f"predicted before training {predicted}; law {law.tolist()}")
    actual = trained(dataset, rows, *LARGEST)[2]
    console.print(f"trained: {actual:.4f}; the floor is {rows.floor_per_token:.4f}")
    law = np.vstack([law, np.percentile(laws, [2.5, 97.5], axis=0)]).T.tolist()
    results = {"loss": measured(loss.tolist(), 0.5, 7), "actual": measured(actual, 0.5, 4),
               "predicted": measured(predicted, 0, 7),
               "floor": measured(rows.floor_per_token, 0, 3),
               "E": measured(law[0], 0, 3), "factors": measured(law[1:3], 1, 1e12),
               "exponents": measured(law[3:], 0.05, 2)}
    return {"exact": {"N": N.tolist(), "D": D.tolist(), "largest": list(map(float, largest)),
                      "samples": SAMPLES},
            "measured": results}


def shape(width):
    from minillm.config import ModelConfig
    from minillm.text.storyworld import RECIPE
    return ModelConfig(vocab_size=VOCAB, hidden_size=width, intermediate_size=3 * width,
                       num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=2,
                       head_dim=width // 2, max_position_embeddings=CONTEXT,
                       initializer_range=width**-0.5, **RECIPE)


def size(width):
    """Parameters without the embedding."""
    from minillm.architecture.llama import count
    return count(shape(width)) - VOCAB * width


def stories():
    import tempfile
    from pathlib import Path

    from minillm import training
    from minillm.text import tokenizer
    from minillm.text.corpora import read_corpus
    from minillm.text.dataset import prepare
    corpus = read_corpus("storyworld", megabytes=MEGABYTES)
    made = tokenizer.train(corpus.train[:1000], VOCAB)
    dataset = prepare(corpus, made, Path(tempfile.mkdtemp()) / "stories")
    return dataset, training.held_out(dataset, CONTEXT, 200)


def trained(dataset, rows, width, steps):
    """(N, D, held-out loss) of a run whose schedule ends at its own last step."""
    from minillm import in_jax, training
    from minillm.architecture.llama import init
    from minillm.config import TrainConfig
    usual = TrainConfig()
    train = TrainConfig(steps=steps, batch_size=BATCH, context=CONTEXT, warmup_steps=steps // 10,
                        learning_rate=RATES * usual.learning_rate, cpu_devices=1,
                        muon_learning_rate=RATES * usual.muon_learning_rate)
    begin = in_jax.init_state(init(shape(width), np.random.default_rng(0)))
    for _, state, _ in training.steps(in_jax, begin, dataset, shape(width), train):
        pass
    record = training.evaluate(in_jax, state["params"], shape(width), rows, 16)
    return size(width), steps * BATCH * CONTEXT, record["held_out"]


def constant(x):
    """A constant in words: the upper end of an interval of A or B may be anything."""
    return "any" if x > 1e6 else f"{x:.3g}" if x > 1e-6 else "0"


def tables(results):
    from rich.table import Table
    exact, found = values(results)
    if "grid" in exact:
        yield from beside(__file__, "grid").tables(exact)
        return
    table = Table("constant", "fitted", "95% of the bootstrap", title="The law of these runs")
    law = [found["E"], *found["factors"], *found["exponents"]]
    for name, (value, low, high) in zip(NAMES, law):
        table.add_row(name, constant(value), f"{constant(low)} to {constant(high)}")
    table.add_row("exact floor", f"{found['floor']:.3g}", "")
    yield "law", table
    predicted, low, high = found["predicted"]
    table = Table("largest model", "nats a token", title="Predicted, then trained")
    table.add_row("predicted", f"{predicted:.3f} ({low:.3f} to {high:.3f})")
    table.add_row("trained", f"{found['actual']:.3f}")
    yield "prediction", table


def figures(results, new):
    exact, found = values(results)
    if "grid" in exact:
        yield from beside(__file__, "grid").figures(exact, new)
        return
    figure, axes = new(6.0, 3.6)
    for i, N in enumerate(sorted(set(exact["N"]))):
        chosen = [k for k, n in enumerate(exact["N"]) if n == N]
        axes.plot([exact["D"][k] for k in chosen], [found["loss"][k] for k in chosen], "o-",
                  color=new.ink["lines"][i], label=f"N = {N:,.0f}")
    axes.errorbar([exact["largest"][1]], [found["predicted"][0]],
                  [[max(0, found["predicted"][0] - found["predicted"][1])],
                   [max(0, found["predicted"][2] - found["predicted"][0])]],
                  fmt="s", color=new.ink["text"], label="predicted", capsize=4)
    axes.plot([exact["largest"][1]], [found["actual"]], "x", color=new.ink["text"], markersize=10,
              label="trained")
    axes.axhline(found["floor"], linestyle=":", color=new.ink["text"])
    axes.set(xscale="log", xlabel="D, tokens", ylabel="held-out loss, nats a token")
    axes.legend(fontsize=8)
    yield "law", ("Held-out loss falls with tokens and with size, above the dotted exact floor; a "
                  "square is the largest model's predicted loss, a cross the trained one."), figure


if __name__ == "__main__":
    main(globals())
