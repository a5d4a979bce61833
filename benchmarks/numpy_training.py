"""How fast the NumPy twin trains, beside another version of itself, in one interleaved run.

    git worktree add FOLDER e528771
    python benchmarks/numpy_training.py --before FOLDER [--rounds 9] [--threads 1] [--json FILE]

Every version lives in its own process and is told when to run. "products" are the matrix products
of a step by themselves, in the shapes that both versions had at first: who computes as many of them
can be no faster than that.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
STORIES = dict(num_attention_heads=4, num_key_value_heads=2)
# name -> (config, how it is trained, steps of a round); lesson 06's demo, and `minillm demo`
SIZES = {
    "lesson 06": (dict(vocab_size=384, hidden_size=32, intermediate_size=96, num_hidden_layers=2,
                       head_dim=8, max_position_embeddings=64, **STORIES),
                  dict(batch_size=4, context=64, optimizer="adamw"), 60),
    "demo": (dict(vocab_size=1792, hidden_size=128, intermediate_size=352, num_hidden_layers=3,
                  head_dim=32, max_position_embeddings=176, **STORIES),
             dict(batch_size=8, context=176, optimizer="muon"), 4),
}


def worker(kind: str, size: str, clock: str):
    """Warm up, say so, then run a round for every line on standard input."""
    now = getattr(time, clock)
    import numpy as np

    from minillm.config import ModelConfig, TrainConfig
    shape, recipe, count = SIZES[size]
    config, train, rng = ModelConfig(**shape), TrainConfig(**recipe), np.random.default_rng(0)
    rows = rng.integers(0, config.vocab_size, (count, train.batch_size, train.context + 1))
    inputs, targets = rows[..., :-1].astype(np.int32), rows[..., 1:].astype(np.int32)
    if kind == "products":
        made = list(products(config, train, rng))

        def run():
            for _ in range(count):
                for a, b in made:
                    a @ b
    else:
        from minillm.architecture.llama import init
        from minillm.in_numpy.train import init_state, train_steps
        state = init_state(init(config, rng))

        def run():
            nonlocal state
            state, _ = train_steps(state, inputs, targets, config, train)
    run()
    print(json.dumps(0), flush=True)
    for _ in sys.stdin:
        began = now()
        run()
        print(json.dumps(inputs.size / (now() - began)), flush=True)


def products(config, train, rng):
    """The pairs of matrices that one step of training multiplies."""
    D, F, V, E = config.hidden_size, config.intermediate_size, config.vocab_size, config.head_dim
    H, K = config.num_attention_heads, config.num_key_value_heads
    B, T = train.batch_size, train.context

    def normal(*shape):
        return rng.standard_normal(shape, "float32")

    inner = [(D, H * E), (D, K * E), (D, K * E), (H * E, D), (D, F), (D, F), (F, D)]
    for I, O in [*inner * config.num_hidden_layers, (D, V)]:
        x, w, dy = normal(B, T, I), normal(I, O), normal(B, T, O)
        yield from ((x, w), (dy, w.T), (x.reshape(-1, I).T, dy.reshape(-1, O)))
    for I, O in inner * config.num_hidden_layers * (train.optimizer == "muon"):
        x, square = normal(min(I, O), max(I, O)), normal(min(I, O), min(I, O))
        yield from ((x, x.T), (square, square), (square, x)) * 5           # orthogonalize
    for _ in range(config.num_hidden_layers):
        q, k = normal(B, K, H // K, T, E), normal(B, K, 1, T, E)
        pattern = normal(B, K, H // K, T, T)
        turned, across = k.swapaxes(-1, -2), pattern.swapaxes(-1, -2)
        # scores, z; again: scores, then dpattern, dv, dq, dk
        yield from ((q, turned), (pattern, k), (q, turned), (q, turned), (across, q), (pattern, k),
                    (across, q))


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--before", help="folder of another version of the repository")
    options.add_argument("--rounds", type=int, default=9)
    options.add_argument("--threads", type=int, default=1, help="of BLAS")
    options.add_argument("--cpu", action="store_true", help="count seconds of the processor: for a "
                         "machine that does other things too (one thread)")
    options.add_argument("--only", choices=SIZES)
    options.add_argument("--worker", nargs=3, help=argparse.SUPPRESS)
    options.add_argument("--json", help="write the figures here, beside those of other --threads")
    options = options.parse_args()
    if options.worker:
        return worker(*options.worker)
    from minillm.cli.bench import machine
    from training_speed import take_turns
    versions = {"before": options.before} if options.before else {}
    versions |= {"now": ROOT, "products": ROOT}
    sizes, clock = {}, "process_time" if options.cpu else "perf_counter"
    for size in [options.only] if options.only else SIZES:
        workers = {}
        for kind, folder in versions.items():
            environment = os.environ | {"PYTHONPATH": str(Path(folder).resolve())} | {
                f"{name}_NUM_THREADS": str(options.threads) for name in ("OPENBLAS", "OMP")}
            workers[kind] = subprocess.Popen(
                [sys.executable, __file__, "--worker", kind, size, clock], stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, text=True, env=environment)
            json.loads(workers[kind].stdout.readline())
        sizes[size] = take_turns(workers, options.rounds)
        for kind, values in sizes[size].items():
            median = statistics.median(values)
            ratios = [value / other for value, other in zip(values, sizes[size]["now"])]
            print(f"{options.threads} thread(s), {size:10} {kind:10} {median:10,.0f} tokens/s, "
                  f"{statistics.median(ratios):.3f} of now ({min(ratios):.3f}-{max(ratios):.3f})",
                  flush=True)
    if options.json:
        path = Path(options.json)
        results = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"threads": {}}
        results |= {"machine": machine(), "clock": clock}
        results["threads"].setdefault(str(options.threads), {}).update(sizes)
        path.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
