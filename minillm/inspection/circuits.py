"""What a head would do with any token: its OV and QK circuits, read off the weights.

OV   if the head looked at this token alone, which tokens would it make more probable?
     token -> embedding -> norm -> W_V -> W_O -> final norm's weight -> head
QK   how strongly would this query token attend to that key token, so many positions back?
     the score before the softmax, as the model computes it: biases, QK-norm, rotation, ALiBi

Elhage et al. 2021, "A Mathematical Framework for Transformer Circuits". Both are views: in a text
the head reads the residual stream of its layer, not an embedding. With `through` the token first
goes through that many blocks, alone: in many models the first block is a second embedding.
"""

from collections.abc import Sequence
from dataclasses import dataclass, is_dataclass, replace

import numpy as np

from minillm.architecture.family import family
from minillm.architecture.tree import tree_map
from minillm.errors import UserError
from minillm.inspection.attribution import head_outputs
from minillm.inspection.dispatch import head_matrix, in_numpy, matrix
from minillm.inspection.heads import ordinary_tokens
from minillm.inspection.lens import largest
from minillm.inspection.record import before_layers, through_block
from minillm.inspection.shown import Result, labelled
from minillm.loading import Model

AT_ONCE = 2048  # positions of a block that run together


@dataclass(frozen=True)
class OV(Result):
    """What a head writes for each of N tokens, as logits: the M raised most, and their logits.

    The final norm's scale depends on the text, so logits are up to a positive factor for each
    token: their order and sign count. `rank_N` is the place of the token itself among the whole
    vocabulary (1: it raises itself most, as a head that copies does).
    """

    layer: int
    head: int
    token_N: np.ndarray
    best_NM: np.ndarray
    logit_NM: np.ndarray
    worst_NM: np.ndarray
    rank_N: np.ndarray


@dataclass(frozen=True)
class QK(Result):
    """Attention scores, before the softmax, of N query tokens on M key tokens `distance` before
    them."""

    layer: int
    head: int
    query_N: np.ndarray
    key_M: np.ndarray
    distance: int
    score_NM: np.ndarray


def ov(model: Model, layer: int, head: int, tokens: Sequence[int], count: int = 6,
       through: int = 0) -> OV:
    """The OV circuit of one head on some tokens. Biases, which add the same for every token, are
    left out. Raises UserError."""
    check_head(model, layer, head)
    model = held_by_numpy(model)
    tokens = as_ids(model, tokens)
    written_ND = written(model, alone(model, tokens, layer, through), layer)[head]
    logits_NV = unembedded(model, written_ND) @ head_matrix(model)
    best_NM, worst_NM = (largest(sign * logits_NV, min(count, logits_NV.shape[1]))
                         for sign in (1, -1))
    own_N1 = np.take_along_axis(logits_NV, tokens[:, None], -1)
    found = OV(layer, head, tokens, best_NM, np.take_along_axis(logits_NV, best_NM, -1), worst_NM,
               1 + np.sum(logits_NV > own_N1, -1))
    return labelled(found, model.tokenizer)


def copying_scores(model: Model, tokens: Sequence[int] | None = None, through: int = 0,
                   seed: int = 0) -> np.ndarray:
    """How much each head raises the token that it looks at over others: (L, H), 0.5 is chance.

    For each of the tokens, the share of the other tokens whose logit the head's OV circuit raises
    less than the token's own, averaged: 1 copies, 0 suppresses what it sees. By default 100 random
    ordinary tokens. No eigenvalues are needed, and the scale of the norms does not matter.
    """
    if tokens is None:
        ordinary = ordinary_tokens(model)
        tokens = np.random.default_rng(seed).choice(ordinary, min(100, len(ordinary)),
                                                    replace=False)
    tokens = np.unique(as_ids(model, tokens))
    if len(tokens) < 2:
        raise UserError("a copying score compares tokens with each other: give at least two")
    model = held_by_numpy(model)
    read_DN = head_matrix(model)[:, tokens]
    found = []
    for i in range(model.config.num_hidden_layers):
        written_HND = written(model, alone(model, tokens, i, through), i)
        logits_HNN = unembedded(model, written_HND) @ read_DN
        own_HN1 = np.diagonal(logits_HNN, axis1=-2, axis2=-1)[..., None]
        less_HN = np.sum(own_HN1 > logits_HNN, -1) + 0.5 * (np.sum(own_HN1 == logits_HNN, -1) - 1)
        found.append(less_HN.mean(-1) / (len(tokens) - 1))
    return np.array(found)


