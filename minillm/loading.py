"""`minillm.load`: a checkpoint, whoever made it, as one record to run, write with and save."""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import numpy as np

from minillm import checkpoint
from minillm.config import GenerateConfig, ModelConfig, check_prompt
from minillm.errors import UserError
from minillm.tokenizer import Tokenizer, decode_stream


@dataclass(frozen=True)
class Model:
    """A LLaMA: `params` is the tree of minillm/params.py in NumPy arrays; `source` says where it came from."""

    config: ModelConfig
    params: dict
    tokenizer: Tokenizer | None
    source: str

    def logits(self, tokens_BT, twin: str = "numpy") -> np.ndarray:
        """float32 logits (B, T, V). Raises UserError: token ids outside the vocabulary, rows longer than the context."""
        tokens_BT = np.asarray(tokens_BT)
        if tokens_BT.ndim != 2 or not np.issubdtype(tokens_BT.dtype, np.integer):
            raise UserError(f"tokens have shape {tokens_BT.shape} of {tokens_BT.dtype}: whole numbers (B, T) are needed")
        if tokens_BT.size == 0:
            raise UserError("there are no tokens: give at least one row of at least one")
        if tokens_BT.shape[1] > self.config.max_position_embeddings:
            raise UserError(f"rows of {tokens_BT.shape[1]} tokens are longer than the {self.config.max_position_embeddings} "
                            "that the model reads")
        if tokens_BT.min() < 0 or tokens_BT.max() >= self.config.vocab_size:
            raise UserError(f"a token is {tokens_BT.min()} or {tokens_BT.max()}: ids are at least 0 and below vocab_size "
                            f"({self.config.vocab_size})")
        return np.asarray(twin_package(twin).forward(self.params, tokens_BT, self.config)[0], np.float32)

    def prompt_ids(self, prompt: str) -> list[int]:
        """The beginning-of-text token, if the model has one, and the prompt's. Raises UserError where it cannot go on."""
        if self.tokenizer is None:
            raise UserError(f"{self.source}: there is no tokenizer.json, so text cannot become tokens")
        ids = ([] if self.config.bos_token_id is None else [self.config.bos_token_id]) + self.tokenizer.encode(prompt)
        if not ids:
            raise UserError("the prompt is empty, and this model has no beginning-of-text token: give it a text to begin with")
        check_prompt(ids, self.config)
        return ids

    def generate(self, prompt: str = "", twin: str = "jax", stop: tuple[str, ...] = (), on_token=None, **options) -> Iterator[str]:
        """Yield the prompt and what the model writes after it, piece by piece; options are those of `GenerateConfig`.

        The text ends before the first of the `stop` strings that it writes. `on_token()` is called at every new token.
        """
        how, ids = GenerateConfig(**options), self.prompt_ids(prompt)
        begun = 0 if self.config.bos_token_id is None else 1
        end = () if self.config.eos_token_id is None else (self.config.eos_token_id,)

        def written():
            yield from ids[begun:]
            for token in twin_package(twin).generate(self.params, ids, self.config, how, end):
                if on_token:
                    on_token()
                yield token

        return until(decode_stream(self.tokenizer, written()), stop, len(self.tokenizer.decode(ids[begun:])))

    def save(self, folder):
        """Write a Hugging Face folder in float32 (see checkpoint.py)."""
        checkpoint.save_model(folder, self.config, self.params, self.tokenizer)


def load(path, tokenizer=None) -> Model:
    """The model at `path`: a folder with config.json and model.safetensors, or a llama2.c .bin file.

    `tokenizer` names a tokenizer.bin for the latter, where it is not the only one beside the file. Raises UserError for
    whatever is damaged or not supported, by name.
    """
    path = Path(path)
    if path.is_file() and path.suffix != ".bin":              # pickles among them, which are never opened
        raise UserError(f"{path}: not a checkpoint: give a folder with config.json and model.safetensors, or a llama2.c .bin file")
    if path.is_file():
        from minillm.foreign import llama2c
        return Model(*llama2c.load(path, tokenizer), f"{path} (llama2.c)")
    if not path.exists():
        raise UserError(f"{path}: there is no such file or folder")
    if tokenizer is not None:
        raise UserError(f"{path}: a folder brings its own tokenizer: --tokenizer is for llama2.c's .bin files")
    return Model(*checkpoint.load_model(path), str(path))


def twin_package(name: str):
    """minillm.in_numpy or minillm.in_jax, imported when asked for: NumPy's users need no JAX. Raises UserError."""
    if name not in ("numpy", "jax"):
        raise UserError(f"twin {name!r} does not exist: choose numpy or jax")
    return import_module(f"minillm.in_{name}")


def until(pieces: Iterator[str], stop: tuple[str, ...], begun: int = 0) -> Iterator[str]:
    """The pieces of a text until one of the `stop` strings begins at character `begun` or later.

    What could still become a stop string is held back until it is none.
    """
    longest, text, shown = max(map(len, stop), default=1), "", 0
    for piece in pieces:
        text += piece
        found = [at for at in (text.find(word, max(begun, shown)) for word in stop) if at >= 0]
        safe = min(found) if found else max(shown, len(text) - longest + 1)
        if safe > shown:
            yield text[shown:safe]
            shown = safe
        if found:
            return
    if shown < len(text):
        yield text[shown:]
