"""name[13] is the digit after "model.layers."."""


def orient(tensors, shapes):
    made = {}
    for name, w in tensors.items():
        ours = our_name(name)
        if name.startswith("model.layers."):
            ours = f"layers.{name[13]}.{ours.split('.')[-1]}"
        made[ours] = w if w.ndim == 1 or ours == "embed_tokens" else w.T
    return made
