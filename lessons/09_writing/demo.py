"""Lesson 09: what each way of choosing keeps and costs, and what a token costs with and without a cache."""

import json
import os
from pathlib import Path

from minillm.course.demos import main, measured

HERE = Path(__file__).parent
COINS = 4_000                                  # evenly spaced: what `sample` gives for all of them is the distribution that it draws from
SAMPLERS = {"as it is": {}, "temperature 0.5": dict(temperature=0.5), "temperature 0.7": dict(temperature=0.7), "temperature 1.5": dict(temperature=1.5),
            "top-k 40": dict(top_k=40), "top-k 10": dict(top_k=10), "top-p 0.95": dict(top_p=0.95), "top-p 0.9": dict(top_p=0.9),
            "min-p 0.05": dict(min_p=0.05), "min-p 0.1": dict(min_p=0.1), "temperature 1.5, min-p 0.1": dict(temperature=1.5, min_p=0.1)}
LENGTHS, ROUNDS = (16, 32, 64, 128, 256, 512, 1024), 5
PROMPT = 512
CACHES = {                                      # L, H, K, E: the shapes of the published config.json
    "minillm nano": (4, 4, 2, 32), "LLaMA 7B (2023)": (32, 32, 32, 128), "Llama 3 8B": (32, 32, 8, 128), "Llama 3 70B": (80, 64, 8, 128)}
HALF = 2                                        # bytes of a number in bfloat16


def compute(console, full):
    for library in ("OPENBLAS", "MKL", "OMP", "VECLIB"):         # one core, before NumPy starts: what else the machine does disturbs the times less
        os.environ[f"{library}_NUM_THREADS"] = "1"
    told = json.loads((HERE / "stories.json").read_text(encoding="utf-8"))
    exact = {name: told[name] for name in ("model", "parameters", "stories", "world", "written")}
    exact["places"] = {name: {**place, "logits": None, "p": shares(place["logits"])[:len(place["words"])]} for name, place in told["places"].items()}
    exact["samplers"] = {label: {name: sampled(place, how) for name, place in told["places"].items()} for label, how in SAMPLERS.items()}
    exact["tails"] = {name: 1 - sum(shares(place["logits"])[i] for i in place["right"]) for name, place in told["places"].items()}
    for label, found in exact["samplers"].items():
        console.print(f"{label}: {found['many']['kept']} tokens kept, {found['many']['right']:.1%} of the draws are right")
    exact["caches"] = {name: {"bytes": 2 * L * K * E * HALF, "ungrouped": 2 * L * H * E * HALF} for name, (L, H, K, E) in CACHES.items()}
    exact |= {"lengths": LENGTHS, "prompt": PROMPT, "coins": COINS, "error": 0.5 / exact["stories"] ** 0.5}
    work, found = costs(console)
    return {"exact": exact | work, "measured": found}


# ---- Choosing ----------------------------------------------------------------------------------------------

def shares(logits):
    """The softmax of logits, as a list."""
    import numpy as np

    from minillm.in_numpy.ops import softmax
    return softmax(np.array(logits)).tolist()


def sampled(place, how):
    """What `sample` draws: how many different tokens, how many of the right ones, and the share of draws that are right."""
    import numpy as np

    from minillm.config import GenerateConfig
    from minillm.in_numpy import sample
    logits_V, how = np.array(place["logits"]), GenerateConfig(**how)
    drawn = np.bincount([int(sample(logits_V, coin, how)) for coin in (np.arange(COINS) + 0.5) / COINS], minlength=len(logits_V))
    return {"kept": int(np.count_nonzero(drawn)), "kept_right": int(np.count_nonzero(drawn[place["right"]])),
            "right": float(drawn[place["right"]].sum() / COINS), "first": float(drawn[0] / COINS)}


# ---- What a token costs ---------------------------------------------------------------------------------------

