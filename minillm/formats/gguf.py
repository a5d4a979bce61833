"""GGUF, the file of llama.cpp, read and written: a LLaMA from elsewhere opens here, a quantized one
of ours runs on a phone.

    Q8_0    a group of 32: its scale in float16, then 32 int8                        our int8-group32
    Q4_0    its scale, then 16 bytes: integer i + 8 in the low four bits of byte i,
            integer i + 16 + 8 in the high four                                      our int4-group32
    Q4_1    its scale and its smallest number, then the 16 bytes                 our int4-group32-min

Our integers and scales are written as they are, nothing is rounded again; a file whose matrices are
all of one of these kinds comes in as it is, and one of any other kinds as the floats that it stands
for; of several of these kinds, which is what llama.cpp makes of a small model, as either. llama.cpp
turns neighbours (0, 1), (2, 3) where we turn halves, so the rows of q and k change places within
each head, as in its own converter. A matrix whose rows 32 does not divide is written in float32.
Writing needs the extra `gguf`, reading needs it for kinds of numbers that gguf_file.py does not
know.
"""

import re
from pathlib import Path

import numpy as np

from minillm.architecture.adapters import refuse_adapted
from minillm.architecture.family import family
from minillm.architecture.quantized import GROUP, Quantized, Scheme, scheme_named, scheme_of
from minillm.architecture.qwen2 import Qwen2Config
from minillm.architecture.qwen3 import Qwen3Config
from minillm.architecture.rope import frequencies, keep_llama3
from minillm.architecture.smollm3 import SmolLM3Config, every
from minillm.architecture.tree import flatten, unflatten
from minillm.config import ModelConfig, RopeScaling
from minillm.errors import UserError, is_count, missing, printable
from minillm.files import replacing
from minillm.formats import gguf_tokenizer
from minillm.formats.gguf_file import Gguf, groups
from minillm.in_numpy.quantize import dequantize, integers, record, take_rows

NAMES = {"embed_tokens": "token_embd.weight", "norm": "output_norm.weight",
         "lm_head": "output.weight", "input_layernorm": "attn_norm.weight",
         "post_attention_layernorm": "ffn_norm.weight", "o_proj": "attn_output.weight",
         "o_bias": "attn_output.bias",
         **{f"{name}_norm": f"attn_{name}_norm.weight" for name in "qk"},
         **{f"{name}_proj": f"attn_{name}.weight" for name in "qkv"},
         **{f"{name}_bias": f"attn_{name}.bias" for name in "qkv"},
         **{f"{name}_proj": f"ffn_{name}.weight" for name in ("gate", "up", "down")},
         **{f"{name}_bias": f"ffn_{name}.bias" for name in ("gate", "up", "down")}}


TURNED = ("q_proj", "k_proj", "q_bias", "k_bias")  # whose outputs are turned by their position
CONFIGS = {"llama": ModelConfig, "qwen2": Qwen2Config, "qwen3": Qwen3Config,
           "smollm3": SmolLM3Config}
NO_ROPE = 4  # in llama.cpp, each fourth layer of a SmolLM3 has no rotary positions
HALVES = {"float16": "F16", "bfloat16": "BF16"}
KINDS = {"Q8_0": scheme_named("int8-group32"), "Q4_0": scheme_named("int4-group32"),
         "Q4_1": scheme_named("int4-group32-min")}
FREQUENCIES = "rope_freqs.weight"  # by what the angles of each pair are divided


# ---- In --------------------------------------------------------------------------------------

def load(path, dtype=np.float32, integers: bool = False):
    """(config, params, tokenizer, the ids before a prompt, chat template, special tokens by role)
    of a GGUF file.

    Float matrices in `dtype`. `integers`: matrices of several of KINDS are records too. Raises
    UserError: a file that is damaged, of another architecture, or with a tensor that is absent,
    unasked for or of another shape.
    """
    file = Gguf(path)
    try:
        config = read_config(file)
        places = plan(file, config)
        kinds = kinds_of_matrices(file, places)
        as_records = kinds <= set(KINDS) and (integers or len(kinds) == 1)
        params = {ours: leaf(file, ours, name, config, as_records, dtype)
                  for ours, name in places.items()}
        tokenizer, begin = gguf_tokenizer.read(file.fields)
        tokenizer = tokenizer and tokenizer.fit(config.vocab_size)
        template = file.fields.get("tokenizer.chat_template")
        marks = marks_of(file.fields)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    template = template if isinstance(template, str) else None
    params = unflatten(params, family(config).shapes(config))
    return config, params, tokenizer, begin, template, marks


