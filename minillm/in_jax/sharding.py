"""Many devices, one program: every device holds all parameters and works on its own rows of the batch. No twin in NumPy.

JAX's compiler adds up the gradients (Xu et al. 2021, arXiv:2105.04663): the model's code does not know. A CPU that poses
as two devices keeps its cores busier than threads inside each operation do: see benchmarks/training_speed.py.

Programs that share rows must finish before the next one starts: on a CPU two in flight can take each other's threads and
wait for ever. Whoever calls `split_rows` waits (`jax.block_until_ready`), as train.py does.
"""

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec


def use_cpu_devices(count: int):
    """Let the CPU pose as `count` devices. Once JAX has begun to compute it is too late: then what is there is used."""
    try:
        jax.config.update("jax_num_cpu_devices", count)
    except RuntimeError:
        pass


def replicate(tree):
    """A copy of every array on every device."""
    return jax.device_put(tree, NamedSharding(_mesh(), PartitionSpec()))


def split_rows(x, axis: int):
    """Inside `jax.jit`: let every device work on its share of the rows along `axis`, where they can
    be shared out."""
    if x.shape[axis] % jax.device_count():
        return x
    return jax.lax.with_sharding_constraint(
        x, NamedSharding(_mesh(), PartitionSpec(*[None] * axis, "rows")))


def _mesh() -> Mesh:
    return Mesh(np.array(jax.devices()), ("rows",))
