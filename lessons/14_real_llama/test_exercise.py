"""What is checked in exercise 14, and which misconceptions are recognised. The words used here:
minillm/course/exercises.py."""

import json

import numpy as np

from minillm.course.exercises import Hint, Task, normal, number, sizes
from minillm.formats import llama, llama2c

HINTS = {
    "length_forgotten": Hint(
        "You did not count the 8 bytes with the length of the header: they come before it.",
        "Where would the first number of a file begin whose header is 2 bytes, {}?",
    ),
    "from_the_start": Hint(
        "You counted offsets from the beginning of the file. They count from the first byte "
        "after the header, so that the header can be written without knowing its own length.",
        "The first tensor has offset 0. Can it begin at byte 0 of the file?",
    ),
    "column_by_column": Hint(
        "You counted the numbers column by column. A safetensors file stores them row by row.",
        "Number the places of a matrix of 4 rows and 6 columns in the order in which you would "
        "read it aloud.",
    ),
    "four_bytes": Hint(
        "You assumed that a number has 4 bytes. Its length depends on the dtype.",
        "Divide the bytes of the tensor, from one offset to the other, by how many numbers it has.",
    ),
    "metadata_is_a_tensor": Hint(
        'You took "__metadata__" for a tensor. It is a note about the whole file and has no '
        "dtype, shape or offsets.",
        "Print the keys of the header of a real file: there is one without a shape.",
    ),
    "bf16_as_fp16": Hint(
        "You read BF16 as float16. Both have 16 bits, but bfloat16 uses 8 of them for the "
        "exponent, float16 only 5. Nothing fails: the absolute value of nearly every weight is "
        "then between a half and 2.",
        "Print a few weights: small numbers around 0 of both signs are expected, are they?",
    ),
    "bf16_low_half": Hint(
        "You put the 16 bits of a bfloat16 into the lower half of a float32. They are its upper "
        "half: sign, exponent and the first bits of the fraction.",
        "1.0 is 0x3F800000 as float32 and 0x3F80 as bfloat16.",
    ),
    "bf16_as_integer": Hint(
        "You took the 16 bits of a bfloat16 for a whole number. Move them into their place and "
        "view them as a float32.",
        "1.0 is 0x3F80 as bfloat16, and 0x3F80 is 16256 as a whole number.",
    ),
    "config_trusted": Hint(
        "You took the dtype from config.json. That says in which dtype the model was run, or "
        "meant to be; the header of the file says for each tensor what the bytes are.",
        "Give a file in BF16 a config that says float16: nothing about its numbers may change.",
    ),
    "theta": Hint(
        "You looked for rope_theta in one place only. Newer config files keep it inside "
        "rope_parameters; a model whose theta is 500,000 then runs with 10,000, and every pair "
        "of a head but the fastest turns at the wrong speed.",
        'Read {"rope_parameters": {"rope_theta": 500000.0}} with nothing else about rotation.',
    ),
    "eps": Hint(
        "You took a missing rms_norm_eps to be 1e-5. Where config.json does not say, Hugging "
        "Face takes 1e-6. The mistake is so small that the text hardly changes.",
        "Read a config without rms_norm_eps and print what you make of it.",
    ),
    "tied_by_default": Hint(
        "You took the head to be tied where config.json does not say so. Small models mostly tie "
        "it and large ones mostly do not; Hugging Face's default is not tied.",
        "Read a config without tie_word_embeddings and print what you make of it.",
    ),
    "head_dim_from_width": Hint(
        "You always computed head_dim as hidden_size / num_attention_heads. Where config.json "
        "has its own head_dim, that one is used.",
        "Read a config with hidden_size 64, 4 heads and head_dim 32.",
    ),
    "one_kv_head": Hint(
        "You took a missing num_key_value_heads to be 1. Files without it are older than grouped "
        "heads: every query head has its own.",
        "Read a config without it: how many key/value heads did LLaMA 7B of 2023 have?",
    ),
    "null_is_a_value": Hint(
        "You took null (None) for a value. It means that the file does not say.",
        'Read a config with "head_dim": null.',
    ),
    "square_unturned": Hint(
        "You transposed matrices only where their shape did not fit. A square one fits both "
        "ways: q_proj and o_proj of most models stay as they were, without any error.",
        "Give q_proj of 4 x 4 the numbers 0 to 15 and look at its first row afterwards.",
    ),
    "nothing_turned": Hint(
        "You transposed no matrix. There they are (out, in), here (in, out).",
        "Compare the shape of down_proj with the shape in `shapes`.",
    ),
    "embedding_turned": Hint(
        "You transposed the embedding too. It is a table, not a matrix that multiplies: row 17 "
        "belongs to token 17, there as here.",
        "Compare its shape with the shape in `shapes`.",
    ),
    "head_unturned": Hint(
        "You left lm_head as it was. It has the embedding's shape in the file, but it "
        "multiplies: the logits are x @ lm_head.",
        "Compare its shape with the shape in `shapes`.",
    ),
    "one_digit": Hint(
        "You read only one digit of a layer's number. From layer 10 on, layers overwrite each "
        "other.",
        "Give it a model of 11 layers and count the names of the result.",
    ),
    "layout_ignored": Hint(
        "You left the columns where they were. A model that turns columns i and i + E/2 together "
        "then turns wrong pairs: it still writes, but nonsense, and no shape raises an error.",
        "For one head of 6, columns numbered 0 to 5: which two turn together before, which two "
        "afterwards?",
    ),
    "across_heads": Hint(
        "You reordered the columns of all heads as if they were one head. Each head has its own "
        "pairs.",
        "For 2 heads of 4 columns, number the columns 0 to 7: those of head 0 must stay among "
        "the first four.",
    ),
    "other_way": Hint(
        "That is the way back, from halves to side by side. For heads of 4 both are the same; "
        "for larger ones they are not.",
        "For one head of 6, columns numbered 0 to 5: the first three of the result should be 0, "
        "2, 4.",
    ),
    "wrong_group": Hint(
        "You gave neighbouring query heads different keys: 0 1 0 1 instead of 0 0 1 1. All "
        "shapes fit, and so do the heads whose key happens to be the same.",
        "For H = 4 and K = 2, write the key/value head beside each query head.",
    ),
    "one_group": Hint(
        "You gave all query heads the first key head.",
        "Change the last key head: something must change.",
    ),
    "absolute": Hint(
        "You compared the difference with the tolerance as it is. From rounding alone, an "
        "activation with numbers around 1000 differs by more than one with numbers around 0.001.",
        "Multiply both by 1000: the answer must stay the same.",
    ),
    "each_by_itself": Hint(
        "You compared each difference with its own number. Rounding leaves a part of the large "
        "numbers that were added up, so a number that came out near 0 may be off by more than "
        "its own size.",
        "Let theirs be (1000, 0.001) and ours (1000, 0.002): is that a difference at a tolerance "
        "of 1e-3?",
    ),
    "averaged": Hint(
        "You took the mean difference. One wrong head of many, or one wrong token, disappears in "
        "a mean.",
        "Change one number of a thousand.",
    ),
    "signed": Hint(
        "You compared differences with their sign: one that is far too small passes.",
        "Make one number of ours smaller by 10.",
    ),
    "largest": Hint(
        "You returned the activation that differs most. Mistakes grow on their way; the first "
        "one that differs shows where it began.",
        "Follow a mistake in layer 0: is it larger there, or at the end?",
    ),
    "last_one": Hint(
        "You returned the last activation that differs: the search went through to the end. The "
        "first one shows where the mistake is.",
        "Let the first and the last of three activations differ: which name comes back?",
    ),
    "by_alphabet": Hint(
        'You sorted the names by the alphabet. There "layers.10" comes before "layers.2", and '
        "attn_out before q, which is computed earlier.",
        "Print the names in your order, for a model of 11 layers.",
    ),
    "nan_passes": Hint(
        "You let NaN pass. Every comparison with it is false, also the one that should find a "
        "difference.",
        'What is float("nan") > 0.1?',
    ),
}


