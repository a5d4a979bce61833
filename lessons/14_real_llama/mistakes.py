"""Wrong answers, as small as they can be: each section replaces parts of solution.py.

A section is named after the hint it must get; NAME-other is another way to the same hint.
"""


# ---- absolute ----
# No scale.


def first_difference(ours, theirs, tolerance):
    for name in theirs:
        if not np.max(np.abs(ours[name] - theirs[name])) <= tolerance:
            return name
    return None


# ---- across_heads ----
# All even columns, then all odd ones.


def halves(w, heads):
    return np.concatenate([w[:, 0::2], w[:, 1::2]], axis=1)


# ---- averaged ----
# np.mean.


def first_difference(ours, theirs, tolerance):
    for name, right in theirs.items():
        if not np.mean(np.abs(ours[name] - right)) <= tolerance * np.max(np.abs(right)):
            return name
    return None


# ---- bf16_as_fp16 ----
# 16 bits are 16 bits.


def decoded(part, dtype):
    return np.frombuffer(part, "<f4" if dtype == "F32" else "<f2")


# ---- bf16_as_integer ----
# astype(float) of the bits.


def decoded(part, dtype):
    return np.frombuffer(part, {"F32": "<f4", "F16": "<f2", "BF16": "<u2"}[dtype]).astype(float)


# ---- bf16_low_half ----
# No shift.


def decoded(part, dtype):
    if dtype == "BF16":
        return np.frombuffer(part, "<u2").astype(np.uint32).view(np.float32)
    return np.frombuffer(part, {"F32": "<f4", "F16": "<f2"}[dtype])


# ---- by_alphabet ----
# sorted().


def first_difference(ours, theirs, tolerance):
    for name in sorted(theirs):
        if not np.max(np.abs(ours[name] - theirs[name])) <= tolerance * np.max(np.abs(theirs[name])):
            return name
    return None


# ---- column_by_column ----
# 3 * 4 + 2 = 14 numbers before it.
PLACE = 284


# ---- config_trusted ----
# torch_dtype decides.


def read(data, name, config):
    _, shape, begin, end = read_header(data)[name]
    dtype = {"float32": "F32", "float16": "F16", "bfloat16": "BF16"}[config["torch_dtype"]]
    return decoded(data[begin:end], dtype).astype(np.float64).reshape(shape)


# ---- each_by_itself-allclose ----
# np.allclose, which does it like that.


def first_difference(ours, theirs, tolerance):
    for name, right in theirs.items():
        if not np.allclose(ours[name], right, rtol=tolerance):
            return name
    return None


# ---- each_by_itself ----
# Every number has a limit of its own.


def first_difference(ours, theirs, tolerance):
    for name, right in theirs.items():
        if not np.all(np.abs(ours[name] - right) <= tolerance * np.abs(right)):
            return name
    return None


# ---- embedding_turned ----
# Everything turned; a vector does not mind.


def orient(tensors, shapes):
    return {our_name(name): w.T for name, w in tensors.items()}


# ---- eps ----
# 1e-5, as in most config files of LLaMAs.


def settings(config):
    heads = config["num_attention_heads"]
    rope = config.get("rope_parameters") or {}
    theta = rope.get("rope_theta", config.get("rope_theta", 10000.0))
    eps, tied = config.get("rms_norm_eps", 1e-6), config.get("tie_word_embeddings", False)
    kv_heads, head_dim = config.get("num_key_value_heads") or heads, config.get("head_dim") or config["hidden_size"] // heads
    eps = config.get("rms_norm_eps", 1e-5)
    return {"theta": theta, "eps": eps, "kv_heads": kv_heads, "head_dim": head_dim, "tied": tied}


# ---- four_bytes ----
# 15 numbers of 4 bytes before it.
PLACE = 316


# ---- from_the_start-paper ----
# 96 + 30.
PLACE = 126


# ---- from_the_start ----
# data_offsets as they stand there.


def read_header(data):
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8:8 + length])
    return {name: (entry["dtype"], tuple(entry["shape"]), *entry["data_offsets"]) for name, entry in header.items() if name != "__metadata__"}


# ---- head_dim_from_width ----
# D / H, always.


def settings(config):
    heads = config["num_attention_heads"]
    rope = config.get("rope_parameters") or {}
    theta = rope.get("rope_theta", config.get("rope_theta", 10000.0))
    eps, tied = config.get("rms_norm_eps", 1e-6), config.get("tie_word_embeddings", False)
    kv_heads, head_dim = config.get("num_key_value_heads") or heads, config.get("head_dim") or config["hidden_size"] // heads
    head_dim = config["hidden_size"] // heads
    return {"theta": theta, "eps": eps, "kv_heads": kv_heads, "head_dim": head_dim, "tied": tied}


# ---- head_unturned ----
# Layers alone are turned.


def orient(tensors, shapes):
    return {our_name(name): w.T if w.ndim == 2 and name.startswith("model.layers.") else w for name, w in tensors.items()}


# ---- largest ----
# argmax over all activations.


def first_difference(ours, theirs, tolerance):
    shares = [np.max(np.abs(ours[name] - right)) / np.max(np.abs(right)) for name, right in theirs.items()]
    if all(share <= tolerance for share in shares):
        return None
    nans = [name for name, share in zip(theirs, shares) if np.isnan(share)]
    return max(zip(shares, theirs), key=lambda pair: pair[0])[1] if not nans else max(dict(zip(theirs, shares)), key=dict(zip(theirs, shares)).get)


# ---- layout_ignored ----
# Nothing is moved.


