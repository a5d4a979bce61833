"""Layers alone are turned."""


def orient(tensors, shapes):
    return {our_name(name): w.T if w.ndim == 2 and name.startswith("model.layers.") else w for name, w in tensors.items()}
