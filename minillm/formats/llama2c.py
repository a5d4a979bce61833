"""llama2.c's files: a .bin checkpoint (its version 0) and the tokenizer.bin beside it.

    model       7 int32: hidden, feed-forward, layers, heads, key/value heads, vocabulary (negative: untied head), context;
                then float32, little-endian, each kind of matrix for all layers together, rows = outputs
    tokenizer   int32: longest token; then for each token float32: score, int32: length, its bytes

Two things differ from Hugging Face's LLaMA: rotary embedding turns ADJACENT pairs (2i, 2i+1) of a head, so the rows of q
and k are reordered here (and only theirs: what is dotted with each other must be turned alike); and there is no
end-of-text token: a text ends where the next one's beginning (token 1) is written.
"""

import struct
from pathlib import Path

import numpy as np

from minillm.config import ModelConfig
from minillm.errors import UserError, printable
from minillm.text import tokenizer as tokenizers
from minillm.text.tokenizer_json import sentencepiece_spec

HEADER = struct.Struct("<7i")
BEGIN = 1                                                         # <s>
FIRST_BYTE = 3  # <unk>, <s>, </s>, then the 256 bytes


def load(path, tokenizer_path=None):
    """(config, params, tokenizer) of a llama2.c checkpoint.

    `tokenizer_path` defaults to tokenizer.bin, or to the only tok*.bin, in the same folder. Raises UserError: a file that is
    missing, damaged, shorter or longer than its header says, a tokenizer of another size.
    """
    path = Path(path)
    config = read_header(path)
    params = read_params(path, config)
    file = Path(tokenizer_path) if tokenizer_path else find_tokenizer(path)
    return config, params, read_tokenizer(file, config.vocab_size)


def read_header(path: Path) -> ModelConfig:
    """The ModelConfig in a checkpoint's first 28 bytes, checked against the length of the file. Raises UserError."""
    try:
        size = path.stat().st_size
        with open(path, "rb") as file:
            header = file.read(HEADER.size)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({printable(error)})") from None
    if len(header) < HEADER.size:
        raise UserError(f"{path}: {size} bytes are too few for a llama2.c checkpoint, whose header has {HEADER.size}")
    hidden, inner, layers, heads, kv_heads, vocab, context = HEADER.unpack(header)
    if min(hidden, inner, layers, heads, kv_heads, context, abs(vocab)) < 1 or hidden % heads:
        raise UserError(f"{path}: the header {HEADER.unpack(header)} is not that of a llama2.c checkpoint (version 0)")
    if abs(vocab) <= BEGIN:
        raise UserError(f"{path}: a vocabulary of {abs(vocab)} has no beginning-of-text token")
    try:
        config = ModelConfig(vocab_size=abs(vocab), hidden_size=hidden, intermediate_size=inner,
                             num_hidden_layers=layers, num_attention_heads=heads,
                             num_key_value_heads=kv_heads, head_dim=hidden // heads,
                             max_position_embeddings=context, tie_word_embeddings=vocab > 0,
                             bos_token_id=BEGIN, eos_token_id=BEGIN)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    expected = HEADER.size + 4 * sum(rows * columns * times
                                     for _, times, rows, columns in layout(config))
    if size != expected:
        raise UserError(f"{path}: has {size} bytes where its header asks for {expected}: "
                        f"{'cut short' if size < expected else 'something follows'}, or not a llama2.c checkpoint (version 0)")
    return config


