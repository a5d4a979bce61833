"""Does one learning rate serve all sizes of the dial? Loss against rate by depth, in two ways.

    python benchmarks/rate_transfer.py --json FILE [--depths 2 4 6 8] [--optimizers muon adamw]

The dial makes width = 32 x depth. "As it is" gives every depth the same rates. "muP" is the same
at depth BASE and multiplies from there, with m = width / base width and k = depth / BASE:

    tensor                 first values        AdamW's rate           Muon's rate
    embedding (tied)       sqrt(m)             1                      1 (AdamW)
    final norm             1/m                 1/m                    1/m (AdamW)
    q k v gate up          1                   1/m 1/sqrt(k)          1/sqrt(k)
    o down                 1                   1/m 1/k                1/k

The final norm stands for the multiplier of the readout: AdamW's steps do not depend on the size of
a gradient, so a smaller weight with a smaller rate is the same model. The dial already starts
matrices at 1/sqrt(width), and o and down at 1/sqrt(2 depth) of that. A step of Muon has the same
spectral norm at every width, so Muon needs no 1/m. Sources: Yang et al. 2022, arXiv:2203.03466,
table 8 (width); Yang et al. 2023, arXiv:2310.02244 (depth); arXiv:2310.17813 (spectral norms).

A depth's rates are searched from the best of the depth before by factors of 2, until the best has
worse neighbours. Then seeds of the default optimizer at its best rates. What is in FILE is kept.
Depths 2 and 4 take about 10 minutes of a core, depth 6 as long again, depth 8 over 30.
"""

import argparse
import json
import math
import tempfile
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import jax
import numpy as np

from minillm import in_jax, training
from minillm.architecture.llama import init
from minillm.architecture.tree import tree_map
from minillm.cli.bench import machine
from minillm.config import TrainConfig, preset
from minillm.in_jax.sharding import use_cpu_devices
from minillm.text import tokenizer
from minillm.text.corpora import read_corpus
from minillm.text.dataset import prepare

MEGABYTES, VOCAB_SIZE, CONTEXT, BASE = 3, 1792, 128, 2
TRAIN = TrainConfig(steps=200, batch_size=4, context=CONTEXT, warmup_steps=20, cpu_devices=1)
OPTIMIZERS, WAYS, SEEDS = ("muon", "adamw"), ("as it is", "muP"), (0, 1, 2)


def multipliers(config, optimizer: str, way: str):
    """(first, rate): what a tensor's first values and its rate are multiplied with, trees like
    params."""
    mup = way == "muP"
    m, k = (config.hidden_size / (32 * BASE), config.num_hidden_layers / BASE) if mup else (1, 1)
    inside = 1 / m if optimizer == "adamw" else 1.0
    layer = {name: inside / k**0.5 for name in ("q_proj", "k_proj", "v_proj", "gate_proj",
                                                "up_proj")}
    layer |= {"o_proj": inside / k, "down_proj": inside / k}
    layer |= {"input_layernorm": 1.0, "post_attention_layernorm": 1.0}
    first = {"embed_tokens": m**0.5, "layers": [dict.fromkeys(layer, 1.0)] *
             config.num_hidden_layers, "norm": 1 / m}
    rate = {"embed_tokens": 1.0, "layers": [layer] * config.num_hidden_layers, "norm": 1 / m}
    return first, rate


@partial(jax.jit, static_argnames=("config", "train"), donate_argnames="state")
def take(state, rate, tokens_NBT, targets_NBT, config, train):
    """The package's steps, each tensor's change times its rate: a step is proportional to it."""
    def step(state, batch):
        after, metrics = in_jax.train_step(state, *batch, config, train)
        moved = tree_map(lambda w, new, times: w + times * (new - w), state["params"],
                         after["params"], rate)
        return after | {"params": moved}, metrics
    return jax.lax.scan(step, state, (tokens_NBT, targets_NBT))


