"""Lesson 14, the reference solution."""

import json

import numpy as np

PLACE = 286  # 8 + 152 + 96 + 2 * (2 * 6 + 3)


def read_header(data):
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    header.pop("__metadata__", None)
    return {
        name: (
            entry["dtype"],
            tuple(entry["shape"]),
            *(8 + length + offset for offset in entry["data_offsets"]),
        )
        for name, entry in header.items()
    }


def decoded(part, dtype):
    if dtype == "BF16":
        return (np.frombuffer(part, "<u2").astype(np.uint32) << 16).view(np.float32)
    return np.frombuffer(part, {"F32": "<f4", "F16": "<f2"}[dtype])


def read(data, name, config):
    dtype, shape, begin, end = read_header(data)[name]
    return decoded(data[begin:end], dtype).astype(np.float64).reshape(shape)


def settings(config):
    def said(name, default):
        value = config.get(name)
        return default if value is None else value

    heads = config["num_attention_heads"]
    theta = said("rope_parameters", {}).get("rope_theta", said("rope_theta", 10000.0))
    return {
        "theta": theta,
        "eps": said("rms_norm_eps", 1e-6),
        "kv_heads": said("num_key_value_heads", heads),
        "head_dim": said("head_dim", config["hidden_size"] // heads),
        "tied": said("tie_word_embeddings", False),
    }


def our_name(name):
    for part in ("model.", "self_attn.", "mlp.", ".weight"):
        name = name.replace(part, "")
    return name


def orient(tensors, shapes):
    return {
        our_name(name): w if w.ndim == 1 or "embed_tokens" in name else w.T
        for name, w in tensors.items()
    }


def halves(w, heads):
    D, width = w.shape
    pairs = w.reshape(D, heads, width // heads // 2, 2)
    return pairs.transpose(0, 1, 3, 2).reshape(D, width)


def keys_for_queries(k, H):
    return np.repeat(k, H // len(k), axis=0)


def first_difference(ours, theirs, tolerance):
    for name, right in theirs.items():
        difference = np.max(np.abs(ours[name] - right))
        if not difference <= tolerance * np.max(np.abs(right)):
            return name
    return None
