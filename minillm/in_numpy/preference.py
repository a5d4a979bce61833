"""Losses that compare answers, in NumPy: DPO and GRPO, each with its backward right under it.

Twin: minillm/in_jax/preference.py. Axes: see ops.py; P counts pairs, rows 2p and 2p + 1 of a batch.
Everything but log p of the model that is trained is a constant.
"""

import numpy as np

from minillm.config import IGNORE, ModelConfig, TrainConfig, TuneConfig
from minillm.in_numpy.model import forward, forward_backward
from minillm.in_numpy.ops import log_softmax, sigmoid, softmax
from minillm.in_numpy.train import take_step


def token_log_p(logits_BTV, targets_BT):
    """log p of every target, 0 where it is IGNORE. -> (B, T)."""
    counted_BT = targets_BT != IGNORE
    at_BT1 = np.where(counted_BT, targets_BT, 0)[..., None]
    log_p_BT = np.take_along_axis(log_softmax(logits_BTV), at_BT1, axis=-1)[..., 0]
    return np.where(counted_BT, log_p_BT, 0)


def token_log_p_backward(dlog_p_BT, logits_BTV, targets_BT):
    """dlogits = dlog_p ([is the target] - p), and 0 where the target is IGNORE."""
    counted_BT = targets_BT != IGNORE
    at_BT1 = np.where(counted_BT, targets_BT, 0)[..., None]
    dlog_p_BT1 = np.where(counted_BT, dlog_p_BT, 0)[..., None]
    dlogits_BTV = -dlog_p_BT1 * softmax(logits_BTV)           # log p = x - log sum exp x
    at_target_BT1 = np.take_along_axis(dlogits_BTV, at_BT1, axis=-1) + dlog_p_BT1
    np.put_along_axis(dlogits_BTV, at_BT1, at_target_BT1, axis=-1)
    return dlogits_BTV


def dpo(log_p_BT, reference_BT, beta: float):
    """Mean of -log sigmoid(beta (gain of the better answer - gain of the worse one)).

    The gain of an answer is log p - log p of the reference, summed over its tokens; even rows are
    the better answers. Rafailov et al. 2023, arXiv:2305.18290, eq. 7.
    """
    gain_B = np.sum(log_p_BT - reference_BT, axis=1)
    margin_P = beta * (gain_B[0::2] - gain_B[1::2])
    return np.mean(np.logaddexp(0, -margin_P))


def dpo_backward(dloss, log_p_BT, reference_BT, beta: float):
    """dlog_p = -+ beta sigmoid(-margin) / pairs: the better goes up as much as the worse down."""
    gain_B = np.sum(log_p_BT - reference_BT, axis=1)
    margin_P = beta * (gain_B[0::2] - gain_B[1::2])
    dmargin_P = -dloss * sigmoid(-margin_P) / len(margin_P)   # mean of log(1 + exp(-margin))
    dgain_B = np.stack([beta * dmargin_P, -beta * dmargin_P], axis=1).reshape(-1)
    return np.broadcast_to(dgain_B[:, None], log_p_BT.shape)  # gain = sum over tokens


def grpo(log_p_BT, old_BT, reference_BT, advantage_B, targets_BT, tune: TuneConfig):
    """-mean over counted tokens of min(ratio A, clip(ratio) A) - beta KL.

    ratio = p / p of the model that wrote the answer; KL of a token is estimated without bias as
    exp(g) - g - 1 with g = log p of the reference - log p. Shao et al. 2024, arXiv:2402.03300,
    eqs. 3 and 4; the mean over all tokens instead of answer by answer: arXiv:2503.14476, eq. 8.
    """
    counted_BT, advantage_B1 = targets_BT != IGNORE, advantage_B[:, None]
    ratio_BT, g_BT = np.exp(log_p_BT - old_BT), reference_BT - log_p_BT
    clipped_BT = np.clip(ratio_BT, 1 - tune.clip, 1 + tune.clip)
    gain_BT = np.minimum(ratio_BT * advantage_B1, clipped_BT * advantage_B1)
    kl_BT = np.exp(g_BT) - g_BT - 1
    count = np.sum(counted_BT).astype(log_p_BT.dtype)
    return -np.sum(np.where(counted_BT, gain_BT - tune.beta * kl_BT, 0)) / count


def grpo_backward(dloss, log_p_BT, old_BT, reference_BT, advantage_B, targets_BT, tune: TuneConfig):
    """dlog_p = -(ratio A, or 0 where the clip holds, + beta (exp(g) - 1)) / counted tokens."""
    counted_BT, advantage_B1 = targets_BT != IGNORE, advantage_B[:, None]
    ratio_BT, g_BT = np.exp(log_p_BT - old_BT), reference_BT - log_p_BT
    clipped_BT = np.clip(ratio_BT, 1 - tune.clip, 1 + tune.clip)
    free_BT = ratio_BT * advantage_B1 <= clipped_BT * advantage_B1    # min(...) is the first
    dgain_BT = np.where(free_BT, ratio_BT * advantage_B1, 0)          # ratio = exp(log p - old)
    dkl_BT = 1 - np.exp(g_BT)                                         # kl = exp(g) - g - 1
    count = np.sum(counted_BT).astype(log_p_BT.dtype)
    return np.where(counted_BT, -dloss * (dgain_BT - tune.beta * dkl_BT) / count, 0)


def compare(log_p_BT, batch, tune: TuneConfig):
    """The loss of `tune.method`, its other arguments by name in `batch`."""
    if tune.method == "dpo":
        return dpo(log_p_BT, batch["reference_BT"], tune.beta)
    return grpo(log_p_BT, batch["old_BT"], batch["reference_BT"], batch["advantage_B"],
                batch["targets_BT"], tune)


def compare_backward(dloss, log_p_BT, batch, tune: TuneConfig):
    """dlog_p of the loss of `tune.method`."""
    if tune.method == "dpo":
        return dpo_backward(dloss, log_p_BT, batch["reference_BT"], tune.beta)
    return grpo_backward(dloss, log_p_BT, batch["old_BT"], batch["reference_BT"],
                         batch["advantage_B"], batch["targets_BT"], tune)


def compare_loss_and_grads(params, batch, config: ModelConfig, tune: TuneConfig):
    """The loss of `compare` and its gradient, a tree like `params`."""
    activations = {}
    logits_BTV, _ = forward(params, batch["tokens_BT"], config, tap=activations.setdefault)
    log_p_BT = token_log_p(logits_BTV, batch["targets_BT"])
    value = compare(log_p_BT, batch, tune)
    dlog_p_BT = compare_backward(value.dtype.type(1), log_p_BT, batch, tune)
    dlogits_BTV = token_log_p_backward(dlog_p_BT, logits_BTV, batch["targets_BT"])
    return value, forward_backward(dlogits_BTV, params, batch["tokens_BT"], activations, config)


def compare_step(state, batch, config: ModelConfig, train: TrainConfig, tune: TuneConfig):
    """`train_step` that compares answers: loss, gradient, clip, update."""
    loss, grads = compare_loss_and_grads(state["params"], batch, config, tune)
    return take_step(state, loss, grads, train)


def read_log_p(params, tokens_BT, targets_BT, config: ModelConfig):
    """`token_log_p` of a model for these rows."""
    return token_log_p(forward(params, tokens_BT, config)[0], targets_BT)
