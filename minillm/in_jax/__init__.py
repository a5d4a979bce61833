"""The LLaMA in JAX, to be fast: the same functions, compiled, with gradients by `jax.grad`."""

from minillm.in_jax.batch import generate_batch
from minillm.in_jax.distill import (
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
from minillm.in_jax.family import forward_of, module_of
from minillm.in_jax.generate import (
    are_finite,
    decode_step,
    decode_steps,
    generate,
    mark,
    penalize,
    prefill,
    sample,
)
from minillm.in_jax.model import (
    attention,
    block,
    forward,
    init_cache,
    loss,
    loss_and_grads,
    mlp,
    unembedding,
)
from minillm.in_jax.ops import linear
from minillm.in_jax.optimizer import (
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
from minillm.in_jax.pieces import read, stream
from minillm.in_jax.preference import compare_step, dpo, grpo, read_log_p, token_log_p
from minillm.in_jax.rows import by_rows
from minillm.in_jax.speculative import speculate
from minillm.in_jax.train import init_state, row_losses, train_step, train_steps
from minillm.in_jax.tune import (
    adapter_loss_and_grads,
    adapter_step,
    adapter_steps,
    compare_adapters_step,
)

head = unembedding  # its name before

__all__ = ["adamw", "adapter_loss_and_grads", "adapter_step", "adapter_steps", "are_finite",
           "attention", "block", "bloom", "by_rows", "cached_distill_steps", "clip", "compare_step",
           "decode_step", "decode_steps", "distill_loss", "distill_loss_and_grads", "distill_step",
           "distill_steps", "dpo", "expand_top_k", "forward", "forward_kl", "forward_of",
           "generate", "generate_batch", "global_norm", "grpo", "head", "init_cache",
           "init_moments", "init_state", "jsd", "learning_rate", "linear", "loss",
           "loss_and_grads", "mark", "mlp", "module_of", "muon", "ops", "orthogonalize",
           "penalize", "prefill", "quantize", "read", "read_log_p", "read_top_k", "reverse_kl",
           "row_losses", "sample", "schedule", "sharding", "speculate", "stream", "to_device",
           "token_log_p", "top_k", "train_step", "train_steps", "unembedding", "update",
           "write_rows"]
