"""Distillation in NumPy: each loss with its backward right under it, the step, writing.

Twin: minillm/in_jax/distill.py. Axes: see ops.py; C counts the tokens kept by `top_k`. The teacher
is represented by its logits for the same tokens, constants here. With temperature T,
p = softmax(teacher / T) and q = softmax(student / T).

    soft targets   alpha T^2 KL(p || q) + (1 - alpha) cross-entropy
                   Hinton et al. 2015, arXiv:1503.02531, section 2
    reverse        the same with KL(q || p)
                   Gu et al. 2023, MiniLLM, arXiv:2306.08543, eq. 1
    on-policy      KL(q || p), or JSD(beta), on text that the student wrote
                   Agarwal et al. 2023, GKD, arXiv:2306.13649, eq. 3
    responses      plain training on text that the teacher wrote
                   Kim and Rush 2016, arXiv:1606.07947, section 3.2
"""

from math import log

import numpy as np

from minillm.config import IGNORE, DistillConfig, GenerateConfig, ModelConfig, TrainConfig
from minillm.in_numpy.family import forward_of
from minillm.in_numpy.generate import are_finite, sample
from minillm.in_numpy.model import forward, forward_backward, init_cache
from minillm.in_numpy.ops import cross_entropy, cross_entropy_backward, log_softmax, softmax
from minillm.in_numpy.train import take_step

TINY = 1e-30  # so that nothing is divided by zero, and no logarithm taken of it


def counted_mean(values_BT, targets_BT):
    """The mean of the values whose target is counted, that is, not IGNORE."""
    counted_BT = targets_BT != IGNORE
    return np.sum(np.where(counted_BT, values_BT, 0)) / np.sum(counted_BT).astype(values_BT.dtype)


def counted_mean_backward(dmean, values_BT, targets_BT):
    """dvalues = dmean / number of counted targets, and 0 where the target is IGNORE."""
    counted_BT = targets_BT != IGNORE
    return np.where(counted_BT, dmean / np.sum(counted_BT).astype(values_BT.dtype), 0)


def forward_kl(logits_BTV, teacher_BTV, targets_BT, temperature: float):
    """Mean of T^2 KL(p || q) = T^2 sum over V of p (log p - log q), in nats: q covers p.

    T^2 because the temperature makes the gradient smaller by 1 / T^2 (arXiv:1503.02531, section 2).
    """
    log_p_BTV = log_softmax(teacher_BTV / temperature)
    log_q_BTV = log_softmax(logits_BTV / temperature)
    nats_BT = np.sum(np.exp(log_p_BTV) * (log_p_BTV - log_q_BTV), axis=-1)
    return counted_mean(temperature**2 * nats_BT, targets_BT)


def forward_kl_backward(dloss, logits_BTV, teacher_BTV, targets_BT, temperature: float):
    """dlogits = T (q - p) / number of counted targets: zero where q = p."""
    # mean of T^2 nats
    dnats_BT = temperature**2 * counted_mean_backward(dloss, logits_BTV[..., 0], targets_BT)
    p_BTV, q_BTV = softmax(teacher_BTV / temperature), softmax(logits_BTV / temperature)
    # - p log q, and q = softmax(logits / T)
    return dnats_BT[..., None] * (q_BTV - p_BTV) / temperature


def reverse_kl(logits_BTV, teacher_BTV, targets_BT, temperature: float):
    """Mean of T^2 KL(q || p) = T^2 sum over V of q (log q - log p), in nats: q stays within p."""
    log_p_BTV = log_softmax(teacher_BTV / temperature)
    log_q_BTV = log_softmax(logits_BTV / temperature)
    nats_BT = np.sum(np.exp(log_q_BTV) * (log_q_BTV - log_p_BTV), axis=-1)
    return counted_mean(temperature**2 * nats_BT, targets_BT)


def reverse_kl_backward(dloss, logits_BTV, teacher_BTV, targets_BT, temperature: float):
    """dlogits = T q (log q - log p - KL) / number of counted targets."""
    # mean of T^2 nats
    dnats_BT = temperature**2 * counted_mean_backward(dloss, logits_BTV[..., 0], targets_BT)
    log_p_BTV = log_softmax(teacher_BTV / temperature)
    log_q_BTV = log_softmax(logits_BTV / temperature)
    q_BTV, gap_BTV = np.exp(log_q_BTV), log_q_BTV - log_p_BTV
    kl_BT = np.sum(q_BTV * gap_BTV, axis=-1)
    # dq = gap + 1, through the softmax
    return dnats_BT[..., None] * q_BTV * (gap_BTV - kl_BT[..., None]) / temperature