def qk(model: Model, layer: int, head: int, queries: Sequence[int],
       keys: Sequence[int] | None = None, distance: int = 1, through: int = 0) -> QK:
    """The QK circuit of one head: every query token on every key token (by default the same
    tokens), `distance` positions before it. Raises UserError."""
    check_head(model, layer, head)
    model = held_by_numpy(model)
    context = model.config.max_position_embeddings
    if not 0 < distance < context:
        raise UserError(f"distance is {distance}: it must be at least 1 and below the context "
                        f"({context})")
    queries = as_ids(model, queries)
    keys = queries if keys is None else as_ids(model, keys)
    query_ND, key_MD = (alone(model, ids, layer, through) for ids in (queries, keys))
    N, M, T = len(queries), len(keys), distance + 1
    score_P, size = np.empty(N * M, key_MD.dtype), max(1, AT_ONCE // T)
    for begin in range(0, N * M, size):
        n, m = np.divmod(np.arange(begin, min(N * M, begin + size)), M)
        x_PTD = np.repeat(query_ND[n, None], T, 1)
        x_PTD[:, 0] = key_MD[m]              # key, what has no say, query
        _, seen = through_block("numpy", model.params["layers"][layer], x_PTD, model.config,
                                names=("scores",))
        scores_PHTS = seen["scores"].reshape(len(n), -1, T, T)
        score_P[begin : begin + size] = scores_PHTS[:, head, -1, 0]
    found = QK(layer, head, queries, keys, distance, score_P.reshape(N, M))
    return labelled(found, model.tokenizer)


def held_by_numpy(model: Model) -> Model:
    """The model for the NumPy twin: with JAX's arrays JAX would compute, and compile each shape."""
    return replace(model, params=tree_map(
        lambda w: in_numpy(w) if is_dataclass(w) else matrix(w), model.params))


def check_head(model: Model, layer: int, head: int):
    """Refuse a head that is not there. Raises UserError."""
    L, H = model.config.num_hidden_layers, model.config.num_attention_heads
    if not (0 <= layer < L and 0 <= head < H):
        raise UserError(f"there is no head {layer}.{head}: there are {L} layers of {H} heads")


def as_ids(model: Model, tokens) -> np.ndarray:
    """Token ids (N,) of ids, or of a text without what stands before every prompt. Raises
    UserError."""
    if isinstance(tokens, str):
        tokens = model.prompt_ids(tokens, begin=False)
    tokens = np.asarray(tokens)
    model.check_tokens(tokens.reshape(-1, 1) if tokens.ndim == 1 else tokens)
    return tokens.astype(np.int32)


def alone(model: Model, tokens_N, layer: int, through: int) -> np.ndarray:
    """Each token's residual stream, (N, D): its embedding, after `through` blocks on it alone."""
    if not 0 <= through <= layer:
        raise UserError(f"through is {through}: a token can go through 0 to {layer} blocks before "
                        f"layer {layer}")
    x_N1D, _ = before_layers("numpy", model.params, tokens_N[:, None], model.config)
    for i in range(through):
        x_N1D, _ = through_block("numpy", model.params["layers"][i], x_N1D, model.config)
    return np.asarray(x_N1D)[:, 0]


def written(model: Model, x_ND, layer: int) -> np.ndarray:
    """What each head writes when it looks at one of N tokens alone, without biases: (H, N, D)."""
    params, config = model.params["layers"][layer], model.config
    _, seen = through_block("numpy", params, x_ND[:, None], config, names=("z",))
    z_BKGTE = seen["z"].transpose(3, 1, 2, 0, 4)  # one text of N tokens that see only themselves
    if "v_bias" in params:
        z_BKGTE = z_BKGTE - matrix(params["v_bias"]).reshape(1, -1, 1, 1, config.head_dim)
    return head_outputs(model, {f"layers.{layer}.z": z_BKGTE}, layer)


def unembedded(model: Model, written_XD) -> np.ndarray:
    """What the head reads of a vector in the stream, up to the final norm's scale."""
    if family(model.config).norm_subtracts_mean:
        written_XD = written_XD - written_XD.mean(-1, keepdims=True)
    return written_XD * matrix(model.params["norm"])
