"""What is checked in exercise 01, and which misconceptions are recognised. The words used here:
minillm/course/exercises.py."""

from collections import Counter
from itertools import pairwise

from minillm.course.exercises import Hint, Task, number
from minillm.text.tokenizer import merge_pair

HINTS = {
    "characters": Hint(
        "You divided characters by tokens. A byte-level tokenizer starts from bytes, and ä is "
        "two of them.",
        "Write the bytes of the text under its letters and count both: the two numbers differ.",
    ),
    "upside_down": Hint(
        "This is tokens per byte: the ratio is upside down.",
        "Before any merge every token is one byte and the ratio is 1. Merging makes tokens "
        "longer: should it rise or fall?",
    ),
    "ignores_times": Hint(
        "You counted each word once, however often the text has it.",
        "Count {(97, 98): 3} by hand: how often does the text have an a before a b?",
    ),
    "across_words": Hint(
        "You paired the last token of one word with the first of the next. The words have no "
        "order here, so no word is next to another.",
        "Count two words of one token each: they contain no pair at all.",
    ),
    "no_overlaps": Hint(
        "You counted overlapping pairs once. Counting asks how many pairs of neighbours there "
        "are; overlaps matter only when you merge.",
        "Put a finger between any two tokens of (7, 7, 7): how many places are there?",
    ),
    "overlap": Hint(
        "You used one token twice: in two merges, or once merged and once as it was. Each token "
        "belongs to at most one merged token, and is then gone.",
        "Turn the result of merging (7, 7, 7) back into bytes: are there as many as before?",
    ),
    "first_only": Hint(
        "You replaced only one occurrence of the pair.",
        "Try a word that contains the pair twice, far apart.",
    ),
    "from_the_right": Hint(
        "You read the word from the right. Where occurrences overlap, the leftmost one is merged.",
        "Merge three equal tokens in a row: which two of them became one?",
    ),
    "ties": Hint(
        "Among equally frequent pairs you did not take the smallest (left, right). Two programs "
        "that break ties differently learn different tokenizers from the same text.",
        "Train on {b'ab': 2, b'cd': 2} and on the same words in the other order: the first merge "
        "must be the same.",
    ),
    "stale_counts": Hint(
        "You counted the pairs only once, before the first merge. A merge makes new pairs and "
        "removes old ones.",
        "Train two merges on {b'abc': 5} and look at the second: it must contain the token 256.",
    ),
    "no_stop": Hint(
        "You continued with pairs that occur once. A token for a pair that never occurs again "
        "saves nothing.",
        "Train many merges on a single short word: what does the last merge represent?",
    ),
    "by_position": Hint(
        "You merged the leftmost pair first. The rank decides, that is, the order in which the "
        "merges were learned.",
        "With the merges [(98, 99), (97, 98)], encode b'abc': the pair learned first is not the "
        "leftmost one.",
    ),
    "longest": Hint(
        "You took the longest known piece from the left. That is another tokenizer (WordPiece); "
        "BPE replays its merges in order.",
        "Replay on paper: take the bytes of the word, apply the first merge everywhere, then the "
        "second.",
    ),
    "one_round": Hint(
        "You applied each merge in one place only.",
        "Encode a word that repeats itself, such as b'abab' with the merge (97, 98).",
    ),
    "token_by_token": Hint(
        "You turned each token into text by itself. A character of several bytes can be split "
        "between tokens, and then none of its parts is a character.",
        "Decode the two tokens 195 and 164 with no merges: together they are one letter.",
    ),
    "strict": Hint(
        "Bytes that are not UTF-8 raised an error. A model may write any token after any other, "
        "so this will happen.",
        "Decode [195], half of a letter: what should a reader see there?",
    ),
    "drops_bytes": Hint(
        "Bytes that are not UTF-8 disappeared. A reader should see that something was there.",
        "Decode [97, 195, 98] and count the characters.",
    ),
    "bytes_as_characters": Hint(
        "You turned each byte into the character of the same number. That is Latin-1; the text "
        "is UTF-8.",
        "Decode the tokens of 'é' and print the length of the result.",
    ),
    "strips_spaces": Hint(
        "Spaces at the beginning or end were lost. They are bytes like any other, and ' cat' and "
        "'cat' have different tokens on purpose.",
        "Encode b' a' with no merges, decode the result, and print both with repr.",
    ),
}