def jsd(logits_BTV, teacher_BTV, targets_BT, temperature: float, beta: float):
    """Mean of T^2 (beta KL(p || m) + (1 - beta) KL(q || m)), m = beta p + (1 - beta) q, in nats.

    Between the two KL: near beta = 0 it is beta KL(p || q), near 1 (1 - beta) KL(q || p), and its
    gradient has no log of a p near 0. Agarwal et al. 2023, arXiv:2306.13649, eq. 1.
    """
    log_p_BTV = log_softmax(teacher_BTV / temperature)
    log_q_BTV = log_softmax(logits_BTV / temperature)
    log_m_BTV = np.logaddexp(log(beta) + log_p_BTV, log(1 - beta) + log_q_BTV)
    nats_BTV = beta * np.exp(log_p_BTV) * (log_p_BTV - log_m_BTV)
    nats_BTV = nats_BTV + (1 - beta) * np.exp(log_q_BTV) * (log_q_BTV - log_m_BTV)
    return counted_mean(temperature**2 * np.sum(nats_BTV, axis=-1), targets_BT)


def jsd_backward(dloss, logits_BTV, teacher_BTV, targets_BT, temperature: float, beta: float):
    """dlogits = T (1 - beta) q (log q - log m - KL(q || m)) / number of counted targets."""
    # mean of T^2 nats
    dnats_BT = temperature**2 * counted_mean_backward(dloss, logits_BTV[..., 0], targets_BT)
    log_p_BTV = log_softmax(teacher_BTV / temperature)
    log_q_BTV = log_softmax(logits_BTV / temperature)
    log_m_BTV = np.logaddexp(log(beta) + log_p_BTV, log(1 - beta) + log_q_BTV)
    # dq = (1 - beta) (log q - log m), as what m brings adds up to 0; then through the softmax
    q_BTV, gap_BTV = np.exp(log_q_BTV), (1 - beta) * (log_q_BTV - log_m_BTV)
    mean_BT1 = np.sum(q_BTV * gap_BTV, axis=-1, keepdims=True)
    return dnats_BT[..., None] * q_BTV * (gap_BTV - mean_BT1) / temperature


def distill_loss(logits_BTV, teacher_BTV, targets_BT, distill: DistillConfig):
    """alpha T^2 KL + (1 - alpha) cross-entropy: a mix of the teacher's and the text's loss."""
    said = logits_BTV, teacher_BTV, targets_BT, distill.temperature
    if 0 < distill.beta < 1:
        kl = jsd(*said, distill.beta)
    else:
        kl = (reverse_kl if distill.beta else forward_kl)(*said)
    return distill.alpha * kl + (1 - distill.alpha) * cross_entropy(logits_BTV, targets_BT)


def distill_loss_backward(dloss, logits_BTV, teacher_BTV, targets_BT, distill: DistillConfig):
    """dlogits: the gradients of both losses, weighted by alpha and 1 - alpha."""
    said = distill.alpha * dloss, logits_BTV, teacher_BTV, targets_BT, distill.temperature
    if 0 < distill.beta < 1:
        dkl_BTV = jsd_backward(*said, distill.beta)
    else:
        dkl_BTV = (reverse_kl_backward if distill.beta else forward_kl_backward)(*said)
    return dkl_BTV + cross_entropy_backward((1 - distill.alpha) * dloss, logits_BTV, targets_BT)


def top_k(logits_BTV, k: int):
    """The ids of the k most probable tokens, in falling order, and their log p: two (B, T, C)."""
    log_p_BTV = log_softmax(logits_BTV)
    ids_BTC = np.argsort(-log_p_BTV, axis=-1, stable=True)[..., :k]
    return ids_BTC, np.take_along_axis(log_p_BTV, ids_BTC, axis=-1)


