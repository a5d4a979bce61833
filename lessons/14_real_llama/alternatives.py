"""Right answers written another way: each section replaces parts of solution.py.

All tasks must pass. A section named after a remark must get this remark.
"""


# ---- struct_and_loops ----
# The header by struct; bfloat16 by arithmetic on its bits; columns and heads by loops.
import struct

PLACE = 286.0


def read_header(data):
    (length,) = struct.unpack("<Q", data[:8])
    made = {}
    for name, entry in json.loads(bytes(data[8:8 + length]).decode("utf-8")).items():
        if name == "__metadata__":
            continue
        begin, end = entry["data_offsets"]
        made[name] = (entry["dtype"], tuple(entry["shape"]), begin + length + 8, end + length + 8)
    return made


def read(data, name, config):
    dtype, shape, begin, end = read_header(data)[name]
    part = data[begin:end]
    if dtype == "F32":
        values = struct.unpack(f"<{len(part) // 4}f", part)
    elif dtype == "F16":
        values = struct.unpack(f"<{len(part) // 2}e", part)
    else:
        values = [struct.unpack("<f", b"\0\0" + part[i:i + 2])[0] for i in range(0, len(part), 2)]
    return np.array(values, float).reshape(shape)


def orient(tensors, shapes):
    made = {}
    for ours in shapes:
        *layer, last = ours.split(".")
        for theirs, w in tensors.items():
            words = theirs.split(".")
            if last in words and (not layer or layer[1] in words):
                made[ours] = np.array(w) if w.ndim == 1 or last == "embed_tokens" else np.transpose(w)
                break
    return made


def halves(w, heads):
    E = w.shape[1] // heads
    order = [h * E + i for h in range(heads) for i in (*range(0, E, 2), *range(1, E, 2))]
    return w[:, order]


def keys_for_queries(k, H):
    return np.array([k[h * len(k) // H] for h in range(H)])


# ---- without_nulls ----
# Defaults by a dict without nulls; differences by norms of the largest; groups by an axis of
# their own.


def settings(config):
    known = {name: value for name, value in config.items() if value is not None}
    H = known["num_attention_heads"]
    rope = known.get("rope_parameters", {})
    return {"tied": known.get("tie_word_embeddings", False), "theta": rope["rope_theta"] if "rope_theta" in rope else known.get("rope_theta", 1e4),
            "head_dim": known.get("head_dim", known["hidden_size"] / H), "kv_heads": known.get("num_key_value_heads", H),
            "eps": known.get("rms_norm_eps", 0.000001)}


def halves(w, heads):
    each = np.split(w, heads, axis=1)
    return np.concatenate([np.concatenate([head[:, ::2], head[:, 1::2]], axis=1) for head in each], axis=1)


def keys_for_queries(k, H):
    K, T, E = k.shape
    return np.broadcast_to(k[:, None], (K, H // K, T, E)).reshape(H, T, E)


def first_difference(ours, theirs, tolerance):
    found = [name for name, right in theirs.items()
             if np.isnan(ours[name]).any() or np.linalg.norm((ours[name] - right).ravel(), np.inf) > tolerance * np.linalg.norm(right.ravel(), np.inf)]
    return found[0] if found else None
