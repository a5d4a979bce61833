"""What the start of o_proj brings: random, or the transpose of v_proj times a gain (`ModelConfig.o_proj_init_gain`).

    python benchmarks/init_ablation.py [--seeds 3] [--json FILE]

Two tasks: the demo's model and data (held-out nats per story above the floor), and tiny shakespeare as in
shakespeare.py (nats per character). Prints every seed, the mean and the spread. About a minute or two a run.
"""

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np

from minillm import in_jax, training
from minillm.architecture.llama import init
from minillm.cli.demo import LAYERS, RECIPE, STORIES_MEGABYTES, VOCAB_SIZE
from minillm.config import ModelConfig, TrainConfig, preset
from minillm.in_jax.sharding import use_cpu_devices
from minillm.text import tokenizer
from minillm.text.corpora import read_corpus
from minillm.text.dataset import prepare
from shakespeare import MODEL, TRAIN, shakespeare

GAINS = (0.0, 1.0, 6.0)                                          # 0: random, as GPT-2 starts it


def run(dataset, config, train) -> dict:
    """The losses on held-out text after training."""
    begin = in_jax.init_state(init(config, np.random.default_rng(train.seed)))
    for _, state, _ in training.steps(in_jax, begin, dataset, config, train):
        pass
    rows = training.held_out(dataset, train.context, 256 if dataset.floor_nats is None else None)
    return training.evaluate(in_jax, state["params"], config, rows, train.batch_size)


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
                train, config = TrainConfig(**TRAIN, seed=seed), ModelConfig(**MODEL, o_proj_init_gain=gain)
                loss = run(letters, config, train)["held_out"]
                train = TrainConfig(steps=options.steps, seed=seed, **RECIPE)
                config = preset("nano", vocab_size=made.vocab_size, context=train.context, num_hidden_layers=LAYERS,
                                o_proj_init_gain=gain)
                above = run(stories, config, train)["above_floor"]
                results[name]["shakespeare"].append(loss)
                results[name]["above_floor"].append(above)
                print(f"o_proj {name}, seed {seed}: shakespeare {loss:.4f}, stories {100 * above:+.1f}% above the floor", flush=True)
                if options.json:
                    Path(options.json).write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
            for task, values in results[name].items():
                print(f"o_proj {name}: {task} mean {np.mean(values):.4f}, spread {np.std(values):.4f}", flush=True)


if __name__ == "__main__":
    main()
