"""Several machines, one run, by JAX's own engine (`jax.distributed`). No twin in NumPy.

Every host runs the same program on its own devices, and reads only its rows of each batch. Host 0
alone writes files and speaks. What a host must know of the others goes over the same network as
the gradients, so hosts never disagree on when to stop or what to write.
"""

import json
import zlib

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import NamedSharding, PartitionSpec

from minillm.errors import UserError
from minillm.in_jax.sharding import mesh

HEARTBEAT = 60    # seconds without a sign of life after which a host counts as gone
JOINING = 300     # seconds in which all hosts must have started


def join(count: int, index: int, coordinator: str, cpu_devices: int):
    """Be host `index` of `count`; host 0 listens at `coordinator`, HOST:PORT. Waits for the others.

    Raises UserError where the hosts have different numbers of devices. JAX ends the process where
    a host does not come, or is gone later without a word.
    """
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    jax.config.update("jax_num_cpu_devices", cpu_devices)
    jax.distributed.initialize(coordinator, count, index, initialization_timeout=JOINING,
                               heartbeat_timeout_seconds=HEARTBEAT,
                               shutdown_timeout_seconds=HEARTBEAT)
    if jax.device_count() != count * jax.local_device_count():
        raise UserError(f"host {index}: has {jax.local_device_count()} of {jax.device_count()} "
                        f"devices: every one of {count} hosts must have equally many")


class Hosts:
    """The hosts of a run, from the side of one of them. Every method must be called by all."""

    several = True

    def __init__(self):
        self.first = jax.process_index() == 0

    def rows(self, batch_size: int) -> slice:
        """The rows of a batch that this host reads."""
        own = batch_size // jax.process_count()
        return slice(own * jax.process_index(), own * (jax.process_index() + 1))

    def spread(self, own_NBT):
        """The batch of all hosts, of which each has its own rows (axis 1)."""
        sharding = NamedSharding(mesh(), PartitionSpec(None, "rows"))
        return jax.make_array_from_process_local_data(sharding, own_NBT)

    def whole(self, tree):
        """The tree as NumPy arrays on host 0, gathered one at a time; None on every other host."""
        def one(x):
            x = multihost_utils.process_allgather(x, tiled=True)
            return x if self.first else None
        tree = jax.tree.map(one, tree)
        return tree if self.first else None

    def any(self, flag: bool) -> bool:
        """Is it true on any host?"""
        return bool(np.any(multihost_utils.process_allgather(np.array(flag))))

    def wait(self):
        """Until all hosts are here."""
        multihost_utils.sync_global_devices("wait")

    def agree(self, **values):
        """Refuse hosts that differ in what must be equal. Raises UserError on all of them."""
        codes = [zlib.crc32(json.dumps(value, default=str).encode()) for value in values.values()]
        codes_HN = multihost_utils.process_allgather(np.array(codes, np.uint32))
        differ = [name for i, name in enumerate(values) if len(set(codes_HN[:, i].tolist())) > 1]
        if differ:
            raise UserError(f"the hosts differ in {', '.join(differ)}: give all of them the same "
                            "options, and an --out that they share")