# ---- Fresh inputs, small ones first -------------------------------------------------------------


def stored(x, dtype):
    """The bytes of an array in a dtype of a safetensors file; BF16 by rounding to the nearest,
    ties to even."""
    if dtype == "BF16":
        bits = np.ascontiguousarray(x, "<f4").view("<u4")
        return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2").tobytes()
    return np.ascontiguousarray(x, {"F32": "<f4", "F16": "<f2"}[dtype]).tobytes()


def file_of(tensors, note=True):
    """A safetensors file of {name: (dtype, array)}."""
    header, parts, at = {"__metadata__": {"format": "pt"}} if note else {}, [], 0
    for name, (dtype, x) in tensors.items():
        parts.append(stored(x, dtype))
        header[name] = {
            "dtype": dtype,
            "shape": list(x.shape),
            "data_offsets": [at, at + len(parts[-1])],
        }
        at += len(parts[-1])
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + b"".join(parts)


def some_tensors(rng, number):
    return {
        f"model.{rng.integers(1000)}.{i}": (
            ["F32", "F16", "BF16"][rng.integers(3)],
            0.1 * rng.standard_normal(rng.integers(1, 5, rng.integers(1, 3))),
        )
        for i in range(number)
    }


def files(rng):
    yield (file_of({"x": ("F32", np.ones(2))}, note=False),)
    for n in (1, 2, *rng.integers(1, 6, 15)):
        yield (file_of(some_tensors(rng, int(n)), note=bool(rng.integers(2)) or n == 2),)


