"""Tiny shakespeare, character level, at nanoGPT's CPU budget: 4 layers of 128, 1,536,000 tokens.

    python benchmarks/shakespeare.py [--seeds 3] [--json FILE] [any field of TrainConfig]

Prints the loss over the whole validation tenth in windows of 64 for each seed, the mean, and the
time. What is not given is RECIPE: nanoGPT's tokens in twice as many steps of half the rows, with a
lower rate and momentum for Muon. What else was tried is in results/shakespeare.jsonl, a line for each call with
--json, seeds in order. The text is looked for in ../shared/data, else downloaded by its SHA-256
(see minillm/text/corpora.py).
"""

import argparse
import json
import tempfile
import time
from dataclasses import fields
from pathlib import Path

import numpy as np

from minillm import training
from minillm.architecture.llama import count, init
from minillm.config import ModelConfig, TrainConfig
from minillm.text import tokenizer
from minillm.text.corpora import Corpus, read_corpus
from minillm.text.dataset import prepare

MODEL = dict(vocab_size=65, hidden_size=128, intermediate_size=344, num_hidden_layers=4, num_attention_heads=4,
             num_key_value_heads=4, head_dim=32, max_position_embeddings=64, tie_word_embeddings=False,
             initializer_range=128**-0.5, bos_token_id=None, eos_token_id=None)
SHAPE = ("initializer_range", "rope_theta", "o_proj_init_gain")
TRAIN = dict(steps=2000, batch_size=12, context=64, steps_per_dispatch=20)         # as nanoGPT
RECIPE = TRAIN | dict(steps=4000, batch_size=6, muon_learning_rate=0.014, muon_momentum=0.9)


def shakespeare() -> Corpus:
    near = Path(__file__).parents[2] / "shared" / "data" / "tinyshakespeare.txt"
    if not near.exists():
        return read_corpus("shakespeare")
    text = near.read_text(encoding="utf-8")
    return Corpus("shakespeare", "tiny shakespeare", [text[: int(len(text) * 0.9)]], [text[int(len(text) * 0.9):]])


def run(dataset, config, train) -> tuple[float, float]:
    """(loss in nats per character, seconds of training with compilation)."""
    from minillm import in_jax
    began = time.perf_counter()
    begin = in_jax.init_state(init(config, np.random.default_rng(train.seed)))
    for _, state, _ in training.steps(in_jax, begin, dataset, config, train):
        pass
    seconds = time.perf_counter() - began
    return training.evaluate(in_jax, state["params"], config, training.held_out(dataset, 64), 64)["held_out"], seconds


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--seeds", type=int, default=3)
    options.add_argument("--first-seed", type=int, default=0)
    options.add_argument("--json", help="append the figures to this file")
    for field in fields(TrainConfig):
        options.add_argument("--" + field.name.replace("_", "-"), type=field.type)
    for name in SHAPE:
        options.add_argument("--" + name.replace("_", "-"), type=float)
    options = vars(options.parse_args())
    changed = {field.name: options[field.name] for field in fields(TrainConfig) if options[field.name] is not None}
    config = ModelConfig(**MODEL | {name: options[name] for name in SHAPE if options[name]})
    corpus = shakespeare()
    results = []
    from minillm.in_jax.sharding import use_cpu_devices
    use_cpu_devices(changed.get("cpu_devices", TrainConfig().cpu_devices))
    with tempfile.TemporaryDirectory() as folder:
        dataset = prepare(corpus, tokenizer.train_characters(corpus.train + corpus.validation), Path(folder) / "data")
        print(f"{count(config):,} parameters, {RECIPE | changed}", flush=True)
        for seed in range(options["first_seed"], options["first_seed"] + options["seeds"]):
            loss, seconds = run(dataset, config, TrainConfig(**RECIPE | {"seed": seed} | changed))
            results.append(loss)
            print(f"seed {seed}: {loss:.4f} nats per character in {seconds:.0f} s", flush=True)
    print(f"mean of {len(results)}: {np.mean(results):.4f}")
    if options["json"]:
        with open(options["json"], "a", encoding="utf-8") as file:
            settings = dict(sorted((RECIPE | changed).items() - TRAIN.items()))
            file.write(json.dumps({"settings": settings, "losses": results}) + "\n")


if __name__ == "__main__":
    main()
