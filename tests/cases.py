"""The public functions of the twins, and arguments for a call of each: random values and shapes."""

import importlib
import inspect
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

import minillm
from helpers import random_bloom, random_config, random_params, random_relative
from minillm.architecture.adapters import init_adapters
from minillm.architecture.quantized import Scheme
from minillm.architecture.qwen3 import Qwen3Config
from minillm.architecture.smollm3 import SmolLM3Config
from minillm.architecture.tree import tree_map
from minillm.config import DistillConfig, GenerateConfig, RopeScaling, TrainConfig, TuneConfig

PACKAGE = Path(minillm.__file__).parent
UNPAIRED = {"__init__", "hosts", "memory", "recompute", "rows", "sharding"}
MODULES = sorted({p.stem for twin in ("in_numpy", "in_jax") for p in (PACKAGE / twin).glob("*.py")} - UNPAIRED)


def public_functions(twin: str, module: str) -> dict:
    """The functions that a module defines itself; a jitted one counts as what it wraps."""
    loaded = importlib.import_module(f"minillm.{twin}.{module}")
    return {name: value for name, value in vars(loaded).items()
            if not name.startswith("_") and callable(value) and not inspect.isclass(value)
            and (isinstance(value, partial)
                 or getattr(value, "__module__", None) == loaded.__name__)}


FUNCTIONS = [(module, name) for module in MODULES for name in public_functions("in_jax", module)]


