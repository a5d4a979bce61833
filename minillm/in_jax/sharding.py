"""Many devices, one program: every device works on its own rows of the batch. No twin in NumPy.

`replicate` gives every device all parameters; `shard` gives it a share of each (fully sharded, or
ZeRO-3: Rajbhandari et al. 2019, arXiv:1910.02054, section 5.3). The compiler adds up the gradients
and gathers the shares (Xu et al. 2021, arXiv:2105.04663): the model's code does not know. A CPU
that poses as two devices keeps its cores busier than threads inside each operation do: see
benchmarks/training_speed.py. Devices may be on several machines: see hosts.py.

Programs that share rows must finish before the next one starts: on a CPU two in flight can take each other's threads and
wait for ever. Whoever calls `split_rows` waits (`jax.block_until_ready`), as train.py does.
"""

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from minillm.errors import UserError

NUMBERS_AT_ONCE = 2**22  # of a group of small arrays on a device: few groups, and little memory


def use_cpu_devices(count: int):
    """Let the CPU pose as `count` devices. Once JAX has begun to compute it is too late: then what is there is used."""
    try:
        jax.config.update("jax_num_cpu_devices", count)
    except RuntimeError:
        pass


def check_rows(batch_size: int):
    """Refuse a batch that cannot be shared out evenly. Raises UserError."""
    if batch_size % jax.device_count():
        raise UserError(f"--batch-size {batch_size}: must be a multiple of {jax.device_count()}, "
                        "the number of devices that share a batch")


def replicate(tree):
    """A copy of every array on every device; what `shard` has shared out stays so."""
    return jax.tree.map(
        lambda x: x if _is_shared_out(x) else _place(x, PartitionSpec()), tree)


def shard(tree):
    """Every device's share of every array: see `_spec`. What cannot be shared out is copied.

    With n devices, a device holds 1/n of the bytes of what can be.
    """
    return jax.tree.map(lambda x: _place(x, _spec(x)), tree)


def stay_sharded(tree):
    """Inside `jax.jit`: results shared out as `shard` does it."""
    return jax.tree.map(lambda x: jax.lax.with_sharding_constraint(
        x, NamedSharding(mesh(), _spec(x))), tree)


def split_rows(x, axis: int):
    """Inside `jax.jit`: let every device work on its share of the rows along `axis`, where they can
    be shared out."""
    if x.shape[axis] % jax.device_count():
        return x
    return jax.lax.with_sharding_constraint(
        x, NamedSharding(mesh(), PartitionSpec(*[None] * axis, "rows")))


def alike(arrays: dict) -> list[list[str]]:
    """The names of the arrays in groups of one shape, of which devices take equal shares.

    What is left over is a group of its own. A device's share is small: see NUMBERS_AT_ONCE.
    """
    found, groups = {}, []
    for name, x in arrays.items():
        found.setdefault((x.shape, x.dtype), []).append(name)
    for names in found.values():
        size = jax.device_count() * max(1, NUMBERS_AT_ONCE // arrays[names[0]].size)
        even = len(names) // jax.device_count() * jax.device_count()
        groups += [names[i : min(i + size, even)] for i in range(0, even, size)]
        groups += [names[even:]] if names[even:] else []
    return groups


def share_out(function, *stacks):
    """Inside `jax.jit`: `function` of arrays (N, ...), each device for its share of the N.

    All devices then have all results, which are arrays (N, ...) too.
    """
    results = function(*(split_rows(x, axis=0) for x in stacks))
    whole = NamedSharding(mesh(), PartitionSpec())
    return jax.tree.map(lambda x: jax.lax.with_sharding_constraint(x, whole), results)


def everywhere(x):
    """Inside `jax.jit`: a result that every host can read."""
    if jax.process_count() == 1:
        return x
    return jax.lax.with_sharding_constraint(x, NamedSharding(mesh(), PartitionSpec()))


def _spec(x) -> PartitionSpec:
    """Along the longest axis whose length the number of devices divides, if there is one."""
    shape = np.shape(x)
    even = [axis for axis, size in enumerate(shape) if size % jax.device_count() == 0]
    axis = max(even, key=lambda axis: shape[axis], default=None)
    return PartitionSpec() if axis is None else PartitionSpec(*[None] * axis, "rows")


def _place(x, spec: PartitionSpec):
    """A copy of an array that all hosts have alike, each device taking its part."""
    sharding = NamedSharding(mesh(), spec)
    if jax.process_count() == 1:
        return jax.device_put(x, sharding)
    x = np.asarray(x)
    return jax.make_array_from_callback(x.shape, sharding, lambda index: np.array(x[index]))


def _is_shared_out(x) -> bool:
    return (isinstance(x, jax.Array) and not isinstance(x, jax.core.Tracer)
            and not x.is_fully_replicated)


def mesh() -> Mesh:
    """All devices of all hosts, in one row."""
    return Mesh(np.array(jax.devices()), ("rows",))
