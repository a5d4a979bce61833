"""Which format a file or folder is of, and for what is none of ours the tool that opens it."""

import re
import zipfile
from contextlib import nullcontext, suppress
from pathlib import Path

from minillm.errors import UserError, printable
from minillm.files import refuse_stand_in
from minillm.formats.adapter import is_adapter
from minillm.formats.gguf_file import Gguf
from minillm.formats.weights import STORED, adapter, open_folder

OLD_GGML = (b"lmgg", b"fmgg", b"tjgg", b"algg")         # "ggml", "ggmf", "ggjt", "ggla" as numbers
CONVERT = "open it with transformers, on a machine where you trust it, and write it with save_pretrained(DIR)"


def kind_of(path: Path) -> str:
    """"folder", "gguf" or "llama2.c". Raises UserError that says what else it is, and what to
    do."""
    if path.is_dir():
        if not (path / "config.json").is_file():
            raise UserError(f"{path / 'config.json'}: there is no such file{instead(path)}")
        return "folder"
    if not path.exists():
        page = re.match(r"https?:/+(?:www\.)?huggingface\.co/([^/]+/[^/]+)", path.as_posix())
        hub = len(path.parts) == 2 and path.suffix == "" and not path.is_absolute() and not path.parent.exists()
        name = page[1] if page else path.as_posix() if hub else ""
        download = f"; to take it from the Hugging Face hub: minillm get {name}" if name else ""
        raise UserError(f"{path}: there is no such file or folder{download}")
    try:
        with open(path, "rb") as file:
            begin = file.read(8)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({printable(error)})") from None
    if path.suffix == ".gguf" or begin[:4] == b"GGUF":
        return "gguf"
    refuse_stand_in(path)
    if begin[:4] in OLD_GGML:
        raise UserError(f"{path}: llama.cpp's format from before GGUF, which nothing opens today: "
                        "take a .gguf file of the model")
    if begin[:4] == b"PK\3\4" and is_folder(path):
        raise UserError(f"{path}: a zip of a model: unpack it, and give the folder")
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


def is_folder(path: Path) -> bool:
    """Is a zip one of a model's folder? PyTorch's pickles are zips too."""
    with suppress(OSError, ValueError, zipfile.BadZipFile), zipfile.ZipFile(path) as archive:
        return any(name.endswith(("config.json", ".safetensors", ".gguf"))
                   for name in archive.namelist())
    return False


def stored_dtype(path) -> str:
    """float16 or bfloat16 where all matrices of a folder or GGUF file are stored so, otherwise
    float32. Raises UserError."""
    path = Path(path)
    if is_adapter(path) or (kind := kind_of(path)) == "llama2.c":
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
        return adapter(folder)
    inner = sorted((path.parent for pattern in ("*", "snapshots/*")
                    for path in folder.glob(f"{pattern}/config.json")),
                   key=lambda path: (len(path.name), path.name))
    if inner:
        return f", but a model in a folder inside: give {inner[-1]}"
    if any(folder.glob("consolidated*.pth")):
        return ": Meta's own format (.pth, pickled), which is never opened: take the model's Hugging Face folder instead"
    if (folder / "params.json").is_file():
        return ": Mistral's own format (params.json): take the model's Hugging Face folder instead"
    if any(folder.glob("*.safetensors")):
        return ": weights alone: config.json of the same model must lie beside them"
    return ""

