"""Lesson 06: every backward held against two kinds of numerical derivative and against JAX; what a wrong sign does to training."""

import json
import os
from pathlib import Path

from minillm.course.demos import beside, main, measured

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
OF_BLOOM = ("layernorm", "gelu")                # the others are a LLaMA's


def compute(console, full):
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")     # these matrices are too small to share
    import numpy as np

    from minillm.course.small_models import stories
    wrong = beside(__file__, "wrong")
    numerical = beside(__file__, "numerical")
    rows = checks(np, numerical)
    for row in rows:
        console.print(f"{row['op']}, d{row['argument']}: complex step {row['complex']:.0e}, JAX {row['jax']:.0e}")
    parameters = whole_model(np)
    tried = distances(np, numerical)
    names, seeds = [name for name in wrong.WRONG if full or name in QUICK], SEEDS if full else SEEDS[:1]
    runs, kept = {}, HERE / "runs.jsonl"
    for line in kept.read_text(encoding="utf-8").splitlines() if full and kept.exists() else []:
        row = json.loads(line)                  # --full goes on where it was stopped; without runs.jsonl it starts anew
        runs[row["name"], row["seed"]] = row
    data = stories(MEGABYTES, 0.05, VOCABULARY, CONTEXT, **SIZES)
    data["rows"] = [array[:96] for array in data["rows"]]
    for seed in seeds:
        for name in names:
            if (name, seed) not in runs:
                row = {"name": name, "seed": seed, **one_run(np, numerical, wrong, name, data, seed)}
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

def checks(np, numerical):
    """One row for each op and argument: the relative error of the backward against three other ways to the derivative."""
    import jax

    from minillm import in_jax, in_numpy
    rows = []
    for op, names in WRITTEN.items():
        rng = np.random.default_rng(6)
        arguments, counted = numerical.case(op, rng)
        module = "bloom" if op in OF_BLOOM else "ops"
        ours, in_jax_too = getattr(in_numpy, module), getattr(getattr(in_jax, module), op)
        function = getattr(ours, op)
        dy = rng.standard_normal(np.shape(function(*arguments)))
        by_hand = getattr(ours, f"{op}_backward")(dy if dy.shape else float(dy), *arguments)
        by_hand = by_hand if isinstance(by_hand, tuple) else (by_hand,)
        with jax.enable_x64(True):
            def scalar(*values):
                full = list(arguments)
                for i, value in zip(counted, values):
                    full[i] = value
                return (dy * in_jax_too(*full)).sum()
            by_jax = jax.grad(scalar, argnums=tuple(range(len(counted))))(*(arguments[i] for i in counted))
        for name, i, mine, theirs in zip(names, counted, by_hand, by_jax):
            rows.append({"op": op, "argument": name, "numbers": int(arguments[i].size),
                         "central": numerical.error(mine, numerical.central(function, arguments, i, dy, CENTRAL)),
                         "complex": numerical.error(mine, numerical.complex_step(function, arguments, i, dy, COMPLEX)),
                         "jax": numerical.error(mine, np.asarray(theirs))})
    return rows


def distances(np, numerical):
    """{way: errors}: the derivative of attention with respect to its queries, numerically, from every distance tried."""
    from minillm.in_numpy import ops
    rng = np.random.default_rng(6)
    arguments, _ = numerical.case("attend", rng)
    dy = rng.standard_normal(ops.attend(*arguments).shape)
    mine = ops.attend_backward(dy, *arguments)[0]
    ways = {"one-sided": numerical.one_sided, "two-sided": numerical.central, "complex": numerical.complex_step}
    return {name: [max(numerical.error(way(ops.attend, arguments, 0, dy, h), mine), 1e-17) for h in TRIED] for name, way in ways.items()}


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

def one_run(np, numerical, wrong, name, data, seed):
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
    return {"loss": round(float(loss(state["params"], *data["rows"], config)), 5), "error": numerical.error(mine, right),
            "cosine": float(mine @ right / np.linalg.norm(mine) / np.linalg.norm(right)),
            "curve": [round(float(part), 4) for part in np.reshape(losses, (30, -1)).mean(axis=1)]}


if __name__ == "__main__":
    main(globals())