TEXTS = "The cat sat.|näh näh|una niña soñó|日本語 日本|नमस्ते|ሰላም ለዓለም|xin chào|👋🏽 hi| a  b |ẹ̀tọ́ kọ̀ọ̀kan".split(
    "|"
)


# ---- Fresh inputs, small ones first -------------------------------------------------------------


def random_word(rng, longest, letters=3):
    return tuple(int(n) for n in 97 + rng.integers(0, letters, rng.integers(1, longest + 1)))


def random_words(rng, different, longest=6, letters=3):
    return {random_word(rng, longest, letters): int(rng.integers(1, 9)) for _ in range(different)}


def words_of_tokens(rng):
    yield ({(7, 7, 7): 1},)
    yield ({(5,): 2, (6,): 1},)
    for size in (1, 1, 1, 2, 2, 2, 3, 3, *range(4, 12)):
        yield (random_words(rng, size, 3 if size < 3 else 6),)


def words_and_pairs(rng):
    yield (7, 7, 7), (7, 7), 256
    for longest in (4,) * 20 + (14,) * 30:
        word = random_word(rng, longest, letters=2)
        yield (
            word,
            (int(97 + rng.integers(2)), int(97 + rng.integers(2))),
            int(rng.integers(256, 999)),
        )


def words_to_train_on(rng):
    yield {b"aaa": 1}, 3
    yield {b"cd": 2, b"ab": 2}, 1
    for size in (1, 1, 1, 2, 2, 2, 2, 3, 3, 3, *range(4, 22)):
        yield (
            {
                bytes(word): times
                for word, times in random_words(rng, size, 4 if size < 4 else 8).items()
            },
            int(rng.integers(1, 12)),
        )


def words_and_merges(rng):
    yield b"abc", [(98, 99), (97, 98)]
    yield b"abc", [(98, 99), (97, 256), (97, 98)]
    yield b"abab", [(97, 98)]
    yield b" a ", []
    for _ in range(60):
        words = {bytes(word): times for word, times in random_words(rng, 12, 8).items()}
        space = b" " * int(rng.integers(0, 3))
        yield space + bytes(random_word(rng, 14)), learned(words, int(rng.integers(2, 14)))


def tokens_and_merges(rng):
    yield [195, 164], []
    yield [195], []
    for _ in range(40):
        text = str(rng.choice(TEXTS))
        merges = learned(
            {text.encode(): 2} | {other.encode(): 1 for other in rng.choice(TEXTS, 3)},
            int(rng.integers(0, 12)),
        )
        tokens = replay(text.encode(), merges)
        start = int(rng.integers(0, 2)) * int(rng.integers(0, len(tokens)))
        yield tokens[start:] if rng.integers(2) else tokens, merges


# ---- The right answers, from the package where it has them --------------------------------------


def right_counts(words):
    return dict(
        Counter(pair for word, times in words.items() for pair in list(pairwise(word)) * times)
    )


def trained(choose, least=2, recount=True):
    """A training that chooses its pairs by `choose`; minillm.text.tokenizer.learn_merges does the right
    one faster."""

    def train(words, n):
        words = {tuple(word): times for word, times in words.items()}
        merges, counts = [], None
        while len(merges) < n:
            if recount or counts is None:
                counts = Counter()
                for word, times in words.items():
                    for pair in pairwise(word):
                        counts[pair] += times
            left = {
                pair: count
                for pair, count in counts.items()
                if count >= least and (recount or pair not in merges)
            }
            if not left:
                break
            best = choose(left)
            words = {
                tuple(merge_pair(word, best, 256 + len(merges))): times
                for word, times in words.items()
            }
            merges.append(best)
        return merges

    return train


def smallest(counts):
    return min(counts, key=lambda pair: (-counts[pair], pair))


learned = trained(smallest)


def replay(word, merges):
    """Lowest rank first, the leftmost first: minillm.text.tokenizer.apply_merges on numbers."""
    tokens = list(word)
    while True:
        known = [
            (merges.index(pair), i) for i, pair in enumerate(pairwise(tokens)) if pair in merges
        ]
        if not known:
            return tokens
        rank, i = min(known)
        tokens[i : i + 2] = [256 + rank]


def pieces_of(merges):
    pieces = [bytes([byte]) for byte in range(256)]
    for left, right in merges:
        pieces.append(pieces[left] + pieces[right])
    return pieces


def joined(tokens, merges):
    pieces = pieces_of(merges)
    return b"".join([pieces[token] for token in tokens])


# ---- What each misconception answers ------------------------------------------------------------


