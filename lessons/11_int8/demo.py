"""Lesson 11: a matrix on a grid of 255 numbers; scales for a tensor, a channel, a group; one large input that breaks int8, and two mends."""

import math
import statistics
from pathlib import Path

from minillm.course.demos import main, measured

STEPS, SEED = 300, 0
RECIPE = dict(batch_size=6, context=224, warmup_steps=20)
MEGABYTES, VOCABULARY, CONTEXT = 1.5, 1024, RECIPE["context"]
STORIES, CALIBRATION = 24, 6                                   # held-out stories that are measured; rows of training text that calibrate
SHOWN = "layers.1.down_proj"                                   # the matrix that the figures show
PER = {"tensor": "one for the tensor", "channel": "one for each output", "group32": "one for 32 numbers"}
CHANNEL, FACTORS = 7, (1, 4, 16, 64, 256, 1024)                # the input that is made large, and how large
THRESHOLD, ALPHA = 20.0, 0.5
MENDS = {"plain": "int8, nothing else", "llm_int8": "LLM.int8()", "smoothquant": "SmoothQuant"}
RESULTS = Path(__file__).parents[2] / "benchmarks" / "results"
SCHEMES = ("int8-tensor", "int8-channel", "int8-group32", "int8-channel-a8")

# Perplexities that others report for 16 or 32 bits and for 8: (source, model and text, scheme, before, after).
PUBLISHED = (
    ("LLM.int8(), table 1", "125M, C4", "weights and activations, one scale each", 25.65, 87.76),
    ("LLM.int8(), table 1", "125M, C4", "a scale for each output and each token", 25.65, 35.84),
    ("LLM.int8(), table 1", "125M, C4", "the same, large inputs in 16 bits", 25.65, 25.83),
    ("LLM.int8(), table 1", "13B, C4", "weights and activations, one scale each", 12.45, 19.08),
    ("LLM.int8(), table 1", "13B, C4", "a scale for each output and each token", 12.45, 16.48),
    ("LLM.int8(), table 1", "13B, C4", "the same, large inputs in 16 bits", 12.45, 12.45),
    ("SmoothQuant, table 3", "OPT-175B, WikiText", "weights and activations, one scale each", 10.99, 93080),
    ("SmoothQuant, table 3", "OPT-175B, WikiText", "LLM.int8()", 10.99, 11.10),
    ("SmoothQuant, table 3", "OPT-175B, WikiText", "SmoothQuant, a scale for each token (O1)", 10.99, 11.11),
    ("llama.cpp, README", "LLaMA 7B, WikiText-2", "weights, a scale for 32 (Q8_0)", 5.9066, 5.9070),
    ("llama.cpp, README", "LLaMA 13B, WikiText-2", "weights, a scale for 32 (Q8_0)", 5.2543, 5.2548),
)


def compute(console, full):
    return benchmarks() if full else quick(console)


# ---- The quick version: a small model, trained now -----------------------------------------------------------------

def quick(console):
    import numpy as np

    from minillm.architecture.llama import count
    from minillm.architecture.quantized import Scheme, scheme_named
    from minillm.architecture.tree import flatten
    from minillm.config import TrainConfig
    from minillm.course.small_models import trained
    from minillm.quantization import model as quantizing
    from minillm.text import storyworld
    from minillm.text.dataset import document_rows, tokenize
    model = trained(console, MEGABYTES, VOCABULARY, CONTEXT, TrainConfig(steps=STEPS, seed=SEED, **RECIPE))
    config, params = model.config, model.params
    rows = document_rows(*tokenize(storyworld.corpus(SEED, "validation", 200_000)[:STORIES], model.tokenizer), CONTEXT)
    calibration = model.tokens[: CALIBRATION * CONTEXT].reshape(CALIBRATION, CONTEXT)

    def cost(before, after):
        if not after["embed_tokens"].scheme.activations:
            after = quantizing.dequantize_params(after)            # the same numbers, and nothing new to compile
        return quantizing.compare(before, after, config, *rows)

    exact = {"parameters": count(config), "steps": STEPS, "tokens": int(np.sum(rows[1] >= 0)), "stories": STORIES, "shown": SHOWN,
             "factors": FACTORS, "threshold": THRESHOLD, "schemes": {"float32": sizes(params)}}
    found = {"loss": measured(float(np.mean(model.losses[-20:])), 1.0, 2.6)}
    found |= grid(flatten(params)[SHOWN])
    found["errors"] = measured(errors(params), 0.0, 100.0)
    costs = {}
    for name in SCHEMES:
        after = quantizing.quantize_params(params, scheme_named(name.removesuffix("-a8"), activations=name.endswith("-a8")))
        exact["schemes"][name], costs[name] = sizes(after), cost(params, after)
        console.print(f"{name}: loss {costs[name]['difference']:+.5f}±{costs[name]['standard_error']:.5f}")
    found["held_out"] = measured(float(costs[SCHEMES[0]]["loss_before"]), 1.0, 3.0)
    found |= {"costs": measured([[float(c[key]) for key in ("difference", "standard_error", "kl", "agreement")] for c in costs.values()],
                                -0.05, 1.0)}

    scheme, swept = Scheme(8, "channel", activations=True), {name: [] for name in MENDS}
    for factor in FACTORS:
        planted = quantizing.plant_outliers(params, CHANNEL, float(factor))
        seen = quantizing.observe(planted, config, calibration)
        columns = quantizing.outlier_inputs(seen, config, THRESHOLD)
        for name, after in (("plain", quantizing.quantize_params(planted, scheme)),
                            ("llm_int8", quantizing.quantize_params(planted, scheme, columns)),
                            ("smoothquant", quantizing.quantize_params(quantizing.smooth(planted, seen, ALPHA), scheme))):
            swept[name].append(cost(planted, after)["difference"])
            if name == "llm_int8":
                bits = quantizing.size(after)["bits_per_weight"]
        console.print(f"input {CHANNEL} times {factor}: loss {swept['plain'][-1]:+.4f}, LLM.int8() {swept['llm_int8'][-1]:+.4f}, "
                      f"SmoothQuant {swept['smoothquant'][-1]:+.4f}")
    for name, differences in swept.items():
        found[name] = measured(differences, -0.05, 15 if name == "plain" else 0.05)
        found[f"{name}_last"] = measured(differences[-1], *((1, 15) if name == "plain" else (-0.05, 0.05)))
    found["llm_int8_bits"] = measured(bits, 8.4, 16)
    found["llm_int8_kept"] = measured(kept(params, columns), 0.0, 100.0)
    return {"exact": exact, "measured": found}


