"""An example of a task: a question, the answer that is right, and what kind of question it is."""

import re
import zlib
from dataclasses import dataclass

SPLITS = ("train", "validation")


@dataclass(frozen=True)
class Example:
    """`kind` groups examples in a report: "sum", "word problem", "fact", "unknown" ..."""

    question: str
    answer: str
    kind: str

    @property
    def messages(self) -> list[dict]:
        """The example as a conversation, in the layout that chat templates take."""
        return [{"role": "user", "content": self.question},
                {"role": "assistant", "content": self.answer}]


def one_in(n: int, text: str) -> bool:
    """Is `text` among the one in n that are held out? By CRC-32, so it never depends on a seed."""
    return zlib.crc32(text.encode()) % n == 0


def pattern_of(template: str) -> re.Pattern:
    """What reads a template backwards: "{a} of {fruit}" gives a pattern with groups a and fruit.

    Names of one letter stand for whole numbers, others for words.
    """
    pieces, seen, pattern = re.split(r"\{(\w+)\}", template), set(), ""
    for i, piece in enumerate(pieces):
        word = "[0-9]+" if len(piece) == 1 else "[A-Za-z]+"
        named = f"(?P={piece})" if piece in seen else f"(?P<{piece}>{word})"
        pattern += named if i % 2 else re.escape(piece)
        seen |= {piece} if i % 2 else set()
    return re.compile(pattern)
