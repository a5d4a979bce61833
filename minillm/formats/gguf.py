"""Export to GGUF, the file of llama.cpp: a quantized LLaMA runs on a phone or a Raspberry Pi, with the numbers it has here.

    Q8_0    a group of 32: its scale in float16, then 32 int8                        our int8-group32
    Q4_0    its scale, then 16 bytes: integer i + 8 in the low four bits of byte i,
            integer i + 16 + 8 in the high four                                      our int4-group32

Our integers and scales are written as they are, nothing is rounded again. llama.cpp turns neighbours (0, 1), (2, 3) where
we turn halves, so the rows of q and k change places within each head, as in its own converter. A matrix whose rows 32 does
not divide is written in float32. Needs the extra `gguf`. Format: github.com/ggml-org/ggml, docs/gguf.md.
"""

from pathlib import Path

import numpy as np

from minillm.architecture.family import family
from minillm.architecture.quantized import GROUP, Quantized, scheme_of
from minillm.architecture.tree import flatten
from minillm.errors import UserError, missing
from minillm.files import replacing
from minillm.in_numpy.quantize import dequantize, integers, take_rows

NAMES = {"embed_tokens": "token_embd.weight", "norm": "output_norm.weight", "lm_head": "output.weight",
         "input_layernorm": "attn_norm.weight", "post_attention_layernorm": "ffn_norm.weight",
         "o_proj": "attn_output.weight", "o_bias": "attn_output.bias",
         **{f"{name}_proj": f"attn_{name}.weight" for name in "qkv"}, **{f"{name}_bias": f"attn_{name}.bias" for name in "qkv"},
         **{f"{name}_proj": f"ffn_{name}.weight" for name in ("gate", "up", "down")},
         **{f"{name}_bias": f"ffn_{name}.bias" for name in ("gate", "up", "down")}}


def export(path, model) -> list[str]:
    """Write a Model, float or quantized with int8-group32 or int4-group32, as a GGUF file.

    Returns the names of the quantized matrices that became float32, because 32 does not divide their rows.
    Raises UserError: what GGUF or llama.cpp's LLaMA does not have, no tokenizer, the gguf package missing.
    """
    try:
        import gguf
    except ImportError:
        raise missing("GGUF", "gguf", "gguf") from None
    config, scheme = model.config, scheme_of(model.params)
    check(model, config, scheme)
    tensors = {gguf_name(name): tensor(name, leaf, config) for name, leaf in flatten(model.params).items()}
    with replacing(Path(path)) as beside:
        writer = gguf.GGUFWriter(beside, family(config).gguf)
        write_config(writer, config, scheme, gguf)
        write_tokenizer(writer, model, gguf)
        for name, leaf in tensors.items():
            raw, kind = as_blocks(leaf, gguf)
            writer.add_tensor(name, raw, raw_dtype=kind)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
    return [name for name, leaf in flatten(model.params).items() if isinstance(leaf, Quantized) and leaf.width % GROUP]


def check(model, config, scheme):
    """Refuse what cannot be written. Raises UserError."""
    if family(config).gguf is None:
        raise UserError(f"{model.source}: GGUF export is for LLaMAs, this is a {family(config).name}")
    if scheme is not None and (scheme.scale_per != "group32" or scheme.zero_point):
        raise UserError(f"{model.source}: its scheme is {scheme}: GGUF's Q8_0 and Q4_0 are int8-group32 and int4-group32 "
                        "without zero point")
    if any(isinstance(leaf, Quantized) and leaf.columns is not None for leaf in flatten(model.params).values()):
        raise UserError(f"{model.source}: has outlier inputs in float (llm-int8): GGUF has no place for those")
    if config.rope_scaling is not None and config.rope_scaling.rope_type != "linear":
        raise UserError(f"{model.source}: rope type {config.rope_scaling.rope_type} is not exported: only none and linear are")
    if model.tokenizer is None or model.tokenizer.spec["model"]["type"] != "BPE":
        raise UserError(f"{model.source}: GGUF export needs a BPE tokenizer beside the model")


def gguf_name(path: str) -> str:
    """"layers.0.q_proj" -> "blk.0.attn_q.weight"."""
    *layer, name = path.split(".")
    return (f"blk.{layer[1]}." if layer else "") + NAMES[name]


