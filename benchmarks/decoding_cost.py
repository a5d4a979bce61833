"""What a token costs: against the length of the context, and what it costs to show tokens as they come.

    python benchmarks/decoding_cost.py [--rounds 5] [--json FILE]

Context: time per token after a prompt of 64 to 4096 tokens (15M parameters, both twins), beside the time that attention
alone takes over a cache of that length in all layers: what is left should not grow. Streaming: `generate`, which hands tokens
out in groups, against one compiled loop for all of them. Medians of interleaved rounds.
"""

import argparse
import json
import statistics
import time
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import jax
import numpy as np

from decoding_speed import NEW_TOKENS, SIZES
from minillm.architecture.llama import init
from minillm.config import GenerateConfig

LENGTHS, COUNT = (64, 256, 1024, 4096), 48
GREEDY = GenerateConfig(COUNT, temperature=0)


def seconds(function) -> float:
    began = time.perf_counter()
    jax.block_until_ready(function())
    return time.perf_counter() - began


def per_token(twin: str, config, length: int):
    """A function that gives the seconds of one token, after a prompt of `length`: the prompt's own time is left out."""
    package, generation = import_module(f"minillm.in_{twin}"), import_module(f"minillm.in_{twin}.generate")
    params = init(config, np.random.default_rng(0))
    params = jax.tree.map(jax.numpy.asarray, params) if twin == "jax" else params
    prompt = np.random.default_rng(1).integers(0, config.vocab_size, length).tolist()
    seen = np.zeros(config.vocab_size, bool)
    coins = np.zeros(COUNT, np.float32)

    def run():
        cache = package.init_cache(config, 1, -(-(length + COUNT) // 64) * 64)
        token, cache, _ = generation.prefill(params, prompt, cache, seen, 0.5, config, GREEDY)
        jax.block_until_ready((token, cache)) if twin == "jax" else None
        return seconds(lambda: generation.decode_steps(params, int(token), cache, jax.numpy.asarray(seen) if twin == "jax" else seen,
                                                       coins, config, GREEDY)[0]) / COUNT
    return run


def attention_alone(twin: str, config, length: int):
    """A function that gives the seconds of all layers' `attend` for one query over a cache of `length`."""
    ops = import_module(f"minillm.in_{twin}.ops")
    K, G, E, L = config.num_key_value_heads, config.queries_per_key, config.head_dim, config.num_hidden_layers
    rng = np.random.default_rng(0)
    size = -(-(length + COUNT) // 64) * 64
    q = rng.standard_normal((1, K, G, 1, E), np.float32)
    caches = [(rng.standard_normal((1, K, size, E), np.float32), rng.standard_normal((1, K, size, E), np.float32)) for _ in range(L)]

    def layers(q, start):
        for k, v in caches:
            q = ops.attend(q, k, v, start)
        return q

    if twin == "numpy":
        return lambda: seconds(lambda: [layers(q, length) for _ in range(COUNT)]) / COUNT
    caches = jax.tree.map(jax.numpy.asarray, caches)

    @jax.jit
    def loop(q, start, caches_):
        def step(q, _):
            for k, v in caches_:
                q = ops.attend(q, k, v, start)
            return q, None
        return jax.lax.scan(step, q, None, length=COUNT)[0]

    return lambda: seconds(lambda: loop(q, np.int32(length), caches)) / COUNT


def streamed_and_whole(config):
    """Two functions: seconds of NEW_TOKENS tokens by `generate`, and by one compiled loop."""
    generation = import_module("minillm.in_jax.generate")
    package = import_module("minillm.in_jax")
    params = jax.tree.map(jax.numpy.asarray, init(config, np.random.default_rng(0)))
    how = GenerateConfig(NEW_TOKENS, temperature=0)

    def streamed():
        return seconds(lambda: list(package.generate(params, [1], config, how)))

    def whole():
        def run():
            cache = package.init_cache(config, 1, 256)
            seen = jax.numpy.zeros(config.vocab_size, bool)
            token, cache, _ = generation.prefill(params, [1], cache, seen, 0.0, config, how)
            return generation.decode_steps(params, token, cache, seen, np.zeros(NEW_TOKENS - 1, np.float32), config, how)[0]
        return seconds(run)

    return streamed, whole


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--json", metavar="FILE")
    options = options.parse_args()
    config = replace(SIZES["15M"], max_position_embeddings=8192)
    runs = {(twin, what, length): make(twin, config, length) for twin in ("numpy", "jax") for length in LENGTHS
            for what, make in (("token", per_token), ("attention", attention_alone))}
    for size in SIZES:
        runs["jax", "streamed", size], runs["jax", "whole", size] = streamed_and_whole(SIZES[size])
    for run in runs.values():
        run()                                                     # compiles
    times = {key: [] for key in runs}
    for _ in range(options.rounds):
        for key, run in runs.items():
            times[key].append(run())
    medians = {key: statistics.median(found) for key, found in times.items()}
    result = {"context": [], "streaming": []}
    for twin in ("numpy", "jax"):
        for length in LENGTHS:
            token, attention = medians[twin, "token", length], medians[twin, "attention", length]
            result["context"].append({"twin": twin, "context": length, "ms_per_token": 1e3 * token,
                                      "ms_of_attention": 1e3 * attention, "ms_of_the_rest": 1e3 * (token - attention)})
            print(f"{twin:6} context {length:5}: {1e3 * token:6.2f} ms a token, attention alone {1e3 * attention:6.2f}, "
                  f"rest {1e3 * (token - attention):6.2f}")
    for size in SIZES:
        share = medians["jax", "streamed", size] / medians["jax", "whole", size] - 1
        result["streaming"].append({"size": size, "extra": share})
        print(f"{size:5}: streaming costs {100 * share:+.1f}% over one compiled loop")
    if options.json:
        Path(options.json).write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
