"""The runs of lesson 08's experiment: every recipe of variants.py, on two texts, with three seeds, at equal tokens; and runs that are broken.

    python lessons/08_pretraining/ablation.py [--seeds 0 1 2] [--seconds 280] [--part 0/2]

Adds a line to runs.jsonl after each run and goes on where it was stopped. `--part 0/2` takes every second recipe, so that two cores
can share the work; `--seconds` begins no run after that time. `demo.py --full` makes results_full.json from runs.jsonl.
"""

import argparse
import json
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
RUNS = HERE / "runs.jsonl"
NEAR = HERE.parents[2] / "shared" / "data" / "tinyshakespeare.txt"
SEEDS = (0, 1, 2)
VOCABULARY, MEGABYTES, HELD_OUT_ROWS, DEPTH = 1792, 4.0, 256, 2
POINTS = 50                                   # numbers that a curve is kept as
BROKEN = {"nothing, another seed": {}, "targets are the inputs": {"shift": 0}, "targets shifted twice": {"shift": 2},
          "rate ten times too high": {"rate": 10.0}, "rate ten times too low": {"rate": 0.1}}
BROKEN_STEPS, BROKEN_SEED = 120, 3            # the first steps of minillm demo, of a seed that is none of the reference's


def key(row: dict) -> tuple:
    return row["data"], row["recipe"], row["seed"]


def known() -> dict:
    """{(data, recipe, seed): row} of the runs that are done."""
    lines = RUNS.read_text(encoding="utf-8").splitlines() if RUNS.exists() else []
    return {key(row): row for row in map(json.loads, lines)}


def wanted(variants, datasets, seeds=SEEDS) -> list[tuple]:
    """All runs: those of the first seed, the broken ones, those of the other seeds."""
    of_seed = [[(data, name, seed) for name in variants.recipes() for data in datasets if data == "stories" or name not in variants.STORIES_ONLY]
               for seed in seeds]
    return of_seed[0] + [("demo", name, BROKEN_SEED) for name in BROKEN] + sum(of_seed[1:], [])


def read(folder: Path, shakespeare: Path = NEAR) -> dict:
    """{"stories": dataset, "shakespeare": dataset}, made in `folder` or opened there; the second only where the text is at hand."""
    from minillm.text import tokenizer
    from minillm.text.corpora import Corpus, read_corpus
    from minillm.text.dataset import open_dataset, prepare
    if not (folder / "stories").exists():
        corpus = read_corpus("storyworld", megabytes=MEGABYTES)
        prepare(corpus, tokenizer.train(corpus.train, VOCABULARY), folder / "stories")
    if shakespeare.exists() and not (folder / "shakespeare").exists():
        text = shakespeare.read_text(encoding="utf-8")
        cut = int(0.9 * len(text))
        prepare(Corpus("shakespeare", "tiny shakespeare", [text[:cut]], [text[cut:]]), tokenizer.train_characters([text]), folder / "shakespeare")
    return {name: open_dataset(folder / name) for name in ("stories", "shakespeare") if (folder / name).exists()}


