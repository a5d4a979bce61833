"""The first half of the row low, the second high."""


def pack(integers):
    low, high = np.split((integers & 15).astype(np.uint8), 2, axis=1)
    return low | high << 4