def tensors_to_read(rng):
    """File, name, config: where the config says another dtype than the file, both have 16 bits."""
    words = {"F32": "float32", "F16": "float16", "BF16": "bfloat16"}
    for dtype, said in (
        ("F32", "F32"),
        ("F16", "F16"),
        ("BF16", "BF16"),
        ("BF16", "F16"),
        ("F16", "BF16"),
    ):
        yield file_of({"x": (dtype, np.array([1.0, -0.25]))}), "x", {"torch_dtype": words[said]}
    for _ in range(20):
        tensors = some_tensors(rng, int(rng.integers(1, 5)))
        name = list(tensors)[rng.integers(len(tensors))]
        dtype = tensors[name][0]
        yield (
            file_of(tensors),
            name,
            {"torch_dtype": words[dtype if dtype == "F32" else ("F16", "BF16")[rng.integers(2)]]},
        )


def configs(rng):
    yield ({"hidden_size": 64, "num_attention_heads": 4},)
    yield (
        {
            "hidden_size": 64,
            "num_attention_heads": 4,
            "rope_parameters": {"rope_theta": 500000.0, "rope_type": "default"},
        },
    )
    yield (
        {
            "hidden_size": 64,
            "num_attention_heads": 4,
            "head_dim": None,
            "num_key_value_heads": None,
        },
    )
    for _ in range(25):
        heads = int(rng.choice([4, 6, 8]))
        every = {
            "rms_norm_eps": float(rng.choice([1e-5, 1e-6, 2e-6])),
            "num_key_value_heads": [2, heads, None][rng.integers(3)],
            "head_dim": [16, 32, None][rng.integers(3)],
            "tie_word_embeddings": bool(rng.integers(2)),
            "rope_theta": float(rng.choice([1e4, 5e5])),
        }
        config = {"hidden_size": 8 * heads, "num_attention_heads": heads} | {
            name: value for name, value in every.items() if rng.random() < 0.6
        }
        if rng.random() < 0.4:
            config.pop("rope_theta", None)
            config["rope_parameters"] = {
                "rope_theta": float(rng.choice([5e5, 1e6])),
                "rope_type": "default",
            }
        yield (config,)


def some_shapes(rng, layers, D, O, J, F, V, tied):
    shapes = {"embed_tokens": (V, D), "norm": (D,)} | ({} if tied else {"lm_head": (D, V)})
    for i in range(layers):
        shapes |= {
            f"layers.{i}.{name}": shape
            for name, shape in {
                "input_layernorm": (D,),
                "q_proj": (D, O),
                "k_proj": (D, J),
                "v_proj": (D, J),
                "o_proj": (O, D),
                "post_attention_layernorm": (D,),
                "gate_proj": (D, F),
                "up_proj": (D, F),
                "down_proj": (F, D),
            }.items()
        }
    return shapes


