"""One for all where nothing is said."""


def settings(config):
    heads = config["num_attention_heads"]
    rope = config.get("rope_parameters") or {}
    theta = rope.get("rope_theta", config.get("rope_theta", 10000.0))
    eps, tied = config.get("rms_norm_eps", 1e-6), config.get("tie_word_embeddings", False)
    kv_heads, head_dim = config.get("num_key_value_heads") or heads, config.get("head_dim") or config["hidden_size"] // heads
    kv_heads = config.get("num_key_value_heads") or 1
    return {"theta": theta, "eps": eps, "kv_heads": kv_heads, "head_dim": head_dim, "tied": tied}
