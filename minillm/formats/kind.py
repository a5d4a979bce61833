"""Which format a file or folder is of, and for what is none of ours the tool that opens it."""

import json
from contextlib import nullcontext
from pathlib import Path

from minillm.errors import UserError, printable
from minillm.formats.gguf_file import Gguf
from minillm.formats.weights import STORED, open_folder

CONVERT = "open it with transformers, on a machine where you trust it, and write it with save_pretrained(DIR)"


def kind_of(path: Path) -> str:
    """"folder", "gguf" or "llama2.c". Raises UserError that says what else it is, and what to
    do."""
    if path.is_dir():
        if not (path / "config.json").is_file():
            raise UserError(f"{path / 'config.json'}: there is no such file{instead(path)}")
        return "folder"
    if not path.exists():
        hub = len(path.parts) == 2 and path.suffix == "" and not path.is_absolute() and not path.parent.exists()
        download = f"; to take it from the Hugging Face hub: minillm get {path.as_posix()}" if hub else ""
        raise UserError(f"{path}: there is no such file or folder{download}")
    try:
        with open(path, "rb") as file:
            begin = file.read(8)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({printable(error)})") from None
    if path.suffix == ".gguf" or begin[:4] == b"GGUF":
        return "gguf"
    # a llama2.c file begins with its width, which may be 640 = b"\x80\x02\0\0"
    if begin[:4] == b"PK\3\4" or begin[:1] == b"\x80" and 2 <= begin[1] <= 5 and begin[
        2:4] != b"\0\0":
        raise UserError(
            f"{path}: pickled weights can run any program, so they are never opened: {CONVERT}")
    if path.suffix == ".safetensors":
        raise UserError(
            f"{path}: weights alone: give the folder, with config.json beside them ({path.parent})")
    if path.suffix != ".bin":
        raise UserError(f"{path}: not a checkpoint: give a folder with config.json and model.safetensors, a .gguf file, or a "
                        "llama2.c .bin file")
    return "llama2.c"


def stored_dtype(path) -> str:
    """float16 or bfloat16 where all matrices of a folder or GGUF file are stored so, otherwise
    float32. Raises UserError."""
    path = Path(path)
    kind = kind_of(path)
    if kind == "llama2.c":
        return "float32"
    with nullcontext(Gguf(path)) if kind == "gguf" else open_folder(path, tuple(STORED)) as opened:
        kinds = {opened.kind(name) for name in opened.names if len(opened.shape(name)) > 1}
    return {"F16": "float16", "BF16": "bfloat16"}.get(*kinds,
                                                      "float32") if len(kinds) == 1 else "float32"


def instead(folder: Path) -> str:
    """What a folder without config.json holds, and what to type, as the end of a sentence; "" where
    it holds nothing known."""
    found = sorted(folder.glob("*.gguf"))
    if found:
        return f", but a GGUF file: give its name ({found[0]})"
    if (folder / "adapter_config.json").is_file():
        return (f": an adapter of {base_of(folder / 'adapter_config.json')}, not a whole model: "
                "give that model's path")
    inner = sorted((path.parent for path in folder.glob("*/config.json")),
                   key=lambda path: (len(path.name), path.name))
    if inner:
        return f", but a model in a folder inside: give {inner[-1]}"
    if any(folder.glob("consolidated*.pth")):
        return ": Meta's own format (.pth, pickled), which is never opened: take the model's Hugging Face folder instead"
    if any(folder.glob("*.safetensors")):
        return ": weights alone: config.json of the same model must lie beside them"
    return ""


def base_of(path: Path) -> str:
    """Of which model an adapter is."""
    try:
        return printable(
            json.loads(path.read_text(encoding="utf-8")).get("base_model_name_or_path"), 80)
    except (OSError, ValueError, AttributeError):
        return "of an unknown model"