def one_run(variants, recipe, dataset, seed: int) -> dict:
    """Train and measure: held-out loss in nats per token, above the floor (or None), the curve, the share of steps that were clipped."""
    import numpy as np

    from minillm import training
    from minillm.config import preset
    from minillm.in_jax import init_state
    from minillm.text import storyworld
    from minillm.text.dataset import batch
    train = recipe.train
    config = preset(DEPTH, vocab_size=dataset.vocab_size, context=train.context, tie_word_embeddings=recipe.tied,
                    **storyworld.RECIPE)
    starts = training.starts_of_rows(dataset, train.context) if recipe.rows == "documents" else None
    state, losses, norms = init_state(variants.begin(recipe, config, seed)), [], []
    for step in range(0, train.steps, train.steps_per_dispatch):
        batches = [batch(dataset.train, s, seed=seed, batch_size=train.batch_size, context=train.context, starts=starts)
                   for s in range(step, step + train.steps_per_dispatch)]
        state, metrics = variants.train_steps(state, *(np.stack(arrays) for arrays in zip(*batches)), recipe, config)
        losses, norms = [*losses, *metrics["loss"].tolist()], [*norms, *metrics["grad_norm"].tolist()]
    rows = training.held_out(dataset, train.context, HELD_OUT_ROWS)
    pieces = (array[: len(array) // 32 * 32].reshape(-1, 32, train.context) for array in (rows.tokens_NT, rows.targets_NT))
    loss = float(variants.held_out_loss(state["params"], *pieces, recipe, config))
    curve = np.mean(np.reshape(losses, (POINTS, -1)), axis=1)
    clipped = float(np.mean(np.array(norms) > train.max_grad_norm))
    return {"loss": round(loss, 5), "floor": rows.floor_per_token and round(rows.floor_per_token, 5), "curve": curve.round(4).tolist(),
            "clipped": round(clipped, 4)}


def one_broken_run(folder: Path, how: dict) -> dict:
    """The first steps of minillm demo, with one thing wrong: the loss before them, and means over ten of them."""
    import numpy as np

    from minillm import in_jax, training
    from minillm.architecture.llama import init
    from minillm.cli.demo import STORIES_MEGABYTES, VOCAB_SIZE
    from minillm.config import IGNORE, ModelConfig, TrainConfig
    from minillm.text import tokenizer
    from minillm.text.corpora import read_corpus
    from minillm.text.dataset import open_dataset, prepare
    from minillm.training import curves
    if not (folder / "demo").exists():
        corpus = read_corpus("storyworld", megabytes=STORIES_MEGABYTES, seed=BROKEN_SEED)
        prepare(corpus, tokenizer.train(corpus.train, VOCAB_SIZE), folder / "demo")
    dataset, reference = open_dataset(folder / "demo"), curves.references()["demo"]
    rates = {rate: how.get("rate", 1.0) * reference["train"][rate] for rate in ("learning_rate", "muon_learning_rate")}
    train = TrainConfig(**reference["train"] | rates | {"seed": BROKEN_SEED})
    config = ModelConfig(**reference["model"] | {"vocab_size": dataset.vocab_size})
    state, losses = in_jax.init_state(init(config, np.random.default_rng(train.seed))), []
    rows = training.held_out(dataset, train.context, train.eval_rows)
    start = training.evaluate(in_jax, state["params"], config, rows, train.batch_size)["held_out"]
    for step in range(0, BROKEN_STEPS, train.steps_per_dispatch):
        tokens_NBT, targets_NBT = training.batches(dataset, train, step, step + train.steps_per_dispatch)
        whole = np.concatenate([tokens_NBT, targets_NBT[..., -1:], np.full_like(targets_NBT[..., :1], IGNORE)], axis=-1)
        shift = how.get("shift", 1)
        state, metrics = in_jax.train_steps(state, tokens_NBT, whole[..., shift: shift + train.context], config, train)
        losses += metrics["loss"].tolist()
    return {"loss": losses[-1], "curve": np.mean(np.reshape(losses, (-1, curves.EVERY)), axis=1).round(4).tolist(), "start": round(start, 5),
            "floor": rows.floor_per_token, "vocabulary": dataset.vocab_size}


def all_runs(console, folder: Path, shakespeare: Path = NEAR, seeds=SEEDS, seconds: float = 1e9, part: tuple[int, int] = (0, 1)) -> dict:
    """Do what is not done yet; {key: row} of all that is."""
    from minillm.course.lessons import load_module
    variants, began = load_module(HERE / "variants.py", "variants"), time.perf_counter()
    datasets, recipes = read(folder, shakespeare), variants.recipes()
    for i, (data, name, seed) in enumerate(wanted(variants, datasets, seeds)):
        if time.perf_counter() - began > seconds:
            break
        if (data, name, seed) in known() or i // 2 % part[1] != part[0]:
            continue
        row = {"data": data, "recipe": name, "seed": seed} | (
            one_broken_run(folder, BROKEN[name]) if data == "demo" else one_run(variants, recipes[name], datasets[data], seed))
        with open(RUNS, "a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        console.print(f"{data}, seed {seed}, {name}: {row['loss']:.4f}")
    return known()


def main():
    import tempfile

    from rich.console import Console
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    options.add_argument("--seconds", type=float, default=1e9, help="begin no run after these")
    options.add_argument("--part", default="0/1", help="such as 0/2: every second recipe")
    options.add_argument("--shakespeare", type=Path, default=NEAR, help="the text file; without it only stories are run (default: %(default)s)")
    options.add_argument("--data", help="folder that keeps the prepared texts (default: made anew)")
    options = options.parse_args()
    with tempfile.TemporaryDirectory() as aside:
        all_runs(Console(highlight=False), Path(options.data or aside), options.shakespeare, options.seeds, options.seconds,
                 tuple(map(int, options.part.split("/"))))


if __name__ == "__main__":
    main()
