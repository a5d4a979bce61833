"""What looking inside costs: recording against a plain forward pass, memory against its estimate, patching against the naive sweep.

    python benchmarks/inspection_cost.py [--stories STORIES260K.bin] [--rounds 15] [--json FILE]

Recording: compiled, medians of interleaved rounds: the plain forward pass, and the one that gives every activation back; "in NumPy"
adds what turns them into NumPy arrays by name. Memory: by how much a process's resident memory grew at most while it recorded, in a
child process, against `estimate`. Patching: all layers x positions of the residual stream at 32 tokens, restarting from the patched
layer in one batch of positions, against one whole run for each place.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np

import minillm
from decoding_speed import SIZES
from minillm.architecture.llama import init
from minillm.inspection import compiled, estimate, logits_of, patch, record, swap, tap_names
from minillm.loading import Model

LENGTHS = (32, 128, 256)
CHILD = """
import gc, sys, time, numpy as np
from decoding_speed import SIZES
from minillm.inspection import estimate, record
from minillm.loading import Model
from minillm.architecture.llama import init
config = SIZES[sys.argv[1]]
length, batch = int(sys.argv[2]), int(sys.argv[3])
model = Model(config, init(config, np.random.default_rng(0)), None, "x").on("jax")
tokens = np.random.default_rng(1).integers(0, config.vocab_size, (batch, length))
record(model, tokens)                                            # compiles; what that takes is not the record's
gc.collect()
time.sleep(1)                                                    # its arrays are given back
now = lambda: int(open("/proc/self/status").read().split("VmRSS:")[1].split()[0]) * 1024
peak = lambda: int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0]) * 1024
open("/proc/self/clear_refs", "w").write("5")
before = now()
seen = record(model, tokens)
print(peak() - before, sum(x.nbytes for x in seen.values()), estimate(config, length, batch))
"""


def seconds(function) -> float:
    began = time.perf_counter()
    jax.block_until_ready(function())
    return time.perf_counter() - began


def medians(functions: dict, rounds: int) -> dict:
    """Median seconds of each, in rounds that take them in turn."""
    times = {name: [] for name in functions}
    for function in functions.values():
        function()
    for _ in range(rounds):
        for name, function in functions.items():
            times[name].append(seconds(function))
    return {name: statistics.median(found) for name, found in times.items()}


def recording(name: str, model: Model, length: int, rounds: int) -> dict:
    """Seconds of the plain and the recording forward pass of one text."""
    tokens_BT = np.random.default_rng(0).integers(0, model.config.vocab_size, (1, length)).astype(np.int32)
    names = tuple(tap_names(model.config))
    found = medians({"plain": lambda: compiled.run(model.params, tokens_BT, [], model.config, (), ()),
                     "recording": lambda: compiled.run(model.params, tokens_BT, [], model.config, names, ()),
                     "recording, in NumPy": lambda: list(record(model, tokens_BT).values())}, rounds)
    row = {"model": name, "tokens": length, "ms_plain": 1e3 * found["plain"], "ms_recording": 1e3 * found["recording"],
           "ms_in_numpy": 1e3 * found["recording, in NumPy"], "ratio": found["recording"] / found["plain"],
           "megabytes": estimate(model.config, length) / 1e6}
    print(f"{name:12} {length:4} tokens: plain {row['ms_plain']:7.2f} ms, recording {row['ms_recording']:7.2f} ms ({row['ratio']:.2f}), "
          f"in NumPy {row['ms_in_numpy']:7.2f} ms, {row['megabytes']:.1f} MB", flush=True)
    return row


def memory(size: str, length: int, batch: int) -> dict:
    """The growth of a child process's resident memory, the bytes of the arrays, and the estimate."""
    done = subprocess.run([sys.executable, "-c", CHILD, size, str(length), str(batch)], capture_output=True, text=True, check=True,
                          cwd=Path(__file__).parent, env=os.environ | {"MALLOC_MMAP_THRESHOLD_": "65536"})   # what is freed is given back
    grown, held, expected = map(int, done.stdout.split())
    print(f"{size:5} {batch} x {length} tokens: estimated {expected / 1e6:.1f} MB, arrays {held / 1e6:.1f} MB, memory grew {grown / 1e6:.1f} MB "
          f"({grown / expected:.2f})", flush=True)
    return {"size": size, "tokens": length, "rows": batch, "estimated": expected, "arrays": held, "grown": grown}


def patching(model: Model, length: int) -> dict:
    """Seconds of the whole sweep, of the first one (which compiles), and of the naive one."""
    rng = np.random.default_rng(0)
    clean, corrupt, other = (rng.integers(3, model.config.vocab_size, (1, length)).astype(np.int32) for _ in range(3))
    first = seconds(lambda: patch(model, clean, corrupt).score_LN)
    sweep = statistics.median(seconds(lambda: patch(model, clean, corrupt).score_LN) for _ in range(5))

    def naive():
        seen = record(model, clean, "*.resid_pre")
        return np.array([[logits_of(model, corrupt, [swap(f"layers.{i}.resid_pre", seen, positions=[t])])[0, -1] for t in range(length)]
                         for i in range(model.config.num_hidden_layers)])

    logits_of(model, other, [swap("layers.0.resid_pre", record(model, clean, "*.resid_pre"), positions=[0])])
    cold = seconds(naive)                                          # each layer compiles once
    warm = seconds(naive)
    found = patch(model, clean, corrupt)
    by_hand = naive()
    score_LN = by_hand[..., found.target.token] - by_hand[..., found.target.rival]
    row = {"tokens": length, "layers": model.config.num_hidden_layers, "seconds_first": first, "seconds": sweep, "seconds_naive_first": cold,
           "seconds_naive": warm, "speedup": warm / sweep, "largest_difference": float(np.max(np.abs(score_LN - found.score_LN)))}
    print(f"patching {row['layers']} layers x {length} positions: {first:.2f} s the first time, {sweep:.3f} s again; naive {cold:.2f} s and {warm:.2f} s "
          f"({row['speedup']:.0f} times); scores differ by {row['largest_difference']:.1e}", flush=True)
    return row


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--stories", metavar="FILE", help="stories260K.bin (default: its shape with random weights)")
    options.add_argument("--rounds", type=int, default=15)
    options.add_argument("--only", nargs="+", choices=("patching", "recording", "memory"), default=("patching", "recording", "memory"))
    options.add_argument("--json", metavar="FILE", help="what was measured is put into this file; the rest of it stays")
    options = options.parse_args()
    models = {size: Model(SIZES[size], init(SIZES[size], np.random.default_rng(0)), None, size).on("jax") for size in ("260K", "15M")}
    if options.stories:
        models["260K"] = minillm.load(options.stories).on("jax")
    path = Path(options.json) if options.json else None
    result = json.loads(path.read_text(encoding="utf-8")) if path and path.exists() else {}
    jobs = {"patching": lambda: patching(models["260K"], 32),
            "recording": lambda: [recording(name, model, length, options.rounds) for name, model in models.items() for length in LENGTHS],
            "memory": lambda: [memory("15M", 256, 4), memory("15M", 128, 1), memory("260K", 512, 8)]}
    for what in options.only:
        result[what] = jobs[what]()
        if path:
            path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
