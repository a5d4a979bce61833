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
    """[{"how", "students"}] of {student: file}, strongest first: each group stands in those below
    as one. given: the stub, whose runs are left out.
    """
    groups, stub = [], _runs(_tokens(given))
    tokens = {student: _tokens(data) for student, data in files.items()}
    own = {student: _runs(words) - stub for student, words in tokens.items()}
    # one student for all who are in a group so far
    stands = {s: [s] for s, data in sorted(files.items())
              if len(own[s]) >= SHORTEST or data and not tokens[s]}

    def join(how, students):
        stands[students[0]] = sorted(one for s in students for one in stands[s])
        groups.append({"how": how, "students": stands[students[0]]})
        for student in students[1:]:
            del stands[student]

    for how, shape in (("equal", files.get), ("equal but for names and layout",
                                              lambda s: tuple(_renamed(tokens[s])) or files[s])):
        seen = {}
        for student in stands:
            seen.setdefault(shape(student), []).append(student)
        for students in seen.values():
            if len(students) > 1:
                join(how, students)
    near, shares = {s: {s} for s in stands}, {}
    for one, two in combinations((s for s in stands if own[s]), 2):
        share = len(own[one] & own[two]) / len(own[one] | own[two])
        if share >= NEAR:
            shares[one, two] = round(100 * share)
            near |= dict.fromkeys(near[one] | near[two], near[one] | near[two])
    for students in {min(cluster): sorted(cluster) for cluster in near.values()}.values():
        if found := [share for pair, share in shares.items() if pair[0] in students]:
            low = "" if min(found) == max(found) else f"{min(found)} to "
            join(f"{low}{max(found)}% of their runs", students)
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
