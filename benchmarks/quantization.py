"""What fewer bits cost: every scheme and method on models of several sizes, planted outliers, sizes.

    python benchmarks/quantization.py NAME=PATH ... [--documents 200] [--twin jax] [--json FILE]

PATH is a folder trained by `minillm pretrain storyworld` (measured on the first held-out stories of its own data) or
llama2.c's stories260K.bin (measured on benchmarks/data/stories.txt, which was written for the purpose). Calibration: the
beginning of the training data; for stories260K the first half of the text, while the second half is measured for the calibrated rows.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np

import minillm
from minillm.architecture.llama import count
from minillm.architecture.quantized import scheme_named
from minillm.formats.llama2c import find_tokenizer
from minillm.quantization.model import compare, matrix_errors, plant_outliers, quantize_model, size
from minillm.text.dataset import open_dataset, windows
from minillm.training import held_out

STORIES = Path(__file__).parent / "data" / "stories.txt"
ROUNDED = [(name, False, False, "round") for name in ("int8-tensor", "int8-channel", "int8-group32", "int4-tensor", "int4-channel", "int4-group32")]
ROUNDED += [("int4-group32", True, False, "round"), ("int8-tensor", False, True, "round"), ("int8-channel", False, True, "round"),
            ("int8-group32", False, True, "round")]
CALIBRATED = [("int4-group32", False, False, "round"), ("int4-group32", False, False, "gptq"), ("int4-group32", True, False, "gptq")]
OUTLIERS = [("int8-tensor", False, True, "round"), ("int8-channel", False, True, "round"), ("int8-channel", False, True, "llm-int8"),
            ("int8-channel", False, True, "smoothquant"), ("int8-tensor", False, True, "smoothquant")]
CHANNEL, FACTOR, THRESHOLD, ALPHA, CALIBRATION_ROWS = 7, 1024.0, 100.0, 0.5, 16


def texts(model, path: Path, documents: int):
    """(measured, calibration, measured apart from the calibration): rows of tokens and targets, rows of tokens, rows again."""
    context = min(256, model.config.max_position_embeddings)
    if path.is_dir():
        dataset = open_dataset(path / "data")
        rows = held_out(dataset, model.config.max_position_embeddings, documents)
        count = CALIBRATION_ROWS
        calibration = np.asarray(dataset.train[: count * context]).astype(np.int32).reshape(count, context)
        return (rows.tokens_NT, rows.targets_NT), calibration, (rows.tokens_NT, rows.targets_NT)
    stories = STORIES.read_text(encoding="utf-8").strip().split("\n\n")
    tokens = [np.array([*model.begin, *model.tokenizer.encode(story)]) for story in stories]
    rows = [windows(story, model.config.max_position_embeddings) for story in tokens]
    half = np.concatenate(tokens[: len(tokens) // 2])
    calibration = half[: len(half) // context * context].astype(np.int32).reshape(-1, context)

    def stack(chosen):
        return tuple(np.concatenate([row[i] for row in chosen]) for i in (0, 1))

    return stack(rows), calibration, stack(rows[len(rows) // 2 :])


def measure(model, params, run, measured, calibration, twin) -> dict:
    """One row of the table."""
    name, zero, activations, method = run
    scheme, began = scheme_named(name, zero, activations), time.perf_counter()
    made = quantize_model(params, model.config, scheme, method, calibration, ALPHA, THRESHOLD)
    row = {"scheme": str(scheme), "method": method, "seconds": time.perf_counter() - began, **size(made),
           "worst": max(matrix_errors(params, made), key=lambda error: error["relative"]) if method != "smoothquant" else None,
           **compare(model.params, made, model.config, *measured, twin)}
    print(f"  {row['scheme']:18} {method:12} {row['of_float32']:.4f} of float32  loss {row['difference']:+.5f} ± "
          f"{row['standard_error']:.5f}  KL {row['kl']:.5f}  same choice {100 * row['agreement']:.2f}%  ({row['seconds']:.1f} s)", flush=True)
    return row


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("models", nargs="+", metavar="NAME=PATH")
    options.add_argument("--documents", type=int, default=200, help="held-out stories that are measured")
    options.add_argument("--twin", choices=("numpy", "jax"), default="jax", help="which implementation measures")
    options.add_argument("--json", help="write the figures here; what stands there already is not measured again")
    options = options.parse_args()
    for entry in options.models:
        name, _, path = entry.partition("=")
        path = Path(path)
        model = minillm.load(path, None if path.is_dir() else find_tokenizer(path))
        measured, calibration, apart = texts(model, path, options.documents)
        print(f"{name}: {count(model.config):,} parameters, {int(np.sum(measured[1] >= 0)):,} tokens", flush=True)
        result = {"parameters": count(model.config)}
        file = Path(options.json or "-")
        before = json.loads(file.read_text(encoding="utf-8")).get(name, {}) if file.exists() else {}
        planted = plant_outliers(model.params, CHANNEL, FACTOR)
        parts = {"planted": (planted, OUTLIERS, apart), "rounded": (model.params, ROUNDED, measured),
                 "calibrated": (model.params, CALIBRATED, apart)}
        for part, (params, runs, rows) in parts.items():
            print(f"  {part}:", flush=True)
            result[part] = []
            for run in runs:
                scheme = str(scheme_named(*run[:3]))
                done = [row for row in before.get(part, []) if (row["scheme"], row["method"]) == (scheme, run[3])]
                result[part].append(done[0] if done else measure(model, params, run, rows, calibration, options.twin))
                if options.json and not done:                # after every row: a run that is cut short goes on where it was
                    results = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
                    file.write_text(json.dumps(results | {name: before | result}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
