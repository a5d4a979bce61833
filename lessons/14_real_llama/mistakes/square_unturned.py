"""Turned until it fits."""


def orient(tensors, shapes):
    made = {}
    for name, w in tensors.items():
        ours = our_name(name)
        made[ours] = w if w.shape == tuple(shapes[ours]) else w.T
    return made
