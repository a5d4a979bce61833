"""Lesson 06: every backward held against two kinds of numerical derivative and against JAX; what a wrong sign does to training."""

import json
import os
import sys
from pathlib import Path

from minillm.course.demos import main, measured

HERE = Path(__file__).parent
STEPS, SEEDS = 300, (0, 1, 2)
BATCH, CONTEXT, VOCABULARY, MEGABYTES, RATE, WARMUP = 4, 64, 384, 0.6, 1e-2, 20
SIZES = dict(hidden_size=32, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, head_dim=8,
             initializer_range=32**-0.5)
CENTRAL, COMPLEX = 1e-5, 1e-30                  # how far the two numerical derivatives move a number
TRIED = [10.0**-n for n in range(1, 16)]        # the distances of the figure
QUICK = ("as it should be", "RoPE turned forwards", "RMSNorm with + for -", "softmax as a diagonal", "shared keys: one query of two")     # without --full
ENOUGH = 2.1                                    # standard errors that make a difference
WRITTEN = {"linear": ("x", "w", "b"), "embedding": ("table",), "rmsnorm": ("x", "weight"), "layernorm": ("x", "weight", "bias"),
           "softmax": ("x",), "rope": ("x",), "attend": ("q", "k", "v"), "swiglu": ("gate", "up"), "gelu": ("x",), "sigmoid": ("x",),
           "cross_entropy": ("logits",)}


def compute(console, full):
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")     # these matrices are too small to share
    import numpy as np
    sys.path.insert(0, str(HERE))
    try:
        import wrong
    finally:
        sys.path.remove(str(HERE))
    rows = checks(np)
    for row in rows:
        console.print(f"{row['op']}, d{row['argument']}: complex step {row['complex']:.0e}, JAX {row['jax']:.0e}")
    parameters = whole_model(np)
    tried = distances(np)
    names, seeds = [name for name in wrong.WRONG if full or name in QUICK], SEEDS if full else SEEDS[:1]
    runs, kept = {}, HERE / "runs.jsonl"
    for line in kept.read_text(encoding="utf-8").splitlines() if full and kept.exists() else []:
        row = json.loads(line)                  # --full goes on where it was stopped; without runs.jsonl it starts anew
        runs[row["name"], row["seed"]] = row
    data = stories(np)
    for seed in seeds:
        for name in names:
            if (name, seed) not in runs:
                row = {"name": name, "seed": seed, **one_run(np, wrong, name, data, seed)}
                runs[name, seed] = row
                console.print(f"{name}, seed {seed}: {row['loss']:.3f} nats a token")
                if full:
                    with open(kept, "a", encoding="utf-8") as file:
                        file.write(json.dumps(row) + "\n")
    exact = {"ops": [[row["op"], row["argument"], row["numbers"]] for row in rows], "parts": list(parameters), "wrong": names, "steps": STEPS,
             "tokens": STEPS * BATCH * CONTEXT, "parameters": data["parameters"], "seeds": len(seeds), "tried": TRIED, "factor": ENOUGH}
    worst = max(max(row["complex"], row["jax"]) for row in rows)
    losses = [[runs[name, seed]["loss"] for seed in seeds] for name in names]
    found = {"central": measured([row["central"] for row in rows], 0, 1e-6), "complex": measured([row["complex"] for row in rows], 0, 1e-12),
             "jax": measured([row["jax"] for row in rows], 0, 1e-12), "worst": measured(worst, 0, 1e-12),
             "whole": measured(list(parameters.values()), 0, 1e-11), "whole_worst": measured(max(parameters.values()), 0, 1e-11),
             "one_sided": measured(tried["one-sided"], 0, 10), "two_sided": measured(tried["two-sided"], 0, 10),
             "imaginary": measured(tried["complex"], 0, 10), "best_two_sided": measured(min(tried["two-sided"]), 1e-14, 1e-8),
             "losses": measured(losses, 0.5, 12), "right": measured(float(np.mean(losses[0])), 3.4, 4.3),
             "curves": measured([np.mean([runs[name, seed]["curve"] for seed in seeds], axis=0).tolist() for name in names], 0.5, 12),
             "errors": measured([runs[name, seeds[0]]["error"] for name in names], 0, 1e3),
             "cosines": measured([runs[name, seeds[0]]["cosine"] for name in names], -1, 1.001),
             "least_error": measured(min(runs[name, seeds[0]]["error"] for name in names[1:]), 1e-3, 1e3)}
    return {"exact": exact, "measured": found | (compared(np, losses) | named(np, names, losses, found) if full else {})}