def halves(w, heads):
    return w


# ---- length_forgotten-paper ----
# 152 + 96 + 30.
PLACE = 278


# ---- length_forgotten ----
# Offsets from the end of the header, the header from byte 0.


def read_header(data):
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8:8 + length])
    return {name: (entry["dtype"], tuple(entry["shape"]), length + entry["data_offsets"][0], length + entry["data_offsets"][1])
            for name, entry in header.items() if name != "__metadata__"}


# ---- metadata_is_a_tensor ----
# Every key is a tensor.


def read_header(data):
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8:8 + length])
    return {name: (entry["dtype"], tuple(entry["shape"]), *(8 + length + at for at in entry["data_offsets"])) for name, entry in header.items()}


# ---- nan_passes ----
# difference > tolerance.


def first_difference(ours, theirs, tolerance):
    for name, right in theirs.items():
        if np.max(np.abs(ours[name] - right)) > tolerance * np.max(np.abs(right)):
            return name
    return None


# ---- nothing_turned ----
# Names alone.


def orient(tensors, shapes):
    return {our_name(name): w for name, w in tensors.items()}


# ---- null_is_a_value ----
# dict.get with a default gives None where the file says null.


def settings(config):
    heads = config["num_attention_heads"]
    rope = config.get("rope_parameters") or {}
    theta = rope.get("rope_theta", config.get("rope_theta", 10000.0))
    eps, tied = config.get("rms_norm_eps", 1e-6), config.get("tie_word_embeddings", False)
    kv_heads, head_dim = config.get("num_key_value_heads") or heads, config.get("head_dim") or config["hidden_size"] // heads
    kv_heads, head_dim = config.get("num_key_value_heads", heads), config.get("head_dim", config["hidden_size"] // heads)
    return {"theta": theta, "eps": eps, "kv_heads": kv_heads, "head_dim": head_dim, "tied": tied}


# ---- one_digit ----
# name[13] is the digit after "model.layers.".


def orient(tensors, shapes):
    made = {}
    for name, w in tensors.items():
        ours = our_name(name)
        if name.startswith("model.layers."):
            ours = f"layers.{name[13]}.{ours.split('.')[-1]}"
        made[ours] = w if w.ndim == 1 or ours == "embed_tokens" else w.T
    return made


# ---- one_group ----
# The first for all.


def keys_for_queries(k, H):
    return np.broadcast_to(k[:1], (H, *k.shape[1:]))


# ---- one_kv_head ----
# One for all where nothing is said.


def settings(config):
    heads = config["num_attention_heads"]
    rope = config.get("rope_parameters") or {}
    theta = rope.get("rope_theta", config.get("rope_theta", 10000.0))
    eps, tied = config.get("rms_norm_eps", 1e-6), config.get("tie_word_embeddings", False)
    kv_heads, head_dim = config.get("num_key_value_heads") or heads, config.get("head_dim") or config["hidden_size"] // heads
    kv_heads = config.get("num_key_value_heads") or 1
    return {"theta": theta, "eps": eps, "kv_heads": kv_heads, "head_dim": head_dim, "tied": tied}


# ---- other_way ----
# The inverse.


def halves(w, heads):
    D, width = w.shape
    return w.reshape(D, heads, 2, width // heads // 2).transpose(0, 1, 3, 2).reshape(D, width)


# ---- signed ----
# No abs around the difference.


def first_difference(ours, theirs, tolerance):
    for name, right in theirs.items():
        if not np.max(ours[name] - right) <= tolerance * np.max(np.abs(right)):
            return name
    return None


# ---- square_unturned ----
# Turned until it fits.


def orient(tensors, shapes):
    made = {}
    for name, w in tensors.items():
        ours = our_name(name)
        made[ours] = w if w.shape == tuple(shapes[ours]) else w.T
    return made


# ---- theta ----
# rope_parameters is not looked at.


def settings(config):
    heads = config["num_attention_heads"]
    rope = config.get("rope_parameters") or {}
    theta = rope.get("rope_theta", config.get("rope_theta", 10000.0))
    eps, tied = config.get("rms_norm_eps", 1e-6), config.get("tie_word_embeddings", False)
    kv_heads, head_dim = config.get("num_key_value_heads") or heads, config.get("head_dim") or config["hidden_size"] // heads
    theta = config.get("rope_theta", 10000.0)
    return {"theta": theta, "eps": eps, "kv_heads": kv_heads, "head_dim": head_dim, "tied": tied}


# ---- tied_by_default ----
# As in this package.


def settings(config):
    heads = config["num_attention_heads"]
    rope = config.get("rope_parameters") or {}
    theta = rope.get("rope_theta", config.get("rope_theta", 10000.0))
    eps, tied = config.get("rms_norm_eps", 1e-6), config.get("tie_word_embeddings", False)
    kv_heads, head_dim = config.get("num_key_value_heads") or heads, config.get("head_dim") or config["hidden_size"] // heads
    tied = config.get("tie_word_embeddings", True)
    return {"theta": theta, "eps": eps, "kv_heads": kv_heads, "head_dim": head_dim, "tied": tied}


# ---- wrong_group ----
# np.tile.


def keys_for_queries(k, H):
    return np.tile(k, (H // len(k), 1, 1))


# ---- last_one ----
# Searches on after the first.


def first_difference(ours, theirs, tolerance):
    found = None
    for name, right in theirs.items():
        if not np.max(np.abs(ours[name] - right)) <= tolerance * np.max(np.abs(right)):
            found = name
    return found
