"""Which submissions are alike: equal files, files that are equal but for names and layout, and
files that share nearly all runs of tokens. It says where to look, and proves nothing."""

import io
import keyword
import tokenize
from itertools import combinations

RUN = 12  # tokens in a run
NEAR = 0.9  # share of common runs, of all runs of the two
SHORTEST = 30  # runs that a file must have of its own
LARGEST = 100_000  # bytes of a file that is taken apart
SKIPPED = (
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENCODING,
    tokenize.ENDMARKER,
)


def alike(files: dict[str, bytes], given: bytes) -> list[dict]:
    """[{"how", "students"}] of {student: file}, strongest first. given: the stub, whose runs are
    left out.
    """
    groups, used = [], set()
    tokens = {student: _tokens(data) for student, data in files.items()}
    stub = _runs(_tokens(given))
    own = {student: _runs(words) - stub for student, words in tokens.items()}
    written = [student for student in files if len(own[student]) >= SHORTEST or not tokens[student]]
    for how, shape in (
        ("equal", lambda s: files[s]),
        ("equal but for names and layout", lambda s: tuple(_renamed(tokens[s])) or None),
    ):
        seen = {}
        for student in written:
            if student not in used and shape(student):
                seen.setdefault(shape(student), []).append(student)
        for students in seen.values():
            if len(students) > 1:
                groups.append({"how": how, "students": sorted(students)})
                used |= set(students)
    for one, two in combinations(sorted(s for s in written if own[s]), 2):
        both = len(own[one] & own[two]) / len(own[one] | own[two])
        if both >= NEAR and not any({one, two} <= set(group["students"]) for group in groups):
            groups.append({"how": f"{100 * both:.0f}% of their runs", "students": [one, two]})
    return groups


def _tokens(data: bytes) -> list[str]:
    """The tokens of a file without comments and layout; none where it is not Python, or long."""
    if len(data) > LARGEST:
        return []
    try:
        return [
            token.string
            for token in tokenize.tokenize(io.BytesIO(data).readline)
            if token.type not in SKIPPED
        ]
    except (tokenize.TokenError, SyntaxError, UnicodeDecodeError, IndentationError, RecursionError):
        return []


def _renamed(words: list[str]) -> list[str]:
    """The same with every name numbered in the order in which names come."""
    numbers: dict[str, str] = {}
    return [
        numbers.setdefault(word, f"n{len(numbers)}")
        if word.isidentifier() and not keyword.iskeyword(word)
        else word
        for word in words
    ]


def _runs(words: list[str]) -> set[tuple]:
    return {tuple(words[i : i + RUN]) for i in range(len(words) - RUN + 1)}
