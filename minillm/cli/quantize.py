"""Other forms of a model: `minillm quantize`, `minillm convert` and `minillm export`."""

import json
from dataclasses import replace
from pathlib import Path

from minillm.cli.measure import add_context, context_of, row_by_row, rows_to_measure, warn_of_memory
from minillm.cli.options import (
    add_encoding,
    add_json,
    add_path,
    add_tokenizer_bin,
    add_twin,
    read_file,
)
from minillm.cli.parsing import add_command
from minillm.cli.progress import telling
from minillm.errors import UserError, require

ROW = 256  # tokens in a row of the calibration text
LOOKED_AT = 256  # tokens of each of the few rows whose drift is measured


def add_commands(commands):
    """Add the commands of this file."""
    add_quantize(commands)
    add_convert(commands)
    add_export(commands)


def new_folder(options) -> Path:
    """--out, which must not hold anything yet. Raises UserError."""
    out = Path(options.out)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"{out}: already exists and is not an empty folder: give a new one")
    return out


# ---- quantize --------------------------------------------------------------------------------


def add_quantize(commands):
    command = add_command(
        commands, "quantize", quantize, "write a model in fewer bits, and say what that costs",
        "minillm quantize runs/nano --scheme int8-channel --out runs/nano-int8\n"
        "  minillm quantize runs/nano --scheme int4-group32 --method gptq --out r4")
    add_path(command)
    add_tokenizer_bin(command)
    command.add_argument("--scheme", required=True, metavar="NAME",
                         help="int8 or int4, with a scale per tensor, channel or 32 numbers: "
                         "int8-channel, int8-group32, int4-group32 ...; int4-group32-min: with the "
                         "smallest number of each group too")
    command.add_argument("--embedding", metavar="NAME",
                         help="another scheme for the embedding, and the head where they are one")
    command.add_argument(
        "--zero-point", action="store_true",
        help="map the smallest to the largest number to integers, not a range around 0")
    command.add_argument("--activations", action="store_true",
                         help="quantize activations to int8 too: products of integers, fast in jax")
    add_method(command)
    add_encoding(command)
    what = command.add_mutually_exclusive_group()
    what.add_argument("--text", metavar="FILE", help="a text file to measure on")
    what.add_argument(
        "--data", metavar="DIR",
        help="a dataset folder to measure on: its validation split (default: the model's own)")
    command.add_argument("--out", required=True, metavar="DIR", help="the new folder")
    add_context(command)
    command.add_argument("--measured-rows", type=int, default=256, metavar="N",
                         help="measure on at most this many rows")
    command.add_argument("--figure", metavar="FILE",
                         help="draw the error of every matrix and the drift through the layers")
    add_json(command)
    add_twin(command)


def add_method(command):
    """How the integers are chosen, and by which text."""
    command.add_argument("--method", choices=("round", "gptq", "smoothquant", "llm-int8"),
                         default="round",
                         help="how integers are chosen; all but round need a calibration text")
    command.add_argument("--alpha", type=float, default=0.5, metavar="X",
                         help="smoothquant: how much moves from activations into weights")
    command.add_argument("--threshold", type=float, default=6.0, metavar="X",
                         help="llm-int8: inputs that reach this stay float")
    command.add_argument("--calibration", metavar="FILE",
                         help="the calibration text (default: the text in the model's data folder)")
    command.add_argument("--rows", type=int, default=32, metavar="N",
                         help=f"rows of the calibration text, of {ROW} tokens each")


