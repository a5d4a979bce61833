"""What fewer bits cost a real model on real English: SmolLM2-135M and Python's own documentation.

    python benchmarks/real_quantization.py SMOLLM2.gguf STORIES260K.bin [--json FILE]
    [--only TEXT] [--seconds N]

The only SmolLM2 that pip brings is a file of Q4_1. Its numbers made float are the reference here,
`as stored`: they lie on the grid of Q4_1, so that Q4_1 costs them nothing, whoever rounds. In
`mixed`, the same numbers stand in another order: channels of the residual stream, hidden units and
the numbers of a value head change places, which changes no output, and a group of 32 holds numbers
of many groups of the file. There four bits cost what they cost a model that was never rounded.

Text: the documents of minillm's `python-docs`; every other one calibrates (62 rows of 256 tokens,
15,872), the others are measured (16 rows of 256), in windows of 256 without a token before them.
The error is that of the paired difference over rows. Every row runs in a process of its own:
seconds, CPU seconds and peak memory are those of loading and quantizing. llama.cpp (xllamacpp)
reads the same ids; its files are rounded by the gguf package, which does as ggml's reference code,
with the embedding in Q8_0 as llama.cpp's own quantizer leaves it.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

import minillm
from minillm.architecture.quantized import scheme_named
from minillm.architecture.tree import flatten, unflatten
from minillm.formats import gguf
from minillm.formats.llama2c import find_tokenizer
from minillm.loading import to_device, twin_package
from minillm.quantization.model import compare, quantize_model, size
from minillm.text.corpora import python_docs

ROW, CALIBRATION, MEASURED, ALPHA, THRESHOLD = 256, 62, 16, 0.5, 6.0
EIGHT = "int8-group32"  # of the embedding, which is the head too
# (order of the numbers, scheme, activations in int8, method, scheme of the embedding)
RUNS = [("as stored", "float32", False, "round", None),
        ("as stored", "int8-channel", False, "round", None),
        ("as stored", "int8-group32", False, "round", None),
        ("as stored", "int4-group32", False, "round", None),
        ("as stored", "int4-group32", False, "round", EIGHT),
        ("as stored", "int4-group32", False, "gptq", EIGHT),
        ("as stored", "int4-group32-min", False, "round", EIGHT),
        ("as stored", "int8-channel", True, "round", None),
        ("as stored", "int8-channel", True, "smoothquant", None),
        ("as stored", "int8-channel", True, "llm-int8", None),
        ("mixed", "float32", False, "round", None),
        ("mixed", "int4-group32", False, "round", EIGHT),
        ("mixed", "int4-group32", False, "gptq", EIGHT),
        ("mixed", "int4-group32-min", False, "round", None),
        ("mixed", "int4-group32-min", False, "round", EIGHT),
        ("mixed", "int4-group32-min", False, "gptq", EIGHT)]
LLAMA_CPP = [("as stored", "F32"), ("as stored", "Q8_0"), ("as stored", "Q4_0"),
             ("as stored", "Q4_1"), ("mixed", "Q4_0"), ("mixed", "Q4_1")]
STORIES = [("int4-group32", "round", None), ("int4-group32", "gptq", None),
           ("int4-group32-min", "round", None), ("int4-group32-min", "round", EIGHT),
           ("int4-group32-min", "gptq", None), ("int4-group32-min", "gptq", EIGHT)]


def texts(model):
    """(calibration (62, 256), measured (16, 256)) ids of Python's documentation."""
    ids, counts = [[], []], (CALIBRATION, MEASURED)
    for i, text in enumerate(python_docs()):
        ids[i % 2] += model.text_ids(text)
        if all(len(some) >= count * ROW for some, count in zip(ids, counts)):
            break
    return [np.array(some[: count * ROW], np.int32).reshape(count, ROW)
            for some, count in zip(ids, counts)]


