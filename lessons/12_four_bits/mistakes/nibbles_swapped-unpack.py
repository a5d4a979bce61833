"""The left one first."""


def unpack(packed):
    nibbles = np.stack([packed >> 4, packed & 15], axis=-1).reshape(len(packed), -1).astype(np.int8)
    return ((nibbles + 8) % 16 - 8).astype(np.int8)
