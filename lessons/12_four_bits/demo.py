"""Lesson 12: fewer and fewer bits against the loss: rounded to nearest, in groups, by GPTQ; and a file that llama.cpp opens."""

import math
import tempfile
from pathlib import Path

from minillm.course.demos import main, measured

SEED, STEPS = 0, 300
RECIPE = dict(batch_size=6, context=224, warmup_steps=20)
MEGABYTES, VOCABULARY, CONTEXT = 1.5, 1024, RECIPE["context"]
STORIES, CALIBRATION = 24, 6                                   # held-out stories that are measured; rows of training text that calibrate
BITS = (8, 6, 5, 4, 3, 2)
WAYS = {"channel": "per output", "group32": "per 32", "gptq": "per 32, GPTQ"}
MEASURES = ("difference", "standard_error", "kl", "agreement")
MATRICES = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
RESULTS = Path(__file__).parents[2] / "benchmarks" / "results"
FOUR = ("int4-tensor", "int4-channel", "int4-group32", "int4-group32-zero")

# Perplexities that others report, 16 bits first. OPT on WikiText-2 (arXiv:2210.17323, table 2): 4 bits to nearest, 4 bits by GPTQ, a scale for a row.
OPT = {"125M": (27.65, 37.28, 31.12), "350M": (22.00, 25.94, 24.24), "1.3B": (14.63, 48.17, 15.47), "2.7B": (12.47, 16.92, 12.87),
       "6.7B": (10.86, 12.10, 11.39), "13B": (10.13, 11.32, 10.31), "30B": (9.56, 10.98, 9.63), "66B": (9.34, 110.0, 9.55), "175B": (8.34, 10.54, 8.37)}
# LLaMA on WikiText-2, llama.cpp's README of the summer of 2023: Q8_0, Q4_0, groups of 32.
LLAMA_CPP = {"7B": (5.9066, 5.9070, 6.1565), "13B": (5.2543, 5.2548, 5.3860)}


def compute(console, full):
    return benchmarks() if full else quick(console)


# ---- The quick version: a small model, trained now -----------------------------------------------------------------

def quick(console):
    import numpy as np

    from minillm.architecture.llama import count
    from minillm.architecture.quantized import Quantized, Scheme
    from minillm.architecture.tree import flatten
    from minillm.config import TrainConfig
    from minillm.course.small_models import trained
    from minillm.loading import Model
    from minillm.quantization.model import compare, dequantize_params, quantize_model
    from minillm.text import storyworld
    from minillm.text.dataset import document_rows, tokenize
    model = trained(console, MEGABYTES, VOCABULARY, CONTEXT, TrainConfig(steps=STEPS, seed=SEED, **RECIPE))
    config, params = model.config, model.params
    rows = document_rows(*tokenize(storyworld.corpus(SEED, "validation", 200_000)[:STORIES], model.tokenizer), CONTEXT)
    calibration = model.tokens[: CALIBRATION * CONTEXT].reshape(CALIBRATION, CONTEXT)

    exact = {"parameters": count(config), "steps": STEPS, "tokens": int(np.sum(rows[1] >= 0)), "stories": STORIES, "bits": BITS,
             "bits_per_weight": {}, "calibration": CALIBRATION * CONTEXT}
    found, four = {"loss": measured(float(np.mean(model.losses[-20:])), 1.0, 2.6)}, {}
    for way in WAYS:
        costs, exact["bits_per_weight"][way] = [], []
        for bits in BITS:
            scale_per, method = {"channel": ("channel", "round"), "group32": ("group32", "round"), "gptq": ("group32", "gptq")}[way]
            after = quantize_model(params, config, Scheme(bits, scale_per), method, calibration)
            records = [leaf for leaf in flatten(after).values() if isinstance(leaf, Quantized)]
            exact["bits_per_weight"][way].append(bits + 8 * sum(r.scales.nbytes for r in records) / sum(r.size for r in records))
            costs.append(compare(params, dequantize_params(after), config, *rows))
            if bits == 4:
                four[way] = after
        for measure in MEASURES:
            found[f"{way}_{measure}"] = measured([float(cost[measure]) for cost in costs], -0.05, 12)
        console.print(f"{WAYS[way]}: " + ", ".join(f"{b} bits {c['difference']:+.4f}" for b, c in zip(BITS, costs)))
    found["held_out"] = measured(float(costs[0]["loss_before"]), 1.0, 3.0)
    at = BITS.index(4)
    nearest, gptq = (found[f"{way}_kl"]["value"][at] for way in ("group32", "gptq"))
    found["recovered"] = measured(1 - gptq / nearest, 0.0, 0.9)
    found["growth"] = measured(found["group32_kl"]["value"][BITS.index(6)] / found["group32_kl"]["value"][BITS.index(8)], 8, 35)
    found["outputs"] = measured(outputs(params, four, config, calibration), 0, 100)
    found |= gguf_file(Model(config, four["group32"], model.tokenizer, "the model of lesson 12", (config.bos_token_id,)))
    return {"exact": exact, "measured": found}


