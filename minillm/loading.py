"""`minillm.load`: a checkpoint, whoever made it, as one record to run, write with and save."""

import hashlib
import os
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, fields, is_dataclass, replace
from functools import cache
from importlib import import_module
from itertools import chain
from pathlib import Path

import numpy as np

from minillm import chat_template
from minillm.architecture.adapters import adapt, merged
from minillm.architecture.bloom import BloomConfig
from minillm.architecture.tree import tree_map
from minillm.config import GenerateConfig, ModelConfig, check_prompt
from minillm.errors import UserError, is_count, require
from minillm.formats import adapter, checkpoint
from minillm.formats.checkpoint import begin_of_prompt, no_tokenizer
from minillm.formats.kind import kind_of
from minillm.text.lengths import room_for
from minillm.text.tokenizer import Tokenizer, decode_stream, same_tokenizer


@dataclass(frozen=True)
class Model:
    """A LLaMA or a BLOOM: `params` is the tree of minillm/architecture/llama.py (or bloom.py) in
    NumPy arrays.

    `source` says where it came from, `begin` which token ids stand before every prompt.
    `chat_template` is how it wants a conversation written, or None; `marks` are the texts of its
    special tokens by role: {"bos_token": "<s>", ...}. `ends` are tokens that end a text beside
    those of the config.
    """

    config: ModelConfig | BloomConfig
    params: dict
    tokenizer: Tokenizer | None
    source: str
    begin: tuple[int, ...] = ()
    chat_template: str | None = None
    marks: dict[str, str] = field(default_factory=dict)
    ends: tuple[int, ...] = ()

    def logits(self, tokens_BT, twin: str = "numpy") -> np.ndarray:
        """float32 logits (B, T, V). Raises UserError: token ids outside the vocabulary, rows longer
        than the context."""
        tokens_BT = np.asarray(tokens_BT)
        self.check_tokens(tokens_BT)
        package, T = self._package(twin), tokens_BT.shape[1]
        padded_BT = np.pad(tokens_BT, ((0, 0), (0, room_for(T, self.config, twin) - T)))
        x_BTD, _ = package.stream(self.params, padded_BT, self.config)
        return np.asarray(package.read(self.params, x_BTD), np.float32)[:, :T]

    def check_tokens(self, tokens_BT: np.ndarray):
        """Refuse what is no rows of token ids that the model can read. Raises UserError."""
        if tokens_BT.size == 0:
            raise UserError("there are no tokens: give at least one row of at least one")
        if tokens_BT.ndim != 2 or not np.issubdtype(tokens_BT.dtype, np.integer):
            raise UserError(f"tokens have shape {tokens_BT.shape} of {tokens_BT.dtype}: whole numbers (B, T) are needed")
        if tokens_BT.shape[1] > longest(self.config):
            raise UserError(f"rows of {tokens_BT.shape[1]} tokens are longer than the {longest(self.config)} that the model reads")
        if tokens_BT.min() < 0 or tokens_BT.max() >= self.config.vocab_size:
            raise UserError(f"a token is {tokens_BT.min()} or {tokens_BT.max()}: ids are at least 0 and below vocab_size "
                            f"({self.config.vocab_size})")

    @property
    def answer_ends(self) -> tuple[int, ...]:
        """After which tokens an answer in a chat is over: those of the config, and the tokenizer's
        eos_token."""
        named = self.tokenizer.vocab.get(
            self.marks.get("eos_token")) if self.tokenizer is not None else None
        named = () if named is None else (named,)
        return tuple(dict.fromkeys((*self.config.end_tokens, *named, *self.ends)))

    def prompt_ids(self, prompt: str, begin: bool = True, allow_special: bool = False) -> list[int]:
        """The ids of a prompt, after those in `begin` if asked for. Raises UserError where the
        model cannot go on from it.

        A special token in the prompt is text, or itself with `allow_special`. An empty prompt of a
        model that begins with nothing is its beginning-of-text token, as in transformers.
        """
        if self.tokenizer is None:
            raise UserError(f"{self.source}: {no_tokenizer(self.source)}")
        ids = [*(self.begin if begin else ()), *self.tokenizer.encode(prompt, allow_special)]
        if not ids and self.config.bos_token_id is not None:
            ids = [self.config.bos_token_id]
        if not ids:
            raise UserError("the prompt is empty, and this model has no beginning-of-text token: give it a text to begin with")
        check_prompt(ids, self.config)
        return ids

    def text_ids(self, text: str) -> list[int]:
        """The ids of a text to measure the model on, after those in `begin`. Raises UserError."""
        if self.tokenizer is None:
            raise UserError(f"{self.source}: {no_tokenizer(self.source)}")
        for token in self.begin:
            require(0 <= token < self.config.vocab_size,
                    "the token before every text (post_processor of tokenizer.json)", token,
                    f"at least 0 and below vocab_size ({self.config.vocab_size})")
        return [*self.begin, *self.tokenizer.encode(text)]

    def generate(self, prompt: str = "", twin: str = "jax", stop: tuple[str, ...] = (),
                 on_token=None, begin: bool = True, allow_special: bool = False,
                 draft: "Draft | None" = None, **options) -> Iterator[str]:
        """Yield the prompt and what the model writes after it, piece by piece; options are those of
        `GenerateConfig`.

        The text ends before the first of the `stop` strings that it writes. `on_token()` is called
        at every new token.
        """
        sampling, ids = GenerateConfig(**options), self.prompt_ids(prompt, begin, allow_special)
        new = self.continuation(ids, twin, sampling, on_token, draft=draft)
        return self._text(prompt, ids, new, stop, allow_special)

    def continuation(self, ids: Sequence[int], twin: str = "jax",
                     sampling: GenerateConfig = GenerateConfig(), on_token=None,
                     ends: tuple[int, ...] | None = None,
                     draft: "Draft | None" = None) -> Iterator[int]:
        """Yield the token ids that the model writes after `ids`, up to one of `ends` (None: those
        of the config). With a draft the ids are others, of the same distribution."""
        ends = (*self.config.end_tokens, *self.ends) if ends is None else ends
        package = self._package(twin)
        if draft is None:
            new = package.generate(self.params, ids, self.config, sampling, ends)
        else:
            draft.check(self, twin)
            new = package.speculate(self.params, draft.model.params, ids, self.config,
                                    draft.model.config, sampling, ends, draft.ahead,
                                    draft.accepted.append)
        for token in new:
            if on_token:
                on_token()
            yield token

    def generate_each(self, prompts: Sequence[str], twin: str = "jax", stop: tuple[str, ...] = (),
                      on_token=None, begin: bool = True, allow_special: bool = False,
                      **options) -> list[Iterator[str]]:
        """What `generate` yields for each of the prompts, written at once: one pass of the model
        gives a token of every text."""
        sampling, ends = GenerateConfig(**options), (*self.config.end_tokens, *self.ends)
        ids = [self.prompt_ids(prompt, begin, allow_special) for prompt in prompts]
        pairs = self._package(twin).generate_batch(self.params, ids, self.config, sampling, ends)

        def written():
            for row, token in pairs:
                if token not in ends:
                    if on_token:
                        on_token()
                    yield row, token

        return [self._text(prompt, whole, new, stop, allow_special)
                for prompt, whole, new in zip(prompts, ids, each_row(written(), len(ids)))]

    def _text(self, prompt: str, ids: list[int], new: Iterator[int], stop: tuple[str, ...],
              allow_special: bool) -> Iterator[str]:
        """The text of a prompt's ids and of new ones, up to one of the `stop` strings."""
        if "" in stop:
            raise UserError(
                "a stop text is empty: it would end every text before it begins; leave it out")
        shown = ids[len(ids) - len(self.tokenizer.encode(prompt, allow_special)):]  # no special tokens before it
        return until(decode_stream(self.tokenizer, chain(shown, new)), stop,
                     len(self.tokenizer.decode(shown)))

    def on(self, twin: str, writing: bool = False) -> "Model":
        """The same model with its parameters on the twin's device: many calls then move them once.

        With `writing` they lie as `generate` wants them, and serve nothing else.
        """
        self.check_twin(twin)
        if writing and twin == "jax":
            return replace(self, params=self._package(twin).by_rows(self.params))
        return replace(self, params=to_device(self.params, twin))

    def save(self, folder, dtype: str = "float32", method: str = "round"):
        """Write a Hugging Face folder (see checkpoint.py); `method`: how quantized matrices were
        found. Raises UserError."""
        ends = tuple(dict.fromkeys((*self.config.end_tokens, *self.ends)))
        config = replace(self.config, eos_token_id=ends) if len(ends) > 1 else self.config
        checkpoint.save_model(folder, config, self.params, self.tokenizer, dtype,
                              add_bos_token=bool(self.begin), method=method,
                              template=self.chat_template, marks=self.marks)

    def check_twin(self, twin: str):
        """Refuse numbers that a twin does not know. Raises UserError."""
        if twin == "numpy" and self.params["embed_tokens"].dtype.name == "bfloat16":
            raise UserError("bfloat16 is for the jax twin: NumPy has no such numbers; load with float32 or float16")

    def _package(self, twin):
        self.check_twin(twin)
        return twin_package(twin)