def kept(params, columns):
    """[percent of the inputs that stay float] of each kind of matrix of the layers, means over layers."""
    import numpy as np

    from minillm.architecture.tree import flatten
    found = {path: 100 * len(columns.get(path, ())) / w.shape[0] for path, w in flatten(params).items() if w.ndim > 1}
    return [float(np.mean([share for path, share in found.items() if path.endswith(name)])) for name in MATRICES[1:]]


def sizes(params):
    from minillm.quantization.model import size
    return size(params)


def grid(w):
    """A matrix as a histogram, its int8 grid, and how many of its weights each integer gets, by what shares a scale."""
    import numpy as np

    from minillm.architecture.quantized import Scheme
    from minillm.in_numpy.quantize import quantize
    records = {per: quantize(w, Scheme(8, per)) for per in PER}
    scale, rms = float(records["tensor"].scales[0, 0]), float(np.sqrt(np.mean(w * w)))
    found = {"scale": measured(scale, 1e-4, 0.1), "rms": measured(rms, 1e-3, 1.0), "crest": measured(127 * scale / rms, 2.5, 40.0),
             "whole": measured(np.histogram(w, 100, (-127 * scale, 127 * scale))[0].tolist(), 0, w.size),
             "middle": measured(np.histogram(w, 80, (-4 * scale, 4 * scale))[0].tolist(), 0, w.size)}
    for per, record in records.items():
        counts = np.bincount(record.integers.ravel().astype(int) + 127, minlength=255)
        shares = counts[counts > 0] / w.size
        found[f"counts_{per}"] = measured(counts.tolist(), 0, w.size)
        found[f"entropy_{per}"] = measured(float(-np.sum(shares * np.log2(shares))), 3.0, 8.0)
    return found


def errors(params):
    """[[largest |w| over the root mean square, error in percent by what shares a scale ...]] of the matrices, means over layers."""
    import numpy as np

    from minillm.architecture.quantized import Scheme
    from minillm.architecture.tree import flatten
    from minillm.quantization.model import matrix_errors, quantize_params
    found = {path.rpartition(".")[2]: [] for path in MATRICES}
    by = {per: {row["name"]: 100 * row["relative"] for row in matrix_errors(params, quantize_params(params, Scheme(8, per)))} for per in PER}
    for path, w in flatten(params).items():
        if w.ndim > 1:
            crest = float(np.max(np.abs(w)) / np.sqrt(np.mean(w * w)))
            found[path.rpartition(".")[2]].append([crest, *(by[per][path] for per in PER)])
    return [np.mean(rows, axis=0).tolist() for rows in found.values()]


MATRICES = ("embed_tokens", "q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


# ---- The full version: what the benchmarks measured, longer ago ------------------------------------------------------

def benchmarks():
    """Four models, three sizes of speed, the planted outliers: collected from benchmarks/results, nothing is run."""
    from minillm.files import read_json
    quality, more, speed = (read_json(RESULTS / f"{name}.json") for name in ("quantization", "fewer_bits", "int8_speed"))
    models = {}
    for name in sorted(quality, key=lambda name: quality[name]["parameters"]):
        rounded, of = {row["scheme"]: row for row in quality[name]["rounded"]}, more[name]
        speeds = {key: row["tokens_per_second"] for key, row in of.get("speed", {}).items()}
        first = rounded[SCHEMES[0]]
        rows = {"float32": {"bits_per_weight": 32.0, **of["files"]["float32"], "tokens_per_second": speeds.get("jax float32")}}
        for scheme in SCHEMES:
            rows[scheme] = {key: rounded[scheme][key] for key in ("bits_per_weight", "difference", "standard_error", "kl", "agreement")}
            rows[scheme] |= {key: of["files"][scheme.removesuffix("-a8")][key] for key in ("memory", "disk")}
            rows[scheme]["tokens_per_second"] = speeds.get(f"jax {scheme}")
        planted = {f"{row['scheme']} {row['method']}": {key: row[key] for key in ("difference", "standard_error", "bits_per_weight")}
                   for row in quality[name]["planted"]}
        models[name] = {"parameters": quality[name]["parameters"], "tokens": first["tokens"], "loss": first["loss_before"], "rows": rows,
                        "planted": planted}
    decoding = {size: {name: {"tokens_per_second": statistics.median(values), "megabytes": row["peak_megabytes"].get(name)}
                       for name, values in row["tokens_per_second"].items()} for size, row in speed.items()}
    published = [{"source": source, "model": model, "scheme": scheme, "before": before, "after": after, "nats": math.log(after / before)}
                 for source, model, scheme, before, after in PUBLISHED]
    return {"exact": {"models": models, "decoding": decoding, "published": published}}


if __name__ == "__main__":
    main(globals())