def tensor(path: str, leaf, config):
    """A record, or a float array (out, in) or (n,), its rows where llama.cpp wants them."""
    name = path.rpartition(".")[2]
    if not isinstance(leaf, Quantized) and leaf.ndim == 2 and name != "embed_tokens":
        leaf = leaf.T
    if name[:2] not in ("q_", "k_"):
        return leaf
    order = neighbours(config.head_dim, (leaf.shape[1] if isinstance(leaf, Quantized) else leaf.shape[0]) // config.head_dim)
    return take_rows(leaf, order) if isinstance(leaf, Quantized) else leaf[order]


def neighbours(head_dim: int, heads: int):
    """The order of rows in which the pairs (i, i + E/2) of every head stand side by side."""
    return np.arange(heads * head_dim).reshape(heads, 2, head_dim // 2).swapaxes(1, 2).reshape(-1)


def as_blocks(leaf, gguf):
    """(bytes or floats, their kind in GGUF) of a record or an array."""
    if not isinstance(leaf, Quantized) or leaf.width % GROUP:
        array = (
            dequantize(leaf if not leaf.transposed else leaf.T)
            if isinstance(leaf, Quantized)
            else leaf
        )
        return np.ascontiguousarray(array, np.float32), None
    scales_OG2 = (
        np.ascontiguousarray(leaf.scales, "<f2").view(np.uint8).reshape(*leaf.scales.shape, 2)
    )
    integers_OGN = integers(leaf).reshape(*leaf.scales.shape, GROUP)
    if leaf.scheme.bits == 4:
        shifted_OGN = (integers_OGN + 8).astype(np.uint8)
        stored_OGN = shifted_OGN[..., : GROUP // 2] | (shifted_OGN[..., GROUP // 2 :] << 4)
    else:
        stored_OGN = integers_OGN.view(np.uint8)
    blocks = np.concatenate([scales_OG2, stored_OGN], axis=-1)
    kind = (
        gguf.GGMLQuantizationType.Q4_0 if leaf.scheme.bits == 4 else gguf.GGMLQuantizationType.Q8_0
    )
    return np.ascontiguousarray(blocks.reshape(len(blocks), -1)), kind


def write_config(writer, config, scheme, gguf):
    """The sizes, under GGUF's names."""
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_key_length(config.head_dim)
    writer.add_value_length(config.head_dim)
    writer.add_rope_dimension_count(config.head_dim)
    writer.add_rope_freq_base(config.rope_theta)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_vocab_size(config.vocab_size)
    if config.rope_scaling is not None:
        writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(config.rope_scaling.factor)
    kinds = gguf.LlamaFileType
    writer.add_file_type(kinds.ALL_F32 if scheme is None else kinds.MOSTLY_Q8_0 if scheme.bits == 8 else kinds.MOSTLY_Q4_0)


def write_tokenizer(writer, model, gguf):
    """Tokens, merges and marks: byte-level BPE as "gpt2", BPE with byte fallback (SentencePiece's) as "llama".

    llama.cpp cuts text into words by its own rules, chosen by name: "gpt-2" cuts ordinary English as our tokenizer does, but
    a text of other scripts may become other tokens there.
    """
    tokenizer, config = model.tokenizer, model.config
    names = {i: token for token, i in tokenizer.vocab.items()}
    special, spec = set(tokenizer.special_tokens.values()), tokenizer.spec["model"]
    merges = [" ".join(pair) if isinstance(pair, list | tuple) else pair for pair in spec["merges"]]
    kinds = gguf.TokenType

    def kind(i):
        name = names.get(i)
        if name is None:
            return kinds.UNUSED
        if i in special:
            return kinds.UNKNOWN if name == spec.get("unk_token") else kinds.CONTROL
        return kinds.BYTE if spec.get("byte_fallback") and len(name) == 6 and name.startswith("<0x") else kinds.NORMAL

    ids = range(config.vocab_size)
    writer.add_tokenizer_model("gpt2" if tokenizer.byte_level else "llama")
    writer.add_token_list([names.get(i, f"[unused {i}]") for i in ids])
    writer.add_token_types([kind(i) for i in ids])
    if tokenizer.byte_level:
        writer.add_tokenizer_pre("gpt-2")
        writer.add_token_merges(merges)
    else:                                                     # SentencePiece joins what has the highest score: the earliest merge
        first = {}
        for rank, pair in enumerate(merges):
            first.setdefault(pair.replace(" ", ""), -float(rank))
        writer.add_token_scores([first.get(names.get(i), -float(len(merges))) for i in ids])
        writer.add_add_space_prefix(True)
    if config.bos_token_id is not None:
        writer.add_bos_token_id(config.bos_token_id)
    if config.end_tokens:
        writer.add_eos_token_id(config.end_tokens[0])
    writer.add_add_bos_token(bool(model.begin))