@dataclass(frozen=True)
class Draft:
    """A small model that drafts `ahead` tokens at a time for a large one to check in one pass: see
    in_numpy/speculative.py. `accepted` is how many of them each pass accepted."""

    model: Model
    ahead: int = 4
    accepted: list[int] = field(default_factory=list)

    def __post_init__(self):
        require(is_count(self.ahead), "draft tokens", self.ahead, "a whole number of at least 1")

    def check(self, model: Model, twin: str):
        """Refuse a draft for a model with another tokenizer. Raises UserError."""
        self.model.check_twin(twin)
        ours = self.model.tokenizer
        if ours is None or not same_tokenizer(ours, model.tokenizer):
            raise UserError(
                f"{self.model.source}: has another tokenizer than {model.source}: a draft writes "
                "the same tokens as the model that checks them; choose another")


def load(path, tokenizer=None, dtype: str = "float32", integers: bool = False) -> Model:
    """The model at `path`: a Hugging Face folder of a LLaMA or a BLOOM, one of our own, a GGUF or a
    llama2.c .bin file.

    `tokenizer` names a tokenizer.bin for the latter, where it is not the only one beside the file.
    `dtype` is how matrices are kept: float32, float16, bfloat16 (jax). `integers`: a GGUF file of
    several kinds of integers that we have is not made float either. Raises UserError for whatever
    is damaged or not supported, by name.
    """
    path = Path(path)
    if adapter.is_adapter(path):
        return load_adapted(path, dtype)
    kind = kind_of(path)
    if tokenizer is not None and kind != "llama2.c":
        raise UserError(f"{path}: has its own tokenizer; --tokenizer is for llama2.c's .bin files: leave it out")
    if kind == "llama2.c":
        from minillm.formats import llama2c
        config, params, tokenizer = llama2c.load(path, tokenizer)
        params = tree_map(lambda leaf: leaf if leaf.ndim < 2
                          else leaf.astype(checkpoint.dtype_named(dtype), copy=False), params)
        return Model(config, params, tokenizer.fit(config.vocab_size), f"{path} (llama2.c)",
                     (config.bos_token_id,))
    if kind == "gguf":
        from minillm.formats import gguf, gguf_tokenizer
        config, params, tokenizer, begin, template, marks = gguf.load(
            path, checkpoint.dtype_named(dtype), integers)
        vocab = tokenizer.vocab if tokenizer else {}
        ends = tuple(vocab[name] for name in gguf_tokenizer.ENDS if name in vocab)
        return Model(config, params, tokenizer, str(path), begin, template, marks, ends)
    config, params, tokenizer = checkpoint.load_model(path, dtype)
    begin = begin_of_prompt(path, tokenizer, config)
    template = None
    with suppress(UserError):  # one that is damaged concerns `chat` alone, which looks again
        template = chat_template.find(path)
    return Model(config, params, tokenizer, str(path), begin, template,
                 chat_template.special_tokens(path))


