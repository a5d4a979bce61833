"""Lesson 05: from the block of 2017 to LLaMA's, one change at a time; and what a LLaMA's parameters are spent on."""

import json
import os
import sys
from pathlib import Path

from minillm.course.demos import main, measured, values

HERE = Path(__file__).parent
QUICK, FULL, SEEDS = 250, 400, (0, 1, 2)      # steps of training; seeds of the full version
STATIONS = ("the block of 2017", "SwiGLU", "RoPE", "grouped heads: LLaMA")     # what the quick version trains
BATCH, CONTEXT, WARMUP = 8, 192, 20
VOCABULARY, MEGABYTES, HELD_OUT = 1024, 3.0, 0.2
SIZES = dict(hidden_size=64, intermediate_size=256, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=4, head_dim=16)
ENOUGH = 2.1                                  # standard errors: Student's t for 95% and 18 degrees of freedom
LLAMAS = {                                    # vocabulary, D, F, L, H, K, E, tied
    "minillm nano": (1792, 128, 352, 4, 4, 2, 32, True),
    "minillm small": (4096, 256, 704, 8, 8, 4, 32, True),
    "Llama 3.2 1B": (128256, 2048, 8192, 16, 32, 8, 64, True),
    "LLaMA 7B (2023)": (32000, 4096, 11008, 32, 32, 32, 128, False),
    "Llama 3 70B": (128256, 8192, 28672, 80, 64, 8, 128, False),
}


def compute(console, full):
    if full:                                  # one core, so that what else the machine does disturbs the speeds less
        os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
    sys.path.insert(0, str(HERE))
    try:
        import variants
    finally:
        sys.path.remove(str(HERE))
    from minillm.config import ModelConfig
    from minillm.text import storyworld
    data = stories()
    config = ModelConfig(vocab_size=data["vocabulary"], max_position_embeddings=CONTEXT, **SIZES, **storyworld.RECIPE)
    steps, seeds = (FULL, SEEDS) if full else (QUICK, SEEDS[:1])
    chain = {name: variant for name, variant in variants.chain().items() if full or name in STATIONS}
    runs, kept = {}, HERE / "runs.jsonl"
    for line in kept.read_text(encoding="utf-8").splitlines() if full and kept.exists() else []:
        row = json.loads(line)                # --full goes on where it was stopped; without runs.jsonl it starts anew
        runs[row["change"], row["seed"]] = row
    for seed in seeds:
        for change, variant in chain.items():
            if (change, seed) not in runs:
                row = {"change": change, "seed": seed, **one_run(variants, variant, config, data, steps, seed)}
                runs[change, seed] = row
                console.print(f"seed {seed}, {change}: held-out loss {row['loss']:.3f}, {row['speed']:,.0f} tokens/s")
                if full:
                    with open(kept, "a", encoding="utf-8") as file:
                        file.write(json.dumps(row) + "\n")
    names = list(chain)
    losses = [[runs[name, seed]["loss"] for seed in seeds] for name in names]
    exact = {"changes": names, "parameters": [variants.count(variant, config) for variant in chain.values()], "steps": steps,
             "tokens": steps * BATCH * CONTEXT, "seeds": len(seeds), "width": config.hidden_size, "layers": config.num_hidden_layers, "factor": ENOUGH,
             "budget": {name: budget(*sizes) for name, sizes in LLAMAS.items()}}
    found = {"losses": measured(losses, 0.5, 7.5), "speeds": measured([[runs[name, seed]["speed"] for seed in seeds] for name in names],
                                                                      100, 1e7)}
    if full:
        found |= compared(losses)
    return {"exact": exact, "measured": found}


def compared(losses):
    """Differences from the variant before, mean over seeds, and their standard error from the spread over seeds of all variants."""
    import numpy as np
    losses = np.array(losses)
    spread = float(np.sqrt(np.mean(np.var(losses, axis=1, ddof=1))))
    error = spread * (2 / losses.shape[1]) ** 0.5
    steps = np.diff(losses.mean(axis=1))
    return {"spread": measured(spread, 0, 1), "error": measured(error, 0, 1), "differences": measured(steps.tolist(), -3, 3),
            "clear": measured([int(abs(step) > ENOUGH * error) for step in steps], 0, 1),
            "first": measured(float(losses[0].mean()), 0.5, 7.5), "last": measured(float(losses[-1].mean()), 0.5, 7.5),
            **{f"to_{i}": measured(float(step), -3, 3) for i, step in enumerate(steps, start=1)}}


