"""Who reads which rows, who writes and when all stop, where a run is on one machine alone."""

from typing import Any


class Alone:
    """One machine. `minillm.in_jax.hosts.Hosts` is the same for several."""

    first, several = True, False                   # is this the host that writes? are there others?

    def rows(self, batch_size: int) -> slice:
        return slice(None)

    def spread(self, own_NBT) -> Any:
        return own_NBT

    def whole(self, tree) -> Any:
        return tree

    def any(self, flag: bool) -> bool:
        return flag

    def wait(self): ...
    def agree(self, **values): ...


ALONE = Alone()
