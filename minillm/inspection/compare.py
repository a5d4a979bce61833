"""Compare two checkpoints, such as a model and its quantized copy, activation by activation."""

from dataclasses import dataclass

import numpy as np

from minillm.errors import UserError
from minillm.in_numpy.ops import log_softmax
from minillm.inspection.activations import tap_names
from minillm.inspection.dispatch import one_text
from minillm.inspection.record import record
from minillm.inspection.shown import Result, labelled
from minillm.loading import Model


@dataclass(frozen=True)
class Comparison(Result):
    """`error_LN`: norm of the difference / norm of the other's activation, for each tap in `taps`.

    `kl_T` is KL(the other model's answer || this model's) at each position, in nats; `same_T` is
    whether both find the same token most probable.
    """

    taps: tuple[str, ...]
    error_LN: np.ndarray
    kl_T: np.ndarray
    same_T: np.ndarray


TAPS = ("resid_pre", "q", "k", "v", "pattern", "attn_out", "mlp_post", "mlp_out", "resid_post")


def compare(model: Model, other: Model, prompt, twin: str = "jax") -> Comparison:
    """Compare a model's activations with another's. Raises UserError if their shapes differ."""
    ours, theirs = model.config, other.config
    if tap_names(ours) != tap_names(theirs) or ours.hidden_size != theirs.hidden_size or ours.vocab_size != theirs.vocab_size \
            or ours.num_attention_heads != theirs.num_attention_heads:
        raise UserError(f"{other.source}: its layers, sizes or heads differ from {model.source}: "
                        "compare checkpoints of the same shape")
    tokens_BT = one_text(model, prompt, "a comparison")
    names = [f"*.{tap}" for tap in TAPS] + ["logits"]
    mine, others = (record(each, tokens_BT, names, twin=twin) for each in (model, other))
    error_LN = np.array([[relative(mine[f"layers.{i}.{tap}"], others[f"layers.{i}.{tap}"])
                          for tap in TAPS] for i in range(ours.num_hidden_layers)])
    log_p_TV, log_q_TV = log_softmax(others["logits"][0]), log_softmax(mine["logits"][0])
    kl_T = np.sum(np.exp(log_p_TV) * (log_p_TV - log_q_TV), -1)
    found = Comparison(TAPS, error_LN, kl_T, log_p_TV.argmax(-1) == log_q_TV.argmax(-1))
    return labelled(found, model.tokenizer, tokens_BT[0])


def relative(ours, theirs) -> float:
    """|ours - theirs| / |theirs|, with norms over all entries."""
    return float(np.linalg.norm(ours - theirs) / max(np.linalg.norm(theirs), 1e-30))
