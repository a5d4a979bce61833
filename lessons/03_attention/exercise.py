"""Exercise of lesson 03: attention, from one number on paper to grouped heads.

Letters: T tokens (queries), S tokens that are looked at (keys), E the size of a head, H query
heads, K key/value heads. All arrays are NumPy's, in float64.
Check yourself:  minillm lesson check 3
"""

import numpy as np

# Work this out on paper. A text of three tokens, one head of size E = 4, values of one number each:
#
#     token   query           key               value
#     first   (1, 0, 3, 1)    (0, 0, 5, 1)        8
#     second  (2, 2, 0, 0)    (ln 3, 0, 1, 0)     4
#     third   (0, 1, 0, 2)    (0, ln 4, 0, 3)    -8
#
# What does causal attention give the SECOND token? (The answer is a whole number.)
SECOND = None


def scores(q, k):
    """q k^T / sqrt(E). q (T, E), k (S, E) -> (T, S): row t holds the scores of query t, one for
    each key."""
    raise NotImplementedError


def masked(x):
    """The scores x, with -inf (np.inf with a minus) wherever a key comes after its query. x (T, T)
    -> (T, T).

    A token may look at itself. (A large negative number such as -1e9 passes too, with a remark.)
    """
    raise NotImplementedError


def softmax(x):
    """exp(x) / sum(exp(x)) within each row. x (T, S) -> (T, S), each row adding up to 1.

    Scores may be as large as 1000 or as small as -1000, and -inf; every row has at least one
    finite score.
    """
    raise NotImplementedError


def attention(q, k, v):
    """Causal attention of one head. q (T, E), k (T, E), v (T, M) -> (T, M): row t is a weighted
    mean of v[0] ... v[t]."""
    raise NotImplementedError


def split_heads(x, heads):
    """(T, heads * E) -> (heads, T, E). The first E columns of x belong to head 0, the next E to
    head 1, and so on."""
    raise NotImplementedError


def grouped_attention(q, k, v, H, K):
    """Causal attention of H query heads that share K key/value heads. q (T, H * E), k and v
    (T, K * E) -> (T, H * E).

    G = H // K neighbouring query heads form a group: heads 0 ... G-1 use key/value head 0, the
    next G use head 1, and so on. In the result the columns of head 0 come first, then those of
    head 1, and so on. A loop over the heads is fine.
    """
    raise NotImplementedError