def layout(config: ModelConfig) -> list[tuple[str, int, int, int]]:
    """(name, how many, rows, columns) of what stands in the file, in its order."""
    V, D, F, L = config.vocab_size, config.hidden_size, config.intermediate_size, config.num_hidden_layers
    O, KE = config.num_attention_heads * config.head_dim, config.num_key_value_heads * config.head_dim
    return [("embed_tokens", 1, V, D), ("input_layernorm", L, 1, D), ("q_proj", L, O, D), ("k_proj", L, KE, D),
            ("v_proj", L, KE, D), ("o_proj", L, D, O), ("post_attention_layernorm", L, 1, D), ("gate_proj", L, F, D),
            ("down_proj", L, D, F), ("up_proj", L, F, D), ("norm", 1, 1, D),
            ("angles", 2, config.max_position_embeddings, config.head_dim // 2),         # cos and sin: computed, not read
            *([] if config.tie_word_embeddings else [("lm_head", 1, V, D)])]


def read_params(path: Path, config: ModelConfig) -> dict:
    """The parameters, from the mapped file into our layout: (in, out), rotary halves."""
    numbers = np.memmap(path, np.dtype("<f4"), "r", offset=HEADER.size)
    params = {"layers": [{} for _ in range(config.num_hidden_layers)]}
    at = 0
    for name, times, rows, columns in layout(config):
        part = numbers[at : at + times * rows * columns].reshape(times, rows, columns)
        at += part.size
        if name == "angles":
            continue
        for place, matrix in zip(params["layers"] if name in LAYER else [params], part):
            if name in ("q_proj", "k_proj"):
                matrix = halves(matrix, config.head_dim)
            matrix = matrix[0] if rows == 1 and name.endswith(
                "norm") else matrix if name == "embed_tokens" else matrix.T
            place[name] = np.array(matrix, np.float32, order="C")
    order = ["embed_tokens", "layers", "norm"] + ["lm_head"] * (not config.tie_word_embeddings)
    return {name: params[name] if name != "layers"
            else [{key: layer[key] for key in LAYER} for layer in params["layers"]]
            for name in order}


LAYER = ("input_layernorm", "q_proj", "k_proj", "v_proj", "o_proj", "post_attention_layernorm",
         "gate_proj", "up_proj", "down_proj")


def halves(matrix, head_dim: int):
    """Rows of every head from (0, 1), (2, 3) ... side by side to all first ones, then all second
    ones."""
    heads = matrix.reshape(-1, head_dim // 2, 2, matrix.shape[-1])
    return heads.swapaxes(1, 2).reshape(matrix.shape)


def find_tokenizer(path: Path) -> Path:
    """tokenizer.bin, or the only tok*.bin, in the checkpoint's folder. Raises UserError."""
    if (path.parent / "tokenizer.bin").is_file():
        return path.parent / "tokenizer.bin"
    found = sorted(other for other in path.parent.glob("tok*.bin") if other != path)
    if len(found) != 1:
        raise UserError(f"{path.parent}: holds {len(found)} files tok*.bin, so which is the tokenizer of {path.name} is not "
                        "known: name it with --tokenizer")
    return found[0]


def read_tokenizer(path: Path, vocab_size: int) -> tokenizers.Tokenizer:
    """A tokenizer.bin as the `tokenizers` library's BPE with byte fallback, which gives the same ids. Raises UserError."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({printable(error)})") from None
    tokens, scores, at = [], [], 4
    for i in range(vocab_size):
        length = struct.unpack_from("<i", data, at + 4)[0] if at + 8 <= len(data) else -1
        if length < 0 or at + 8 + length > len(data):
            raise UserError(
                f"{path}: ends in the middle of token {i} of {vocab_size}, or its length is wrong: "
                "not the tokenizer of this model")
        scores.append(struct.unpack_from("<f", data, at)[0])
        tokens.append(data[at + 8 : at + 8 + length])
        at += 8 + length
    if at != len(data):
        raise UserError(f"{path}: {len(data) - at} bytes follow the model's {vocab_size} tokens: "
                        "not the tokenizer of this model")
    names = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))][:vocab_size]
    try:
        names += [token.decode("utf-8").replace(" ", "▁") for token in tokens[len(names):]]
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: a token is not UTF-8 ({printable(error)})") from None
    vocab = {name: i for i, name in enumerate(names)}
    if len(vocab) < len(names) or "" in vocab:
        raise UserError(f"{path}: a token is empty or stands there twice")
    special = [(name, i, True) for i, name in enumerate(names[:FIRST_BYTE])]
    return tokenizers.from_spec(
        sentencepiece_spec(vocab, scores, set(range(FIRST_BYTE + 256, vocab_size)), special))
