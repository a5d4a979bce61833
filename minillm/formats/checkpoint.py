"""A model on disk: a folder in Hugging Face's format.

    config.json  generation_config.json  tokenizer.json  tokenizer_config.json      what the model is
    model.safetensors                                                               its parameters

Every file is written beside its place and then renamed into it, so that a reader finds the old one or the new one,
never half of one. The state of the training that made it lies beside it: see training/state.py.
"""

from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import save_file

from minillm import chat_template
from minillm.architecture.adapters import refuse_adapted
from minillm.architecture.quantized import is_ours, scheme_of
from minillm.errors import UserError, printable
from minillm.files import make_folder, read_json, replacing, write_json
from minillm.formats import (
    bloom,
    llama,
    mistral,
    quantized as quantized_folder,
    qwen2,
    qwen3,
    smollm3,
    weights,
)
from minillm.formats.added_tokens import with_added
from minillm.text import tokenizer as tokenizers

MODEL = "model.safetensors"
FORMATS = {"llama": llama, "mistral": mistral, "qwen2": qwen2, "qwen3": qwen3, "smollm3": smollm3,
           "bloom": bloom}
KINDS = {"F32": np.float32, "F64": np.float64}


def save_model(folder, config, params, tokenizer=None, dtype: str = "float32",
               add_bos_token: bool = True, method: str = "round", template: str | None = None,
               marks: dict[str, str] | None = None):
    """Write a folder that `minillm.load` and Hugging Face's `AutoModelForCausalLM.from_pretrained` open.

    `add_bos_token`: whether the tokenizer puts the beginning-of-text token before a text, as our training does. Quantized
    matrices are kept as they are, and `method` says how they were found: such a folder opens here alone. `marks` are the
    special tokens by role ("bos_token" ...), where those of the config alone do not say all.

    Raises UserError where the folder cannot be written.
    """
    folder = make_folder(folder)
    save_description(folder, config, params, tokenizer, dtype, add_bos_token, method, template,
                     marks)
    save_params(folder, config, params, dtype)


def save_description(folder, config, params, tokenizer=None, dtype: str = "float32",
                     add_bos_token: bool = True, method: str = "round", template: str | None = None,
                     marks: dict[str, str] | None = None):
    """Write all that `save_model` writes but the parameters. Raises UserError."""
    folder = Path(folder)
    values, _ = format_of(config.model_type).to_hugging_face(config, {})
    write_json(folder / "config.json",
               values | {"torch_dtype": dtype} | quantized_folder.about(params, method))
    write_json(folder / "generation_config.json",
               {"bos_token_id": config.bos_token_id, "eos_token_id": config.eos_token_id})
    if tokenizer is not None:
        save_tokenizer(folder, config, tokenizer, add_bos_token, template, marks)


def save_tokenizer(folder: Path, config, tokenizer, add_bos_token: bool = True,
                   template: str | None = None, marks: dict[str, str] | None = None):
    """Write what belongs to the tokenizer, the chat template included. Raises UserError."""
    about = tokenizer_config(config, tokenizer, add_bos_token) | (marks or {})
    if template is not None:
        about["chat_template"] = template
    tokenizer.save(folder, about["bos_token"] if about["add_bos_token"] else None)
    write_json(folder / "tokenizer_config.json", about)


def tokenizer_config(config, tokenizer, add_bos_token: bool) -> dict:
    """What transformers wants to know of a tokenizer beside tokenizer.json."""
    names = {i: token for token, i in tokenizer.vocab.items()}
    marks = {"bos_token": names.get(config.bos_token_id),
             "eos_token": names.get(next(iter(config.end_tokens), None))}
    return {"tokenizer_class": "PreTrainedTokenizerFast", "clean_up_tokenization_spaces": False,
            "add_bos_token": add_bos_token and marks["bos_token"] is not None,
            **{mark: token for mark, token in marks.items() if token is not None}}


def save_params(folder, config, params, dtype: str = "float32"):
    """Write model.safetensors alone: Hugging Face's names and orientation, float32 or bfloat16; quantized ones under our names."""
    refuse_adapted(params)
    if scheme_of(params):
        return write_tensors(Path(folder) / MODEL, quantized_folder.tensors(params),
                             {"format": "pt"})
    _, tensors = format_of(config.model_type).to_hugging_face(config, params)
    tensors = {name: np.ascontiguousarray(array, dtype_named(dtype))
               for name, array in tensors.items()}
    write_tensors(Path(folder) / MODEL, tensors, {"format": "pt"})


def write_tensors(path: Path, tensors: dict, metadata: dict):
    """Write a safetensors file, atomically. Raises UserError."""
    with replacing(path) as beside:
        try:
            beside.touch()  # save_file would let nobody but its writer read the file
            mode = beside.stat().st_mode
            save_file(tensors, beside, metadata=metadata)
            beside.chmod(mode)
        except SafetensorError as error:
            raise OSError(printable(error)) from None


