"""All low ones, then all high ones."""


def unpack(packed):
    nibbles = np.concatenate([packed & 15, packed >> 4], axis=1).astype(np.int8)
    return np.where(nibbles > 7, nibbles - 16, nibbles).astype(np.int8)
