"""Nobody cuts off the high bits of the even ones."""


def pack(integers):
    return (integers[:, ::2] | (integers[:, 1::2] << 4)).astype(np.uint8)
