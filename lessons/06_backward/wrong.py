"""Lesson 06: the backward of minillm's model with one mistake in it. `patched(name)` puts it in place for a while."""

from contextlib import ExitStack, contextmanager
from unittest import mock

import numpy as np

from minillm.in_numpy import model, ops

RIGHT = "as it should be"


def rope_forwards(dy, x, cos, sin):
    return ops.rope(dy, cos, sin)                                                     # should be -sin


def rmsnorm_of(sign):
    def rmsnorm_backward(dy, x, weight, eps):
        scale = 1 / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + eps)
        n, dn = x * scale, dy * weight
        dx = scale * (dn - sign * n * np.mean(dn * n, axis=-1, keepdims=True))        # sign should be 1
        return dx, np.sum((dy * n).reshape(-1, x.shape[-1]), axis=0)
    return rmsnorm_backward


def softmax_plus(dp, p):
    return p * (dp + np.sum(dp * p, axis=-1, keepdims=True))                          # should be -


def softmax_diagonal(dp, p):
    return p * (1 - p) * dp                                                           # the other shares are forgotten


def swiglu_plus(dy, gate, up):
    s = ops.sigmoid(gate)
    return dy * up * (s + gate * s * (1 + s)), dy * gate * s                          # should be 1 - s


def embedding_last(dx_BTD, tokens_BT, table_VD):
    dtable_VD = np.zeros_like(table_VD)
    dtable_VD[tokens_BT] = dx_BTD                                                     # should be added to
    return dtable_VD


def last_query(dz_BKGTE, q_BKGTE, k_BKSE, v_BKSE, start, slopes_KG=None):
    dq_BKGTE, _, _ = right_attend(dz_BKGTE, q_BKGTE, k_BKSE, v_BKSE, start)
    _, dk_BKSE, dv_BKSE = right_attend(dz_BKGTE[:, :, -1:], q_BKGTE[:, :, -1:], k_BKSE, v_BKSE, start)
    return dq_BKGTE, dk_BKSE, dv_BKSE                                                 # should be sums over all queries of the group


def no_residual(dy_BTD, layer, activations, prefix, cos_sin, config):
    """block_backward without the path around attention."""
    dx_BTD, grads = right_block(dy_BTD, layer, activations, prefix, cos_sin, config)
    dmlp_in_BTD, _ = model.mlp_backward(dy_BTD, layer, activations, prefix)
    dmid_BTD, _ = model.rmsnorm_backward(dmlp_in_BTD, activations[prefix + "resid_mid"], layer["post_attention_layernorm"], config.rms_norm_eps)
    return dx_BTD - (dy_BTD + dmid_BTD), grads                                        # what the sum added is taken away again


def not_shared(dloss, logits_BTV, targets_BT):
    return right_entropy(dloss, logits_BTV, targets_BT) * np.sum(targets_BT != ops.IGNORE)     # the mean's 1/N is missing


right_attend, right_block, right_entropy = ops.attend_backward, model.block_backward, model.cross_entropy_backward
WRONG = {                                                            # (where, the function's name, what stands there instead)
    RIGHT: [],
    "RoPE turned forwards": [(model, "rope_backward", rope_forwards)],
    "RMSNorm with + for -": [(model, "rmsnorm_backward", rmsnorm_of(-1))],
    "RMSNorm without its second term": [(model, "rmsnorm_backward", rmsnorm_of(0))],
    "softmax with + for -": [(ops, "_through_softmax", softmax_plus)],
    "softmax as a diagonal": [(ops, "_through_softmax", softmax_diagonal)],
    "SwiGLU with + for -": [(model, "swiglu_backward", swiglu_plus)],
    "embedding: = for +=": [(model, "embedding_backward", embedding_last)],
    "shared keys: one query of two": [(model, "attend_backward", last_query)],
    "the path around attention lost": [(model, "block_backward", no_residual)],
    "1/N missing": [(model, "cross_entropy_backward", not_shared)],
}


@contextmanager
def patched(name):
    """minillm's NumPy model with the mistake of this name, until the block ends."""
    with ExitStack() as stack:
        for where, function, instead in WRONG[name]:
            stack.enter_context(mock.patch.object(where, function, instead))
        yield
