"""Defaults by a dict without nulls; differences by norms of the largest; groups by an axis of their own."""


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
