"""Lesson 04: rotation makes scores depend on distance alone; the two layouts, and what mixing them up does; ALiBi's slopes."""

import json
from pathlib import Path

from minillm.course.demos import main, measured, values

E, THETA, PLACES, FAR = 16, 10000.0, 24, 256
STEPS, SEED = 350, 0
RECIPE = dict(batch_size=8, context=176, warmup_steps=20)         # as `minillm demo` trains
RECORDED = Path(__file__).with_name("real_checkpoint.json")       # made by real_checkpoint.py from a file that is not shipped


def compute(console, full):
    import numpy as np

    from minillm.architecture.bloom import slopes
    from minillm.in_numpy import ops
    rng = np.random.default_rng(SEED)
    q, k = rng.standard_normal((2, E))
    turn = ops.rotation(np.arange(PLACES), shape(E), PLACES, np.float64)
    scores = ops.rope(np.tile(q, (PLACES, 1)), *turn) @ ops.rope(np.tile(k, (PLACES, 1)), *turn).T / E**0.5
    by_distance = [float(np.ptp(np.diagonal(scores, offset))) for offset in range(1 - PLACES, PLACES)]
    far = ops.rotation(np.arange(FAR), shape(E), FAR, np.float64)
    same = ops.rope(np.tile(q, (FAR, 1)), *far)
    exact = {
        "scores": scores.tolist(), "head": E, "alike": max(by_distance) < 1e-12,
        "itself": (same @ same[0] / (q @ q)).tolist(),
        "layouts": layouts(), "frequencies": (THETA ** (-np.arange(0, 8, 2) / 8)).tolist(),
        "slopes": {str(heads): slopes(heads).tolist() for heads in (8, 12)},
        "real": json.loads(RECORDED.read_text(encoding="utf-8")),
    }
    params, config, rows = train(console)
    found = {}
    for name, layers in (("right", params["layers"]), ("mixed", [reordered(layer, config, into_halves(config.head_dim)) for layer in params["layers"]])):
        loss = held_out(params | {"layers": layers}, config, rows)
        found[name] = measured(loss, *((0.75, 1.6) if name == "right" else (1.2, 9.0)))
        console.print(f"our model, read with the {name} layout: {loss:.2f} nats a token")
    exact["uniform"] = float(np.log(config.vocab_size))
    return {"exact": exact, "measured": found}


def shape(head_dim):
    """A config that only says how large a head is and how fast it turns."""
    from minillm.config import ModelConfig
    return ModelConfig(vocab_size=2, hidden_size=head_dim, intermediate_size=1, num_hidden_layers=1, num_attention_heads=1,
                       num_key_value_heads=1, head_dim=head_dim, max_position_embeddings=1, rope_theta=THETA)


def layouts():
    """For the four pairs of a head of 8: how far they turn a token, and which columns they are in either layout."""
    return [{"pair": i, "frequency": THETA ** (-2 * i / 8), "halves": [i, i + 4], "adjacent": [2 * i, 2 * i + 1]} for i in range(4)]


def reordered(layer, config, order):
    """A layer whose heads have the columns of q and k in another order."""
    import numpy as np
    layer = dict(layer)
    for name in ("q_proj", "k_proj"):
        w = layer[name].reshape(config.hidden_size, -1, config.head_dim)
        layer[name] = np.ascontiguousarray(w[:, :, order].reshape(layer[name].shape))
    return layer


def into_halves(head_dim):
    """The order that makes halves of columns side by side: 0, 2, 4, ... 1, 3, 5, ... Wrong for a head that has halves already."""
    import numpy as np
    return np.arange(head_dim).reshape(-1, 2).T.ravel()


def train(console):
    """A small LLaMA trained on stories, its config, and held-out rows."""
    from minillm.config import TrainConfig
    from minillm.course.small_models import trained
    from minillm.text import storyworld
    from minillm.text.dataset import document_rows, tokenize
    model = trained(console, 3.0, 1792, 256, TrainConfig(steps=STEPS, seed=SEED, **RECIPE), num_attention_heads=4, num_key_value_heads=2)
    held_out = storyworld.corpus(SEED, "validation", 30_000)
    return model.params, model.config, document_rows(*tokenize(held_out, model.tokenizer), 256)


def held_out(params, config, rows):
    """Mean nats per held-out token."""
    import numpy as np

    from minillm.in_jax.train import row_losses
    nats_N, counts_N = row_losses(params, *rows, config)
    return float(np.sum(nats_N) / np.sum(counts_N))


