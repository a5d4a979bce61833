"""What the initial value of o_proj brings: the demo's model and data, o_proj random against the transpose of v_proj.

    python benchmarks/init_ablation.py [--steps 800] [--seeds 3]

Prints, for each seed and both beginnings, the held-out nats per story above the floor. Minutes each.
"""

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from minillm import in_jax, tokenizer, training
from minillm.config import TrainConfig, preset
from minillm.corpora import read_corpus
from minillm.data import batch, prepare, row_starts
from minillm.demo import LAYERS, RECIPE, STORIES_MEGABYTES, VOCAB_SIZE
from minillm.params import init


def run(dataset, config, train, copying: bool) -> float:
    params = init(config, np.random.default_rng(train.seed))
    if not copying:
        rng = np.random.default_rng([train.seed, 1])
        for layer in params["layers"]:
            scale = config.initializer_range / (2 * config.num_hidden_layers) ** 0.5
            layer["o_proj"] = (scale * rng.standard_normal(layer["o_proj"].shape)).astype(np.float32)
    state, starts = in_jax.init_state(params), row_starts(dataset.train_starts, len(dataset.train), train.context)
    for step in range(0, train.steps, train.steps_per_dispatch):
        batches = [batch(dataset.train, s, seed=train.seed, batch_size=train.batch_size, context=train.context, starts=starts)
                   for s in range(step, step + train.steps_per_dispatch)]
        state, _ = in_jax.train_steps(state, *(np.stack(part) for part in zip(*batches)), config, train)
    rows = training.held_out(dataset, train.context, 256)
    return training.losses(in_jax, state["params"], config, rows, train.batch_size)["above_floor"]


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--steps", type=int, default=800)
    options.add_argument("--seeds", type=int, default=3)
    options = options.parse_args()
    corpus = read_corpus("storyworld", megabytes=STORIES_MEGABYTES)
    made = tokenizer.train(corpus.train, VOCAB_SIZE)
    with tempfile.TemporaryDirectory() as folder:
        dataset = prepare(corpus, made, Path(folder) / "data")
        for copying in (False, True):
            above = []
            for seed in range(options.seeds):
                train = TrainConfig(steps=options.steps, seed=seed, **RECIPE)
                config = replace(preset("nano", vocab_size=made.vocab_size, context=train.context), num_hidden_layers=LAYERS)
                above.append(run(dataset, config, train, copying))
                print(f"o_proj {'= v_proj transposed' if copying else 'random'}, seed {seed}: {100 * above[-1]:+.1f}% above the floor",
                      flush=True)
            print(f"mean {100 * np.mean(above):+.1f}%, spread {100 * np.std(above):.1f}", flush=True)


if __name__ == "__main__":
    main()