def models(rng):
    w, norm = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]), np.ones(2)
    yield {"model.norm.weight": norm}, {"norm": (2,)}
    yield {"model.layers.3.self_attn.q_proj.weight": w}, {"layers.3.q_proj": (2, 3)}
    yield (
        {"model.embed_tokens.weight": w, "lm_head.weight": -w},
        {"embed_tokens": (3, 2), "lm_head": (2, 3)},
    )
    yield {"model.layers.3.self_attn.q_proj.weight": w[:2]}, {"layers.3.q_proj": (2, 2)}
    yield (
        {f"model.layers.{i}.mlp.up_proj.weight": w[:1] + i for i in (1, 10)},
        {f"layers.{i}.up_proj": (2, 1) for i in (1, 10)},
    )
    for layers, O, tied in ((1, 4, True), (2, 6, False), (11, 4, True)):
        shapes = some_shapes(rng, layers, 4, O, 2, 6, 7, tied)
        tensors = {}
        for name, shape in shapes.items():
            theirs, turned = llama.hugging_face_name(name)
            tensors[theirs] = normal(rng, *(shape[::-1] if turned else shape))
        yield tensors, shapes


def columns(rng):
    yield np.arange(6.0)[None], 1
    for D, heads, pairs in (
        (1, 2, 2),
        (1, 1, 3),
        (2, 2, 3),
        *zip(rng.integers(1, 5, 15), rng.integers(1, 5, 15), rng.integers(2, 6, 15)),
    ):
        yield normal(rng, D, heads * 2 * pairs), int(heads)


def keys(rng):
    for K, G, T, E in ((2, 2, 1, 1), (3, 2, 2, 2), *sizes(rng, 1, 5, (20, 4))):
        yield normal(rng, K, T, E), int(K * G)


def recordings(rng):
    """A right record and one that leaves it somewhere: by a lot in many numbers, by a lot in one,
    or not at all."""
    names = [
        "embed",
        *(f"layers.{i}.{name}" for i in range(11) for name in ("q", "attn_out", "resid_post")),
        "logits",
    ]
    yield {"a": np.array([1.0, 2.0])}, {"a": np.array([1.0, 2.5])}, 0.1
    yield {"a": np.array([1000.0])}, {"a": np.array([1000.01])}, 1e-3
    yield (
        {"a": np.array([3.0])},
        {"a": np.array([2.0])},
        0.4,
    )  # less than 0.4 of ours, more than 0.4 of theirs
    yield (
        {"a": np.array([-2.0, -4.01])},
        {"a": np.array([-2.0, -4.0])},
        0.1,
    )  # the largest number by size, not by sign
    yield {"a": np.array([1000.0, 0.002])}, {"a": np.array([1000.0, 0.001])}, 1e-3
    yield (
        {"a": np.array([1.0, np.nan]), "b": np.zeros(1)},
        {"a": np.array([1.0, 2.0]), "b": np.ones(1)},
        0.1,
    )
    yield {"a": np.full(3, np.nan)}, {"a": np.ones(3)}, 0.1
    yield (
        {"q": np.array([1.5]), "attn_out": np.array([9.0])},
        {"q": np.array([1.0]), "attn_out": np.array([1.0])},
        0.1,
    )
    two = {"layers.2.q": np.array([1.0]), "layers.10.q": np.array([1.0])}
    yield {name: 1.5 * x for name, x in two.items()}, two, 0.1
    yield {"a": np.r_[np.ones(999), -9.0]}, {"a": np.ones(1000)}, 0.1
    for case in range(14):
        theirs = {name: float(10 ** rng.uniform(-3, 3)) * normal(rng, 3, 20) for name in names}
        ours = {
            name: x + 1e-6 * np.max(np.abs(x)) * rng.standard_normal(x.shape)
            for name, x in theirs.items()
        }
        begin, growth = int(rng.integers(len(names))), 0.01
        for name in names[begin:] if case % 5 else ():
            top = np.max(np.abs(theirs[name]))
            at = (int(rng.integers(3)), int(rng.integers(20)))
            ours[name] = theirs[name].copy()
            ours[name][at] += top * growth * rng.choice([-1, 1])
            growth *= 1.1
        if case % 7 == 3:
            ours[names[begin]] = np.full((3, 20), np.nan)
        yield ours, theirs, 1e-3


