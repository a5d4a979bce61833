"""The whole row turned as if it were one head."""


def rotate_heads(x, H, positions, theta):
    return rotate(x, positions, theta)
