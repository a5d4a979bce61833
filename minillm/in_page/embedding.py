"""A model as JSON that a page holds: its weights in base64, its tokenizer, its config.

`embedded` refuses what assets/llama.js and assets/tokenizer.js cannot run exactly as the twins do.
"""

import base64
from dataclasses import asdict

import numpy as np

from minillm.architecture.adapters import refuse_adapted
from minillm.architecture.family import family
from minillm.architecture.quantized import Quantized
from minillm.architecture.rope import frequencies
from minillm.architecture.tree import flatten, unflatten
from minillm.errors import UserError, printable
from minillm.files import megabytes
from minillm.formats.gguf_tokenizer import GPT2, LLAMA3, QWEN2
from minillm.in_numpy.quantize import dequantize
from minillm.loading import Model
from minillm.text.tokenizer import PATTERN, SPACE, VISIBLE, Tokenizer
from minillm.text.tokenizer_json import byte_level_spec, foreign_part, sentencepiece_spec

LARGEST = 20_000_000  # bytes of weights: more takes long to open, and is hard to send
TOKENS = 1024  # the longest text in a page: the cache grows with it
FAMILIES = ("llama", "mistral", "qwen2")
CUTS = (PATTERN, GPT2, LLAMA3, QWEN2)  # that a browser's regular expressions can follow


def embedded(model: Model, largest: int = LARGEST) -> dict:
    """Everything that a page needs to run `model`, ready for JSON.

    Raises UserError: a family, a quantization or a tokenizer that the page has no code for, numbers
    that are not finite, more than `largest` bytes of weights.
    """
    config = model.config
    if config.model_type not in FAMILIES:
        raise UserError(f"{model.source}: a {family(config).name} does not run in a page: "
                        "llama.js has the layers of LLaMA, Mistral and Qwen2")
    if model.tokenizer is None:
        raise UserError(f"{model.source}: has no tokenizer, so there is nothing to type")
    refuse_adapted(model.params)
    leaves = {path: matrix(path, leaf, model.source)
              for path, leaf in flatten(model.params).items()}
    check_size(leaves, largest, model.source)
    for path, leaf in leaves.items():
        check_finite(path, leaf, model.source)
    context = min(config.max_position_embeddings, TOKENS)
    frequency, growth = frequencies(config, context)
    wanted = ("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads",
              "num_key_value_heads", "head_dim", "rms_norm_eps")
    known = asdict(config)
    return {
        "family": family(config).name,
        "config": {name: known[name] for name in wanted} | {
            "frequency": frequency.tolist(), "growth": growth, "context": context,
            "end_tokens": list(config.end_tokens)},
        "parameters": sum(leaf.size for leaf in leaves.values()),
        "bytes": sum(leaf.nbytes for leaf in leaves.values()),
        "params": unflatten({path: entry(path, leaf) for path, leaf in leaves.items()},
                            model.params),
        "tokenizer": tokenizer_entry(model.tokenizer, config.vocab_size, model.source),
        "begin": [int(token) for token in model.begin],
    }


# ---- weights ---------------------------------------------------------------------------------


def matrix(path: str, leaf, source: str):
    """A leaf as the page holds it: float32, or integers and scales. Raises UserError."""
    if not isinstance(leaf, Quantized):
        return np.asarray(leaf, np.float32)
    if leaf.scheme.activations:
        raise UserError(f"{source}: {path} wants activations in int8, and llama.js keeps them "
                        "float: quantize without --activations")
    return leaf if set(leaf.parts()) == {"integers", "scales"} else dequantize(leaf)


def check_size(leaves: dict, largest: int, source: str):
    """Refuse more bytes of weights than a page should hold. Raises UserError."""
    size = sum(leaf.nbytes for leaf in leaves.values())
    if size <= largest:
        return
    smaller = sum(leaf.nbytes if isinstance(leaf, Quantized) or leaf.ndim < 2 else leaf.size
                  for leaf in leaves.values())
    raise UserError(f"{source}: its weights take {megabytes(size)}, and a page holds at most "
                    f"{megabytes(largest)}: " + ("add --int8" if smaller <= largest else
                                                 "choose a smaller model, such as preset nano"))


def check_finite(path: str, leaf, source: str):
    """Refuse NaN and infinity. Raises UserError."""
    parts = (leaf.scales,) if isinstance(leaf, Quantized) else (leaf,)
    if not all(np.all(np.isfinite(part)) for part in parts):
        raise UserError(f"{source}: {path} has numbers that are NaN or infinite: train it again")