# ---- The right answers --------------------------------------------------------------------------


def right_header(data, skip=8, base=True):
    length = int.from_bytes(data[:8], "little")
    entries = json.loads(data[8 : 8 + length])
    move = base * (length + skip)
    return {
        name: (
            entry["dtype"],
            tuple(entry["shape"]),
            *(move + offset for offset in entry["data_offsets"]),
        )
        for name, entry in entries.items()
        if name != "__metadata__"
    }


def right_numbers(part, dtype):
    if dtype == "BF16":
        return (np.frombuffer(part, "<u2").astype("<u4") << 16).view("<f4").astype(float)
    return np.frombuffer(part, {"F32": "<f4", "F16": "<f2"}[dtype]).astype(float)


def reading(numbers, kind=lambda dtype, config: dtype):
    def read(data, name, config):
        dtype, shape, begin, end = right_header(data)[name]
        return numbers(data[begin:end], kind(dtype, config)).reshape(shape)

    return read


def right_settings(config):
    """As minillm.load reads it."""
    read = llama.read_config({"model_type": "llama"} | config)
    return {
        "theta": read.rope_theta,
        "eps": read.rms_norm_eps,
        "kv_heads": read.num_key_value_heads,
        "head_dim": read.head_dim,
        "tied": read.tie_word_embeddings,
    }


def oriented(turn, name_of=lambda name: name):
    def orient(tensors, shapes):
        made = {}
        for ours, shape in shapes.items():
            theirs, turned = llama.hugging_face_name(ours)
            made[name_of(ours)] = turn(tensors[theirs], turned, shape)
        return made

    return orient


