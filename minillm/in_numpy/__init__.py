"""The LLaMA in NumPy, to be read: every operation with its backward by hand. Needs no JAX."""

from minillm.in_numpy.batch import generate_batch
from minillm.in_numpy.distill import (
    cached_distill_steps,
    distill_loss,
    distill_loss_and_grads,
    distill_step,
    distill_steps,
    expand_top_k,
    forward_kl,
    jsd,
    read_top_k,
    reverse_kl,
    to_device,
    top_k,
    write_rows,
)
from minillm.in_numpy.family import forward_of, module_of
from minillm.in_numpy.generate import (
    are_finite,
    decode_step,
    decode_steps,
    generate,
    mark,
    penalize,
    prefill,
    sample,
)
from minillm.in_numpy.model import (
    attention,
    attention_backward,
    block,
    block_backward,
    forward,
    init_cache,
    loss,
    loss_and_grads,
    mlp,
    mlp_backward,
    unembedding,
)
from minillm.in_numpy.ops import linear
from minillm.in_numpy.optimizer import (
    adamw,
    clip,
    global_norm,
    init_moments,
    learning_rate,
    muon,
    orthogonalize,
    schedule,
    update,
)
from minillm.in_numpy.pieces import read, stream
from minillm.in_numpy.preference import compare_step, dpo, grpo, read_log_p, token_log_p
from minillm.in_numpy.speculative import speculate
from minillm.in_numpy.train import init_state, row_losses, train_step, train_steps
from minillm.in_numpy.tune import (
    adapter_loss_and_grads,
    adapter_step,
    adapter_steps,
    compare_adapters_step,
)

head = unembedding  # its name before

__all__ = ["adamw", "adapter_loss_and_grads", "adapter_step", "adapter_steps", "are_finite",
           "attention", "attention_backward", "block", "block_backward", "bloom",
           "cached_distill_steps", "clip", "compare_step", "decode_step", "decode_steps",
           "distill_loss", "distill_loss_and_grads", "distill_step", "distill_steps", "dpo",
           "expand_top_k", "forward", "forward_kl", "forward_of", "generate", "generate_batch",
           "global_norm", "grpo", "head", "init_cache", "init_moments", "init_state", "jsd",
           "learning_rate", "linear", "loss", "loss_and_grads", "mark", "mlp", "mlp_backward",
           "module_of", "muon", "ops", "orthogonalize", "penalize", "prefill", "quantize", "read",
           "read_log_p", "read_top_k", "reverse_kl", "row_losses", "sample", "schedule",
           "speculate", "stream", "to_device", "token_log_p", "top_k", "train_step", "train_steps",
           "unembedding", "update", "write_rows"]