def costs(console):
    """The multiplications of one more token at each length, with and without a cache, and the time that it takes."""
    import numpy as np

    from minillm.architecture.llama import init
    from minillm.architecture.tree import flatten
    from minillm.config import GenerateConfig, preset
    from minillm.in_numpy import decode_step, forward, init_cache, prefill, sample
    config = preset("nano", vocab_size=1792, context=max(LENGTHS))
    params, how = init(config, np.random.default_rng(0)), GenerateConfig(temperature=0)
    rng, unseen = np.random.default_rng(1), np.zeros(config.vocab_size, bool)
    tokens = rng.integers(0, config.vocab_size, max(LENGTHS))
    matrices = sum(leaf.size for leaf in flatten(params).values() if leaf.ndim == 2)      # the embedding is the head too
    meeting = 2 * config.num_hidden_layers * config.num_attention_heads * config.head_dim

    def with_cache(n):
        cache = init_cache(config, 1, n)
        _, cache, _ = prefill(params, tokens[: n - 1], cache, unseen, 0.5, config, how)
        return lambda: decode_step(params, tokens[n - 1], cache, unseen, 0.5, config, how)

    def without(n):
        return lambda: sample(forward(params, tokens[None, :n], config)[0][0, -1], 0.5, how, unseen)

    def read(n):
        return lambda: prefill(params, tokens[:n], init_cache(config, 1, n), unseen, 0.5, config, how)

    runs = {("cached", n): with_cache(n) for n in LENGTHS} | {("whole", n): without(n) for n in LENGTHS} | {("read", PROMPT): read(PROMPT)}
    times = {key: [] for key in runs}
    for _ in range(ROUNDS):                       # interleaved, so that a change in the machine's mood meets all of them
        for key, run in runs.items():
            times[key].append(seconds(run))
    best = {key: min(found) for key, found in times.items()}
    for n in LENGTHS:
        console.print(f"{n:5} tokens: one more takes {1e3 * best['cached', n]:6.2f} ms with the cache, {1e3 * best['whole', n]:7.2f} ms without")
    work = {"cached": [matrices + meeting * n for n in LENGTHS], "whole": [n * (matrices + meeting * n) for n in LENGTHS]}
    cached, whole = (np.array([best[kind, n] for n in LENGTHS]) for kind in ("cached", "whole"))
    every = np.arange(1, max(LENGTHS) + 1)
    total = {"cached": float(np.interp(every, LENGTHS, cached).sum()), "whole": float(np.interp(every, LENGTHS, whole).sum())}
    logits = [forward(params, tokens[None], config)[0][0, -1], step_by_step(params, tokens, config)]
    return {"work": work, "timed_parameters": sum(leaf.size for leaf in flatten(params).values())}, {
        "cached_times": measured((cached / cached[0]).tolist(), 0.3, 40), "whole_times": measured((whole / cached[0]).tolist(), 0.3, 4000),
        "saved": measured((whole / cached).tolist(), 0.3, 3000), "saved_at_last": measured(float(whole[-1] / cached[-1]), 10, 3000),
        "grown": measured(float(cached[-1] / cached[0]), 0.8, 40), "saved_in_all": measured(total["whole"] / total["cached"], 5, 2000),
        "reading": measured(PROMPT * best["cached", PROMPT] / best["read", PROMPT], 2, 1000),
        "differ": measured(float(np.max(np.abs(logits[0] - logits[1]))), 0, 1e-3)}


def step_by_step(params, tokens, config):
    """The last logits, token after token from a cache."""
    import numpy as np

    from minillm.in_numpy import forward, init_cache
    cache = init_cache(config, 1, len(tokens))
    for token in tokens:
        logits_BTV, cache = forward(params, np.array([[token]]), config, cache)
    return logits_BTV[0, -1]


def seconds(run):
    """Seconds of the processor for one run, the mean over a tenth of a second: waiting for other programs does not count."""
    import time
    runs, end, began = 0, time.perf_counter() + 0.1, time.process_time()
    while time.perf_counter() < end or not runs:
        run()
        runs += 1
    return (time.process_time() - began) / runs


if __name__ == "__main__":
    main(globals())