def compared(np, losses):
    """Differences from the right backward, mean over seeds, and their standard error from the spread over seeds of all runs."""
    losses = np.array(losses)
    spread = float(np.sqrt(np.mean(np.var(losses, axis=1, ddof=1))))
    error = spread * (2 / losses.shape[1]) ** 0.5
    differences = losses.mean(axis=1) - losses[0].mean()
    return {"spread": measured(spread, 0, 1), "error": measured(error, 0, 1), "differences": measured(differences.tolist(), -3, 9),
            "clear": measured([int(abs(difference) > ENOUGH * error) for difference in differences], 0, 1)}


def named(np, names, losses, found):
    """The numbers that the text names."""
    def of(kind, name):
        return found[kind]["value"][names.index(name)]

    def rise(name):
        return float(np.mean(losses[names.index(name)]) - np.mean(losses[0]))

    return {"cosine_plus": measured(of("cosines", "RMSNorm with + for -"), -1, 0.5), "cosine_diagonal": measured(of("cosines", "softmax as a diagonal"), 0.9, 1),
            "cosine_embedding": measured(of("cosines", "embedding: = for +="), 0.5, 0.99), "loss_diagonal": measured(rise("softmax as a diagonal"), 0.2, 2),
            "error_n": measured(of("errors", "1/N missing") + 1, 255, 257), "loss_n": measured(rise("1/N missing"), -0.3, 0.3)}


# ---- The check of gradients ---------------------------------------------------------------------------------------

def case(np, op, rng):
    """Arguments of an op, float64, and which of them have a derivative."""
    normal = rng.standard_normal
    turn = 0.3 * np.arange(5)[:, None] * np.array([1.0, 0.1])
    return {"linear": lambda: ([normal((2, 3, 4)), normal((4, 5)), normal(5)], (0, 1, 2)),
            "embedding": lambda: ([np.array([[1, 3, 1], [0, 3, 3]]), normal((5, 4))], (1,)),
            "rmsnorm": lambda: ([normal((2, 3, 6)), normal(6), 1e-5], (0, 1)),
            "layernorm": lambda: ([normal((2, 3, 6)), normal(6), normal(6), 1e-5], (0, 1, 2)),
            "softmax": lambda: ([3 * normal((4, 7))], (0,)),
            "rope": lambda: ([normal((2, 5, 4)), np.cos(turn), np.sin(turn)], (0,)),
            "attend": lambda: ([normal((2, 2, 3, 5, 4)), normal((2, 2, 5, 4)), normal((2, 2, 5, 4)), 0], (0, 1, 2)),
            "swiglu": lambda: ([2 * normal((3, 6)), normal((3, 6))], (0, 1)),
            "gelu": lambda: ([2 * normal((3, 6))], (0,)),
            "sigmoid": lambda: ([2 * normal((3, 6))], (0,)),
            "cross_entropy": lambda: ([3 * normal((2, 4, 7)), np.array([[0, 6, 2, 2], [5, 1, 0, -100]])], (0,))}[op]()


