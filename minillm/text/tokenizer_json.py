"""What a tokenizer.json says (its "spec"): made for our own tokenizers, checked for those of
strangers."""

import json
from collections.abc import Iterable, Sequence
from contextlib import contextmanager

from minillm.errors import UserError, printable

_BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False,
               "use_regex": False}
_PLAIN_BPE = {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
              "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False,
              "ignore_merges": False}


def bpe_spec(pattern: str, vocab: dict[str, int], merges: Iterable[Sequence[str]],
             special_tokens: Iterable[str]) -> dict:
    """Byte-level BPE over the pre-tokens of `pattern`: visible token -> id, merges in order of
    rank."""
    steps = [_split(pattern), _BYTE_LEVEL]
    return byte_level_spec(steps, vocab, merges,
                           [(token, vocab[token], True) for token in special_tokens])


def byte_level_spec(steps: list[dict], vocab: dict[str, int], merges: Iterable[Sequence[str]],
                    added: Iterable[tuple[str, int, bool]], ignore_merges: bool = False) -> dict:
    """Byte-level BPE after these pre-tokenizers; `added` tokens are (content, id, special?).

    With `ignore_merges` a pre-token that is a token is taken whole, whatever the merges would make
    of it.
    """
    pre_tokenizer = {"type": "Sequence", "pretokenizers": steps} if len(steps) > 1 else steps[0]
    model = _PLAIN_BPE | {"ignore_merges": ignore_merges, "vocab": vocab,
                          "merges": [list(pair) for pair in merges]}
    return _spec(added, pre_tokenizer, _BYTE_LEVEL, model)


def sentencepiece_spec(vocab: dict[str, int], scores: Sequence[float], ordinary: set[int],
                       added: Iterable[tuple[str, int, bool]], prefix: bool = True) -> dict:
    """SentencePiece's BPE with byte fallback: `scores` by id, `ordinary` the ids that merges make
    and are made of.

    SentencePiece joins the neighbours whose union has the highest score (Kudo and Richardson 2018,
    arXiv:1808.06226): as a list of merges, every way to cut a token in two known tokens, the best
    score first. `prefix`: a text begins with a space.
    """
    merges = []
    for name, i in vocab.items():
        if i in ordinary:
            merges += [(-scores[i], i, [name[:cut], name[cut:]]) for cut in range(1, len(name))
                       if vocab.get(name[:cut]) in ordinary and vocab.get(name[cut:]) in ordinary]
    replaced = {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}
    restored = {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}
    strip = [{"type": "Strip", "content": " ", "start": 1, "stop": 0}] * prefix
    unknown = next((content for content, _, special in added if special and content == "<unk>"),
                   None)
    model = _PLAIN_BPE | {
        "unk_token": unknown, "fuse_unk": True, "byte_fallback": True, "vocab": vocab,
        "merges": [pair for *_, pair in sorted(merges, key=lambda merge: merge[:2])]}
    return _spec(added, None, {"type": "Sequence", "decoders": [restored, {"type": "ByteFallback"},
                                                                {"type": "Fuse"}, *strip]}, model,
                 {"type": "Sequence",
                  "normalizers": [{"type": "Prepend", "prepend": "▁"}] * prefix + [replaced]})


def character_spec(vocab: dict[str, int], special_tokens: Iterable[str]) -> dict:
    """Single characters: character -> id. There is no token for unknown ones."""
    model = {"type": "WordLevel", "vocab": vocab, "unk_token": ""}
    return _spec([(token, vocab[token], True) for token in special_tokens], _split(r"[\s\S]"),
                 {"type": "Fuse"}, model)


def _split(pattern):
    return {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}


def _spec(added, pre_tokenizer, decoder, model, normalizer=None):
    entries = [{"id": i, "content": token, "single_word": False, "lstrip": False, "rstrip": False,
                "normalized": False, "special": special} for token, i, special in added]
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": entries,
            "normalizer": normalizer, "pre_tokenizer": pre_tokenizer, "post_processor": None,
            "decoder": decoder, "model": model}


def has_byte_level(step: dict | None) -> bool:
    """Is a decoder, or a step of it, ByteLevel? Then tokens are written in visible characters, each
    one byte."""
    return step is not None and (step["type"] == "ByteLevel"
                                 or any(map(has_byte_level, step.get("decoders", ()))))


def with_begin(spec: dict, token: str, i: int) -> dict:
    """`spec`, asking that `token` be put before every text (by those who add special tokens:
    `encode` does not)."""
    mark, text = {"SpecialToken": {"id": token,
                                   "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}
    other = {"Sequence": {"id": "B", "type_id": 1}}
    return spec | {"post_processor": {"type": "TemplateProcessing", "single": [mark, text],
                                      "pair": [mark, text, other], "special_tokens": {
                                          token: {"id": token, "ids": [i], "tokens": [token]}}}}


def full_vocab(spec: dict) -> dict[str, int]:
    """Token -> id: the model's tokens and the added ones."""
    return spec["model"]["vocab"] | {entry["content"]: entry["id"]
                                     for entry in spec["added_tokens"]}


def foreign_part(spec: dict, like: dict) -> str | None:
    """What `spec` asks for beyond the spec `like`, in words, or None; vocabulary and merges may
    differ.

    A post_processor is of no concern: it only puts special tokens around a text, and `encode` adds
    none.
    """
    for key in ("truncation", "padding", "normalizer", "pre_tokenizer", "decoder"):
        if spec[key] != like[key]:
            return f"its {key} is {printable(spec[key])}"
    for key in like["model"]:
        if key not in ("vocab", "merges") and spec["model"].get(key) != like["model"][key]:
            return f"the {key} of its model is {printable(spec['model'].get(key))}"
    for entry in spec["added_tokens"]:
        if not entry["special"] or entry["lstrip"] or entry["rstrip"] or entry["single_word"]:
            return f"its added token {printable(entry['content'])} is not a plain special token"
    return None


def check_merges(tokenizer_json: str) -> None:
    """Raise UserError for a merge that makes no token: the library would panic. It judges all else
    itself."""
    try:
        model = json.loads(tokenizer_json)["model"]
        merges, vocab, prefix = model["merges"], model["vocab"], model.get(
            "continuing_subword_prefix") or ""
        pairs = [merge.split(" ") if isinstance(merge, str) else merge for merge in merges]
        faulty = [[left, right] for left, right in pairs
                  if not (right.startswith(prefix) and left + right.removeprefix(prefix) in vocab)]
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return
    if faulty:
        raise UserError(f"no token is the merge of {printable(faulty[0])}")


def check_ids(vocab: dict[str, int]) -> None:
    """Raise UserError for ids of no use to an embedding: none, doubled, or far above their
    number."""
    if not vocab:
        raise UserError("its vocabulary is empty")
    if len(set(vocab.values())) != len(vocab):
        raise UserError("two of its tokens have the same id")
    highest = max(vocab.values())
    if highest >= 2 * len(vocab):
        raise UserError(f"its highest id is {highest}, but it has only {len(vocab)} tokens")


@contextmanager
def library_errors(what: str):
    """Turn whatever the `tokenizers` library raises into a UserError of one line."""
    try:
        yield
    except BaseException as error:  # a panic in Rust arrives as a PanicException, which is not an Exception
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        raise UserError(f"{what}: the tokenizers library says {printable(error)}") from None
