"""Training speed of minillm's JAX twin against PyTorch, as ratios measured in one run.

    python benchmarks/training_speed.py [--rounds 3] [--only small]

Needs torch (`pip install -e ".[parity]"`). Each contender lives in its own process and is told when to run; rounds
are interleaved, so that a change in the machine's mood meets all of them. Compile time is reported apart.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from minillm.config import ModelConfig, TrainConfig

SIZES = {
    "small": (ModelConfig(vocab_size=65, hidden_size=128, intermediate_size=344, num_hidden_layers=4, num_attention_heads=4,
                          num_key_value_heads=4, head_dim=32, max_position_embeddings=64, tie_word_embeddings=False),
              TrainConfig(batch_size=12, context=64, optimizer="adamw"), 160),
    "large": (ModelConfig(vocab_size=4096, hidden_size=288, intermediate_size=768, num_hidden_layers=6, num_attention_heads=6,
                          num_key_value_heads=6, head_dim=48, max_position_embeddings=256),
              TrainConfig(batch_size=16, context=256, optimizer="adamw"), 8),
}
CONTENDERS = {
    "minillm (jax)": ("jax", {}),
    "minillm (jax), huge memory pages": ("jax", {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}),
    "pytorch, compiled": ("torch", {}),
    "pytorch, compiled, MKL told to use AVX-512": ("torch", {"MKL_ENABLE_INSTRUCTIONS": "AVX512", "LD_PRELOAD": "{fakeintel}"}),
}
FAKE_INTEL = "int mkl_serv_intel_cpu_true() { return 1; }\n"


def worker(kind: str, size: str):
    """Compile, say so, then run a round for every line on standard input."""
    config, train, count = SIZES[size]
    rng = np.random.default_rng(0)
    tokens_NBT = rng.integers(0, config.vocab_size, (count, train.batch_size, train.context + 1)).astype(np.int32)
    inputs, targets = tokens_NBT[..., :-1].copy(), tokens_NBT[..., 1:].copy()
    if kind == "jax":
        import jax

        from minillm.architecture.llama import init
        from minillm.in_jax.sharding import use_cpu_devices
        from minillm.in_jax.train import init_state, train_steps
        use_cpu_devices(train.cpu_devices)
        state, n = init_state(init(config, rng)), train.steps_per_dispatch if size == "small" else 8

        def run():
            nonlocal state
            for i in range(0, count, n):
                state, metrics = train_steps(state, inputs[i : i + n], targets[i : i + n], config, train)
            jax.block_until_ready(state)
    else:
        import torch
        sys.path.insert(0, str(Path(__file__).parent))
        from torch_llama import stepper
        torch.set_num_threads(os.cpu_count())
        steps = stepper(config, train)

        def run():
            steps(inputs, targets)
    began = time.perf_counter()
    run()
    print(json.dumps(time.perf_counter() - began), flush=True)
    for _ in sys.stdin:
        began = time.perf_counter()
        run()
        print(json.dumps(inputs.size / (time.perf_counter() - began)), flush=True)


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--only", choices=SIZES)
    options.add_argument("--worker", nargs=2, help=argparse.SUPPRESS)
    options.add_argument("--json", help="write the figures here")
    options = options.parse_args()
    if options.worker:
        return worker(*options.worker)
    results = {}
    for size in [options.only] if options.only else SIZES:
        workers = {}
        for name, (kind, environment) in CONTENDERS.items():
            environment = dict(environment)
            if "LD_PRELOAD" in environment:
                environment["LD_PRELOAD"] = fake_intel()
                if not environment["LD_PRELOAD"]:
                    continue
            workers[name] = subprocess.Popen([sys.executable, __file__, "--worker", kind, size], stdin=subprocess.PIPE,
                                             stdout=subprocess.PIPE, text=True, env=os.environ | environment)
            print(f"{size}: {name}: first round with compilation {float(json.loads(workers[name].stdout.readline())):.1f} s",
                  flush=True)
        speeds = take_turns(workers, options.rounds)
        base = statistics.median(speeds["pytorch, compiled"])
        for name, values in speeds.items():
            print(f"{size}: {name:45} {statistics.median(values):9,.0f} tokens/s   {statistics.median(values) / base:.2f}x   "
                  f"({', '.join(f'{v:,.0f}' for v in values)})", flush=True)
        results[size] = speeds
    if options.json:
        Path(options.json).write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


def take_turns(workers: dict, rounds: int) -> dict:
    """{name: what each process answered, once a round}: one runs at a time. Ends the processes."""
    answers = {name: [] for name in workers}
    for _ in range(rounds):
        for name, process in workers.items():
            process.stdin.write("go\n")
            process.stdin.flush()
            answers[name].append(json.loads(process.stdout.readline()))
    for process in workers.values():
        process.stdin.close()
        process.wait()
    return answers


def fake_intel() -> str:
    """A library that answers MKL's question whether this is an Intel processor with yes; "" without a C compiler."""
    import shutil
    import tempfile
    if not shutil.which("gcc") or sys.platform != "linux":
        return ""
    folder = Path(tempfile.mkdtemp())
    (folder / "fake.c").write_text(FAKE_INTEL, encoding="utf-8")
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", folder / "fake.so", folder / "fake.c"], check=True)
    return str(folder / "fake.so")


if __name__ == "__main__":
    main()
