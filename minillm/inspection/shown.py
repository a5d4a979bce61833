"""Render tokens safely: invisible characters, direction marks and non-UTF-8 bytes as escapes."""

import re
import unicodedata
from dataclasses import dataclass, field, replace
from functools import singledispatch
from html import escape

from minillm.text.tokenizer import Tokenizer

BYTE_TOKEN = re.compile(r"<0x([0-9A-F]{2})>")
HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs", "Mn", "Me"}   # controls, formats, surrogates, unassigned, odd spaces, marks
NAMES = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}


def token_bytes(tokenizer: Tokenizer | None, token: int) -> bytes:
    """The bytes of a token, or its id in brackets if the model has no tokenizer."""
    piece = None if tokenizer is None else tokenizer.pieces.get(token)
    if piece is None:
        return f"[{token}]".encode()
    if tokenizer.byte_level or token in tokenizer.special_tokens.values():
        return piece
    text = piece.decode("utf-8", "surrogateescape")
    byte = BYTE_TOKEN.fullmatch(text)
    return bytes([int(byte[1], 16)]) if byte else text.replace("▁", " ").encode(
        "utf-8", "surrogateescape")


def segments(data: bytes) -> list[list]:
    """[[text, is it an escape?], ...]: U+202E as \\u{202E}, half of a UTF-8 sequence as \\xE2, a line end as \\n."""
    found = []
    for character in data.decode("utf-8", "surrogateescape"):
        code = ord(character)
        if 0xDC80 <= code <= 0xDCFF:
            piece = [f"\\x{code - 0xDC00:02X}", True]
        elif character != " " and unicodedata.category(character) in HIDDEN:
            piece = [NAMES.get(character, f"\\u{{{code:04X}}}"), True]
        else:
            piece = [character, False]
        if found and found[-1][1] == piece[1]:
            found[-1][0] += piece[0]
        else:
            found.append(piece)
    return found or [["", False]]


def shown(tokenizer: Tokenizer | None, token: int) -> list[list]:
    """A token as segments."""
    return segments(token_bytes(tokenizer, token))


@dataclass(frozen=True)
class Words:
    """How the tokens of a result are called: its text's ids, and the tokenizer that knows others."""

    tokenizer: Tokenizer | None
    tokens: tuple[int, ...] = ()

    def __call__(self, token) -> str:
        """A token as text that can be shown anywhere; spaces are a faint dot."""
        parts = shown(self.tokenizer, int(token))
        return "".join(text if escaped else text.replace(" ", "·") for text, escaped in parts)

    def positions(self) -> list[str]:
        """The tokens of the text."""
        return [self(token) for token in self.tokens]


@singledispatch
def html(found) -> str:
    """A result as HTML for a notebook; notebook.py has one for each kind."""
    return f"<pre>{escape(repr(found))}</pre>"


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a function of inspection found; a notebook shows it as a table or a heat map."""

    words: Words | None = field(default=None, repr=False, compare=False)

    def _repr_html_(self) -> str:
        return html(self)


def labelled(result, tokenizer: Tokenizer | None, tokens=()):
    """The result with names for its tokens, where it is one that has them."""
    if not isinstance(result, Result):
        return result
    return replace(result, words=Words(tokenizer, tuple(int(token) for token in tokens)))
