"""Writing what llama2.c's programs read: `run` a checkpoint of version 0, `runq` one of version 2.

    version 0   as llama2c.py says
    version 2   256 bytes: uint32 "ak42"; int32: 2; the 7 int32 of version 0, the vocabulary
                positive; uint8: 1 where the head is tied; int32: how many numbers share a scale;
                zeros. Then the norms in float32. Then each matrix, rows = outputs: its int8, then
                its scales in float32.

What is compiled into the programs stands in no file, so a model that differs there is refused.
"""

import struct
from pathlib import Path

import numpy as np

from minillm.architecture.quantized import GROUP, Quantized, scheme_of
from minillm.architecture.rope import frequencies
from minillm.config import ModelConfig
from minillm.errors import UserError
from minillm.files import replacing
from minillm.formats.llama2c import HEADER, LAYER, layout

MAGIC, VERSION, HEADER_BYTES = 0x616B3432, 2, 256
QUANTIZED = ("input_layernorm", "post_attention_layernorm", "norm", "embed_tokens", "q_proj",
             "k_proj", "v_proj", "o_proj", "gate_proj", "down_proj", "up_proj")


def refusal(config: ModelConfig, in_groups: bool) -> str | None:
    """Why llama2.c cannot hold such a model, with a scale for GROUP numbers if `in_groups`; None
    where it can."""
    heads = config.num_attention_heads * config.head_dim
    inner, hidden = config.intermediate_size, config.hidden_size
    cases = (
        (config.model_type in ("llama", "mistral"), f"it knows no {config.model_type}"),
        (not config.biased, "it has no biases"),
        (heads == hidden, "its heads are together as wide as the model: head_dim x "
         f"num_attention_heads is {heads}, hidden_size {hidden}"),
        (config.rope_scaling is None, "it does not stretch rotary angles (rope_scaling)"),
        (config.rope_theta == 10000, f"its rope_theta is 10000, not {config.rope_theta:g}"),
        (config.rms_norm_eps == 1e-5, f"its rms_norm_eps is 1e-05, not {config.rms_norm_eps:g}"),
        (not in_groups or hidden % GROUP == inner % GROUP == 0, f"{GROUP} numbers share a scale, "
         f"which must divide hidden_size ({hidden}) and intermediate_size ({inner})"))
    return next((words for holds, words in cases if not holds), None)


def write(path, config: ModelConfig, params):
    """Write float parameters as version 0, those of int8-group32 as version 2.

    Raises UserError: what llama2.c does not have, another scheme, a file that cannot be written.
    """
    scheme = scheme_of(params)
    if scheme is not None and str(scheme).removesuffix("-a8") != f"int8-group{GROUP}":
        raise UserError(f"llama2.c holds float32 and int8-group{GROUP}, not {scheme}")
    if words := refusal(config, scheme is not None):
        raise UserError(f"llama2.c cannot hold this model: {words}")
    sizes = (config.hidden_size, config.intermediate_size, config.num_hidden_layers,
             config.num_attention_heads, config.num_key_value_heads)
    tied, V, S = config.tie_word_embeddings, config.vocab_size, config.max_position_embeddings
    if scheme is None:
        header = HEADER.pack(*sizes, V if tied else -V, S)
        names = [name for name, *_ in layout(config)]
    else:
        header = struct.pack("<Ii7iBi", MAGIC, VERSION, *sizes, V, S, tied, GROUP)
        header, names = header.ljust(HEADER_BYTES, b"\0"), [*QUANTIZED, *["lm_head"] * (not tied)]
    with replacing(Path(path)) as beside, open(beside, "wb") as file:
        file.write(header)
        for name in names:
            for place in params["layers"] if name in LAYER else [params]:
                found = angles(config) if name == "angles" else parts(name, place[name], config)
                for part in found:
                    file.write(part.tobytes())


def parts(name: str, leaf, config: ModelConfig) -> list:
    """One parameter as it lies in the file: its numbers, or its integers and its scales."""
    if isinstance(leaf, Quantized):
        found = [leaf.integers, leaf.scales.astype("<f4")]
    else:
        found = [(leaf if leaf.ndim == 1 or name == "embed_tokens" else leaf.T).astype("<f4")]
    turned = name in ("q_proj", "k_proj")
    return [pairs(part, config.head_dim) if turned else part for part in found]


def pairs(matrix, head_dim: int):
    """The inverse of llama2c.halves: rows (0, E/2), (1, E/2 + 1) ... of every head side by side."""
    heads = matrix.reshape(-1, 2, head_dim // 2, matrix.shape[-1])
    return heads.swapaxes(1, 2).reshape(matrix.shape)


def angles(config: ModelConfig) -> list:
    """cos and sin of the rotary angles (S, E/2), which programs of today skip."""
    position_S1 = np.arange(config.max_position_embeddings)[:, None]
    angle = position_S1 * frequencies(config, config.max_position_embeddings)[0]
    return [np.cos(angle).astype("<f4"), np.sin(angle).astype("<f4")]


def write_tokenizer(path, tokens: list[bytes], scores: list[float]):
    """Write a tokenizer.bin. Raises UserError where it cannot be written."""
    with replacing(Path(path)) as beside, open(beside, "wb") as file:
        file.write(struct.pack("<i", max(map(len, tokens))))
        for token, score in zip(tokens, scores, strict=True):
            file.write(struct.pack("<fi", score, len(token)) + token)