def checks(np):
    """One row for each op and argument: the relative error of the backward against three other ways to the derivative."""
    import jax

    from minillm.in_jax import ops as in_jax
    from minillm.in_numpy import ops
    rows = []
    for op, names in WRITTEN.items():
        rng = np.random.default_rng(6)
        arguments, counted = case(np, op, rng)
        function = getattr(ops, op)
        dy = rng.standard_normal(np.shape(function(*arguments)))
        by_hand = getattr(ops, f"{op}_backward")(dy if dy.shape else float(dy), *arguments)
        by_hand = by_hand if isinstance(by_hand, tuple) else (by_hand,)
        with jax.enable_x64(True):
            def scalar(*values):
                full = list(arguments)
                for i, value in zip(counted, values):
                    full[i] = value
                return (dy * getattr(in_jax, op)(*full)).sum()
            by_jax = jax.grad(scalar, argnums=tuple(range(len(counted))))(*(arguments[i] for i in counted))
        for name, i, mine, theirs in zip(names, counted, by_hand, by_jax):
            rows.append({"op": op, "argument": name, "numbers": int(arguments[i].size),
                         "central": error(np, mine, central(np, function, arguments, i, dy, CENTRAL)),
                         "complex": error(np, mine, complex_step(np, function, arguments, i, dy, COMPLEX)),
                         "jax": error(np, mine, np.asarray(theirs))})
    return rows


def error(np, mine, other):
    """The largest difference, relative to the largest number."""
    return float(np.max(np.abs(mine - other)) / np.max(np.abs(other)))


def moved(arguments, i, place, by):
    """The arguments with one number of argument i moved."""
    x = arguments[i].astype(type(by) if isinstance(by, complex) else float)
    x[place] += by
    return [*arguments[:i], x, *arguments[i + 1:]]


def central(np, function, arguments, i, dy, h):
    """(f(x + h) - f(x - h)) / 2h for every number of argument i, times dy."""
    made = np.zeros(arguments[i].shape)
    for place in np.ndindex(made.shape):
        above, below = (function(*moved(arguments, i, place, by)) for by in (h, -h))
        made[place] = np.sum(dy * (above - below)) / (2 * h)
    return made


def one_sided(np, function, arguments, i, dy, h):
    """(f(x + h) - f(x)) / h."""
    made, here = np.zeros(arguments[i].shape), function(*arguments)
    for place in np.ndindex(made.shape):
        made[place] = np.sum(dy * (function(*moved(arguments, i, place, h)) - here)) / h
    return made


def complex_step(np, function, arguments, i, dy, h):
    """The imaginary part of f(x + ih), over h: nothing is subtracted, so nothing cancels."""
    made = np.zeros(arguments[i].shape)
    for place in np.ndindex(made.shape):
        made[place] = np.sum(dy * np.imag(function(*moved(arguments, i, place, 1j * h)))) / h
    return made


def distances(np):
    """{way: errors}: the derivative of attention with respect to its queries, numerically, from every distance tried."""
    from minillm.in_numpy import ops
    rng = np.random.default_rng(6)
    arguments, _ = case(np, "attend", rng)
    dy = rng.standard_normal(ops.attend(*arguments).shape)
    mine = ops.attend_backward(dy, *arguments)[0]
    ways = {"one-sided": one_sided, "two-sided": central, "complex": complex_step}
    return {name: [max(error(np, way(np, ops.attend, arguments, 0, dy, h), mine), 1e-17) for h in TRIED] for name, way in ways.items()}