def mixed(params, config):
    """The same LLaMA, its channels, hidden units and numbers of value heads in another order."""
    rng = np.random.default_rng(0)
    D, F, E = config.hidden_size, config.intermediate_size, config.head_dim
    d, f, e = (rng.permutation(n) for n in (D, F, E))
    values, heads = (np.concatenate([e + E * i for i in range(count)]) for count in (
        config.num_key_value_heads, config.num_attention_heads))
    inputs = {"o_proj": heads, "down_proj": f}
    outputs = {"q_proj": slice(None), "k_proj": slice(None), "v_proj": values, "gate_proj": f,
               "up_proj": f}
    layers = [{name: leaf[d] if leaf.ndim == 1 else
               np.ascontiguousarray(leaf[inputs.get(name, d)][:, outputs.get(name, d)])
               for name, leaf in layer.items()} for layer in params["layers"]]
    return {"embed_tokens": np.ascontiguousarray(params["embed_tokens"][:, d]), "layers": layers,
            "norm": params["norm"][d]}


def prepared(path, order: str):
    """The Model in float32, and its texts."""
    model = minillm.load(path)
    assert "lm_head" not in model.params
    if order == "mixed":
        model = replace(model, params=mixed(model.params, model.config))
    return model, *texts(model)


def losses(logits_TV, ids_T) -> float:
    """The sum of -log p over the ids but the first."""
    logits_TV, next_T = logits_TV[:-1], ids_T[1:]
    top_T = logits_TV.max(-1)
    total_T = np.log(np.exp(logits_TV - top_T[:, None]).sum(-1, dtype=np.float64))
    return float(np.sum(total_T + top_T - logits_TV[np.arange(len(next_T)), next_T]))


def run_ours(path, order, scheme, activations, method, embedding) -> dict:
    """One row of the table, in this process."""
    began = time.perf_counter()
    model, calibration_NT, measured_NT = prepared(path, order)
    params = made(model, calibration_NT, scheme, activations, method, embedding)
    used = resource.getrusage(resource.RUSAGE_SELF)
    row = {"seconds": time.perf_counter() - began, "cpu_seconds": used.ru_utime + used.ru_stime,
           "peak_bytes": used.ru_maxrss * 1024, **size(params)}
    jax, there = twin_package("jax"), to_device(params, "jax")
    row["losses"] = [losses(np.asarray(model_logits(jax, there, ids_T, model.config)), ids_T)
                     for ids_T in measured_NT]
    if method == "gptq":                                     # our export, as llama.cpp reads it
        row["losses_in_llama_cpp"] = in_llama_cpp(replace(model, params=params),
                                                  measured_NT)["losses"]
    return row


def made(model, calibration_NT, scheme, activations, method, embedding, twin="jax"):
    """The parameters of a row."""
    if scheme == "float32":
        return model.params
    return quantize_model(model.params, model.config, scheme_named(scheme, False, activations),
                          method, calibration_NT, ALPHA, THRESHOLD,
                          embedding=embedding and scheme_named(embedding, False, activations),
                          twin=twin)


def model_logits(package, params, ids_T, config):
    """Logits (T, V) of a row: all layers, then the head."""
    x_BTD, _ = package.stream(params, ids_T[None], config)
    return package.read(params, x_BTD)[0]


def run_llama_cpp(path, order, kind) -> dict:
    """One row of llama.cpp's, with numbers that ggml's code rounded."""
    model, _, measured_NT = prepared(path, order)
    params = model.params if kind == "F32" else rounded_by_ggml(model.params, kind)
    return in_llama_cpp(replace(model, params=params), measured_NT)


def in_llama_cpp(model, measured_NT) -> dict:
    """What llama.cpp makes of our export of a model."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.gguf"
        gguf.export(file, model)
        np.save(Path(folder) / "ids.npy", measured_NT)
        reader = Path(__file__).with_name("llama_cpp_losses.py")
        found = subprocess.run([sys.executable, reader, file, Path(folder) / "ids.npy"],
                               capture_output=True, check=True)
        return {"file_bytes": file.stat().st_size, "losses": json.loads(found.stdout)}


def rounded_by_ggml(params, kind: str):
    """Records of the blocks that ggml's code makes of the matrices; the embedding in Q8_0."""
    import gguf as package

    def one(name, leaf):
        if leaf.ndim < 2:
            return leaf
        of = "Q8_0" if name == "embed_tokens" else kind
        w_OI = np.ascontiguousarray(leaf if name == "embed_tokens" else leaf.T)
        raw = package.quantize(w_OI, package.GGMLQuantizationType[of])
        return gguf.as_record(raw, of, name != "embed_tokens")

    return unflatten({name: one(name, leaf) for name, leaf in flatten(params).items()}, params)


