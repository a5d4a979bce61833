"""A run of 1B and one of 8B parameters on paper: memory of a device, tokens a second, days, cost.

    python benchmarks/scale_plan.py [--json FILE]

Nothing here was run on such devices: the shapes are counted, the rest is arithmetic on figures that
others measured, each with its source.

    FLOP a token      6 N + 12 L H E T, N without the embedding, which is looked up (Chowdhery et
                      al. 2022, arXiv:2204.02311, appendix B)
    state             16 N bytes over the devices: parameters, gradients, two moments in float32
    kept              rows x T x (L D + 4 V + a layer's inside) x 4 bytes, with --recompute
    traffic           12 N bytes a step in and out of a device: parameters twice, gradients once

What --recompute saves on a CPU is measured here: what XLA plans for a step of the larger model of
training_speed.py.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from minillm.architecture.llama import count
from minillm.config import ModelConfig

# Dense bfloat16, half of what the data sheet says with sparsity: nvidia.com/en-us/data-center/h100
PEAK, MEMORY = 989.4e12, 80e9
# Llama 3.1 8B, fully sharded on 8 to 128 H100: benchmarks/llama3_h100_202412_torchtitan.md of
# github.com/pytorch/torchtitan. Its devices are joined by 400 Gbit/s each; NVLink within a machine
# is 450 GB/s one way.
MFU, NETWORK, NVLINK = (0.33, 0.39), 50e9, 450e9
MEASURED = {"tokens_per_second": 6667, "context": 8192, "mfu": 0.39}
TOKENS = 20           # a parameter: Hoffmann et al. 2022, arXiv:2203.15556, table 3
DOLLARS = (2, 5)      # an hour of a device, rented: a range, not an offer
COMMON = dict(vocab_size=128256, rope_theta=500000.0, num_attention_heads=32, num_key_value_heads=8)
SHAPES = {            # those of Llama 3.2 1B and Llama 3.1 8B
    "1B": (ModelConfig(hidden_size=2048, intermediate_size=8192, num_hidden_layers=16, head_dim=64,
                       max_position_embeddings=2048, **COMMON), 8, 4),
    "8B": (ModelConfig(hidden_size=4096, intermediate_size=14336, num_hidden_layers=32,
                       head_dim=128, max_position_embeddings=4096, tie_word_embeddings=False,
                       **COMMON), 64, 4),
}


def flop_per_token(config: ModelConfig, context: int) -> int:
    """Forward and backward, attention counted in full."""
    looked_up = 0 if config.tie_word_embeddings else config.vocab_size * config.hidden_size
    attention = config.num_hidden_layers * config.num_attention_heads * config.head_dim * context
    return 6 * (count(config) - looked_up) + 12 * attention


def kept_bytes(config: ModelConfig, rows: int, recompute: bool) -> int:
    """What a device keeps of a step for the backward pass, about, in float32."""
    T, D, L = config.max_position_embeddings, config.hidden_size, config.num_hidden_layers
    inside = 4 * D + 3 * config.intermediate_size + config.num_attention_heads * T
    layers = L * D + inside if recompute else L * inside
    return 4 * rows * T * (layers + 4 * config.vocab_size)


def plan(config: ModelConfig, devices: int, rows: int) -> dict:
    """What a run of 20 tokens a parameter takes on so many devices, each with so many rows."""
    parameters, T = count(config), config.max_position_embeddings
    tokens, flop = TOKENS * parameters, flop_per_token(config, T)
    seconds = [tokens * flop / (devices * PEAK * mfu) for mfu in MFU]
    state, kept = 16 * parameters / devices, kept_bytes(config, rows, True)
    return {
        "parameters": parameters, "devices": devices, "rows": rows, "context": T,
        "tokens_per_step": devices * rows * T, "billion_tokens": tokens / 1e9,
        "gigaflop_per_token": flop / 1e9, "state_gb": state / 1e9,
        "state_gb_unshared": 16 * parameters / 1e9, "kept_gb": kept / 1e9,
        "kept_gb_of_a_row": kept / rows / 1e9,
        "kept_gb_of_a_row_plainly": kept_bytes(config, 1, False) / 1e9,
        "device_gb": (state + kept) / 1e9, "host_gb": 12 * parameters / 1e9,
        "thousand_tokens_per_second": [tokens / s / 1e3 for s in seconds],
        "days": [s / 86400 for s in seconds],
        "device_hours": [devices * s / 3600 for s in seconds],
        "dollars": [devices * seconds[1] / 3600 * DOLLARS[0],
                    devices * seconds[0] / 3600 * DOLLARS[1]],
        "step_seconds": rows * T * flop / (PEAK * MFU[0]), "traffic_gb": 12 * parameters / 1e9,
        "traffic_seconds": 12 * parameters / (NVLINK if devices <= 8 else NETWORK),
    }


def planned_megabytes(recompute: bool) -> float:
    """What XLA sets aside for a step on a CPU of two devices, beside the state."""
    from minillm.architecture.llama import init
    from minillm.in_jax import sharding, train as training
    from training_speed import SIZES

    config, train, _ = SIZES["large"]
    sharding.use_cpu_devices(2)
    tokens_NBT = np.zeros((1, train.batch_size, train.context), np.int32)
    state = training.init_state(init(config, np.random.default_rng(0)))
    program = training._train_steps.lower(state, tokens_NBT, tokens_NBT, config,
                                          replace(train, recompute=recompute))
    return program.compile().memory_analysis().temp_size_in_bytes / 1e6


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--json", help="write the figures here")
    options = options.parse_args()
    plans = {name: plan(*shape) for name, shape in SHAPES.items()}
    checked = MEASURED["tokens_per_second"] * flop_per_token(SHAPES["8B"][0], MEASURED["context"])
    results = {"peak_teraflops": PEAK / 1e12, "memory_gb": MEMORY / 1e9, "mfu": MFU,
               "tokens_per_parameter": TOKENS,
               "dollars": DOLLARS, "checked_mfu": checked / PEAK, "plans": plans,
               "cpu_megabytes": {str(flag): planned_megabytes(flag) for flag in (False, True)}}
    print(json.dumps(results, indent=1))
    if options.json:
        Path(options.json).write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
