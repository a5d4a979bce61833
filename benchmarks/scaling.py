"""A scaling law whose irreducible loss is known: small models on story text that never repeats.

    python benchmarks/scaling.py --json FILE

In this order; a run that is in FILE is kept, so that an interrupted benchmark goes on:

    rates       one size, two lengths, several multiples of the default rates
    grid        sizes x lengths, each with a schedule that ends at its own last step; where two of
                these multiples were tried, the better counts (no one is good for all of them)
    prediction  the law is fitted, and the loss of the largest model is written to FILE
    largest     several times the compute of any run of the grid; only now it is trained
    repetition  as many tokens from a half, a quarter and an eighth of the stories
    seeds       one run of the grid again from other seeds

N counts parameters without the embedding, D tokens that are read. About 30 minutes on one core.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np

from minillm import in_jax, training
from minillm.architecture.llama import count, init
from minillm.cli.bench import machine
from minillm.config import ModelConfig, TrainConfig
from minillm.in_jax.sharding import use_cpu_devices
from minillm.text import storyworld, tokenizer
from minillm.text.corpora import read_corpus
from minillm.text.dataset import prepare
from minillm.text.storyworld import RECIPE
from minillm.training.scaling import bootstrap, fit, frontier, predict

MEGABYTES, HELD_OUT, VOCAB_SIZE, BATCH, CONTEXT = 26, 0.04, 1792, 8, 176
GRID = {4.0: {250: (16, 24, 32, 48, 64, 96), 500: (16, 24, 32, 48, 64, 96),
              1000: (16, 24, 32, 48, 64), 2000: (16,)},          # rates x: {steps: widths}
        2.0: {250: (16, 24, 32, 48, 64), 500: (48, 64, 96), 1000: (48,)}}
LARGEST, LARGEST_FACTOR = (128, 1000), 1.0                       # the wider, the lower the rate
RATES, RATES_AT = (1.0, 2.0, 4.0, 8.0), ((32, 250), (32, 1000), (64, 1000))
REPEATED, EPOCHS, SEEDED, SEEDS = (64, 1000), (1, 2, 4, 8), (32, 1000), (0, 1, 2)
REPEATED_FACTOR, SEEDED_FACTOR = 1.0, 2.0
SAMPLES, NAMES = 100, ("E", "A", "B", "a", "b")                  # of the bootstrap, of the law


def shape(width: int) -> ModelConfig:
    """Two layers with two heads; weights start as those of the dial."""
    return ModelConfig(vocab_size=VOCAB_SIZE, hidden_size=width, intermediate_size=3 * width,
                       num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=2,
                       head_dim=width // 2, max_position_embeddings=CONTEXT,
                       initializer_range=width**-0.5, **RECIPE)


def size(width: int, steps: int) -> tuple[int, int]:
    """(N, D)."""
    return count(shape(width)) - VOCAB_SIZE * width, steps * BATCH * CONTEXT


class Bench:
    """The stories, and the runs that FILE holds."""

    def __init__(self, path: Path, folder: str):
        self.path = path
        self.results = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        corpus = read_corpus("storyworld", megabytes=MEGABYTES, validation_fraction=HELD_OUT)
        made = tokenizer.train(corpus.train[:2000], VOCAB_SIZE)
        self.data = prepare(corpus, made, Path(folder) / "stories")
        self.starts = training.starts_of_rows(self.data, CONTEXT)
        self.rows = training.held_out(self.data, CONTEXT)
        if len(self.rows.tokens_NT) != self.rows.documents:
            raise SystemExit(f"CONTEXT {CONTEXT}: a story is longer, so the floor is not exact")
        tokens = len(self.data.train) / len(self.data.train_starts)
        self.results.setdefault("runs", {})
        self.results["setting"] = {
            "machine": machine(), "vocab_size": VOCAB_SIZE, "context": CONTEXT, "batch": BATCH,
            "tokens_per_story": tokens, "held_out_stories": self.rows.documents,
            "entropy_per_story": storyworld.entropy(), "entropy": storyworld.entropy() / tokens,
            "floor": self.rows.floor_per_token}

    def save(self):
        self.path.write_text(json.dumps(self.results, indent=2) + "\n", encoding="utf-8")

    def run(self, width: int, steps: int, factor: float, seed: int = 0, epochs: int = 1) -> dict:
        """N, D, the held-out loss in nats a token, and how the run was set."""
        name = f"{width} wide, {steps} steps, rates x {factor:g}, seed {seed}, {epochs} epochs"
        if name in self.results["runs"]:
            return self.results["runs"][name]
        config, usual = shape(width), TrainConfig()
        train = TrainConfig(
            steps=steps, batch_size=BATCH, context=CONTEXT, warmup_steps=20, seed=seed,
            learning_rate=factor * usual.learning_rate, cpu_devices=1,
            muon_learning_rate=factor * usual.muon_learning_rate)
        stories = steps * BATCH // epochs                        # a row is a story and what follows
        if stories >= len(self.starts):
            raise SystemExit(f"MEGABYTES {MEGABYTES}: {len(self.starts):,} rows, raise it for "
                             f"{stories:,}")
        began, text = time.perf_counter(), self.data.train[: self.starts[stories] + 1]
        begin = in_jax.init_state(init(config, np.random.default_rng(seed)))
        for _, state, _ in training.steps(in_jax, begin, (text, self.starts[:stories]), config,
                                          train):
            pass
        measured = training.evaluate(in_jax, state["params"], config, self.rows, 32)
        N, D = size(width, steps)
        run = {"width": width, "steps": steps, "factor": factor, "seed": seed, "epochs": epochs,
               "N": N, "D": D, "stories": stories,
               "loss": float(np.nan_to_num(measured["held_out"], nan=1e9)),  # it diverged
               "above_floor": measured["above_floor"], "seconds": time.perf_counter() - began}
        self.results["runs"][name] = run
        self.save()
        print(f"{name}: N {N:,d}, D {D:,d}, loss {run['loss']:.4f} "
              f"({run['above_floor']:+.1%}), {run['seconds']:.0f} s", flush=True)
        return run

    def grid(self) -> list[dict]:
        """The runs that the law is fitted to, the shortest first; of each size and length the best
        of the rates that were tried."""
        tried = [self.run(*at, factor) for at in RATES_AT for factor in RATES
                 if at != RATES_AT[-1] or factor < max(RATES)]
        tried += [self.run(width, steps, factor) for factor, lengths in GRID.items()
                  for steps, widths in lengths.items() for width in widths]
        best = {}
        for run in sorted(tried, key=lambda run: -run["loss"]):
            best[run["D"], run["N"]] = run
        return [best[at] for at in sorted(best)]


def columns(runs):
    """N, D and loss as arrays (R,)."""
    return np.array([[run["N"], run["D"], run["loss"]] for run in runs], float).T


def interval(values) -> list[float]:
    return np.percentile(values, [2.5, 97.5]).tolist()


def foretold(N, D, loss, floor: float = 0.0) -> dict:
    """The law of loss - floor, and what it says of one run of LARGEST, with 95% intervals.

    The interval of the run is that of the law and a residual beside it.
    """
    law, laws = fit(N, D, loss - floor), bootstrap(N, D, loss - floor, SAMPLES,
                                                   np.random.default_rng(0))
    residuals = np.log((loss - floor) / predict(law, N, D)) * (len(N) / (len(N) - 5)) ** 0.5
    luck = np.exp(np.random.default_rng(1).choice(residuals, SAMPLES))
    at = size(*LARGEST)
    guesses = floor + luck * [predict(one, *at) for one in laws]
    return {"runs": len(N), "residual": float(np.std(residuals)),
            "law": {name: [value, *interval(some)]
                    for name, value, some in zip(NAMES, law.tolist(), laws.T)},
            "loss": [floor + float(predict(law, *at)), *interval(guesses)]}


def best_sizes(N, D, loss):
    """(exponent, N*) of two approaches of arXiv:2203.15556, section 3: N* grows as C^exponent, and
    N* at the compute of LARGEST.

    At each of 24 budgets C = 6 N D the losses of the sizes that have shorter and longer runs are
    read between them, on logarithms. 1: the best of the sizes. 2: the lowest point of a parabola
    through all of them. A budget counts where that is not the first or last of the sizes.
    nan: fewer than three different points.
    """
    runs = [(n, np.log(6 * n * D[N == n]), np.log(loss[N == n])) for n in np.unique(N)]
    best, lowest = [], []
    for C in np.linspace(np.log(6 * N * D).min(), np.log(6 * N * D).max(), 24):
        inside = [(np.log(n), np.interp(C, cs, losses)) for n, cs, losses in runs
                  if cs.min() <= C <= cs.max()]
        if len(inside) < 3:
            continue
        sizes, losses = np.array(inside).T
        if 0 < (k := losses.argmin()) < len(sizes) - 1:
            best.append((C, sizes[k]))
        curve = np.polyfit(sizes, losses, 2)
        if curve[0] > 0 and sizes[0] < (middle := -curve[1] / curve[0] / 2) < sizes[-1]:
            lowest.append((C, middle))
    at = np.log(6.0 * np.prod(size(*LARGEST), dtype=float))
    lines = [np.polyfit(*np.transpose(points), 1) if len({n for _, n in points}) > 2 else
             (np.nan, np.nan) for points in (best, lowest)]
    return [(line[0], np.exp(np.polyval(line, at))) for line in lines]


def frontiers(N, D, loss) -> dict:
    """The exponent of N* ~ C^exponent and N* at the compute of LARGEST, three ways, with intervals
    of the residual bootstrap."""
    law, laws = fit(N, D, loss), bootstrap(N, D, loss, SAMPLES, np.random.default_rng(0))
    expected, rng = predict(law, N, D), np.random.default_rng(2)
    residuals = np.log(loss / expected) * (len(N) / (len(N) - 5)) ** 0.5
    C = 6.0 * np.prod(size(*LARGEST), dtype=float)

    def both(loss, law):
        return [*best_sizes(N, D, loss), (law[4] / (law[3] + law[4]), frontier(law, C)[0])]

    drawn = np.array([both(expected * np.exp(rng.choice(residuals, len(N))), one) for one in laws])
    names = ("lowest of the runs", "parabolas at equal compute", "the law")
    return {name: {what: [found[i], *interval(some[:, i][~np.isnan(some[:, i])])]
                   for i, what in enumerate(("exponent", "best N"))}
            for name, found, some in zip(names, both(loss, law), drawn.transpose(1, 0, 2))
            if not np.isnan(found[0])}


def repetition(bench: Bench, fresh: list[dict]) -> list[dict]:
    """The loss after as many tokens from fewer stories, and how many fresh tokens reach the same:
    `worth`, read between the runs of the same size; None outside of them."""
    _, D, loss = columns(sorted((run for run in fresh if run["width"] == REPEATED[0]),
                                key=lambda run: -run["D"]))
    rows = []
    for epochs in EPOCHS:
        run = bench.run(*REPEATED, REPEATED_FACTOR, epochs=epochs)
        inside = loss[0] <= run["loss"] <= loss[-1]
        worth = float(np.exp(np.interp(np.log(run["loss"]), np.log(loss), np.log(D))))
        rows.append({**run, "worth": worth if inside else None})
    return rows


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--json", required=True, help="the figures; runs that it holds are kept")
    path = Path(options.parse_args().json)
    use_cpu_devices(1)
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(path, folder)
        results = bench.results
        results["grid"] = runs = bench.grid()
        N, D, loss = columns(runs)
        if "predicted" not in results:                           # and it is never made again
            long, floor = D > D.min(), results["setting"]["floor"]
            results["predicted"] = {
                "N": size(*LARGEST)[0], "D": size(*LARGEST)[1], "all runs": foretold(N, D, loss),
                "without the shortest": foretold(N[long], D[long], loss[long]),
                "of the excess over the floor": foretold(N, D, loss, floor)}
            bench.save()
            print(json.dumps(results["predicted"], indent=1), flush=True)
        results["frontier"] = frontiers(N, D, loss)
        bench.save()
        results["largest"] = bench.run(*LARGEST, LARGEST_FACTOR)
        bench.save()
        results["repetition"] = repetition(bench, runs)
        bench.save()
        results["seeds"] = [bench.run(*SEEDED, SEEDED_FACTOR, seed=seed) for seed in SEEDS]
        results["setting"]["minutes"] = sum(run["seconds"] for run in results["runs"].values()) / 60
        bench.save()


if __name__ == "__main__":
    main()