def entry(path: str, leaf) -> dict:
    """An array for JSON. The rows of a matrix are its outputs; of the embedding, its tokens."""
    if isinstance(leaf, Quantized):
        rows = len(leaf.integers)
        scales = np.broadcast_to(leaf.scales, (rows, leaf.scales.shape[1]))
        kind = {"kind": f"int{leaf.scheme.bits}", "shape": [rows, leaf.width]}
        return stored(leaf.integers) | kind | {"scales": stored(scales)}
    return stored(leaf if leaf.ndim < 2 or path == "embed_tokens" else leaf.T)


def stored(array) -> dict:
    """The numbers of an array in base64, little-endian."""
    array = np.ascontiguousarray(array)
    data = array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()
    return {"kind": array.dtype.name, "shape": list(array.shape),
            "data": base64.b64encode(data).decode()}


# ---- the tokenizer ---------------------------------------------------------------------------


def tokenizer_entry(tokenizer: Tokenizer, rows: int, source: str) -> dict:
    """A tokenizer as tokenizer.js reads it: tokens by id, merges as pairs of ids, and how to cut.

    Raises UserError for one that it would not follow to the id.
    """
    spec = tokenizer.spec
    if spec["model"]["type"] == "WordLevel":
        kind = {"kind": "characters", "foreign": None}
    elif tokenizer.byte_level:
        kind = {"kind": "bytes", **byte_level(spec)}
    else:
        kind = {"kind": "sentencepiece", **sentencepiece(spec)}
    foreign = kind.pop("foreign")
    if foreign:
        raise UserError(f"{source}: {foreign}, which tokenizer.js cannot do: it knows characters, "
                        "SentencePiece, byte-level BPE as GPT-2, LLaMA 3, Qwen2, minillm cut")
    tokens = [None] * max(rows, tokenizer.vocab_size)
    for token, i in tokenizer.vocab.items():
        tokens[i] = token
    pairs = (pair.split(" ") if isinstance(pair, str) else pair
             for pair in spec["model"].get("merges", ()))
    return {"cuts": [], "prefix": False, "form": None, "whole_words": False, **kind,
            "tokens": tokens, "visible": "".join(VISIBLE[byte] for byte in range(256)),
            "merges": [tokenizer.vocab[token] for pair in pairs for token in pair]}


def byte_level(spec: dict) -> dict:
    """How a byte-level tokenizer cuts text, as expressions of JavaScript; what is foreign."""
    whole = spec["pre_tokenizer"] or {"type": "none"}
    cuts, foreign = [], None
    for step in whole.get("pretokenizers", [whole]):
        if step["type"] == "ByteLevel" and not step["add_prefix_space"]:
            cuts += [javascript(GPT2)] * step["use_regex"]
        elif step["type"] == "Digits":
            cuts.append(r"\p{N}" if step["individual_digits"] else r"\p{N}+")
        elif (step["type"] == "Split" and step["pattern"].get("Regex") in CUTS
              and step["behavior"] == "Isolated" and not step["invert"]):
            cuts.append(javascript(step["pattern"]["Regex"]))
        else:
            foreign = f"its pre_tokenizer has {printable(step)}"
    like = byte_level_spec([whole], {}, [], [], spec["model"].get("ignore_merges", False))
    same = {"pre_tokenizer": like["pre_tokenizer"], "decoder": like["decoder"], "normalizer": None}
    form = (spec["normalizer"] or {}).get("type")
    if form not in (None, "NFC"):
        foreign = f"its normalizer is {printable(spec['normalizer'])}"
    return {"cuts": cuts, "form": form, "whole_words": like["model"]["ignore_merges"],
            "foreign": foreign or foreign_part(spec | same, like)}


def sentencepiece(spec: dict) -> dict:
    """Whether a text begins with a space; what SentencePiece's BPE with byte fallback is not."""
    added = [(entry["content"], entry["id"], entry["special"]) for entry in spec["added_tokens"]]
    foreign = [foreign_part(spec, sentencepiece_spec({}, [], set(), added, prefix))
               for prefix in (True, False)]
    missing = next((byte for byte in range(256)
                    if f"<0x{byte:02X}>" not in spec["model"]["vocab"]), None)
    if missing is not None:
        foreign = [f"it has no token for the byte {missing:#04x}"] * 2
    return {"prefix": foreign[0] is None, "foreign": foreign[0] and foreign[1]}


def javascript(cut: str) -> str:
    """A cut for a browser: its \\s is of another list of spaces, and case is spelled out."""
    cut = cut.replace("(?i:'s|'t|'re|'ve|'m|'ll|'d)",
                      "'(?:[sSſtTmMdD]|[rR][eE]|[vV][eE]|[lL][lL])")
    return (cut.replace(r"[^\s", f"[^{SPACE}").replace(r"\s", f"[{SPACE}]")
            .replace(r"\S", f"[^{SPACE}]"))