def sequences(rng, config, batch=3, length=7):
    tokens = rng.integers(0, config.vocab_size, (batch, length + 1)).astype(np.int32)
    targets = tokens[:, 1:].copy()
    targets[0, : length // 2] = -100
    return tokens[:, :-1], targets


def heads(rng, dtype, keys):
    B, K, G, T, E = rng.integers(1, 4), rng.integers(1, 4), rng.integers(1, 4), rng.integers(1, 7), 2 * rng.integers(1, 5)
    start = int(rng.integers(0, 4))
    q, k, v, slopes = (rng.standard_normal(shape).astype(dtype)
                       for shape in ((B, K, G, T, E), (B, K, start + T + keys, E), (B, K, start + T + keys, E), (K, G)))
    return [q, k, v, start, slopes]


def stretched(config, n):
    """The config with one of the ways to stretch rotary angles, or none."""
    kind = (None, "linear", "dynamic", "llama3", "yarn")[n % 5]
    return config if kind is None else replace(config, max_position_embeddings=8, rope_scaling=RopeScaling(
        kind, 4.0, original_max_position_embeddings=5, low_freq_factor=1.0, high_freq_factor=4.0))


def model_case(rng, dtype):
    config = random_config(rng)
    params = random_params(config, rng, dtype)
    return config, params


def cached(twin, config, params, prompt, dtype):
    """A cache that has seen `prompt`, in the twin's own arrays."""
    model = importlib.import_module(f"minillm.{twin}")
    return model.forward(params, prompt, config, model.init_cache(config, len(prompt), 24, dtype))[1]


def normal(rng, dtype, *shape):
    return rng.standard_normal(shape).astype(dtype)


def qwen3_case(name, rng, dtype):
    config = random_relative(Qwen3Config, rng)
    params, x = random_params(config, rng, dtype), normal(rng, dtype, 2, 5, config.hidden_size)
    cos_sin = [normal(rng, dtype, 5, config.head_dim // 2) for _ in range(2)]
    cases = {"forward": (params, rng.integers(0, config.vocab_size, (2, 5)), config),
             "block": (params["layers"][0], x, 0, cos_sin, None, config),
             "attention": (params["layers"][0], x, 0, cos_sin, None, config),
             "block_alone": (params["layers"][0], x, config)}
    return cases.get(name)


def smollm3_case(name, rng, dtype):
    config = random_relative(SmolLM3Config, rng, num_hidden_layers=2)
    config = replace(config, no_rope_layers=(0, 1))
    params, x = random_params(config, rng, dtype), normal(rng, dtype, 2, 5, config.hidden_size)
    cos_sin = [normal(rng, dtype, 5, config.head_dim // 2) for _ in range(2)]
    cases = {"forward": (params, rng.integers(0, config.vocab_size, (2, 5)), config),
             "block": (params["layers"][0], x, 0, cos_sin, None, config),
             "attention": (params["layers"][0], x, 0, cos_sin, None, config),
             "layer_cos_sin": (params["layers"][0], cos_sin),
             "block_alone": (params["layers"][0], x, config)}
    return cases.get(name)


def bloom_case(name, rng, dtype):
    config = random_bloom(rng)
    params, x = random_params(config, rng, dtype), normal(rng, dtype, 2, 5, config.hidden_size)
    cases = {"forward": (params, rng.integers(0, config.vocab_size, (2, 5)), config), "mlp": (params["layers"][0], x),
             "block": (params["layers"][0], x, 0, None, config), "attention": (params["layers"][0], x, 0, None, config),
             "block_alone": (params["layers"][0], x, config), "final_norm": (params, x, config),
             "embed": (params, rng.integers(0, config.vocab_size, (2, 5)), config)}
    if name in ("layernorm", "gelu"):
        return case(name, "in_numpy", rng, dtype)
    return cases.get(name)


def quantize_case(name, twin, rng, dtype, n):
    """Random matrices under the n-th of all schemes, their groups cut short, outlier inputs in every other."""
    quantize = importlib.import_module(f"minillm.{twin}.quantize")
    scheme = Scheme((8, 4)[n % 2], ("tensor", "channel", "group32")[n % 3], n // 6 % 2 == 1, (n // 12 + n) % 2 == 1)
    if n >= 24:
        scheme = Scheme(4, "group32", activations=n % 2 == 1, minimum=True)
    rows, width = ((2, 3), (39, 33), (17, 64), (5, 79))[n // 2 % 4]
    columns = np.array([0, width - 1], np.int32) if n % 3 else None
    w, x = normal(rng, dtype, rows, width), normal(rng, dtype, 2, 1 + n % 3 * 2, width)
    scales, offsets = (None if part is None else np.asarray(part)
                       for part in quantize.fit(w, scheme))
    tokens, scattered = rng.integers(0, rows, 5), rng.integers(0, rows, (2, 3))

    def record():                                              # compiled only where it is asked for
        return quantize.quantize(w, scheme, columns=columns, transposed=False)

    cases = {
        "quantize": lambda: (w, scheme, n % 2 == 0, None), "fit": lambda: (w, scheme), "groups": lambda: (w, scheme),
        "to_integers": lambda: (w, scales, offsets, scheme),
        "record": lambda: (rng.integers(-8, 8, (rows, width)).astype(np.int8), scales, offsets,
                           scheme, n % 2 == 0),
        "round_scales": lambda: (np.abs(normal(rng, dtype, rows)), 127.0, scheme), "expand_scales": lambda: (scales, width, scheme),
        "pack": lambda: (rng.integers(-8, 8, (rows, width)).astype(np.int8),),
        "unpack": lambda: (rng.integers(0, 256, (rows, -(-width // 2))).astype(np.uint8), width),
        "take_rows": lambda: (record(), tokens), "dequantize": lambda: (record(), dtype), "integers": lambda: (record(),),
        "lookup": lambda: (scattered, record()), "matmul": lambda: (x, record().T),
        "matmul_weight_only": lambda: (x[0], record().T),
        "matmul_integers": lambda: (x[0], quantize.quantize(w.T, scheme, columns=columns)),
        "inlier_mask": lambda: (np.array([1, 2]), width, dtype), "quantize_tokens": lambda: (x[0],),
        "integer_product": lambda: (rng.integers(-128, 128, (n % 3 + 1, 1500)).astype(np.int8),
                                    rng.integers(-128, 128, (rows, 1500)).astype(np.int8)),
        "smoothing": lambda: (np.abs(x[0, 0]), np.abs(w[0]) * (np.arange(width) > 1), 0.5),
    }
    return cases[name]() if name in cases else None


def case(name, twin, rng, dtype):
    """Arguments for one call of a function: random values, random shapes."""
    n, d, out = (int(rng.integers(1, 9)) for _ in range(3))
    config, params = model_case(rng, dtype)
    train = TrainConfig(steps=20, warmup_steps=3, learning_rate=1e-2, max_grad_norm=0.5,
                        optimizer="muon" if dtype == np.float64 else "adamw")     # Newton-Schulz amplifies rounding
    cos_sin = importlib.import_module(f"minillm.{twin}.ops").rotation(np.arange(5), config, 5, dtype)
    x = normal(rng, dtype, 2, 5, config.hidden_size)
    tokens, targets = sequences(rng, config)
    grads = tree_map(lambda w: normal(rng, dtype, *w.shape), params)
    moments = {"mean": tree_map(lambda w: normal(rng, dtype, *w.shape), params),
               "square": tree_map(lambda w: normal(rng, dtype, *w.shape) ** 2, params)}
    how = GenerateConfig(max_new_tokens=9, temperature=0.7, top_k=int(rng.integers(0, 9)), top_p=0.9, min_p=0.02,
                         repetition_penalty=1.2, seed=n)
    seen = np.arange(config.vocab_size) % 3 == 0
    state = {"params": params, "moments": moments, "step": 5}
    logits, teacher = (5 * normal(rng, dtype, *tokens.shape, config.vocab_size) for _ in range(2))
    lesson = DistillConfig(objective=("soft", "reverse")[n % 2], alpha=0.7, temperature=1.7)
    kept = (np.tile(rng.permuted(np.arange(config.vocab_size))[:4], (*tokens.shape, 1)), np.log(np.full((*tokens.shape, 4), 0.2, dtype)))
    adapters = tree_map(lambda leaf: normal(rng, dtype, *leaf.shape), init_adapters(
        params, ("q_proj", "down_proj"), 2, rng))
    old, reference = 0.1 * normal(rng, dtype, 2, *targets.shape) - 2
    rewarded = {"tokens_BT": tokens, "targets_BT": targets, "old_BT": old,
                "reference_BT": reference, "advantage_B": normal(rng, dtype, len(targets))}
    larger = random_config(rng, vocab_size=config.vocab_size)
    rows = np.random.default_rng(0)
    drawn, seen_B = (rows.random(3, np.float32), np.array([-1, 4, -1])), (
        rows.random((3, config.vocab_size)) < 0.3)
    cases = {
        "no_tap": lambda: ("name", normal(rng, dtype, n)),
        "linear": lambda: (normal(rng, dtype, 3, n, d), normal(rng, dtype, d, out), normal(rng, dtype, out)),
        "adapted": lambda: (*(normal(rng, dtype, *shape)
                              for shape in ((3, n, d), (d, out), (d, 2), (2, out))),
                            1.5, normal(rng, dtype, out)),
        "embedding": lambda: (rng.integers(0, 11, (2, n)), normal(rng, dtype, 11, d)),
        "rmsnorm": lambda: (normal(rng, dtype, 2, n, d + 1), normal(rng, dtype, d + 1), 1e-5),
        "layernorm": lambda: (normal(rng, dtype, 2, n, d + 1), *normal(rng, dtype, 2, d + 1), 1e-5),
        "gelu": lambda: (3 * normal(rng, dtype, 2, n, d),),
        "distance": lambda: (n, d, n + d, dtype),
        "softmax": lambda: (10 * normal(rng, dtype, 3, n, d),),
        "rotation": lambda: (np.arange(n, n + d), stretched(config, n), n + d, dtype),
        "rope": lambda: (normal(rng, dtype, 2, 3, n, 2 * d), *normal(rng, dtype, 2, n, d)),
        "attend": lambda: heads(rng, dtype, keys=int(rng.integers(0, 3))),
        "causal": lambda: (n, d, n + d),
        "swiglu": lambda: (5 * normal(rng, dtype, 2, n, d), normal(rng, dtype, 2, n, d)),
        "sigmoid": lambda: (200 * normal(rng, dtype, n, d),),
        "cross_entropy": lambda: (5 * normal(rng, dtype, *tokens.shape, config.vocab_size), targets),
        "forward": lambda: (params, tokens, config),
        "unembedding": lambda: (params,),
        "embed": lambda: (params, tokens, config),
        "stream": lambda: (params, tokens, config),
        "read": lambda: (params, x),
        "block": lambda: (params["layers"][0], x, 0, cos_sin, None, config),
        "attention": lambda: (params["layers"][0], x, 0, cos_sin, None, config),
        "block_alone": lambda: (params["layers"][0], x, config),
        "final_norm": lambda: (params, x, config),
        "mlp": lambda: (params["layers"][0], x),
        "init_cache": lambda: (config, n, d, dtype),
        "update_cache": lambda: (normal(rng, dtype, 6, 9, d), normal(rng, dtype, 2, 3, 4, d), 5),
        "loss": lambda: (params, tokens, targets, config),
        "loss_and_grads": lambda: (params, tokens, targets, config),
        "learning_rate": lambda: (int(rng.integers(0, 20)), train),
        "global_norm": lambda: (grads,),
        "clip": lambda: (grads, float(rng.uniform(0.1, 100))),
        "init_moments": lambda: (params,),
        "schedule": lambda: (int(rng.integers(0, 20)), train),
        "adamw": lambda: (*(normal(rng, dtype, n, d) for _ in range(3)), normal(rng, dtype, n, d) ** 2, 5, train),
        "muon": lambda: (*(normal(rng, dtype, n + 1, d + 1) for _ in range(3)), 5, train),
        "orthogonalize": lambda: (normal(rng, dtype, n + 1, d + 1),),
        "update": lambda: (params, grads, moments, 5, train),
        "init_state": lambda: (params,),
        "train_step": lambda: (state_of(twin, state), tokens, targets, config, train),
        "take_step": lambda: (state_of(twin, state), dtype(2.5), grads, train),
        "train_steps": lambda: (state_of(twin, state), np.stack([tokens] * 3), np.stack([targets] * 3), config, train),
        "row_losses": lambda: (params, tokens, targets, config),
        "prediction_change": lambda: (logits, teacher, targets),
        "sample": lambda: (3 * normal(rng, dtype, config.vocab_size), float(rng.random()), how, seen),
        "penalize": lambda: (3 * normal(rng, dtype, config.vocab_size), seen, 1.3),
        "are_finite": lambda: (normal(rng, dtype, 2, n),),
        "mark": lambda: (seen, 2),
        "decode_step": lambda: (params, 3, cached(twin, config, params, tokens[:1], dtype), seen, 0.4, config, how),
        "log_softmax": lambda: (10 * normal(rng, dtype, 3, n, d),),
        "counted_mean": lambda: (normal(rng, dtype, *targets.shape), targets),
        "forward_kl": lambda: (logits, teacher, targets, 1.7),
        "reverse_kl": lambda: (logits, teacher, targets, 1.7),
        "jsd": lambda: (logits, teacher, targets, 1.7, 0.3),
        "distill_loss": lambda: (logits, teacher, targets, lesson),
        "top_k": lambda: (logits, 4),
        "expand_top_k": lambda: (*kept, logits),
        "distill_loss_and_grads": lambda: (params, tokens, targets, teacher, config, lesson),
        "distill_step": lambda: (state_of(twin, state), tokens, targets, teacher, config, train, lesson),
        "distill_steps": lambda: (state_of(twin, state), np.stack([tokens] * 3), np.stack([targets] * 3),
                                  random_params(larger, rng, dtype), larger, config, train, lesson),
        "cached_distill_steps": lambda: (state_of(twin, state), np.stack([tokens] * 3), np.stack([targets] * 3),
                               *(np.stack([part] * 3) for part in kept), config, train, replace(lesson, objective="soft")),
        "read_top_k": lambda: (params, tokens, config, 4),
        "write_rows": lambda: (params, tokens[:, 0], rng.random((9, len(tokens)), np.float32), config,
                               GenerateConfig(temperature=0.7)),
        "choose": lambda: (3 * normal(rng, dtype, 3, config.vocab_size), *drawn, seen_B, how),
        "batch_step": lambda: (params, 3 * normal(rng, dtype, 3, config.vocab_size),
                               cached(twin, config, params, tokens, dtype), seen_B, *drawn, config,
                               how),
        "take_texts": lambda: ((normal(rng, dtype, 3, config.vocab_size),
                                cached(twin, config, params, tokens, dtype), seen_B),
                               np.array([0, 2])),
        "adapter_loss_and_grads": lambda: (adapters, params, tokens, targets, config, 1.5),
        "adapter_step": lambda: (adapters_of(twin, adapters), params, tokens, targets, config,
                                 train, 1.5),
        "adapter_steps": lambda: (adapters_of(twin, adapters), params, np.stack([tokens] * 3),
                                  np.stack([targets] * 3), config, train, 1.5),
        "compare_adapters_loss_and_grads": lambda: (adapters, params, rewarded, config,
                                                    TuneConfig(beta=0.3)),
        "compare_adapters_step": lambda: (adapters_of(twin, adapters), params, rewarded, config,
                                          train, TuneConfig(beta=0.3)),
        "token_log_p": lambda: (logits, targets),
        "dpo": lambda: (*normal(rng, dtype, 2, 6, 5), 0.7),
        "grpo": lambda: (*(0.2 * normal(rng, dtype, 3, *targets.shape)),
                         normal(rng, dtype, len(targets)), targets, TuneConfig(beta=0.3)),
        "compare": lambda: (0.1 * normal(rng, dtype, *targets.shape) - 2, rewarded,
                            TuneConfig(beta=0.3)),
        "compare_loss_and_grads": lambda: (params, rewarded, config, TuneConfig(beta=0.3)),
        "compare_step": lambda: (state_of(twin, state), rewarded, config, train,
                                 TuneConfig(beta=0.3)),
        "read_log_p": lambda: (params, tokens, targets, config),
        "to_device": lambda: (params,),
        "leace": lambda: (normal(rng, dtype, 60, 4), normal(rng, dtype, 60, 2)),
        "erase": lambda: (normal(rng, dtype, 3, 5, d), normal(rng, dtype, d),
                          normal(rng, dtype, d, d)),
        "decode_steps": lambda: (params, 3, cached(twin, config, params, tokens[:1], dtype), seen,
                                 rng.random(6, np.float32), config, how),
        "candidates": lambda: (3 * normal(rng, dtype, config.vocab_size), how),
        "distribution": lambda: (3 * normal(rng, dtype, config.vocab_size), seen, how),
        "pick": lambda: (rng.dirichlet(np.ones(d)).astype(dtype), float(rng.random())),
        "within": lambda: (tokens[0] + config.vocab_size // 2, config),
        "as_wide": lambda: (normal(rng, dtype, out), d),
        "verify": lambda: (*(rng.dirichlet(np.ones(4), n + 1).astype(dtype) for _ in "pq"),
                           rng.integers(0, 4, n + 1), rng.random(n + 1, np.float32)),
        "draft_steps": lambda: (params, 3, cached(twin, config, params, tokens[:1], dtype), seen,
                                rng.random(4, np.float32), config, how),
        "speculative_step": lambda: (
            params, draft := random_params(larger, rng, dtype), 3,
            cached(twin, config, params, tokens[:1], dtype),
            cached(twin, larger, draft, tokens[:1], dtype), seen, rng.random((2, 4), np.float32),
            config, larger, how),
    }
    return cases[name]() if name in cases else None


def adapters_of(twin, adapters):
    return importlib.import_module(f"minillm.{twin}.train").init_state(adapters)


def state_of(twin, state):
    return importlib.import_module(f"minillm.{twin}.train").init_state(**state)
