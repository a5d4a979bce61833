"""The first integer on the left, as one would write it."""


def pack(integers):
    nibbles = (integers & 15).astype(np.uint8)
    return (nibbles[:, ::2] << 4) | nibbles[:, 1::2]