def outputs(params, four, config, calibration):
    """[[error of the weights, and of their outputs on calibration text, in percent: to nearest; the same by GPTQ]] by matrix, means over layers."""
    import numpy as np

    from minillm.in_numpy.quantize import dequantize
    from minillm.quantization.model import INPUT_OF, observe
    seen, rows = observe(params, config, calibration), {name: [] for name in MATRICES}
    for i, layer in enumerate(params["layers"]):
        for name in MATRICES:
            w, hessian, row = layer[name].astype(float), seen.hessian[f"layers.{i}.{INPUT_OF[name]}"], []
            for way in ("group32", "gptq"):
                off = dequantize(four[way]["layers"][i][name], float) - w
                row += [100 * np.linalg.norm(off) / np.linalg.norm(w),
                        100 * (np.sum(off * (hessian @ off)) / np.sum(w * (hessian @ w))) ** 0.5]
            rows[name].append(row)
    return [np.mean(rows[name], axis=0).tolist() for name in MATRICES]


def gguf_file(model):
    """Write Q4_0 and read it back with the gguf package: its bytes, the kinds of its tensors, the largest difference; zeros without the package."""
    import numpy as np

    from minillm.architecture.quantized import Quantized
    from minillm.architecture.tree import flatten
    from minillm.formats.gguf import export, gguf_name, neighbours
    from minillm.in_numpy.quantize import dequantize
    size, four, largest = 0, 0, 0.0
    try:
        import gguf
    except ImportError:
        return {"gguf_bytes": measured(0, 0, 10**6), "gguf_q4_0": measured(0, 0, 15), "gguf_difference": measured(0.0, 0, 0)}
    with tempfile.TemporaryDirectory() as folder:
        export(Path(folder) / "model.gguf", model)
        size = (Path(folder) / "model.gguf").stat().st_size
        tensors = {tensor.name: (tensor.tensor_type, np.array(tensor.data)) for tensor in gguf.GGUFReader(Path(folder) / "model.gguf").tensors}
    for path, leaf in flatten(model.params).items():
        kind, data = tensors[gguf_name(path)]
        four += kind == gguf.GGMLQuantizationType.Q4_0
        ours = dequantize(leaf) if isinstance(leaf, Quantized) else leaf
        ours = ours.T if ours.ndim == 2 and path != "embed_tokens" else ours
        if path.rpartition(".")[2][:2] in ("q_", "k_"):
            ours = ours[neighbours(model.config.head_dim, len(ours) // model.config.head_dim)]
        largest = max(largest, float(np.max(np.abs(gguf.dequantize(data, kind).reshape(ours.shape) - ours))))
    return {"gguf_bytes": measured(size, 0, 10**6), "gguf_q4_0": measured(four, 0, 15), "gguf_difference": measured(largest, 0, 0)}


# ---- The full version: what the benchmarks measured, longer ago ------------------------------------------------------

def benchmarks():
    """Four models: bits against loss, schemes of four bits, files; and what others report. Collected from benchmarks/results, nothing is run."""
    from minillm.files import read_json
    quality, more = (read_json(RESULTS / f"{name}.json") for name in ("quantization", "fewer_bits"))
    models = {}
    for name in sorted(more, key=lambda name: more[name]["parameters"]):
        of, rounded = more[name], {row["scheme"]: row for row in quality[name]["rounded"]}
        bits = {way: [of["bits"][f"{b} {way}"] for b in BITS] for way in WAYS}
        four = {scheme: {key: rounded[scheme][key] for key in ("bits_per_weight", "bytes", *MEASURES)} for scheme in FOUR}
        for scheme, row in four.items():
            row["disk"] = of["files"][scheme]["disk"]
            row["tokens_per_second"] = of.get("speed", {}).get(f"jax {scheme}", {}).get("tokens_per_second")
        models[name] = {
            "parameters": of["parameters"], "tokens": bits["channel"][0]["tokens"], "loss": bits["channel"][0]["loss_before"],
            "loss_of_rounded": rounded[FOUR[0]]["loss_before"], "tokens_of_rounded": rounded[FOUR[0]]["tokens"],
            "float_tokens_per_second": of.get("speed", {}).get("jax float32", {}).get("tokens_per_second"), "rounded": four,
            "files": {scheme: of["files"][scheme] for scheme in ("float32", "int8-group32", "int4-group32")},
            "bits_per_weight": {way: [row["bits_per_weight"] for row in rows] for way, rows in bits.items()},
            **{measure: {way: [row[measure] for row in rows] for way, rows in bits.items()} for measure in MEASURES},
            "growth": bits["group32"][BITS.index(3)]["difference"] / bits["group32"][BITS.index(4)]["difference"],
            "recovered": {str(b): 1 - bits["gptq"][i]["difference"] / bits["group32"][i]["difference"] for i, b in enumerate(BITS)
                          if b in (4, 3)}}
    opt = {size: {"nearest": math.log(nearest / before), "gptq": math.log(gptq / before),
                  "recovered": 1 - math.log(gptq / before) / math.log(nearest / before)} for size, (before, nearest, gptq) in OPT.items()}
    llama = {size: {"eight": math.log(eight / before), "four": math.log(four / before)} for size, (before, eight, four) in LLAMA_CPP.items()}
    return {"exact": {"bits": BITS, "models": models, "opt": opt, "llama": llama}}


if __name__ == "__main__":
    main(globals())
