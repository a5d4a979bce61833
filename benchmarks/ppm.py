"""PPM, prediction by partial matching: a yardstick of python_docs.py, not part of minillm.

The longest of the contexts (the last 5, 4, ... 0 bytes) that has been seen predicts first. A byte
that followed it c times has the weight 2c - 1, and "none of these" the weight 1 for each of its
bytes, if others are left. After "none of these" the next shorter context predicts, without the
bytes that are ruled out; after the last one, all the bytes that are left are alike. So the
probabilities of the 256 bytes add up to 1. A byte is counted in the context that predicted it and
in the longer ones.

Cleary and Witten 1984, IEEE Transactions on Communications 32(4), pages 396 to 402; counting in the
longer contexts alone: Moffat 1990, the same 38(11), pages 1917 to 1921; the weights are method D of
Howard 1993, Brown University CS-93-28.
"""

from math import log2


class PPM:
    """How often each byte followed each context: {context: {byte: count}}, up to `order` bytes."""

    def __init__(self, order: int = 5):
        self.order = order
        self.counts: dict[bytes, dict[int, int]] = {}

    def contexts(self, text: bytes, i: int) -> list[bytes]:
        """The contexts of byte i of a text, the longest first."""
        return [text[i - length : i] for length in range(min(self.order, i), -1, -1)]

    def probability(self, byte: int, contexts: list[bytes]) -> tuple[float, int]:
        """(probability of the byte, how many of the contexts were asked for it)."""
        p, ruled_out = 1.0, set()
        for asked, context in enumerate(contexts, 1):
            counts = self.counts.get(context, {})
            if ruled_out:
                counts = {each: count for each, count in counts.items() if each not in ruled_out}
            if not counts:
                continue
            none_of_these = len(counts) if len(counts) + len(ruled_out) < 256 else 0
            total = 2 * sum(counts.values()) - len(counts) + none_of_these
            if byte in counts:
                return p * (2 * counts[byte] - 1) / total, asked
            p *= none_of_these / total
            ruled_out |= counts.keys()
        return p / (256 - len(ruled_out)), len(contexts)

    def learn(self, byte: int, contexts: list[bytes]):
        """Count the byte in these contexts."""
        for context in contexts:
            counts = self.counts.setdefault(context, {})
            counts[byte] = counts.get(byte, 0) + 1

    def bits(self, text: bytes, begin: int = 0, learn: bool = True) -> list[float]:
        """What each byte of a text from `begin` on costs: -log2 of its probability.

        With `learn` each byte is counted after it was predicted.
        """
        bits = []
        for i in range(begin, len(text)):
            contexts = self.contexts(text, i)
            p, asked = self.probability(text[i], contexts)
            bits.append(-log2(p))
            if learn:
                self.learn(text[i], contexts[:asked])
        return bits
