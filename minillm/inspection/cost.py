"""How long the parts of a page take, estimated from their operations before anything is computed.

The estimate is 2 operations for each weight that a token meets, at SPEED operations a second, which
is what two quiet cores did on a LLaMA of 135 million parameters at 200 and 1,000 tokens. It does
not depend on the machine, so the same command always computes the same things.
"""

from dataclasses import dataclass

from minillm.architecture.tree import flatten
from minillm.loading import Model

SPEED = 7.5e10
BASE, PER_TOKEN = 5.0, 0.07  # seconds: the default effort
OVERHEAD = 3e-4  # seconds a layer of a run, however small
CHECKS = 14  # whole passes that the identities take, the float64 one counted as three


def default_effort(length: int) -> float:
    """Seconds for a page of a prompt: 5, and 0.07 for each token."""
    return BASE + PER_TOKEN * length


@dataclass(frozen=True)
class Cost:
    """Seconds on a prompt of `length` tokens."""

    layers: int
    weights: int
    head: int
    length: int

    @property
    def whole_pass(self) -> float:
        """One forward pass with its logits."""
        return 2 * self.length * (self.weights + self.head) / SPEED

    @property
    def overhead(self) -> float:
        """What two runs from a middle layer take in any model."""
        return OVERHEAD * self.layers

    @property
    def checks(self) -> float:
        return CHECKS * self.whole_pass

    @property
    def lens(self) -> float:
        return 2 * self.length * (self.layers + 1) * self.head / SPEED

    @property
    def part(self) -> float:
        """One part taken out and its control: two runs from a middle layer, all logits."""
        return 2 * (self.whole_pass - self.length * self.weights / SPEED) + self.overhead

    @property
    def place(self) -> float:
        """One place patched and its control: two runs from a middle layer, one row of logits."""
        return 2 * (self.length * self.weights + 2 * self.head) / SPEED + self.overhead

    @property
    def ranking(self) -> float:
        """All places of a site ranked by gradient: two passes forward, one back."""
        return 4 * self.whole_pass

    def neurons(self, text: int, neurons: int) -> float:
        """A text of so many tokens read, and so many neurons' tokens and effects."""
        return 2 * text * self.weights / SPEED + neurons * (2 * self.head / SPEED + self.part)

    def circuits(self, heads: int, tokens: int) -> float:
        """OV and QK of some heads on some tokens, and the copying scores of all."""
        pairs = 2 * tokens * tokens
        each = 2 * (pairs * self.weights / self.layers + tokens * self.head) / SPEED
        return heads * each + 2 * 100 * self.weights / SPEED


def cost_of(model: Model, length: int) -> Cost:
    """The costs of a model on a prompt of `length` tokens."""
    config = model.config
    weights = sum(leaf.size for leaf in flatten({"layers": model.params["layers"]}).values())
    return Cost(config.num_hidden_layers, weights, config.vocab_size * config.hidden_size, length)


class Budget:
    """Seconds that are left, and what did not fit: each (what, seconds of the whole)."""

    def __init__(self, seconds: float):
        self.given, self.left, self.missing = seconds, seconds, 0.0

    def takes(self, seconds: float) -> bool:
        """Is there time for this? If so it is spent; if not, it is noted."""
        if seconds <= self.left:
            self.left -= seconds
            return True
        self.missing += seconds
        return False

    def times(self, each: float, wanted: int, share: float = 1.0) -> int:
        """How many of `wanted` things there is time for, in a share of what is left."""
        count = min(wanted, int(self.left * share / each)) if each > 0 else wanted
        self.left -= count * each
        self.missing += (wanted - count) * each
        return count

    @property
    def wanted(self) -> int:
        """Seconds with which nothing would be left out."""
        return int(self.given + self.missing) + 1