class Bench:
    """The stories, and the runs that FILE holds."""

    def __init__(self, path: Path, folder: str):
        self.path = path
        self.results = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        corpus = read_corpus("storyworld", megabytes=MEGABYTES)
        made = tokenizer.train(corpus.train[:2000], VOCAB_SIZE)
        self.data = prepare(corpus, made, Path(folder) / "stories")
        self.rows = training.held_out(self.data, CONTEXT, 128)
        self.results.setdefault("runs", {})
        self.results["setting"] = {
            "machine": machine(), "steps": TRAIN.steps, "batch": TRAIN.batch_size, "base": BASE,
            "context": CONTEXT, "tokens": TRAIN.steps * TRAIN.batch_size * CONTEXT,
            "learning_rate": TRAIN.learning_rate, "muon_learning_rate": TRAIN.muon_learning_rate}

    def loss(self, optimizer: str, way: str, depth: int, factor: float, seed: int = 0) -> float:
        """Nats a held-out token after a run with the default rates times `factor`."""
        if depth == BASE:
            way = WAYS[0]                                        # the same model there
        name = f"{optimizer}, {way}, depth {depth}, rates x {factor:g}, seed {seed}"
        if name not in self.results["runs"]:
            began = time.perf_counter()
            config = preset(depth, vocab_size=VOCAB_SIZE, context=CONTEXT)
            train = replace(TRAIN, optimizer=optimizer)          # compiled once for all seeds
            order = replace(train, seed=seed)
            first, rate = multipliers(config, optimizer, way)
            params = tree_map(np.multiply, init(config, np.random.default_rng(seed)), first)
            rate = tree_map(lambda times: np.float32(times * factor), rate)

            def steps(state, begin, end):
                return take(state, rate, *training.batches(self.data, order, begin, end), config,
                            train)

            fresh = in_jax.init_state(tree_map(np.float32, params))
            for _, state, _ in training.steps(in_jax, fresh, self.data, config, train, steps):
                pass
            loss = training.evaluate(in_jax, state["params"], config, self.rows, 32)["held_out"]
            self.results["runs"][name] = {
                "optimizer": optimizer, "way": way, "depth": depth, "factor": factor, "seed": seed,
                "loss": loss if math.isfinite(loss) else None,
                "seconds": time.perf_counter() - began}
            self.save()
            print(f"{name}: {loss:.4f}, {self.results['runs'][name]['seconds']:.0f} s", flush=True)
        loss = self.results["runs"][name]["loss"]
        return math.inf if loss is None else loss

    def save(self):
        seconds = sum(run["seconds"] for run in self.results["runs"].values())
        self.results["setting"]["minutes"] = seconds / 60
        self.path.write_text(json.dumps(self.results, indent=1) + "\n", encoding="utf-8")

    def search(self, optimizer: str, way: str, depth: int, begin: float, kept: float) -> dict:
        """The losses around the best factor, from `begin` on, and the loss at the factor `kept`."""
        at = partial(self.loss, optimizer, way, depth)
        losses = {factor: at(factor) for factor in (begin, begin / 2, begin * 2)}
        while (best := min(losses, key=losses.get)) in (min(losses), max(losses)):
            following = best / 2 if best == min(losses) else best * 2
            losses[following] = at(following)
        below, middle, above = (losses[best * x] for x in (0.5, 1, 2))
        shift = (below - above) / (2 * (below + above - 2 * middle)) if math.isfinite(
            below + above) else 0.0                              # of the parabola, in factors of 2
        kept = kept or best
        losses[kept] = at(kept)
        return {"best": best, "loss": losses[best], "lowest at": best * 2**shift, "kept": kept,
                "losses": {f"{x:g}": losses[x] if math.isfinite(losses[x]) else None
                           for x in sorted(losses)}}


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--json", required=True, help="the figures; runs that it holds are kept")
    options.add_argument("--depths", type=int, nargs="+", default=(2, 4))
    options.add_argument("--optimizers", nargs="+", default=OPTIMIZERS, choices=OPTIMIZERS)
    options.add_argument("--seeds-at", type=int, nargs="+", default=(4,), help="these depths")
    options = options.parse_args()
    use_cpu_devices(1)
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(options.json), folder)
        found = bench.results.setdefault("found", {})
        for depth in options.depths:                             # the long ones last
            for optimizer in options.optimizers:
                for way in WAYS:
                    rows = found.setdefault(f"{optimizer}, {way}", {})
                    before = [row for size, row in rows.items() if int(size) < depth]
                    rows[str(depth)] = bench.search(
                        optimizer, way, depth, before[-1]["best"] if before else 1.0,
                        before[0]["best"] if before else 0.0)
                    bench.save()
        bench.results["seeds"] = {
            f"{name}, depth {depth}, rates x {rows[str(depth)]['best']:g}": [
                bench.loss(*name.split(", "), depth, rows[str(depth)]["best"], seed)
                for seed in SEEDS]
            for depth in options.seeds_at for name, rows in found.items()
            if name.startswith(TrainConfig().optimizer)}
        bench.save()


if __name__ == "__main__":
    main()