def quantize(options):
    from minillm.architecture.quantized import scheme_named
    from minillm.formats.checkpoint import copy_texts
    from minillm.loading import load
    from minillm.quantization import model as quantization

    source, out = Path(options.path), new_folder(options)
    scheme = scheme_named(options.scheme, options.zero_point, options.activations)
    embedding = options.embedding and scheme_named(options.embedding, False, options.activations)
    fewest = min(options.rows, options.measured_rows)
    require(fewest >= 1, "--rows and --measured-rows", fewest, "at least 1")
    require(0 <= options.alpha <= 1, "--alpha", options.alpha, "between 0 and 1")
    require(options.threshold > 0, "--threshold", options.threshold, "above 0")
    model = load(source, options.tokenizer)
    context = context_of(options, model)
    warn_of_memory(model, context, options.twin, 2)
    try:
        quantization.refuse_quantized(model.params)
        with telling(f"rounding {model.source}") as tell:
            params = quantization.quantize_model(model.params, model.config, scheme, options.method,
                                                 calibration_rows(options, model), options.alpha,
                                                 options.threshold, tell, embedding, options.twin)
    except UserError as error:
        raise UserError(f"{source}: {error}") from None
    replace(model, params=params).save(out, method=options.method)
    if source.is_dir():
        copy_texts(source, out)
    errors = quantization.matrix_errors(model.params, params)
    result = {
        "path": str(out),
        "scheme": str(scheme),
        "embedding": str(embedding or scheme),
        "method": options.method,
        **quantization.size(params),
        "file_bytes": (out / "model.safetensors").stat().st_size,
        "worst": sorted(errors, key=lambda row: -row["relative"])[:5],
        **change(options, model, params, context),
    }
    if options.figure:
        title = f"{source.name}: {scheme}, {options.method}"
        quantization.draw(errors, result["drift"], options.figure, title)
    if options.json:
        print(json.dumps(result))
    else:
        show_quantized(result)


def change(options, model, params, context: int) -> dict:
    """What quantization changes: the drift through the layers, and the loss where there is a text
    to measure on."""
    import numpy as np

    from minillm.loading import to_device
    from minillm.quantization import model as quantization

    longest, vocab_size = model.config.max_position_embeddings, model.config.vocab_size
    with telling("measuring") as tell:
        if options.text or options.data or (Path(options.path) / "data").is_dir():
            rows = rows_to_measure(options, model, context)
            tokens_NT = rows.tokens_NT[: options.measured_rows]
            targets_NT = rows.targets_NT[: options.measured_rows]
            both = [to_device(each, options.twin) for each in (model.params, params)]
            progress = row_by_row(tell, options.twin)
            loss = quantization.compare(*both, model.config, tokens_NT, targets_NT, options.twin,
                                        progress=progress)
            few_NT = rows.tokens_NT[:4, :LOOKED_AT]
        else:
            loss = {}
            few_NT = np.random.default_rng(0).integers(0, vocab_size, (2, min(64, longest)))
        tell("measuring the drift through the layers")
        return loss | {"drift": quantization.drift(model.params, params, model.config, few_NT)}


def calibration_rows(options, model):
    """--rows rows of the calibration text, (N, T) ids; None where the method needs none.

    The text is --calibration, or what the model was trained on. Raises UserError.
    """
    import numpy as np

    if options.method == "round":
        return None
    context = min(ROW, model.config.max_position_embeddings)
    data = Path(options.path) / "data"
    if options.calibration:
        tokens = np.array(model.text_ids(read_file(options.calibration, options)))
    elif data.is_dir():
        from minillm.text.dataset import open_dataset

        tokens = open_dataset(data).train[: context * options.rows]
    else:
        raise UserError(
            f"--method {options.method} needs a calibration text: give --calibration FILE")
    if len(tokens) < 2:
        raise UserError(f"the calibration text has {len(tokens)} tokens: at least 2 are needed")
    context = min(context, len(tokens))
    count = min(options.rows, len(tokens) // context)
    return np.asarray(tokens[: count * context]).astype(np.int32).reshape(count, context)


def show_quantized(result: dict):
    """Print what fewer bits saved and what they cost."""
    from rich.console import Console
    from rich.table import Table

    from minillm.files import megabytes

    other = result["embedding"] != result["scheme"]
    apart = f", embedding {result['embedding']}" if other else ""
    rows = [
        ("scheme", f"{result['scheme']}, {result['method']}{apart}"),
        ("bits per weight", f"{result['bits_per_weight']:.2f}, scales included"),
        ("memory", f"{megabytes(result['bytes'])}, {result['of_float32']:.3f} of float32"),
        ("file", megabytes(result["file_bytes"])),
    ]
    if "difference" in result:
        difference, error = result["difference"], result["standard_error"]
        rows += [
            ("loss before", f"{result['loss_before']:.4f} nats a token on {result['tokens']:,}"),
            ("loss after", f"{result['loss_after']:.4f}"),
            ("difference", f"{difference:+.5f} (one row of text, so its error is not known)"
             if error is None else f"{difference:+.5f} ± {error:.5f} (paired standard error)"),
            ("mean KL", f"{result['kl']:.5f} nats"),
            ("same first choice", f"{100 * result['agreement']:.2f}%"),
        ]
    else:
        rows.append(("loss", "not measured: give --text FILE or --data DIR"))
    for row in result["worst"]:
        error = f"{100 * row['relative']:.2f}%, at most {row['largest']:.2g}"
        rows.append((f"error of {row['name']}", error))
    grid = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    for name, value in rows:
        grid.add_row(name, value)
    Console().print(grid)


# ---- convert ---------------------------------------------------------------------------------


def add_convert(commands):
    command = add_command(
        commands, "convert", convert,
        "write a checkpoint as a Hugging Face folder, for transformers, vLLM, llama.cpp",
        "minillm convert stories260K.bin --out stories260K --dtype bfloat16\n"
        "  minillm convert smollm2.Q4_1.gguf --quantized --out smollm2-q4")
    add_path(command)
    add_tokenizer_bin(command)
    command.add_argument("--out", required=True, metavar="DIR", help="the new folder")
    what = command.add_mutually_exclusive_group()
    what.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32",
                      help="how its numbers are stored")
    what.add_argument("--quantized", action="store_true",
                      help="keep the integers of a GGUF file of Q8_0, Q4_0 and Q4_1 bit for bit, "
                      "in a folder that minillm alone opens")


