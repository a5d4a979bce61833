"""Decoding speed and memory of int8 against float32, at batch 1, greedy, in the shapes of the TinyLlamas with random weights.

    python benchmarks/int8_speed.py [--rounds 3] [--only 15M] [--runq PATH/TO/runq] [--json FILE]

Every contender is a process that loads a folder with `minillm.load`; --tokens new ones a round, rounds interleaved,
compilation apart. The NumPy processes cannot import JAX, and say how much memory they held at most. --runq names
llama2.c's runq, built with OpenMP: it takes part with groups of 64 and weights of zeros. Plain C is plain_llama.c beside this file
(where gcc is): the loops of runq, groups of 64 or the largest power of two below that divides the sizes, as llama2.c's export does.
"""

import argparse
import json
import math
import os
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from decoding_speed import NEW_TOKENS, SIZES, llama2c_files, llama2c_round, plain_c, plain_c_round
from minillm.architecture.llama import init
from minillm.architecture.quantized import scheme_named
from minillm.config import GenerateConfig

CONTENDERS = {  # name -> twin, scheme, activations as integers
    "jax float32": ("jax", None, False), "jax int8-channel-a8": ("jax", "int8-channel", True),
    "jax int8-group32-a8": ("jax", "int8-group32", True), "jax int8-channel": ("jax", "int8-channel", False),
    "jax int8-group32": ("jax", "int8-group32", False), "jax int4-group32": ("jax", "int4-group32", False),
    "numpy float32": ("numpy", None, False), "numpy int8-channel": ("numpy", "int8-channel", False),
    "numpy int8-channel-a8": ("numpy", "int8-channel", True),
}


def worker(twin: str, folder: str, tokens: int):
    """Write that many tokens once, say the seconds and the memory, then once more for every line on standard input."""
    if twin == "numpy":
        sys.modules["jax"] = sys.modules["jaxlib"] = None
    import minillm
    model = minillm.load(folder)

    def run() -> float:
        began = time.perf_counter()
        count = sum(1 for _ in model.continuation([1], twin, GenerateConfig(tokens, temperature=0)))
        assert count == tokens
        return tokens / (time.perf_counter() - began)

    began = time.perf_counter()
    run()
    first = time.perf_counter() - began
    print(json.dumps([first, peak_megabytes()]), flush=True)
    for _ in sys.stdin:
        print(json.dumps(run()), flush=True)


def peak_megabytes() -> float:
    """The most memory that this process has held, in millions of bytes."""
    import resource  # Unix only
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6


def write_folder(folder: Path, config, scheme, activations: bool):
    """Random weights as a folder, float32 or quantized. In a process of its own, so that its memory is nobody else's."""
    from minillm.formats.checkpoint import save_model
    from minillm.quantization.model import quantize_params
    params = init(config, np.random.default_rng(0))
    save_model(folder, config, params if scheme is None else quantize_params(params, scheme_named(scheme, False, activations)))


def common_group(size: str) -> int:
    """The largest power of two, up to 64, that divides both widths."""
    return math.gcd(64, SIZES[size].hidden_size, SIZES[size].intermediate_size)


def runq_files(folder: Path, size: str) -> list[str]:
    """The arguments of runq: a checkpoint of version 2 with groups of 64 and zeros, and a tokenizer."""
    c, group = SIZES[size], 64
    arguments = llama2c_files(folder, size)
    numbers = c.vocab_size * c.hidden_size + c.num_hidden_layers * c.hidden_size * (
        2 * c.hidden_size + 2 * c.num_key_value_heads * c.head_dim + 3 * c.intermediate_size)
    with open(folder / "model.bin", "wb") as file:
        file.write(struct.pack("<Ii7iBi", 0x616B3432, 2, c.hidden_size, c.intermediate_size, c.num_hidden_layers,
                               c.num_attention_heads, c.num_key_value_heads, c.vocab_size, c.max_position_embeddings, 1, group))
        file.truncate(256 + 4 * (2 * c.num_hidden_layers + 1) * c.hidden_size + numbers + 4 * numbers // group)
    return arguments


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--tokens", type=int, default=NEW_TOKENS, help="new tokens a round")
    options.add_argument("--note", help="what else the machine was doing, for the record")
    options.add_argument("--only", choices=SIZES)
    options.add_argument("--runq", help="llama2.c's program for int8")
    options.add_argument("--contenders", nargs="+", choices=CONTENDERS, default=list(CONTENDERS))
    options.add_argument("--worker", nargs=2, help=argparse.SUPPRESS)
    options.add_argument("--write", nargs=4, help=argparse.SUPPRESS)
    options.add_argument("--json", help="write the figures here; other sizes there stay")
    options = options.parse_args()
    if options.worker:
        return worker(*options.worker, options.tokens)
    if options.write:
        folder, size, scheme, activations = options.write
        return write_folder(Path(folder), SIZES[size], None if scheme == "-" else scheme, activations == "True")
    results = json.loads(Path(options.json).read_text(encoding="utf-8")) if options.json and Path(options.json).exists() else {}
    for size in [options.only] if options.only else SIZES:
        workers, speeds, memory = {}, {}, {}
        with tempfile.TemporaryDirectory() as temporary:
            for name in options.contenders:
                twin, scheme, activations = CONTENDERS[name]
                folder = Path(temporary) / str(scheme) / str(activations)
                if not folder.exists():
                    folder.parent.mkdir(exist_ok=True)
                    subprocess.run([sys.executable, __file__, "--write", folder, size, scheme or "-", str(activations)], check=True)
                process = subprocess.Popen([sys.executable, __file__, "--tokens", str(options.tokens), "--worker", twin, folder], stdin=subprocess.PIPE,
                                           stdout=subprocess.PIPE, text=True)
                first, memory[name] = json.loads(process.stdout.readline())
                workers[name], speeds[name] = process, []
                print(f"{size}: {name:22} first round {first:5.1f} s, at most {memory[name]:,.0f} MB", flush=True)
            arguments = runq_files(Path(temporary), size) if options.runq else None
            compiled = plain_c(Path(temporary)) if common_group(size) >= 32 else ""
            for _ in range(options.rounds):
                for name, process in workers.items():
                    process.stdin.write("go\n")
                    process.stdin.flush()
                    speeds[name].append(json.loads(process.stdout.readline()))
                if compiled:
                    speeds.setdefault("plain C int8", []).append(plain_c_round(compiled, size, common_group(size)))
                if options.runq:
                    speeds.setdefault("llama2.c runq", []).append(llama2c_round(options.runq, arguments))
            for process in workers.values():
                process.stdin.close()
                process.wait()
        for name, values in speeds.items():
            print(f"{size}: {name:22} {statistics.median(values):9,.0f} tokens/s  ({', '.join(f'{v:,.0f}' for v in values)})", flush=True)
        results[size] = {"tokens_per_second": speeds, "peak_megabytes": memory, "cores": os.cpu_count(), "tokens": options.tokens,
                         "note": options.note}
        if options.json:
            Path(options.json).write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