def stories():
    """Training tokens with the starts of their stories, and held-out rows in batches of 32."""
    import numpy as np

    from minillm.text import tokenizer
    from minillm.text.dataset import document_rows, row_starts
    from minillm.text.storyworld import corpus
    learn, held_out = (corpus(0, split, int(size * 1e6)) for split, size in (("train", MEGABYTES), ("validation", HELD_OUT)))
    made = tokenizer.train(learn, VOCABULARY)

    def joined(texts):
        pieces = [[0, *made.encode(text)] for text in texts]
        return np.concatenate([*pieces, [0]]), np.cumsum([0, *map(len, pieces[:-1])])

    tokens, starts = joined(learn)
    rows = [array[: len(array) // 32 * 32].reshape(-1, 32, CONTEXT) for array in document_rows(*joined(held_out), CONTEXT)]
    return {"vocabulary": made.vocab_size, "tokens": tokens, "starts": row_starts(starts, len(tokens), CONTEXT), "rows": rows}


def one_run(variants, variant, config, data, steps, seed):
    """{"loss": held-out nats per token, "speed": tokens per second in the fastest ten steps}."""
    import time

    import jax
    import numpy as np

    from minillm.config import TrainConfig
    from minillm.in_jax import init_state
    from minillm.text.dataset import batch
    train = TrainConfig(steps=steps, batch_size=BATCH, context=CONTEXT, warmup_steps=WARMUP, seed=seed)
    state, seconds = init_state(variants.init(variant, config, np.random.default_rng(seed))), []
    for step in range(0, steps, 10):
        batches = [batch(data["tokens"], s, seed=seed, batch_size=BATCH, context=CONTEXT, starts=data["starts"])
                   for s in range(step, step + 10)]
        began = time.perf_counter()
        state, _ = variants.train_steps(state, *(np.stack(arrays) for arrays in zip(*batches)), variant, config, train)
        seconds.append(time.perf_counter() - began)
    loss = float(variants.held_out_loss(state["params"], *data["rows"], variant, config))
    jax.clear_caches()
    return {"loss": loss, "speed": round(10 * BATCH * CONTEXT / min(seconds[1:]))}


def budget(V, D, F, L, H, K, E, tied):
    """How many parameters each part of a LLaMA has, counted from minillm's table of shapes."""
    import math

    from minillm.architecture.llama import table
    from minillm.architecture.tree import flatten
    from minillm.config import ModelConfig
    config = ModelConfig(vocab_size=V, hidden_size=D, intermediate_size=F, num_hidden_layers=L, num_attention_heads=H,
                         num_key_value_heads=K, head_dim=E, max_position_embeddings=128, tie_word_embeddings=tied)
    parts = {"embedding and head": 0, "attention": 0, "feed-forward": 0, "norms": 0}
    for path, parameter in flatten(table(config)).items():
        name = path.rpartition(".")[2]
        part = ("norms" if "norm" in name else "attention" if name[0] in "qkvo" and "_proj" in name else
                "feed-forward" if "_proj" in name else "embedding and head")
        parts[part] += math.prod(parameter.shape)
    return parts | {"total": sum(parts.values())}


def tables(results):
    from rich.table import Table
    exact, found = values(results)
    several = exact["seeds"] > 1
    steps = Table("change, on top of all before" if several else "with all changes up to", "parameters", "held-out loss", *(("lowest", "highest", "difference", "verdict") if several else ()),
                  "tokens/s", title=f"{exact['tokens']:,} tokens each, {exact['seeds']} seed{'s' * several}")
    for i, name in enumerate(exact["changes"]):
        losses = found["losses"][i]
        more = ()
        if several:
            verdict = "-" if not i else "no difference" if not found["clear"][i - 1] else "better" if found["differences"][i - 1] < 0 else "worse"
            more = (f"{min(losses):.3f}", f"{max(losses):.3f}", f"{found['differences'][i - 1]:+.3f}" if i else "-", verdict)
        steps.add_row(name, f"{exact['parameters'][i]:,}", f"{sum(losses) / len(losses):.3f}", *more, f"{max(found['speeds'][i]):,.0f}")
    yield "steps", steps
    spent = Table("model", "parameters", "embedding and head", "attention", "feed-forward", "norms", title="What the parameters are spent on")
    for name, parts in exact["budget"].items():
        spent.add_row(name, f"{parts['total']:,}", *(f"{parts[part] / parts['total']:.2%}" for part in list(parts)[:-1]))
    yield "budget", spent


def figures(results, new):
    exact, found = values(results)
    figure, axes = new(7.0, 3.4)
    names, left = list(exact["budget"])[::-1], [0.0] * len(exact["budget"])
    for part, color in zip(("embedding and head", "attention", "feed-forward"), new.ink["lines"]):
        shares = [exact["budget"][name][part] / exact["budget"][name]["total"] for name in names]
        axes.barh(names, shares, left=left, label=part, color=color)
        left = [a + b for a, b in zip(left, shares)]
    axes.set(xlim=(0, 1), xticks=[0, 0.25, 0.5, 0.75, 1], xticklabels=["0", "25%", "50%", "75%", "100%"])
    axes.legend(loc="lower center", bbox_to_anchor=(0.45, 1.0), ncols=3)
    yield ("budget", "Shares of the parameters: the smaller the model, the larger the share of the embedding; in the large ones two thirds "
           "and more are in the feed-forward matrices. Norms are too few to be seen.", figure)

    figure, axes = new(7.0, 3.9)
    places = range(len(exact["changes"]))
    for seed in range(exact["seeds"]):
        axes.plot([losses[seed] for losses in found["losses"]], places, "o", color=new.ink["lines"][0], alpha=0.6)
    axes.plot([sum(losses) / len(losses) for losses in found["losses"]], places, color=new.ink["lines"][1])
    axes.set_yticks(places, exact["changes"])
    axes.invert_yaxis()
    axes.set(xlabel="held-out loss, nats per token")
    axes.grid(axis="x", alpha=0.6)
    yield ("steps", "Held-out loss after each change, from the block of 2017 at the top to LLaMA at the bottom.", figure)


if __name__ == "__main__":
    main(globals())
