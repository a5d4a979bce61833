"""How soon is minillm where nanoGPT ends? Tiny shakespeare, characters, four layers of 128.

    python benchmarks/nanogpt_race.py [--json FILE]

A GPT of nanoGPT's shape and recipe (https://github.com/karpathy/nanoGPT, README: "I only have a
macbook") in PyTorch, not compiled, as there: 2000 steps of 12 x 64 characters. Then minillm's shape
with RECIPE, found by trying: results/nanogpt_recipe.jsonl has a line for each trial, with settings
as shakespeare.py takes them, on one device, seeds 1 and 2. Both are trained once for each seed, in
turns. Losses are those over the validation tenth. Seconds are those of training alone; what
compiling takes, once, is given apart. Needs torch.
"""

import argparse
import json
import os
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from statistics import mean

import numpy as np

from minillm import training
from minillm.architecture.llama import init
from minillm.config import ModelConfig, TrainConfig
from minillm.text import tokenizer
from minillm.text.dataset import batch, prepare, windows
from minillm.training.loop import batches
from shakespeare import MODEL, TRAIN, shakespeare

RECIPE = TRAIN | dict(steps=260, learning_rate=0.048, muon_momentum=0.85, warmup_steps=5)
SEEDS = (0, 1, 2)


def gpt(dataset, seed: int) -> tuple[float, float]:
    """nanoGPT's way: (loss in nats per character, seconds of training)."""
    import torch
    from torch import nn
    from torch.nn import functional as F
    torch.manual_seed(seed)
    torch.set_num_threads(os.cpu_count())
    V, D, H, L, T, steps = 65, 128, 4, 4, 64, TRAIN["steps"]

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm1, self.norm2 = nn.LayerNorm(D, bias=False), nn.LayerNorm(D, bias=False)
            self.qkv, self.out = nn.Linear(D, 3 * D, bias=False), nn.Linear(D, D, bias=False)
            self.up, self.down = nn.Linear(D, 4 * D, bias=False), nn.Linear(4 * D, D, bias=False)

        def forward(self, x):
            q, k, v = (part.unflatten(-1, (H, -1)).transpose(1, 2)
                       for part in self.qkv(self.norm1(x)).split(D, dim=-1))
            z = F.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + self.out(z.transpose(1, 2).flatten(2))
            return x + self.down(F.gelu(self.up(self.norm2(x))))

    class GPT(nn.Module):
        def __init__(self):
            super().__init__()
            self.tokens, self.positions = nn.Embedding(V, D), nn.Embedding(T, D)
            self.blocks = nn.Sequential(*[Block() for _ in range(L)])
            self.norm = nn.LayerNorm(D, bias=False)
            for name, w in self.named_parameters():
                if w.ndim == 2:
                    residual = name.endswith(("out.weight", "down.weight"))
                    nn.init.normal_(w, std=0.02 / (2 * L) ** 0.5 if residual else 0.02)

        def forward(self, tokens_BT):
            x = self.tokens(tokens_BT) + self.positions.weight[: tokens_BT.shape[1]]
            return self.norm(self.blocks(x)) @ self.tokens.weight.T

    def loss(tokens_BT, targets_BT):
        logits = model(torch.from_numpy(tokens_BT).long()).flatten(0, 1)
        return F.cross_entropy(logits, torch.from_numpy(targets_BT).long().flatten())

    model = GPT()
    matrices = [w for w in model.parameters() if w.ndim == 2]
    vectors = [w for w in model.parameters() if w.ndim < 2]
    groups = [{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.99))
    began = time.perf_counter()
    for step in range(steps):
        cosine = 0.55 + 0.45 * np.cos(np.pi * (step - 100) / (steps - 100))
        for group in optimizer.param_groups:
            group["lr"] = 1e-3 * (step / 100 if step < 100 else cosine)
        some = batch(dataset.train, step, seed=seed, batch_size=TRAIN["batch_size"], context=T)
        loss(*some).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    seconds = time.perf_counter() - began
    rows = windows(dataset.validation, T)
    with torch.no_grad():
        total = sum(loss(*(part[i : i + 256] for part in rows)).item() * len(rows[0][i : i + 256])
                    for i in range(0, len(rows[0]), 256))
    return total / len(rows[0]), seconds


def minillm(dataset, seed: int, steps: int = RECIPE["steps"]) -> tuple[float, float]:
    """minillm's way: (loss in nats per character, seconds of training)."""
    from minillm import in_jax
    config, train = ModelConfig(**MODEL), TrainConfig(**RECIPE)

    def take(state, first, end):  # the seed chooses batches; it is no part of what is compiled
        rows = batches(dataset, replace(train, seed=seed), first, end)
        return in_jax.train_steps(state, *rows, config, train)

    begin = in_jax.init_state(init(config, np.random.default_rng(seed)))
    began = time.perf_counter()
    for step, state, _ in training.steps(in_jax, begin, dataset, config, train, take):
        if step >= steps:
            break
    seconds = time.perf_counter() - began
    rows = training.held_out(dataset, train.context)
    found = training.evaluate(in_jax, state["params"], config, rows, train.context)
    return found["held_out"], seconds


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--json", metavar="FILE")
    options = options.parse_args()
    from minillm.in_jax.sharding import use_cpu_devices
    use_cpu_devices(TrainConfig().cpu_devices)
    corpus, ways = shakespeare(), {"nanoGPT": gpt, "minillm": minillm}
    result = {name: {"losses": [], "seconds": []} for name in ways}
    with tempfile.TemporaryDirectory() as folder:
        letters = tokenizer.train_characters(corpus.train + corpus.validation)
        dataset = prepare(corpus, letters, Path(folder) / "data")
        first, again = (minillm(dataset, 0, RECIPE["steps_per_dispatch"])[1] for _ in range(2))
        for seed in SEEDS:
            for name, way in ways.items():
                loss, seconds = way(dataset, seed)
                result[name]["losses"].append(loss)
                result[name]["seconds"].append(seconds)
                print(f"{name}, seed {seed}: {loss:.4f} in {seconds:.1f} s", flush=True)
    share = mean(result["minillm"]["seconds"]) / mean(result["nanoGPT"]["seconds"])
    result["minillm"] |= {"recipe": dict(sorted(RECIPE.items())), "compiling": first - again}
    for name in ways:
        print(f"{name}: {mean(result[name]['losses']):.4f} on average")
    print(f"minillm needs {share:.2f} of nanoGPT's time, and {first - again:.1f} s to compile")
    if options.json:
        Path(options.json).write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