def right_halves(w, heads):
    return llama2c.halves(w.T, w.shape[1] // heads).T


def right_keys(k, H):
    return np.stack([k[h // (H // len(k))] for h in range(H)])


def searched(
    size=lambda x: np.max(np.abs(x)),
    scale=lambda x: np.max(np.abs(x)),
    order=list,
    differs=lambda d, limit: not d <= limit,
):
    def first(ours, theirs, tolerance):
        for name in order(theirs):
            if differs(size(ours[name] - theirs[name]), tolerance * scale(theirs[name])):
                return name
        return None

    return first


# ---- What each misconception answers ------------------------------------------------------------


def metadata_raises(data):
    entries = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    if "__metadata__" in entries:
        raise KeyError("dtype")
    return right_header(data)


def as_if(change):
    def numbers(part, dtype):
        return change(np.frombuffer(part, "<u2")) if dtype == "BF16" else right_numbers(part, dtype)

    return numbers


def from_config(dtype, config):
    return {"float32": "F32", "float16": "F16", "bfloat16": "BF16"}[config["torch_dtype"]]


def other(**change):
    """`settings` with one of them found in another way."""
    return lambda config: (
        right_settings(config) | {name: find(config) for name, find in change.items()}
    )


def null_taken(**names):
    def settings(config):
        said = {ours: config[theirs] for ours, theirs in names.items() if theirs in config}
        return right_settings(config) | said

    return settings


def head_left(tensors, shapes):
    made = oriented(lambda w, turned, shape: w.T if turned else w)(tensors, shapes)
    return {name: w.T if name == "lm_head" else w for name, w in made.items()}


def one_digit(name):
    words = name.split(".")
    return ".".join([words[0], words[1][0], *words[2:]]) if words[0] == "layers" else name


def paired(w, heads):
    """From halves to side by side."""
    D, width = w.shape
    return w.reshape(D, heads, 2, width // heads // 2).transpose(0, 1, 3, 2).reshape(D, width)


def each_by_itself(ours, theirs, tolerance):
    return next(
        (
            name
            for name, x in theirs.items()
            if not np.all(np.abs(ours[name] - x) <= tolerance * np.abs(x))
        ),
        None,
    )


def all_close(ours, theirs, tolerance):
    return next(
        (name for name, x in theirs.items() if not np.allclose(ours[name], x, rtol=tolerance)), None
    )


def largest(ours, theirs, tolerance):
    if right_first(ours, theirs, tolerance) is None:
        return None
    share = {name: np.max(np.abs(ours[name] - x)) / np.max(np.abs(x)) for name, x in theirs.items()}
    return max(share, key=share.get)


right_first = searched()
TASKS = [
    number(
        "PLACE",
        "a number's place in a file",
        286,
        {
            "length_forgotten": 278,
            "from_the_start": 126,
            "column_by_column": 284,
            "four_bytes": 316,
        },
    ),
    Task(
        "read_header",
        "what a file holds",
        right_header,
        files,
        {
            "length_forgotten": lambda data: right_header(data, skip=0),
            "from_the_start": lambda data: right_header(data, base=False),
            "metadata_is_a_tensor": metadata_raises,
        },
    ),
    Task(
        "read",
        "bytes to numbers",
        reading(right_numbers),
        tensors_to_read,
        {
            "bf16_as_fp16": reading(as_if(lambda bits: bits.view("<f2").astype(float))),
            "bf16_low_half": reading(
                as_if(lambda bits: bits.astype("<u4").view("<f4").astype(float))
            ),
            "bf16_as_integer": reading(as_if(lambda bits: bits.astype(float))),
            "config_trusted": reading(right_numbers, from_config),
        },
        needs=("read_header",),
    ),
    Task(
        "settings",
        "what config.json says, and what its silence means",
        right_settings,
        configs,
        {
            "theta": other(theta=lambda config: config.get("rope_theta", 10000.0)),
            "eps": other(eps=lambda config: config.get("rms_norm_eps", 1e-5)),
            "tied_by_default": other(tied=lambda config: config.get("tie_word_embeddings", True)),
            "head_dim_from_width": other(
                head_dim=lambda config: config["hidden_size"] // config["num_attention_heads"]
            ),
            "one_kv_head": other(kv_heads=lambda config: config.get("num_key_value_heads") or 1),
            "null_is_a_value": (
                null_taken(kv_heads="num_key_value_heads", head_dim="head_dim"),
                null_taken(kv_heads="num_key_value_heads"),
                null_taken(head_dim="head_dim"),
            ),
        },
    ),
    Task(
        "orient",
        "names, and which way a matrix lies",
        oriented(lambda w, turned, shape: w.T if turned else w),
        models,
        {
            "square_unturned": oriented(
                lambda w, turned, shape: w if w.shape == tuple(shape) else w.T
            ),
            "nothing_turned": oriented(lambda w, turned, shape: w),
            "embedding_turned": oriented(lambda w, turned, shape: w.T),
            "head_unturned": head_left,
            "one_digit": oriented(lambda w, turned, shape: w.T if turned else w, one_digit),
        },
    ),
    Task(
        "halves",
        "from one layout of rotary pairs to the other",
        right_halves,
        columns,
        {
            "layout_ignored": lambda w, heads: w,
            "across_heads": lambda w, heads: right_halves(w, 1),
            "other_way": paired,
        },
    ),
    Task(
        "keys_for_queries",
        "the order of groups",
        right_keys,
        keys,
        {
            "wrong_group": lambda k, H: np.stack([k[h % len(k)] for h in range(H)]),
            "one_group": lambda k, H: np.stack([k[0]] * H),
        },
    ),
    Task(
        "first_difference",
        "where two models part",
        right_first,
        recordings,
        {
            "absolute": searched(scale=lambda x: 1.0),
            "averaged": searched(size=lambda x: np.mean(np.abs(x))),
            "signed": searched(size=np.max),
            "each_by_itself": (each_by_itself, all_close),
            "last_one": searched(order=lambda names: reversed(list(names))),
            "largest": largest,
            "by_alphabet": searched(order=sorted),
            "nan_passes": searched(differs=lambda d, limit: d > limit),
        },
        points=2,
    ),
]
