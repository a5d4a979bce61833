"""Exercise of lesson 04: telling positions, by rotation (RoPE) and by slopes (ALiBi).

Letters: T tokens, E the size of a head (even), H heads. All arrays are NumPy's, in float64. The
first token of a text is at position 0. Pairs are halves: column i turns together with column i
+ E/2.
Check yourself:  minillm lesson check 4
"""

import numpy as np

# Work this out on paper (a calculator may do the division). A model of width D = 8 has two heads
# of size E = 4, theta = 10000. After how many tokens has the SLOWEST pair of a head come round
# once, a full turn? (A number such as 12.34.)
FULL_TURN = None


def frequencies(E, theta):
    """theta^(-2i/E) for i = 0 ... E/2 - 1: by how many radians each pair turns from one token to
    the next. -> (E/2,)."""
    raise NotImplementedError


def rotate(x, positions, theta):
    """Each pair (x_i, x_{i + E/2}) turned by the angle position * frequency_i. x (T, E), positions
    (T,) -> (T, E).

    Turning (a, b) by an angle is (a cos - b sin, a sin + b cos): counter-clockwise.
    """
    raise NotImplementedError


def rotate_heads(x, H, positions, theta):
    """The same for the H heads whose columns are side by side in x (T, H * E) -> (T, H * E). The
    first E columns are head 0."""
    raise NotImplementedError


def attention(q, k, v, theta):
    """Causal attention of one head with rotary positions. q, k, v (T, E), not turned yet -> (T, E).

    softmax(q' k'^T / sqrt(E)) v as in lesson 03, q' and k' being q and k turned by their positions.
    """
    raise NotImplementedError


def go_on(q, k, v, old_k, old_v, theta):
    """The same for N tokens that continue a text. q, k, v (N, E) of the new tokens, not turned yet
    -> (N, E).

    old_k, old_v (S, E) are what was kept of the S tokens before them: the keys as they were when
    they were used, turned.
    """
    raise NotImplementedError


def slopes(H):
    """ALiBi's slope of every head, (H,). Where H is a power of two: 2^(-8h/H) for h = 1 ... H.

    Otherwise take those of the largest power of two below H, and then, for the heads that are
    left, every other one of the slopes for twice that power, beginning with the first.
    """
    raise NotImplementedError
