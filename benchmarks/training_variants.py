"""What was tried to make training in JAX faster, each against what minillm does, in one run.

    python benchmarks/training_variants.py [--rounds 5] [--size large] [--json FILE]

Each variant changes one thing, in this file alone, and lives in a process of its own; rounds take
turns. Sizes and batches are those of training_speed.py. Before it is measured, a variant's first
loss must be the plain one (to 1e-5; bfloat16 moments change no first loss).
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from training_speed import SIZES, take_turns

RESULTS = Path(__file__).parent / "results" / "training_variants.json"
ABOUT = {
    "as it is": "two devices, queries in blocks, patterns stored",
    "one device": "threads within each operation instead of half the batch on each core",
    "all queries at once": "no blocks: keys that the mask hides are multiplied too",
    "patterns computed again": "jax.checkpoint around attention (arXiv:2205.14135, section 3.1)",
    "blocks computed again": "`--recompute`: only what enters a block is kept",
    "q, k, v and gate, up joined": "two products a block instead of five",
    "cross-entropy in slices": "logits and their gradient a slice of rows at a time",
    "moments in bfloat16": "AdamW's two means in half the bytes, computed in float32",
}


def change(variant: str, config, train):
    """Change what minillm does, in this process, and return (init of params, train)."""
    from dataclasses import replace

    import jax
    import jax.numpy as jnp

    import minillm.in_jax.model as model
    import minillm.in_jax.ops as ops
    import minillm.in_jax.train as training
    from minillm.architecture.llama import init

    params = init(config, np.random.default_rng(0))
    if variant == "one device":
        train = replace(train, cpu_devices=1)
    elif variant == "all queries at once":
        ops.QUERY_BLOCK = 10**9
    elif variant == "patterns computed again":
        model.attend = lambda q, k, v, start, tap: jax.checkpoint(
            lambda *qkv: ops.attend(*qkv, start, tap=tap))(q, k, v)
    elif variant == "blocks computed again":
        train = replace(train, recompute=True)
    elif variant == "q, k, v and gate, up joined":
        params, model.linear, model.mlp = joined(params, model)
    elif variant == "cross-entropy in slices":
        training.loss_and_grads = jax.value_and_grad(sliced_loss)
    elif variant == "moments in bfloat16":
        plain = training.update

        def update(params, grads, moments, step, train):
            wide = jax.tree.map(lambda x: x.astype(jnp.float32), moments)
            params, moments = plain(params, grads, wide, step, train)
            return params, jax.tree.map(lambda x: x.astype(jnp.bfloat16), moments)

        training.update = update
    return params, train


def joined(params, model):
    """Parameters with q, k, v and gate, up as one matrix each; `linear` and `mlp` that know.

    `linear` is asked for q, k and v of one input in turn: XLA finds that the product is the same.
    """
    import jax.numpy as jnp

    from minillm.in_jax.ops import linear, no_tap, swiglu

    class Part:
        """Columns of a matrix."""

        def __init__(self, whole, begin, end):
            self.whole, self.begin, self.end = whole, begin, end

    def join(layer):
        layer = dict(layer)
        q, k, v = (layer.pop(name) for name in ("q_proj", "k_proj", "v_proj"))
        layer["qkv_proj"] = np.concatenate([q, k, v], axis=1)
        gate, up = layer.pop("gate_proj"), layer.pop("up_proj")
        layer["gate_up_proj"] = np.concatenate([gate, up], axis=1)
        return layer

    plain_attention = model.attention

    def attention(layer, x, start, cos_sin, kv, config, tap=no_tap):
        E = config.head_dim
        O, J = config.num_attention_heads * E, config.num_key_value_heads * E
        whole = layer["qkv_proj"]
        parts = {"q_proj": Part(whole, 0, O), "k_proj": Part(whole, O, O + J),
                 "v_proj": Part(whole, O + J, O + 2 * J)}
        return plain_attention(layer | parts, x, start, cos_sin, kv, config, tap)

    def linear_of_parts(x, w, b=None):
        if isinstance(w, Part):
            return linear(x, w.whole, b)[..., w.begin : w.end]
        return linear(x, w, b)

    def mlp(layer, x, tap=no_tap):
        gate, up = jnp.split(linear(x, layer["gate_up_proj"]), 2, axis=-1)
        return linear(swiglu(gate, up), layer["down_proj"])

    defaults = model.block.__defaults__
    model.block.__defaults__ = (*defaults[:-1], attention)
    return params | {"layers": [join(layer) for layer in params["layers"]]}, linear_of_parts, mlp


def sliced_loss(params, tokens_BT, targets_BT, config, slices: int = 8):
    """The loss, the head's logits and their gradient a slice of positions at a time."""
    import jax
    import jax.numpy as jnp

    from minillm.in_jax.ops import cross_entropy
    from minillm.in_jax.pieces import read, stream

    x_BTD, _ = stream(params, tokens_BT, config)
    outer = {name: leaf for name, leaf in params.items() if name != "layers"} | {"layers": []}
    parts = jnp.stack(jnp.split(x_BTD, slices, 1)), jnp.stack(jnp.split(targets_BT, slices, 1))

    @jax.checkpoint
    def one(total, part):
        return total + cross_entropy(read(outer, part[0]), part[1]), None

    return jax.lax.scan(one, jnp.float32(0), parts)[0] / slices


