"""Render tokens safely: invisible characters, direction marks and non-UTF-8 bytes as escapes."""

import re
import unicodedata

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