def counted_across(words):
    text = [token for word, times in words.items() for token in word * times]
    return dict(Counter(pairwise(text)))


def counted_across_once(words):
    text, counts = [], Counter()
    for word, times in words.items():
        for pair in pairwise((*text[-1:], *word)):
            counts[pair] += times
        text += word
    return dict(counts)


def counted_without_overlaps(words):
    counts = Counter()
    for word, times in words.items():
        for pair in set(pairwise(word)):
            counts[pair] += times * sum(token == -1 for token in merge_pair(word, pair, -1))
    return dict(counts)


def merged_overlapping(word, pair, new):
    found = [i for i, two in enumerate(pairwise(word)) if two == pair]
    return [
        new if i in found else token
        for i, token in enumerate(word)
        if i in found or i - 1 not in found
    ]


def merged_by_one(word, pair, new):
    return [new if two == pair else two[0] for two in pairwise([*word, None])]


def merged_first(word, pair, new):
    for i, two in enumerate(pairwise(word)):
        if two == pair:
            return [*word[:i], new, *word[i + 2 :]]
    return list(word)


def first_seen(counts):
    return max(counts, key=counts.get)


def last_seen(counts):
    return max(reversed(counts), key=counts.get)


def largest(counts):
    return max(counts, key=lambda pair: (counts[pair], pair))


def leftmost(word, merges):
    tokens = list(word)
    while True:
        place = next((i for i, pair in enumerate(pairwise(tokens)) if pair in merges), None)
        if place is None:
            return tokens
        tokens[place : place + 2] = [256 + merges.index(tuple(tokens[place : place + 2]))]


def longest_piece(word, merges):
    pieces, tokens, at = pieces_of(merges), [], 0
    while at < len(word):
        best = max(
            (token for token, piece in enumerate(pieces) if word.startswith(piece, at)),
            key=lambda t: len(pieces[t]),
        )
        tokens.append(best)
        at += len(pieces[best])
    return tokens


def one_place_each(word, merges):
    tokens = list(word)
    for rank, pair in enumerate(merges):
        tokens = merged_first(tokens, pair, 256 + rank)
    return tokens


TASKS = [
    number(
        "BYTES_PER_TOKEN",
        "two merges on paper",
        14 / 8,
        {"characters": 11 / 8, "upside_down": 8 / 14},
        tolerance=1e-3,
    ),
    Task(
        "pair_counts",
        "count the pairs of neighbours",
        right_counts,
        words_of_tokens,
        {
            "ignores_times": lambda words: right_counts({word: 1 for word in words}),
            "across_words": (counted_across, counted_across_once),
            "no_overlaps": counted_without_overlaps,
        },
    ),
    Task(
        "merge",
        "replace a pair by a new token",
        merge_pair,
        words_and_pairs,
        {
            "overlap": (merged_overlapping, merged_by_one),
            "first_only": merged_first,
            "from_the_right": lambda word, pair, new: merge_pair(word[::-1], pair[::-1], new)[::-1],
        },
    ),
    Task(
        "train",
        "learn merges from words",
        learned,
        words_to_train_on,
        {
            "ties": (trained(first_seen), trained(largest), trained(last_seen)),
            "stale_counts": trained(smallest, recount=False),
            "no_stop": trained(smallest, least=1),
        },
        needs=("pair_counts", "merge"),
        points=2,
    ),
    Task(
        "encode",
        "apply the merges to a word",
        replay,
        words_and_merges,
        {
            "by_position": leftmost,
            "longest": longest_piece,
            "one_round": one_place_each,
            "strips_spaces": lambda word, merges: replay(word.strip(), merges),
        },
        needs=("merge",),
        points=2,
    ),
    Task(
        "decode",
        "tokens back to text",
        lambda tokens, merges: joined(tokens, merges).decode("utf-8", "replace"),
        tokens_and_merges,
        {
            "token_by_token": lambda tokens, merges: "".join(
                joined([token], merges).decode("utf-8", "replace") for token in tokens
            ),
            "strict": lambda tokens, merges: joined(tokens, merges).decode("utf-8"),
            "drops_bytes": lambda tokens, merges: joined(tokens, merges).decode("utf-8", "ignore"),
            "bytes_as_characters": lambda tokens, merges: joined(tokens, merges).decode("latin-1"),
            "strips_spaces": lambda tokens, merges: (
                joined(tokens, merges).decode("utf-8", "replace").strip()
            ),
        },
    ),
]