def copy_texts(source: Path, out: Path):
    """Bring a folder's own tokenizer files, chat template and generation_config.json along, as they
    are, and the token that pads its batches. Raises UserError."""
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
                 "added_tokens.json", "chat_template.jinja", "chat_template.json",
                 "generation_config.json"):
        if (source / name).is_file():
            with replacing(out / name) as beside:
                beside.write_bytes((source / name).read_bytes())
    padding = read_json(source / "config.json").get("pad_token_id")
    if padding is not None and (out / "config.json").is_file():
        about = read_json(out / "config.json")
        write_json(out / "config.json", about | {"pad_token_id": padding})


def format_of(model_type: str):
    """The file that knows the Hugging Face folders of a family; the LLaMA's refuses what nobody knows, by name."""
    return FORMATS.get(model_type, llama) if isinstance(model_type, str) else llama


def dtype_named(name: str) -> np.dtype:
    """float32, float16 or bfloat16 as a dtype; bfloat16 is not NumPy's own but comes with JAX. Raises UserError."""
    if name == "bfloat16":
        try:
            from ml_dtypes import bfloat16
        except ImportError:
            raise UserError("bfloat16 needs the ml_dtypes package, which comes with JAX: install it, or use float16") from None
        return np.dtype(bfloat16)
    if name not in ("float32", "float16"):
        raise UserError(f"dtype {name!r} is not known: choose float32, float16 or bfloat16")
    return np.dtype(name)


def load_model(folder, dtype: str = "float32"):
    """(config, params, tokenizer) of a folder of ours or of Hugging Face's; the tokenizer is None where there is none.

    Ours come in by the same code as those of strangers: see formats/llama.py and formats/bloom.py. `dtype` is that of the
    matrices. Raises UserError.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise UserError(
            f"{folder}: there is no such folder: give one with config.json and model.safetensors")
    values = read_json(folder / "config.json")
    format = format_of(values.get("model_type"))
    if is_ours(values):
        if dtype != "float32":
            raise UserError(
                f"{folder}: its matrices are quantized: {dtype} is for those that are float")
        config, params = quantized_folder.load(folder, format.load_config(folder), values)
    else:
        config, params = format.load(folder, dtype_named(dtype))
    return config, params, load_tokenizer(folder, config)


def load_tokenizer(folder, config):
    """The tokenizer.json of a folder, or None. Raises UserError where its own tokens are more than the model's rows.

    Of tokens that were added later a few may lie beyond the embedding: a text may not have them, all else works.
    """
    path = Path(folder) / "tokenizer.json"
    if not path.exists():
        return None
    tokenizer = with_added(tokenizers.load(folder), Path(folder))
    added = {entry["id"] for entry in tokenizer.spec["added_tokens"]}
    highest = max((i for i in tokenizer.vocab.values() if i not in added), default=-1)
    if highest >= config.vocab_size:
        raise UserError(f"{path}: has {highest + 1} tokens, the model {config.vocab_size}: "
                        "the two do not belong together")
    return tokenizer.fit(config.vocab_size)


def begin_of_prompt(folder: Path, tokenizer, config) -> tuple[int, ...]:
    """The ids that stand before every prompt of a folder's model: what its tokenizer puts there. Raises UserError.

    tokenizer_config.json's add_bos_token decides: then it is the bos_token of the tokenizer's files, or else that of
    config.json. Where it says nothing, the post-processor of tokenizer.json does. (transformers 5 asks the
    post-processor alone; 4 asks add_bos_token first, for the tokenizers of LLaMAs.)
    """
    path = folder / "tokenizer_config.json"
    added = read_json(path).get("add_bos_token") if path.is_file() else None
    if added is None:
        return () if tokenizer is None else tokenizer.begin
    named = chat_template.special_tokens(folder).get("bos_token")
    begin = config.bos_token_id if tokenizer is None else tokenizer.vocab.get(
        named, config.bos_token_id)
    return (begin,) if added is True and begin is not None else ()


def no_tokenizer(source: str) -> str:
    """Why text cannot become tokens, and what to do."""
    if (Path(source) / "tokenizer.model").is_file():
        return ("there is only a tokenizer.model (SentencePiece), no tokenizer.json: make one with transformers: "
                "AutoTokenizer.from_pretrained(DIR).save_pretrained(DIR)")
    if (Path(source) / "vocab.json").is_file():
        return ("there is only a vocab.json, no tokenizer.json: make one with transformers: "
                "AutoTokenizer.from_pretrained(DIR).save_pretrained(DIR)")
    return "there is no tokenizer.json, so text cannot become tokens"


def read_tensors(path: Path, numbers: tuple[str, ...]) -> tuple[dict, dict]:
    """(tensors by name, metadata) of a safetensors file of these kinds of numbers ("F32" ...). Raises UserError."""
    with weights.Weights([path], numbers) as file:
        return {name: file.read(name, KINDS[file.kind(name)]) for name in file.names}, file.metadata