def read_config(file: Gguf) -> ModelConfig:
    """The shape of the model, from the metadata. Raises UserError."""
    refuse_parts(file)
    name = file.fields.get("general.architecture")
    if not isinstance(name, str) or name not in CONFIGS:
        raise UserError(f"its architecture is {printable(name)}: {', '.join(CONFIGS)} are read; "
                        "llama.cpp runs the others")

    def field(key, default=None):
        value = file.fields.get(f"{name}.{key}", default)
        if isinstance(value, list) and value and value.count(value[0]) == len(value):
            value = value[0]                                   # one for each layer, all alike
        if value is None or isinstance(value, list | str):
            raise UserError(f"{name}.{key} is {printable(value)}: one number is needed")
        return float(str(np.float32(value))) if isinstance(value, float) else value        # 1e-5, not 9.99999974e-6

    for key in ("expert_count", "attention.sliding_window", "attention.causal"):
        if file.fields.get(f"{name}.{key}", 0) not in (0, True):
            raise UserError(
                f"{name}.{key} is {printable(file.fields[f'{name}.{key}'])}: not supported")
    D, H = field("embedding_length"), field("attention.head_count")
    E = field("attention.key_length",
              D // H if isinstance(D, int) and isinstance(H, int) and H > 0 else 0)
    for key in ("attention.value_length", "rope.dimension_count"):
        if field(key, E) != E:
            raise UserError(
                f"{name}.{key} is {field(key)}: only the size of a head ({E}) is supported")
    further, layers = {}, field("block_count")
    if CONFIGS[name] is SmolLM3Config and is_count(layers) and layers <= len(file.tensors):
        further = {"no_rope_layers": every(NO_ROPE, layers)}
    return CONFIGS[name](
        vocab_size=file.shape("token_embd.weight")[0] if "token_embd.weight" in file.tensors else 0,
        hidden_size=D, intermediate_size=field("feed_forward_length"),
        num_hidden_layers=layers, num_attention_heads=H,
        num_key_value_heads=field("attention.head_count_kv", H), head_dim=E,
        max_position_embeddings=field("context_length"),
        rms_norm_eps=field("attention.layer_norm_rms_epsilon"),
        rope_theta=field("rope.freq_base", 10000.0), rope_scaling=read_rope(file, name, field),
        attention_bias="blk.0.attn_output.bias" in file.tensors,
        mlp_bias="blk.0.ffn_up.bias" in file.tensors,
        tie_word_embeddings=NAMES["lm_head"] not in file.tensors, **further,
        **read_marks(file.fields))


def refuse_parts(file: Gguf):
    """Refuse what is no whole model. Raises UserError."""
    if file.fields.get("general.type") == "adapter":
        raise UserError("an adapter, not a whole model: llama.cpp's llama-export-lora merges it "
                        "into its model")
    parts = file.fields.get("split.count", 0)
    if parts != 0 and parts != 1:
        raise UserError(f"one of {printable(parts)} parts: join them with llama.cpp's "
                        "llama-gguf-split --merge FIRST_PART WHOLE.gguf")
    if not file.tensors and "tokenizer.ggml.tokens" in file.fields:
        raise UserError("holds a vocabulary alone, no weights: take the model's own file")


def read_rope(file: Gguf, name: str, field) -> RopeScaling | None:
    """How the angles are stretched: not, linearly, or as in Llama 3, whose divisors are a tensor.
    Raises UserError."""
    kind = file.fields.get(f"{name}.rope.scaling.type", "none")
    factor = field("rope.scaling.factor", 1.0)
    if FREQUENCIES in file.tensors:
        divisors = file.read(FREQUENCIES)
        if np.all(divisors == 1):
            return None
        scaling = RopeScaling("llama3", float(divisors.max()), 8192, low_freq_factor=1.0,
                              high_freq_factor=4.0)
        plain = field("rope.freq_base", 10000.0) ** (-np.arange(len(divisors)) / len(divisors))
        keep = keep_llama3(plain, scaling)
        if not np.allclose(1 / divisors, keep + (1 - keep) / scaling.factor, rtol=1e-5):
            raise UserError(f"{FREQUENCIES} is not how Llama 3 stretches its angles from a context of 8192: not supported")
        return scaling
    if kind == "none" or kind == "linear" and factor == 1:
        return None
    if kind != "linear":
        raise UserError(f"{name}.rope.scaling.type is {printable(kind)}: none, linear and Llama 3's are supported")
    return RopeScaling("linear", factor)


def read_marks(fields: dict) -> dict:
    """bos_token_id and eos_token_id, of which a file names up to three: of the text, of a turn, of
    a message."""
    names = fields.get("tokenizer.ggml.tokens")
    count = len(names) if isinstance(names, list) else 0
    begin, *ends = (fields.get(f"tokenizer.ggml.{name}_token_id")
                    for name in ("bos", "eos", "eot", "eom"))
    ends = tuple(dict.fromkeys(end for end in ends if isinstance(end, int) and end < count))
    return {"bos_token_id": begin if isinstance(begin, int) and begin < count else None,
            "eos_token_id": ends[0] if len(ends) == 1 else ends or None}


def marks_of(fields: dict) -> dict[str, str]:
    """{"bos_token": "<s>", ...}: what a chat template calls the special tokens."""
    names = fields.get("tokenizer.ggml.tokens")
    roles = {"bos": "bos", "eos": "eos", "unknown": "unk", "padding": "pad"}
    ids = {role: fields.get(f"tokenizer.ggml.{theirs}_token_id") for theirs, role in roles.items()}
    return {f"{role}_token": names[i] for role, i in ids.items()
            if isinstance(names, list) and isinstance(i, int) and 0 <= i < len(names)}


def plan(file: Gguf, config) -> dict[str, str]:
    """The tensor of every parameter, before a number is read. Raises UserError."""
    if config.num_hidden_layers > len(file.tensors):
        raise UserError(
            f"{len(file.tensors)} tensors are too few for {config.num_hidden_layers} layers")
    wanted = {}
    for ours, shape in flatten(family(config).shapes(config)).items():
        name, shape = gguf_name(ours), shape if ours == "embed_tokens" else shape[::-1]
        if name not in file.tensors:
            raise UserError(f"tensor {name} is absent")
        if file.shape(name) != shape:
            raise UserError(
                f"tensor {name} has the shape {file.shape(name)}, the metadata ask for {shape}")
        wanted[ours] = name
    spare = sorted(set(file.tensors) - set(wanted.values()) - {FREQUENCIES})
    if spare:
        raise UserError(f"tensor {printable(spare[0])} is not part of a {family(config).name}")
    return wanted


def kinds_of_matrices(file: Gguf, places: dict[str, str]) -> set[str]:
    """The kinds of all matrices."""
    return {file.kind(name) for name in places.values() if len(file.shape(name)) == 2}


def leaf(file: Gguf, ours: str, name: str, config, as_records: bool, dtype):
    """One parameter in our layout: a record where that is asked for, a float array elsewhere.
    Raises UserError."""
    last, order = ours.rpartition(".")[2], slice(None)
    if last in TURNED and family(config).gguf_neighbours:
        order = np.argsort(neighbours(config.head_dim, file.shape(name)[0] // config.head_dim))
    if len(file.shape(name)) == 1:
        return np.ascontiguousarray(file.read(name)[order])
    if as_records:
        return take_rows(as_record(file.blocks(name), file.kind(name), ours != "embed_tokens"),
                         order)
    matrix = file.read(name)[order].astype(dtype, copy=False)
    return np.ascontiguousarray(matrix if ours == "embed_tokens" else matrix.T)


def as_record(raw, kind: str, transposed: bool) -> Quantized:
    """Blocks of Q8_0, Q4_0 or Q4_1 as our record: the same integers and scales. Raises
    UserError."""
    scheme = KINDS[kind]
    scales_OG1, integers_OGN, lows_OG1 = groups(raw, kind)
    if not np.all(np.isfinite(scales_OG1)) or not np.all(np.isfinite(lows_OG1)):
        raise UserError("holds scales that are not finite: the file is damaged")
    integers_OI = integers_OGN.reshape(len(raw), -1)
    if scheme.minimum:                                       # 0 ... 15 there, -8 ... 7 here
        integers_OI = integers_OI + np.int8(scheme.lowest)
    lows_OG = np.asarray(lows_OG1)[..., 0] if scheme.minimum else None
    return record(integers_OI, scales_OG1[..., 0], lows_OG, scheme, transposed)


# ---- Out -------------------------------------------------------------------------------------

def export(path, model) -> list[str]:
    """Write a Model, float or quantized with the schemes of KINDS, as a GGUF file.

    Returns the names of the quantized matrices that became float32, because 32 does not divide
    their rows. Raises UserError: what GGUF or llama.cpp's LLaMA does not have, no tokenizer, the
    gguf package missing.
    """
    try:
        import gguf
    except ImportError:
        raise missing("GGUF", "gguf", "gguf") from None
    refuse_adapted(model.params)
    config, scheme = model.config, scheme_of(model.params)
    check(model, config, scheme)
    tensors = {gguf_name(name): tensor(name, leaf, config)
               for name, leaf in flatten(model.params).items()}
    with replacing(Path(path)) as beside:
        writer = gguf.GGUFWriter(beside, family(config).gguf)
        write_name(writer, model)
        write_config(writer, config, scheme, kinds_of(model.params), gguf)
        try:
            gguf_tokenizer.write(writer, model.tokenizer, config)
        except UserError as error:
            raise UserError(f"{model.source}: {error}") from None
        write_marks(writer, model)
        if config.rope_scaling is not None and config.rope_scaling.rope_type == "llama3":
            writer.add_tensor(FREQUENCIES, divisors(config))
        for name, leaf in tensors.items():
            raw, kind = as_blocks(leaf, gguf)
            writer.add_tensor(name, raw, raw_dtype=kind)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
    return [name for name, leaf in flatten(model.params).items() if isinstance(leaf, Quantized)
            and leaf.width % GROUP]


def check(model, config, scheme):
    """Refuse what cannot be written. Raises UserError."""
    if family(config).gguf is None:
        raise UserError(
            f"{model.source}: GGUF export is for LLaMAs, this is a {family(config).name}")
    if scheme is not None and (scheme.scale_per != "group32" or scheme.zero_point):
        raise UserError(f"{model.source}: its scheme is {scheme}: GGUF's Q8_0, Q4_0 and Q4_1 are "
                        "int8-group32, int4-group32 and int4-group32-min, without zero point")
    if any(isinstance(leaf, Quantized) and leaf.columns is not None
           for leaf in flatten(model.params).values()):
        raise UserError(
            f"{model.source}: has outlier inputs in float (llm-int8): GGUF has no place for those")
    if config.rope_scaling is not None and config.rope_scaling.rope_type not in (
        "linear", "llama3"):
        raise UserError(f"{model.source}: rope type {config.rope_scaling.rope_type} is not exported: none, linear and llama3 are")
    heads = config.num_attention_heads * config.head_dim
    if family(config).gguf == "qwen2" and heads != config.hidden_size:
        raise UserError(f"{model.source}: its heads are {heads} numbers wide together, and "
                        f"llama.cpp's Qwen2 has as many as hidden_size ({config.hidden_size})")
    if isinstance(config, SmolLM3Config) and config.biased:
        raise UserError(f"{model.source}: has biases, and llama.cpp's SmolLM3 has none")
    if isinstance(config, SmolLM3Config) and config.no_rope_layers != every(
        NO_ROPE, config.num_hidden_layers):
        raise UserError(f"{model.source}: other layers than each fourth have no rotary positions, "
                        "and llama.cpp's SmolLM3 knows no others")
    if model.tokenizer is None:
        raise UserError(f"{model.source}: GGUF export needs a tokenizer beside the model")


def gguf_name(path: str) -> str:
    """"layers.0.q_proj" -> "blk.0.attn_q.weight"."""
    *layer, name = path.split(".")
    return (f"blk.{layer[1]}." if layer else "") + NAMES[name]


def tensor(path: str, leaf, config):
    """A record, or a float array (out, in) or (n,), its rows where llama.cpp wants them."""
    name = path.rpartition(".")[2]
    if not isinstance(leaf, Quantized) and leaf.ndim == 2 and name != "embed_tokens":
        leaf = leaf.T
    if name not in TURNED or not family(config).gguf_neighbours:
        return leaf
    order = neighbours(config.head_dim, (leaf.shape[1] if isinstance(leaf, Quantized)
                                         else leaf.shape[0]) // config.head_dim)
    return take_rows(leaf, order) if isinstance(leaf, Quantized) else leaf[order]


def neighbours(head_dim: int, heads: int):
    """The order of rows in which the pairs (i, i + E/2) of every head stand side by side."""
    return np.arange(heads * head_dim).reshape(heads, 2, head_dim // 2).swapaxes(1, 2).reshape(-1)


def as_blocks(leaf, gguf):
    """(bytes or floats, their kind in GGUF) of a record or an array."""
    if not isinstance(leaf, Quantized) or leaf.width % GROUP:
        array = (dequantize(leaf if not leaf.transposed else leaf.T) if isinstance(leaf, Quantized)
                 else leaf)
        half = array.ndim == 2 and HALVES.get(array.dtype.name)
        if half == "BF16":  # a kind that NumPy does not know: its bytes
            return np.ascontiguousarray(array).view(np.uint8), gguf.GGMLQuantizationType.BF16
        return np.ascontiguousarray(array, np.float16 if half else np.float32), None
    parts = [np.ascontiguousarray(part, "<f2").view(np.uint8).reshape(*part.shape, 2)
             for part in (leaf.scales, leaf.lows) if part is not None]
    integers_OGN = integers(leaf).reshape(*leaf.scales.shape, GROUP)
    if leaf.scheme.bits == 4:
        shifted_OGN = (integers_OGN + 8).astype(np.uint8)
        stored_OGN = shifted_OGN[..., : GROUP // 2] | (shifted_OGN[..., GROUP // 2 :] << 4)
    else:
        stored_OGN = integers_OGN.view(np.uint8)
    blocks = np.concatenate([*parts, stored_OGN], axis=-1)
    return (np.ascontiguousarray(blocks.reshape(len(blocks), -1)),
            gguf.GGMLQuantizationType[kind_of(leaf.scheme)])


def kind_of(scheme: Scheme) -> str:
    """Q8_0, Q4_0 or Q4_1."""
    return next(kind for kind, ours in KINDS.items() if ours.name == scheme.name)


def kinds_of(params) -> set[str]:
    """The dtypes of the matrices."""
    return {leaf.dtype.name for leaf in flatten(params).values() if leaf.ndim == 2}


def divisors(config) -> np.ndarray:
    """By what llama.cpp is to divide the angle of each pair (E/2,), float32."""
    plain = config.rope_theta ** (-np.arange(0, config.head_dim, 2) / config.head_dim)
    return (plain / frequencies(config, config.max_position_embeddings)[0]).astype(np.float32)


def write_config(writer, config, scheme, dtypes, gguf):
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
    if config.rope_scaling is not None and config.rope_scaling.rope_type == "linear":
        writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(config.rope_scaling.factor)
    kinds = gguf.LlamaFileType
    floats = {"float16": kinds.MOSTLY_F16,
              "bfloat16": kinds.MOSTLY_BF16}.get(next(iter(dtypes)), kinds.ALL_F32)
    writer.add_file_type(kinds[f"MOSTLY_{kind_of(scheme)}"] if scheme else floats)


def write_marks(writer, model):
    """Which tokens are special, what stands before a prompt, and the chat template."""
    config, vocab = model.config, model.tokenizer.vocab
    ids = {role: vocab[model.marks[f"{role}_token"]] for role in ("bos", "eos", "unk", "pad")
           if vocab.get(model.marks.get(f"{role}_token"), config.vocab_size) < config.vocab_size}
    known = {vocab.get(name) for name in gguf_tokenizer.ENDS}   # llama.cpp needs no field for them
    first = [ids["eos"]] if "eos" in ids else list(config.end_tokens[:1])
    ends = dict.fromkeys([*first, *(i for i in config.end_tokens if i not in known)])
    begin = next(iter(model.begin), ids.get("bos", config.bos_token_id))
    roles = dict(zip(("eos", "eot", "eom"), ends)) | {"bos": begin, "unk": ids.get("unk"),
                                                      "pad": ids.get("pad")}
    for role, i in roles.items():
        if i is not None:
            getattr(writer, f"add_{role}_token_id")(i)
    writer.add_add_bos_token(bool(model.begin))
    if model.chat_template is not None:
        writer.add_chat_template(model.chat_template)


def write_name(writer, model):
    """What the model is called, and how large it is: 134,515,008 numbers are "135M"."""
    size = sum(leaf.size for leaf in flatten(model.params).values())
    power, letter = next((power, letter) for power, letter in ((9, "B"), (6, "M"), (3, "K"),
                                                               (0, "")) if size >= 10**power)
    writer.add_type("model")
    writer.add_name(re.sub(r"[-_]+", " ", Path(re.sub(r" \(.*\)$", "", model.source)).stem))
    writer.add_size_label(f"{size / 10**power:.{1 if size < 10 ** (power + 1) else 0}f}{letter}")
    writer.add_quantization_version(2)  # of the layout of blocks, also where there are none