def tables(results):
    from rich.table import Table
    exact, found = values(results)
    layouts = Table("pair", "frequency", "halves: columns", "side by side: columns", title="A head of 8 numbers: radians per token, and which columns are a pair")
    for row in exact["layouts"]:
        layouts.add_row(str(row["pair"]), f"{row['frequency']:.3f}", " and ".join(map(str, row["halves"])), " and ".join(map(str, row["adjacent"])))
    yield "layouts", layouts
    mixed = Table("model", "parameters", "right layout", "wrong layout", "a uniform guess", title="Held-out nats per token")
    real = exact["real"]
    mixed.add_row("trained just now, on halves", "-", f"{found['right']:.2f}", f"{found['mixed']:.2f}", f"{exact['uniform']:.2f}")
    mixed.add_row(f"{real['name']}, trained side by side (recorded)", f"{real['parameters']:,}", f"{real['right']['loss']:.2f}",
                  f"{real['wrong']['loss']:.2f}", f"{real['uniform']:.2f}")
    yield "mixed", mixed
    texts = Table("read as", f"what {real['name']} writes", title="A real checkpoint, always the most probable token (recorded)")
    for name, about in (("right", "what it is"), ("wrong", "the other layout")):
        texts.add_row(about, real[name]["text"])
    yield "texts", texts
    slopes = Table("head", *(f"slope, {heads} heads" for heads in exact["slopes"]), title="ALiBi's slopes")
    for h in range(12):
        slopes.add_row(str(h + 1), *(f"{values[h]:.5f}" if h < len(values) else "" for values in exact["slopes"].values()))
    yield "slopes", slopes


def figures(results, new):
    import numpy as np
    exact = results["exact"]
    figure, axes = new(7.0, 3.4, ncols=2, width_ratios=(1, 1.25))
    image = axes[0].imshow(exact["scores"], cmap="viridis")
    axes[0].set(xlabel="position of the key", ylabel="position of the query", title="score of one q and one k")
    figure.colorbar(image, ax=axes[0], shrink=0.75).ax.tick_params(colors=new.ink["text"])
    axes[1].plot(exact["itself"])
    axes[1].axhline(0, color=new.ink["text"], linewidth=0.6)
    axes[1].set(xlabel="distance in tokens", title="a vector with itself, turned away")
    yield ("distance", "Left: the score of one query and one key at every pair of positions; it is constant along the diagonals, where the "
           "distance is the same. Right: the dot product of a vector with itself falls with distance, in waves.", figure)

    figure, axes = new(7.0, 2.9, ncols=2, sharey=True)
    for axis, name in zip(axes, ("halves", "adjacent")):
        for row, color in zip(exact["layouts"], new.ink["lines"]):
            a, b = row[name]
            for column in (a, b):
                axis.bar(column + 0.5, 0.5, width=0.88, color=color)
                axis.text(column + 0.5, -0.16, str(column), ha="center")
            turn = np.linspace(0, np.pi, 40)
            axis.plot((a + b + 1) / 2 + (b - a) / 2 * np.cos(turn), 0.5 + 0.28 * (b - a) ** 0.5 * np.sin(turn), color=color)
        axis.set(xlim=(0, 8), ylim=(-0.35, 1.25), title={"halves": "halves (Hugging Face, minillm)", "adjacent": "side by side (Meta, llama2.c)"}[name])
        axis.axis("off")
    yield ("layouts", "Which two of a head's eight columns turn together. Halves: 0 with 4, 1 with 5, 2 with 6, 3 with 7. Side by side: "
           "0 with 1, 2 with 3, 4 with 5, 6 with 7. The same colour turns at the same speed.", figure)

    figure, axes = new(7.0, 3.2)
    back = np.arange(0, 65)
    for h, slope in enumerate(exact["slopes"]["8"]):
        axes.plot(back, -slope * back, color=new.ink["lines"][h % 6], linestyle="-" if h < 6 else "--", label=f"head {h + 1}")
    axes.set(xlabel="tokens back", ylabel="added to the score", ylim=(-12, 0.3))
    figure.legend(loc="outside right center", fontsize=9)
    yield ("slopes", "What ALiBi adds to the scores of eight heads: straight lines that fall with distance, the first head's so steeply that "
           "it sees a few tokens, the last one's hardly at all.", figure)


if __name__ == "__main__":
    main(globals())