def worker(variant: str, size: str):
    """Compile, say the first loss, then run a round for every line on standard input."""
    import jax
    import jax.numpy as jnp

    from minillm.in_jax.sharding import use_cpu_devices
    from minillm.in_jax.train import init_state, train_steps

    config, train, count = SIZES[size]
    params, train = change(variant, config, train)
    use_cpu_devices(train.cpu_devices)
    rng = np.random.default_rng(1)
    tokens_NBT = rng.integers(0, config.vocab_size,
                              (count, train.batch_size, train.context + 1)).astype(np.int32)
    inputs, targets = tokens_NBT[..., :-1].copy(), tokens_NBT[..., 1:].copy()
    state = init_state(params)
    if variant == "moments in bfloat16":
        state["moments"] = jax.tree.map(lambda x: x.astype(jnp.bfloat16), state["moments"])
    state, metrics = train_steps(state, inputs, targets, config, train)
    print(json.dumps(float(metrics["loss"][0])), flush=True)
    for _ in sys.stdin:
        began = time.perf_counter()
        state, _ = train_steps(state, inputs, targets, config, train)
        print(json.dumps(inputs.size / (time.perf_counter() - began)), flush=True)


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--size", choices=SIZES, nargs="+", default=list(SIZES))
    options.add_argument("--variants", nargs="+", default=list(ABOUT), choices=ABOUT)
    options.add_argument("--worker", nargs=2, help=argparse.SUPPRESS)
    options.add_argument("--json", type=Path)
    options = options.parse_args()
    if options.worker:
        return worker(*options.worker)
    from minillm.cli.bench import machine
    results = {"machine": machine(), "about": ABOUT}
    for size in options.size:
        workers = {name: subprocess.Popen(
            [sys.executable, __file__, "--worker", name, size], text=True, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE) for name in options.variants}
        losses = {name: float(each.stdout.readline()) for name, each in workers.items()}
        plain = losses[options.variants[0]]
        assert all(abs(loss / plain - 1) < 1e-5 for loss in losses.values()), losses
        speeds = take_turns(workers, options.rounds)
        base = speeds[options.variants[0]]
        results[size] = {}
        for name, rates in speeds.items():
            ratios = [rate / other for rate, other in zip(rates, base)]
            results[size][name] = {"tokens_per_second": statistics.median(rates),
                                   "ratio": statistics.median(ratios), "lowest": min(ratios),
                                   "highest": max(ratios)}
            print(f"{size}: {name:30} {statistics.median(rates):9,.0f} tokens/s   "
                  f"{statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})",
                  flush=True)
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