def load_adapted(path: Path, dtype: str = "float32") -> Model:
    """The model of an adapter's folder: its base with the change merged into it, or beside it where
    the base is quantized. Raises UserError."""
    base, scale = adapter.load_config(path)
    model = load(base, dtype=dtype)
    changes, of = adapter.load_adapters(path, model.params), adapter.base_fingerprint(path)
    if of is not None and dtype == "float32" and of != fingerprint(model):
        raise UserError(f"{path}: is an adapter of another model than {base} holds now: put that "
                        "one back, or tune anew")
    template = chat_template.find(path)
    return replace(model, params=merged(adapt(model.params, changes, scale)), source=str(path),
                   chat_template=template or model.chat_template,
                   marks=model.marks | chat_template.special_tokens(path))


def fingerprint(model: Model) -> str:
    """SHA-256 of a model: its config and every number of its parameters, whatever their tree."""
    digest = hashlib.sha256(repr(model.config).encode())

    def add(path, node):
        if isinstance(node, dict):
            for name in sorted(node):
                add(f"{path}.{name}", node[name])
        elif isinstance(node, (list, tuple)):
            for i, part in enumerate(node):
                add(f"{path}.{i}", part)
        elif is_dataclass(node):  # a matrix in fewer bits: integers, scales, how they are meant
            for field in fields(node):
                add(f"{path}.{field.name}", getattr(node, field.name))
        elif hasattr(node, "dtype"):
            array = np.ascontiguousarray(node)
            digest.update(f"{path} {array.shape} {array.dtype}".encode())
            digest.update(array.tobytes())
        else:
            digest.update(f"{path} {node!r}".encode())

    add("", model.params)
    return digest.hexdigest()


