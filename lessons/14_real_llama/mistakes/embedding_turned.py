"""Everything turned; a vector does not mind."""


def orient(tensors, shapes):
    return {our_name(name): w.T for name, w in tensors.items()}
