"""What a checkpoint is, from its headers alone: no weight is read. `minillm inspect-config` prints
it."""

from dataclasses import asdict
from math import prod
from pathlib import Path

from minillm.architecture.quantized import is_ours
from minillm.architecture.tree import flatten
from minillm.errors import UserError, printable
from minillm.files import read_json
from minillm.formats import (
    adapter,
    checkpoint,
    gguf,
    gguf_tokenizer,
    llama2c,
    quantized as quantized_folder,
    weights,
)
from minillm.formats.describe_adapter import describe_adapter
from minillm.formats.gguf_file import Gguf
from minillm.formats.kind import kind_of

PARTS = {"embedding": ("embed_tokens",), "attention": ("q_", "k_", "v_", "o_"), "feed-forward": ("gate_", "up_", "down_"),
         "head": ("lm_head",), "norms": ("",)}                                # the first that begins a name has it


def describe(path) -> dict:
    """{"path", "format", "config", "parameters", "files", "memory", "kv_cache", "tokenizer",
    "refused"}.

    `refused` lists, one line each, what `minillm.load` would refuse; what follows from it is left
    out. Of an adapter it says "adapter" instead (see describe_adapter). Raises UserError where
    there is nothing to describe.
    """
    path = Path(path)
    if adapter.is_adapter(path):
        return describe_adapter(path, describe)
    kind = kind_of(path)
    if kind != "folder":
        return describe_llama2c(path) if kind == "llama2.c" else describe_gguf(path)
    values = read_json(path / "config.json")
    format = checkpoint.format_of(values.get("model_type"))
    found = {"path": str(path), "format": f"Hugging Face, model_type {values.get('model_type')!r}",
             "refused": []}
    config = attempt(found, lambda: format.load_config(path))
    if is_ours(values):
        found["format"] += f", quantized by minillm: {printable(values['quantization_config'].get('scheme'))}"
    opened = attempt(found, lambda: weights.open_folder(path, quantized_folder.KINDS
                                                        if is_ours(values) else weights.FLOATS))
    if opened is not None:
        with opened:
            found["files"] = describe_files(opened)
            if config is not None and is_ours(values):
                attempt(found, lambda: quantized_folder.plan(
                    opened, config, quantized_folder.schemes(path, config, values)))
            elif config is not None:
                attempt(found, lambda: format.plan(opened, config))
    if config is None:
        return found | {"config": values}
    found |= describe_config(config)
    tokenizer = attempt(found, lambda: checkpoint.load_tokenizer(path, config))
    begin = attempt(found, lambda: checkpoint.begin_of_prompt(path, tokenizer, config))
    found["tokenizer"] = describe_tokenizer(tokenizer, begin) if tokenizer else {
        "none": checkpoint.no_tokenizer(str(path))}
    return found


def describe_llama2c(path: Path) -> dict:
    """A llama2.c checkpoint and the tokenizer beside it."""
    found = {"path": str(path), "format": "llama2.c, version 0", "refused": []}
    config = llama2c.read_header(path)
    found |= describe_config(config) | {"files": {"number": 1, "bytes": path.stat().st_size,
                                                  "numbers": {"F32": "all"}}}
    tokenizer = attempt(found, lambda: llama2c.read_tokenizer(llama2c.find_tokenizer(path),
                                                              config.vocab_size))
    found["tokenizer"] = describe_tokenizer(tokenizer, (config.bos_token_id,)) if tokenizer else {
        "none": "see what is refused"}
    return found


def describe_gguf(path: Path) -> dict:
    """A GGUF file: its metadata, and how many numbers of each kind it holds."""
    file = Gguf(path)
    names = [str(file.fields[f"general.{name}"]) for name in ("architecture", "name")
             if f"general.{name}" in file.fields]
    found = {"path": str(path), "format": f"GGUF: {printable(', '.join(names), quoted=False)}",
             "refused": [],
             "files": {"number": 1, "bytes": path.stat().st_size, "numbers": kinds_of(file)}}
    config = attempt(found, lambda: gguf.read_config(file))
    if config is not None:
        attempt(found, lambda: gguf.plan(file, config))
        found |= describe_config(config)
    tokenizer = attempt(found, lambda: gguf_tokenizer.read(file.fields))
    found["tokenizer"] = describe_tokenizer(*tokenizer) if tokenizer and tokenizer[0] else {
        "none": "see what is refused"}
    return found


def config_at(path):
    """The config of a checkpoint, of which only headers are read; `path` may be a JSON file like
    config.json. Raises UserError."""
    path = Path(path)
    if path.suffix == ".json":
        values = read_json(path)
        try:
            return checkpoint.format_of(values.get("model_type")).read_config(values)
        except UserError as error:
            raise UserError(f"{path}: {error}") from None
    kind = kind_of(path)
    if kind == "folder":
        return checkpoint.format_of(read_json(path / "config.json").get("model_type")).load_config(
            path)
    return llama2c.read_header(path) if kind == "llama2.c" else gguf.read_config(Gguf(path))


def attempt(found: dict, step):
    """step(), or None, its UserError noted in `refused`."""
    try:
        return step()
    except UserError as error:
        found["refused"].append(str(error))
        return None


def describe_config(config) -> dict:
    """Parameters by part, memory by number kind, and the cost of the cache."""
    shapes = quantized_folder.shapes(config)
    sizes = dict.fromkeys(PARTS, 0)
    for name, shape in flatten(shapes).items():
        last = name.rpartition(".")[2]
        sizes[next(part
                   for part, begins in PARTS.items() if last.startswith(begins))] += prod(shape)
    total = sum(sizes.values())
    matrices = sum(prod(shape) for shape in flatten(shapes).values() if len(shape) > 1)
    position = 2 * config.num_hidden_layers * config.num_key_value_heads * config.head_dim * 4
    values = asdict(config)
    values.pop("o_proj_init_gain", None)  # how training began is in no file
    return {"config": values,
            "parameters": {"total": total, **{part: size for part, size in sizes.items() if size}},
            "memory": {"float32": 4 * total,
                       "float16 or bfloat16": 2 * matrices + 4 * (total - matrices)},
            "kv_cache": {"bytes_per_token": position,
                         "bytes_of_the_context": position * config.max_position_embeddings}}


def describe_files(opened: weights.Weights) -> dict:
    """How many files, their bytes, and how many numbers of each kind they hold."""
    paths = {opened.path(name) for name in opened.names}
    return {"number": len(paths), "bytes": sum(path.stat().st_size for path in paths),
            "numbers": kinds_of(opened)}


def kinds_of(opened) -> dict[str, int]:
    """How many numbers of each kind the tensors hold."""
    kinds = {}
    for name in opened.names:
        kinds[opened.kind(name)] = kinds.get(opened.kind(name), 0) + prod(opened.shape(name))
    return kinds


def describe_tokenizer(tokenizer, begin) -> dict:
    """Its engine, size, special tokens, and what stands before every prompt."""
    names = {i: token for token, i in tokenizer.vocab.items()}
    special = list(tokenizer.special_tokens)
    return {"model": tokenizer.spec["model"]["type"]
            + (", byte-level" if tokenizer.byte_level else ", byte fallback"
               if tokenizer.spec["model"].get("byte_fallback") else ""),
            "tokens": len(tokenizer.vocab), "highest_id": tokenizer.vocab_size - 1,
            "special_tokens": special[:8] + [f"and {len(special) - 8} more"] * (len(special) > 8),
            "before_a_prompt": [names.get(i, i) for i in begin or ()]}
