"""The LLaMA in JAX, to be fast: the same functions, compiled, with gradients by `jax.grad`."""

from minillm.in_jax.distill import (
    blend,
    complete,
    distill_loss_and_grads,
    distill_step,
    distill_steps,
    forward_kl,
    kept_steps,
    read_top_k,
    reverse_kl,
    settle,
    top_k,
    write_rows,
)
from minillm.in_jax.family import forward_of, module_of
from minillm.in_jax.generate import (
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
    head,
    init_cache,
    loss,
    loss_and_grads,
    mlp,
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
from minillm.in_jax.train import init_state, row_losses, train_step, train_steps
from minillm.in_jax.tune import adapter_loss_and_grads, adapter_step, adapter_steps

__all__ = ["adamw", "adapter_loss_and_grads", "adapter_step", "adapter_steps",
           "attention", "block", "clip", "decode_step", "decode_steps", "forward", "forward_of", "generate",
           "global_norm", "head", "init_cache", "init_moments", "init_state", "learning_rate", "linear", "loss",
           "loss_and_grads", "mark", "mlp", "muon", "orthogonalize", "penalize",
           "prefill", "read", "row_losses",
           "sample", "schedule", "stream", "train_step", "train_steps", "update"]
