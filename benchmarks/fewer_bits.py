"""Bits against loss for several sizes of model: 8, 6, 5, 4, 3 and 2 bits, three ways to round; sizes of files; speeds.

    python benchmarks/fewer_bits.py NAME=PATH ... [--part bits|files|speed] [--json FILE]

bits     a scale per channel, a scale per 32 numbers, the same with GPTQ. What is measured and what calibrates: benchmarks/quantization.py, the rows
         apart from the calibration. Bits per weight are counted with scales; only 8 and 4 bits have a file format here, the others are
         rounded to their integers and back.
files    bytes in memory, of model.safetensors, and of a GGUF file, which is read back by the gguf package and compared number by number
speed    greedy decoding at batch 1, tokens/s in interleaved short rounds, the fastest of each (who else uses the machine only makes it slower)
"""

import argparse
import json
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

import minillm
from minillm.architecture.llama import count
from minillm.architecture.quantized import Quantized, Scheme, scheme_named
from minillm.architecture.tree import flatten
from minillm.config import GenerateConfig
from minillm.formats.gguf import export, gguf_name, neighbours
from minillm.formats.llama2c import find_tokenizer
from minillm.in_numpy.quantize import dequantize
from minillm.quantization.model import compare, dequantize_params, quantize_model, size
from quantization import ALPHA, THRESHOLD, texts

BITS, WAYS = (8, 6, 5, 4, 3, 2), {"channel": ("channel", "round"), "group32": ("group32", "round"), "gptq": ("group32", "gptq")}
FILES = ("int8-tensor", "int8-channel", "int8-group32", "int4-tensor", "int4-channel", "int4-group32", "int4-group32-zero")
SPEEDS = {"jax float32": (None, False, "jax"), "jax int8-channel": ("int8-channel", False, "jax"), "jax int8-channel-a8": ("int8-channel", True, "jax"),
          "jax int8-group32": ("int8-group32", False, "jax"), "jax int4-group32": ("int4-group32", False, "jax"),
          "numpy float32": (None, False, "numpy"), "numpy int8-channel": ("int8-channel", False, "numpy")}
ROUNDS, TOKENS = 16, 50


def bits_per_weight(params, bits: int) -> float:
    """Bits of the matrices with their scales, if integers of `bits` bits were packed tightly."""
    records = [leaf for leaf in flatten(params).values() if isinstance(leaf, Quantized)]
    return sum(bits * leaf.size + 8 * leaf.scales.nbytes for leaf in records) / sum(leaf.size for leaf in records)


def bits(model, path, documents, done=()):
    """One row for each width and way but those that are done."""
    _, calibration, apart = texts(model, path, documents)
    for width in BITS:
        for way, (scale_per, method) in WAYS.items():
            if f"{width} {way}" in done:
                continue
            began = time.perf_counter()
            made = quantize_model(model.params, model.config, Scheme(width, scale_per), method, calibration, ALPHA, THRESHOLD)
            yield f"{width} {way}", {"bits": width, "way": way, "bits_per_weight": bits_per_weight(made, width),
                                     "seconds": time.perf_counter() - began,
                                     **compare(model.params, dequantize_params(made), model.config, *apart)}


def files(model, path, documents, done=()):
    """float32, then every scheme that can be saved."""
    for name in (None, *FILES):
        if (name or "float32") in done:
            continue
        params = model.params if name is None else quantize_model(model.params, model.config, scheme_named(name.removesuffix("-zero"), name.endswith("-zero")))
        made, row = replace(model, params=params), {"memory": size(params)["bytes"]}
        with tempfile.TemporaryDirectory() as folder:
            made.save(Path(folder) / "model")
            row["disk"] = (Path(folder) / "model" / "model.safetensors").stat().st_size
            if name is None or name.endswith("group32"):
                export(Path(folder) / "model.gguf", made)
                row |= {"gguf": (Path(folder) / "model.gguf").stat().st_size, **read_back(Path(folder) / "model.gguf", made)}
        yield name or "float32", row


def read_back(file: Path, model) -> dict:
    """How many tensors a GGUF file holds, of which kinds, and the largest difference of its numbers from ours."""
    import gguf
    tensors = {tensor.name: tensor for tensor in gguf.GGUFReader(file).tensors}
    kinds, largest = {}, 0.0
    for path, leaf in flatten(model.params).items():
        tensor = tensors.pop(gguf_name(path))
        kinds[tensor.tensor_type.name] = kinds.get(tensor.tensor_type.name, 0) + 1
        ours = dequantize(leaf) if isinstance(leaf, Quantized) else np.asarray(leaf)
        ours = ours.T if ours.ndim == 2 and path != "embed_tokens" else ours
        if path.rpartition(".")[2][:2] in ("q_", "k_"):
            ours = ours[neighbours(model.config.head_dim, len(ours) // model.config.head_dim)]
        largest = max(largest, float(np.max(np.abs(gguf.dequantize(tensor.data, tensor.tensor_type).reshape(ours.shape) - ours))))
    assert not tensors, f"{file} holds more than the model: {list(tensors)}"
    return {"kinds": kinds, "largest_difference": largest}


def speed(model, path, documents, done=()):
    """Tokens per second of each contender, all rounds; they run side by side, so all or none."""
    contenders = {}
    for name, (scheme, activations, twin) in SPEEDS.items():
        params = model.params if scheme is None else quantize_model(model.params, model.config, scheme_named(scheme, False, activations))
        if done != tuple(SPEEDS):
            contenders[name] = replace(model, params=params), twin
    how, rounds = GenerateConfig(min(TOKENS, model.config.max_position_embeddings - 2), temperature=0), {name: [] for name in contenders}
    for i in range(ROUNDS + 1):                                            # the first compiles
        for name, (made, twin) in contenders.items():
            made = replace(made, config=replace(made.config, eos_token_id=None))
            began = time.perf_counter()
            written = sum(1 for _ in made.continuation([1], twin, how))
            rounds[name] += [written / (time.perf_counter() - began)] if i else []
    for name, values in rounds.items():
        yield name, {"tokens_per_second": max(values), "rounds": values}


PARTS = {"bits": bits, "files": files, "speed": speed}


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("models", nargs="+", metavar="NAME=PATH")
    options.add_argument("--documents", type=int, default=200, help="held-out stories that are measured")
    options.add_argument("--part", choices=PARTS, nargs="+", default=list(PARTS))
    options.add_argument("--json", help="write the figures here; what stands there already is not measured again")
    options = options.parse_args()
    file = Path(options.json or "-")
    for entry in options.models:
        name, _, path = entry.partition("=")
        path = Path(path)
        model = minillm.load(path, None if path.is_dir() else find_tokenizer(path))
        for part in options.part:
            results = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
            found = results.setdefault(name, {"parameters": count(model.config)}).setdefault(part, {})
            for row, values in PARTS[part](model, path, options.documents, tuple(found)):
                print(f"{name} {part} {row}: " + ", ".join(f"{k} {v:.5g}" for k, v in values.items() if isinstance(v, (int, float))), flush=True)
                found[row] = values
                if options.json:
                    file.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
