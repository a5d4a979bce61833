"""What OpenBLAS's choice of kernels does to NumPy's matrix product: GFLOP/s for several values of OPENBLAS_CORETYPE.

    python benchmarks/blas_kernels.py [--json FILE]

Each value in a process of its own, as OpenBLAS chooses once; the best of five rounds. Values for another kind of processor may crash: they are left out.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
from pathlib import Path

KERNELS = ("", "Haswell", "Zen", "SkylakeX", "Cooperlake", "SapphireRapids")
CODE = """
import numpy as np, time
a = np.random.default_rng(0).standard_normal((1024, 1024)).astype(np.float32)
best = 0
for _ in range(5):
    began = time.perf_counter()
    for _ in range(10):
        a @ a
    best = max(best, 10 * 2 * 1.024**3 / (time.perf_counter() - began))
print(best)
"""


def machine() -> str:
    """The processor and the number of cores, without anything that names this computer."""
    try:
        names = [line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines() if line.startswith("model name")]
        kind = "AVX-512" if "avx512f" in Path("/proc/cpuinfo").read_text(encoding="utf-8") else "no AVX-512"
        return f"{names[0]}, {os.cpu_count()} cores, {kind}"
    except (OSError, IndexError):
        return f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores"


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--json")
    options = options.parse_args()
    found = {}
    for kernel in KERNELS:
        environment = {name: value for name, value in os.environ.items() if name != "OPENBLAS_CORETYPE"} | ({"OPENBLAS_CORETYPE": kernel} if kernel else {})
        done = subprocess.run([sys.executable, "-c", CODE], env=environment, capture_output=True, text=True)
        if done.returncode == 0:
            found[kernel or "(chosen by OpenBLAS)"] = float(done.stdout)
            print(f"{kernel or 'chosen by OpenBLAS':20} {float(done.stdout):6.0f} GFLOP/s", flush=True)
    if options.json:
        Path(options.json).write_text(json.dumps({"machine": machine(), "gflops": found}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
