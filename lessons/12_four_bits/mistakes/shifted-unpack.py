"""Takes 8 off."""


def unpack(packed):
    return (np.stack([packed & 15, packed >> 4], axis=-1).reshape(len(packed), -1).astype(np.int8) - 8).astype(np.int8)
