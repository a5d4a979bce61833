"""What the initial value of o_proj brings: random, or the transpose of v_proj times a gain (minillm/architecture/llama.py, PASS_ON).

    python benchmarks/init_ablation.py [--seeds 3] [--json FILE]

Two tasks: the demo's model and data (held-out nats per story above the floor), and tiny shakespeare as in
shakespeare.py (nats per character). Prints every seed, the mean and the spread. About a minute or two a run.
"""

import argparse
import json
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from shakespeare import MODEL, TRAIN, shakespeare

from minillm import in_jax, training
from minillm.text import tokenizer
from minillm.config import ModelConfig, TrainConfig, preset
from minillm.text.corpora import read_corpus
from minillm.text.dataset import batch, prepare, row_starts
from minillm.cli.demo import LAYERS, RECIPE, STORIES_MEGABYTES, VOCAB_SIZE
from minillm.in_jax.sharding import use_cpu_devices
from minillm.architecture.llama import PASS_ON, init

GAINS = (0.0, 1.0, 6.0)                                          # 0: random, as GPT-2 starts it


def beginning(config, seed: int, gain) -> dict:
    """Initial parameters with o_proj = gain * transpose of v_proj, or random for a gain of 0."""
    params = init(config, np.random.default_rng(seed))
    rng = np.random.default_rng([seed, 1])
    for layer in params["layers"]:
        if gain == 0:
            scale = config.initializer_range / (2 * config.num_hidden_layers) ** 0.5
            layer["o_proj"] = (scale * rng.standard_normal(layer["o_proj"].shape)).astype(np.float32)
        else:
            layer["o_proj"] *= np.float32(gain / PASS_ON)
    return params


def run(dataset, config, train, params) -> dict:
    state = in_jax.init_state(params)
    starts = None if dataset.floor_nats is None else row_starts(dataset.train_starts, len(dataset.train), train.context)
    for step in range(0, train.steps, train.steps_per_dispatch):
        batches = [batch(dataset.train, s, seed=train.seed, batch_size=train.batch_size, context=train.context, starts=starts)
                   for s in range(step, step + train.steps_per_dispatch)]
        state, _ = in_jax.train_steps(state, *(np.stack(part) for part in zip(*batches)), config, train)
    rows = training.held_out(dataset, train.context, None if starts is None else 256)
    return training.losses(in_jax, state["params"], config, rows, train.batch_size)


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--steps", type=int, default=900, help="of the story world")
    options.add_argument("--seeds", type=int, default=3)
    options.add_argument("--gains", type=float, nargs="+", default=GAINS, help="0: random")
    options.add_argument("--json", help="add the figures to this file")
    options = options.parse_args()
    results = {}
    if options.json and Path(options.json).exists():
        results = json.loads(Path(options.json).read_text(encoding="utf-8"))
    use_cpu_devices(TrainConfig().cpu_devices)
    with tempfile.TemporaryDirectory() as folder:
        text = shakespeare()
        letters = prepare(text, tokenizer.train_characters(text.train + text.validation), Path(folder) / "shakespeare")
        corpus = read_corpus("storyworld", megabytes=STORIES_MEGABYTES)
        made = tokenizer.train(corpus.train, VOCAB_SIZE)
        stories = prepare(corpus, made, Path(folder) / "stories")
        for gain in options.gains:
            name = "random" if gain == 0 else f"{gain:g} x transpose of v_proj"
            results[name] = {"above_floor": [], "shakespeare": []}
            for seed in range(options.seeds):
                train, config = TrainConfig(**TRAIN, seed=seed), ModelConfig(**MODEL)
                loss = run(letters, config, train, beginning(config, seed, gain))["held_out"]
                train = TrainConfig(steps=options.steps, seed=seed, **RECIPE)
                config = replace(preset("nano", vocab_size=made.vocab_size, context=train.context), num_hidden_layers=LAYERS)
                above = run(stories, config, train, beginning(config, seed, gain))["above_floor"]
                results[name]["shakespeare"].append(loss)
                results[name]["above_floor"].append(above)
                print(f"o_proj {name}, seed {seed}: shakespeare {loss:.4f}, stories {100 * above:+.1f}% above the floor", flush=True)
                if options.json:
                    Path(options.json).write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
            for task, values in results[name].items():
                print(f"o_proj {name}: {task} mean {np.mean(values):.4f}, spread {np.std(values):.4f}", flush=True)


if __name__ == "__main__":
    main()