def whole_model(np):
    """{parameter: error}: the loss of a model of two layers moved along a random direction of each parameter, by a complex step."""
    from minillm.architecture.llama import init
    from minillm.architecture.tree import flatten, tree_map, unflatten
    from minillm.config import ModelConfig
    from minillm.in_numpy.model import loss, loss_and_grads
    from minillm.text import storyworld
    rng = np.random.default_rng(6)
    config = ModelConfig(vocab_size=23, max_position_embeddings=16, **SIZES, **storyworld.RECIPE)
    params = tree_map(lambda w: w + 0.2 * rng.standard_normal(w.shape) * (w.ndim == 1), init(config, rng, np.float64))
    rows = rng.integers(0, 23, (2, 13))
    tokens, targets = rows[:, :-1], rows[:, 1:]
    grads, leaves, found = flatten(loss_and_grads(params, tokens, targets, config)[1]), flatten(params), {}
    for path, w in leaves.items():
        direction = rng.standard_normal(w.shape)
        shifted = {name: leaf.astype(complex) for name, leaf in leaves.items()}
        shifted[path] = w + 1j * COMPLEX * direction
        along = np.imag(loss(unflatten(shifted, params), tokens, targets, config)) / COMPLEX
        found[path] = float(abs(along - np.sum(grads[path] * direction)) / abs(along))
    kinds = {}
    for path, value in found.items():
        kind = path.rpartition(".")[2]
        kinds[kind] = max(kinds.get(kind, 0.0), value)
    return kinds


# ---- Training with a mistake -----------------------------------------------------------------------------------------

def stories(np):
    """The model's settings, training tokens with the starts of their stories, one batch of held-out rows."""
    from minillm.architecture.llama import count
    from minillm.config import ModelConfig
    from minillm.text import storyworld, tokenizer
    from minillm.text.dataset import document_rows, row_starts
    from minillm.text.storyworld import corpus
    learn, held_out = (corpus(0, split, int(size * 1e6)) for split, size in (("train", MEGABYTES), ("validation", 0.05)))
    made = tokenizer.train(learn, VOCABULARY)

    def joined(texts):
        pieces = [[0, *made.encode(text)] for text in texts]
        return np.concatenate([*pieces, [0]]), np.cumsum([0, *map(len, pieces[:-1])])

    tokens, starts = joined(learn)
    config = ModelConfig(vocab_size=made.vocab_size, max_position_embeddings=CONTEXT, **SIZES, **storyworld.RECIPE)
    return {"config": config, "parameters": count(config), "tokens": tokens, "starts": row_starts(starts, len(tokens), CONTEXT),
            "rows": [array[:96] for array in document_rows(*joined(held_out), CONTEXT)]}


def one_run(np, wrong, name, data, seed):
    """Train in NumPy by the backward written by hand, with one thing changed in it; how far its first gradient is from the right one."""
    from minillm.architecture.llama import init
    from minillm.architecture.tree import flatten
    from minillm.config import TrainConfig
    from minillm.in_numpy.model import loss, loss_and_grads
    from minillm.in_numpy.train import init_state, train_step
    from minillm.text.dataset import batch
    config = data["config"]
    train = TrainConfig(steps=STEPS, batch_size=BATCH, context=CONTEXT, optimizer="adamw", learning_rate=RATE, warmup_steps=WARMUP, seed=seed)
    rows = [batch(data["tokens"], step, seed=seed, batch_size=BATCH, context=CONTEXT, starts=data["starts"]) for step in range(STEPS)]
    state, losses = init_state(init(config, np.random.default_rng(seed))), []

    def first_gradient():
        grads = flatten(loss_and_grads(state["params"], *rows[0], config)[1])
        return np.concatenate([g.ravel() for g in grads.values()]).astype(np.float64)

    right = first_gradient()
    with wrong.patched(name):
        mine = first_gradient()
        for tokens, targets in rows:
            state, metrics = train_step(state, tokens, targets, config, train)
            losses.append(float(metrics["loss"]))
    return {"loss": round(float(loss(state["params"], *data["rows"], config)), 5), "error": error(np, mine, right),
            "cosine": float(mine @ right / np.linalg.norm(mine) / np.linalg.norm(right)),
            "curve": [round(float(part), 4) for part in np.reshape(losses, (30, -1)).mean(axis=1)]}


# ---- Tables and figures ------------------------------------------------------------------------------------------------

def values(results):
    return results["exact"], {name: band["value"] for name, band in results["measured"].items()}


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


if __name__ == "__main__":
    main(globals())