def convert(options):
    from minillm.architecture.quantized import scheme_of
    from minillm.formats.checkpoint import copy_texts
    from minillm.loading import load

    source, out = Path(options.path), new_folder(options)
    model = load(source, options.tokenizer, integers=options.quantized)
    scheme = scheme_of(model.params)
    if options.quantized and not scheme:
        raise UserError(f"{source}: its matrices are not all of Q8_0, Q4_0 and Q4_1: leave out "
                        "--quantized, or choose integers with minillm quantize")
    if scheme and not options.quantized:  # write the float numbers that its integers stand for
        from minillm.quantization.model import dequantize_params

        model = replace(model, params=dequantize_params(model.params))
    model.save(out, options.dtype)
    if source.is_dir():
        copy_texts(source, out)
    if options.quantized:
        return print(f"{out}: {model.source}, its integers as they are ({scheme}); minillm alone "
                     "opens it")
    again = f", made float again from {scheme}" if scheme else ""
    print(f"{out}: {model.source} in Hugging Face's format, {options.dtype}{again}")


# ---- export ----------------------------------------------------------------------------------


def add_export(commands):
    command = add_command(commands, "export", export,
                          "write a LLaMA as GGUF, for llama.cpp on a phone or a Raspberry Pi",
                          "minillm quantize runs/nano --scheme int8-group32 --out runs/nano-q8\n"
                          "  minillm export runs/nano-q8 --out nano-q8.gguf")
    add_path(command, "a folder quantized with int8-group32, int4-group32 or int4-group32-min, "
             "or of float numbers")
    add_tokenizer_bin(command)
    command.add_argument("--out", required=True, metavar="FILE", help="the new .gguf file")


def export(options):
    from minillm.formats import gguf, gguf_tokenizer
    from minillm.formats.kind import stored_dtype
    from minillm.loading import load

    out = Path(options.out)
    if out.exists():
        raise UserError(f"{out}: already exists: give the name of a new file")
    model = load(options.path, options.tokenizer, stored_dtype(options.path))
    floats = gguf.export(out, model)
    print(f"{out}: {model.source} as GGUF, {out.stat().st_size:,} bytes; for llama.cpp: "
          f"llama-cli -m {out}")
    if remark := gguf_tokenizer.remark(model.tokenizer):
        print(remark)
    if floats:
        names = ", ".join(floats[:3]) + (", ..." if len(floats) > 3 else "")
        print("in float32, because GGUF's groups of 32 do not divide their rows: "
              f"{len(floats)} matrices ({names})")
