"""A matrix that stays as it is, and a change of low rank beside it: LoRA. Both twins use this
record.

    y = x w + scale (x a) b          w (in, out), a (in, r), b (r, out), scale = alpha / r

Hu et al. 2021, arXiv:2106.09685, eq. 3. `w` is a float matrix, or a quantized one (Dettmers et al.
2023, arXiv:2305.14314). With b = 0 at the start, the first model is the one that was given. Only
`linear` knows this class.
"""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, eq=False)
class Adapted:
    """One matrix with its change."""

    w: Any
    a: Any
    b: Any
    scale: float

    @property
    def shape(self) -> tuple[int, int]:
        """As an array's."""
        return self.w.shape

    @property
    def ndim(self) -> int:
        """Always 2."""
        return 2

    @property
    def size(self) -> int:
        """How many numbers it has."""
        return self.w.size + self.a.size + self.b.size

    @property
    def dtype(self):
        """That of the matrix that stays."""
        return self.w.dtype

    @property
    def nbytes(self) -> int:
        """Bytes of everything that it holds."""
        return self.w.nbytes + self.a.nbytes + self.b.nbytes