def stories(path) -> list[dict]:
    """stories260K: the rows that benchmarks/quantization.py has not, on its half of the text."""
    from quantization import texts as stories_of
    model = minillm.load(path, find_tokenizer(path))
    _, calibration_NT, apart = stories_of(model, path, 0)
    rows = []
    for scheme, method, embedding in STORIES:
        params = made(model, calibration_NT, scheme, False, method, embedding, "numpy")
        rows.append({"scheme": scheme, "method": method, "embedding": embedding, **size(params),
                     **compare(model.params, params, model.config, *apart, "numpy")})
        print("stories260K", *(str(value) for value in rows[-1].values()), flush=True)
    return rows


def difference(row, before) -> dict:
    """Nats a token against another row of losses, and the paired error over rows of text."""
    change_N = (np.array(row["losses"]) - before["losses"]) / (ROW - 1)
    return {"difference": float(change_N.mean()),
            "standard_error": float(change_N.std(ddof=1) / len(change_N) ** 0.5)}


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("smollm2", help="SmolLM2-135M-Instruct.Q4_1.gguf")
    options.add_argument("stories260K", help="stories260K.bin, with its tokenizer beside it")
    options.add_argument("--json", help="write the figures here; rows there are not run again")
    options.add_argument("--only", default="", help="run the rows whose name has this text; "
                         "stories260K: those of that model")
    options.add_argument("--seconds", type=float, default=1e9, help="begin no row later than this")
    options.add_argument("--row", help=argparse.SUPPRESS)
    options = options.parse_args()
    if options.row:                                          # a child: one row, to standard output
        kind, *about = json.loads(options.row)
        run = run_ours if kind == "ours" else run_llama_cpp
        return print(json.dumps(run(options.smollm2, *about)))
    file, began = Path(options.json or "-"), time.perf_counter()
    results = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    results |= {"python": sys.version.split()[0], "tokens": MEASURED * (ROW - 1),
                "calibration_tokens": CALIBRATION * ROW}
    rows = results.setdefault("rows", {})

    def keep():
        for name, row in rows.items():
            before = rows.get(f"{name.split(', ')[0]}, float32")
            row |= difference(row, before) if before else {}
        if options.json:
            file.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")

    runs = {name_of(*run): ("ours", *run) for run in RUNS}
    runs |= {f"{order}, llama.cpp {kind}": ("llama.cpp", order, kind) for order, kind in LLAMA_CPP}
    for name, run in sorted(runs.items(), key=lambda item: "gptq" in item[0]):  # the slowest last
        late = time.perf_counter() - began > options.seconds
        if name in rows or options.only not in name or late:
            continue
        child = subprocess.run([sys.executable, __file__, options.smollm2, options.stories260K,
                                "--row", json.dumps(run)], stdout=subprocess.PIPE, check=True)
        rows[name] = json.loads(child.stdout.splitlines()[-1])
        keep()
        shown = {key: value for key, value in rows[name].items() if "losses" not in key}
        print(name, shown, flush=True)
    if "stories260K" not in results and options.only in "stories260K":
        results["stories260K"] = stories(Path(options.stories260K))
        keep()


def name_of(order, scheme, activations, method, embedding) -> str:
    """"mixed, int4-group32-min, gptq, embedding int8-group32"."""
    a8 = "-a8" * activations
    return ", ".join([order, scheme + a8] + [method] * (method != "round")
                     + [f"embedding {embedding}"] * bool(embedding))


if __name__ == "__main__":
    main()
