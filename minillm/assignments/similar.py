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
WORDS = (tokenize.NAME, tokenize.NUMBER, tokenize.STRING, tokenize.OP)


def alike(files: dict[str, bytes], given: bytes) -> list[dict]:
    """[{"how", "students"}] of {student: file}, strongest first. given: the stub, whose runs are
    left out.
    """
    groups, used, stub = [], set(), _runs(_tokens(given))
    tokens = {student: _tokens(data) for student, data in files.items()}
    own = {student: _runs(words) - stub for student, words in tokens.items()}
    written = [s for s in sorted(files) if len(own[s]) >= SHORTEST or not tokens[s]]
    for how, shape in (("equal", files.get),
                       ("equal but for names and layout", lambda s: tuple(_renamed(tokens[s])))):
        seen = {}
        for student in written:
            if student not in used and shape(student):
                seen.setdefault(shape(student), []).append(student)
        for students in seen.values():
            if len(students) > 1:
                groups.append({"how": how, "students": students})
                used.update(students)
    for pair in combinations((s for s in written if own[s]), 2):
        one, two = (own[student] for student in pair)
        both = len(one & two) / len(one | two)
        if both >= NEAR and not any({*pair} <= {*group["students"]} for group in groups):
            groups.append({"how": f"{100 * both:.0f}% of their runs", "students": list(pair)})
    return groups


def _tokens(data: bytes) -> list[str]:
    """The tokens of a file without comments and layout; none where it is not Python, or long."""
    try:
        found = tokenize.tokenize(io.BytesIO(data if len(data) <= LARGEST else b"").readline)
        return [token.string for token in found if token.type in WORDS]
    except (tokenize.TokenError, SyntaxError, UnicodeDecodeError, RecursionError):
        return []


def _renamed(words: list[str]) -> list[str]:
    """The same with every name numbered in the order in which names come."""
    numbers: dict[str, str] = {}
    return [numbers.setdefault(word, f"n{len(numbers)}")
            if word.isidentifier() and not keyword.iskeyword(word) else word for word in words]


def _runs(words: list[str]) -> set[tuple]:
    return {tuple(words[i:i + RUN]) for i in range(len(words) - RUN + 1)}
