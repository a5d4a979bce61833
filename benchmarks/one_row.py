"""How fast a CPU multiplies one row with a matrix: billions of products a second, by how it lies.

    python benchmarks/one_row.py [--rounds 5] [--json FILE]

A new token is one row times every matrix, so this is the ceiling of decoding. The matrices are
those of a SmolLM2-135M's feed-forward, more of them than a cache holds; the forms take turns.
"""

import argparse
import json
import statistics
import time
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

IN, OUT, MATRICES, PASSES = 576, 1536, 60, 4
FORMS = {  # name -> dtype, does it lie as (out, in)?
    "float32 (in, out)": ("float32", False), "float32 (out, in)": ("float32", True),
    "bfloat16 (in, out)": ("bfloat16", False), "bfloat16 (out, in)": ("bfloat16", True),
    "int8 (in, out)": ("int8", False), "int8 (out, in)": ("int8", True),
}


@partial(jax.jit, static_argnames="by_rows")
def passes(x_1I, matrices, by_rows: bool):
    """x times every matrix, PASSES times over, each product after the one before."""
    def through(_, x_1I):
        for w in matrices:
            x_1I, w = jax.lax.optimization_barrier((x_1I, w))
            w = w.astype(x_1I.dtype)
            x_1I = x_1I + 1e-9 * (x_1I @ (w.T if by_rows else w))[:, :IN]
        return x_1I
    return jax.lax.fori_loop(0, PASSES, through, x_1I)


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--json", help="write the figures here")
    options = options.parse_args()
    rng = np.random.default_rng(0)
    integers = [rng.integers(-127, 128, (IN, OUT)) for _ in range(MATRICES)]
    x_1I = rng.standard_normal((1, IN)).astype(np.float32)
    runs, speeds = {}, {name: [] for name in FORMS}
    for name, (dtype, by_rows) in FORMS.items():
        matrices = [jnp.asarray(w.T if by_rows else w, dtype) for w in integers]
        runs[name] = partial(passes, x_1I, matrices, by_rows)
        runs[name]().block_until_ready()
    for _ in range(options.rounds):
        for name, run in runs.items():
            began = time.perf_counter()
            run().block_until_ready()
            seconds = time.perf_counter() - began
            speeds[name].append(PASSES * MATRICES * IN * OUT / seconds / 1e9)
    for name, values in speeds.items():
        speed = statistics.median(values)
        bytes_each = jnp.dtype(FORMS[name][0]).itemsize
        print(f"{name:20} {speed:5.1f} products/ns  {speed * bytes_each:5.1f} GB/s")
    if options.json:
        Path(options.json).write_text(json.dumps(speeds, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