def expand_top_k(ids_BTC, log_p_BTC, logits_BTV):
    """A teacher's logits from its `top_k`: log p of the kept tokens.

    The other tokens share the remaining probability in the student's proportions, so nothing is
    taught about them individually. At temperature 1, either KL and its gradient are those of the
    kept tokens and one more event, "any other token". With p = 0 for the rest, the student would
    learn that the other tokens never occur.
    """
    others_BTV = softmax(logits_BTV)
    np.put_along_axis(others_BTV, ids_BTC, 0, axis=-1)
    left_BT = np.maximum(1 - np.sum(np.exp(log_p_BTC), axis=-1), TINY)
    share_BT = left_BT / np.maximum(np.sum(others_BTV, axis=-1), TINY)
    log_p_BTV = np.log(np.maximum(others_BTV * share_BT[..., None], TINY))
    np.put_along_axis(log_p_BTV, ids_BTC, log_p_BTC, axis=-1)
    return log_p_BTV


def distill_loss_and_grads(params, tokens_BT, targets_BT, teacher_targets, config: ModelConfig,
                           distill: DistillConfig):
    """The loss of `distill_loss` and its gradient, a tree like `params`; compare `loss_and_grads`.

    `teacher_targets` is the teacher's answer for these tokens: its logits_BTV, or the pair
    (ids_BTC, log_p_BTC) of its `top_k`.
    """
    activations = {}
    logits_BTV, _ = forward(params, tokens_BT, config, tap=activations.setdefault)
    teacher_BTV = teacher_targets
    if isinstance(teacher_targets, tuple):
        teacher_BTV = expand_top_k(*teacher_targets, logits_BTV)
    value = distill_loss(logits_BTV, teacher_BTV, targets_BT, distill)
    dlogits_BTV = distill_loss_backward(value.dtype.type(1), logits_BTV, teacher_BTV, targets_BT,
                                        distill)
    return value, forward_backward(dlogits_BTV, params, tokens_BT, activations, config)


def distill_step(state, tokens_BT, targets_BT, teacher_targets, config: ModelConfig,
                 train: TrainConfig, distill: DistillConfig):
    """`train_step` with a teacher: loss, gradient, clip, update."""
    loss, grads = distill_loss_and_grads(state["params"], tokens_BT, targets_BT, teacher_targets,
                                         config, distill)
    return take_step(state, loss, grads, train)


def distill_steps(state, tokens_NBT, targets_NBT, teacher, teacher_config, config: ModelConfig,
                  train: TrainConfig, distill: DistillConfig):
    """N steps with a teacher (its parameters) that reads every batch."""
    history = []
    for tokens_BT, targets_BT in zip(tokens_NBT, targets_NBT):
        teacher_BTV, _ = forward_of(teacher_config)(teacher, tokens_BT, teacher_config)
        state, metrics = distill_step(state, tokens_BT, targets_BT, teacher_BTV, config, train, distill)
        history.append(metrics)
    return state, {name: np.array([metrics[name] for metrics in history]) for name in history[0]}


def cached_distill_steps(state, tokens_NBT, targets_NBT, ids_NBTC, log_p_NBTC, config: ModelConfig,
                         train: TrainConfig, distill: DistillConfig):
    """N steps with a teacher's stored answers, its `top_k` for each batch. It does not run."""
    history = []
    for tokens_BT, targets_BT, ids_BTC, log_p_BTC in zip(tokens_NBT, targets_NBT, ids_NBTC, log_p_NBTC):
        state, metrics = distill_step(state, tokens_BT, targets_BT, (ids_BTC, log_p_BTC), config, train, distill)
        history.append(metrics)
    return state, {name: np.array([metrics[name] for metrics in history]) for name in history[0]}


def read_top_k(params, tokens_BT, config, k: int):
    """A teacher's `top_k` for these rows: a forward pass that many students can learn from."""
    return top_k(forward_of(config)(params, tokens_BT, config)[0], k)


def write_rows(params, first_B, coins_NB, config, sampling: GenerateConfig):
    """tokens_BN, and whether all logits were finite: continue every row from its first token, one
    coin per token, in one cache. No row ends: see batch.py for prompts and texts that do."""
    cache = init_cache(config, len(first_B), len(coins_NB), params["norm"].dtype)
    token_B, tokens, finite = first_B, [], True
    for coin_B in coins_NB:
        logits_BTV, cache = forward_of(config)(params, token_B[:, None], config, cache)
        finite = finite & are_finite(logits_BTV)
        token_B = np.array([sample(logits_V, coin, sampling)
                            for logits_V, coin in zip(logits_BTV[:, 0], coin_B)])
        tokens.append(token_B)
    return np.stack(tokens, axis=1), finite


def to_device(params):
    """Move parameters to the device once, before many calls. A no-op in NumPy."""
    return params