def longest(config) -> int:
    """How many tokens a row may have: the context, stretched where rotary angles are (rope type
    dynamic)."""
    scaling = getattr(config, "rope_scaling", None)
    stretch = scaling.factor if scaling is not None and scaling.rope_type == "dynamic" else 1
    return int(config.max_position_embeddings * stretch)


def to_device(params: dict, twin: str) -> dict:
    """The parameters on the device of a twin; those of NumPy stay as they are."""
    twin_package(twin)  # registers quantized matrices with JAX
    if twin == "numpy":
        return params
    import jax
    return jax.tree.map(jax.numpy.asarray, params)


def twin_package(name: str):
    """minillm.in_numpy or minillm.in_jax, imported when asked for: NumPy's users need no JAX.
    Raises UserError."""
    if name not in ("numpy", "jax"):
        raise UserError(f"twin {name!r} does not exist: choose numpy or jax")
    if name == "jax":
        keep_compiled()
    return import_module(f"minillm.in_{name}")


@cache
def keep_compiled():
    """Keep what JAX compiles in the user's cache folder, where nobody chose another: the next run
    with the same shapes starts at once. A folder that cannot be written to is left alone."""
    import jax

    from minillm.text.corpora import cache_folder
    if jax.config.values["jax_compilation_cache_dir"] is None:
        folder = cache_folder() / "compiled"
        with suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            if os.access(folder, os.W_OK):
                jax.config.update("jax_compilation_cache_dir", str(folder))
                jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)


def each_row(pairs: Iterator[tuple[int, int]], count: int) -> list[Iterator[int]]:
    """The tokens of each of `count` rows, from (row, token) as they are written; those of other
    rows wait."""
    waiting = [deque() for _ in range(count)]

    def tokens(row: int):
        while True:
            while waiting[row]:
                yield waiting[row].popleft()
            pair = next(pairs, None)
            if pair is None:
                return
            waiting[pair[0]].append(pair[1])

    return [tokens(row) for row in range(count)]


def until(pieces: Iterator[str], stop: tuple[str, ...], begun: int = 0) -> Iterator[str]:
    """The pieces of a text until one of the `stop` strings begins at character `begun` or later.

    Text that may begin a stop string is held back until it no longer can.
    """
    longest, text, shown = max(map(len, stop), default=1), "", 0
    for piece in pieces:
        text += piece
        starts = [at for at in (text.find(word, max(begun, shown)) for word in stop) if at >= 0]
        safe = min(starts) if starts else max(shown, len(text) - longest + 1)
        if safe > shown:
            yield text[shown:safe]
            shown = safe
        if starts:
            return
    if shown < len(text):
        yield text[shown:]
