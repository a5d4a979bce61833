"""Wrong answers, as small as they can be: each section replaces parts of solution.py.

A section is named after the hint it must get; NAME-other is another way to the same hint.
"""


# ---- across_words ----
# Joins the words to one text before counting.


def pair_counts(words):
    text = [token for word, times in words.items() for token in list(word) * times]
    counts = {}
    for left, right in zip(text, text[1:]):
        counts[left, right] = counts.get((left, right), 0) + 1
    return counts


# ---- by_position ----
# Merges from left to right whatever has a merge.


def encode(word, merges):
    tokens, i = list(word), 0
    while i < len(tokens) - 1:
        pair = tokens[i], tokens[i + 1]
        if pair in merges:
            tokens[i:i + 2] = [256 + merges.index(pair)]
            i = 0
        else:
            i += 1
    return tokens


# ---- bytes_as_characters ----
# Takes a byte for a character.


def decode(tokens, merges):
    pieces = [chr(byte) for byte in range(256)]
    for left, right in merges:
        pieces.append(pieces[left] + pieces[right])
    return "".join(pieces[token] for token in tokens)


# ---- characters ----
# Characters per token instead of bytes per token.
BYTES_PER_TOKEN = 11 / 8


# ---- drops_bytes ----
# Drops what is not UTF-8.


def decode(tokens, merges):
    pieces = {byte: bytes([byte]) for byte in range(256)}
    for new, (left, right) in enumerate(merges, start=256):
        pieces[new] = pieces[left] + pieces[right]
    return b"".join(pieces[token] for token in tokens).decode("utf-8", "ignore")


# ---- first_only ----
# Replaces the first occurrence alone.


def merge(word, pair, new):
    word = list(word)
    for i in range(len(word) - 1):
        if (word[i], word[i + 1]) == pair:
            return word[:i] + [new] + word[i + 2:]
    return word


# ---- from_the_right ----
# Deletes from the end, so that indices stay right, and thereby merges from the right.


def merge(word, pair, new):
    word, i = list(word), len(word) - 2
    while i >= 0:
        if tuple(word[i:i + 2]) == pair:
            word[i:i + 2] = [new]
            i -= 1
        i -= 1
    return word


# ---- ignores_times ----
# Counts each different word once.


def pair_counts(words):
    counts = Counter()
    for word in words:
        counts.update(pairwise(word))
    return counts


# ---- longest ----
# Takes the longest piece of the vocabulary that fits, from the left.


def encode(word, merges):
    pieces = {bytes([byte]): byte for byte in range(256)}
    names = [bytes([byte]) for byte in range(256)]
    for token, (left, right) in enumerate(merges, start=256):
        names.append(names[left] + names[right])
        pieces.setdefault(names[token], token)
    tokens = []
    while word:
        length = max(n for n in range(1, len(word) + 1) if word[:n] in pieces)
        tokens.append(pieces[word[:length]])
        word = word[length:]
    return tokens


# ---- no_overlaps ----
# Skips the second of two overlapping pairs when counting.


def pair_counts(words):
    counts = Counter()
    for word, times in words.items():
        for pair in set(pairwise(word)):
            i = 0
            while i < len(word) - 1:
                if (word[i], word[i + 1]) == pair:
                    counts[pair] += times
                    i += 1
                i += 1
    return counts


# ---- no_stop ----
# Goes on as long as there is any pair.


def train(words, n):
    words, merges = {tuple(word): times for word, times in words.items()}, []
    for new in range(256, 256 + n):
        counts = pair_counts(words)
        if not counts:
            break
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        words = {tuple(merge(word, best, new)): times for word, times in words.items()}
        merges.append(best)
    return merges


# ---- one_round ----
# Goes through the merges in order and replaces the first place of each.


def encode(word, merges):
    tokens = list(word)
    for new, pair in enumerate(merges, start=256):
        for i in range(len(tokens) - 1):
            if (tokens[i], tokens[i + 1]) == pair:
                tokens[i:i + 2] = [new]
                break
    return tokens


# ---- overlap ----
# Replaces every place where the pair stands, also where two such places share a token.


def merge(word, pair, new):
    merged, covered = [], False
    for i in range(len(word)):
        if i + 1 < len(word) and (word[i], word[i + 1]) == pair:
            merged.append(new)
            covered = True
        elif covered:
            covered = False
        else:
            merged.append(word[i])
    return merged


# ---- overlap-by_one ----
# Moves on by one place after a merge, so the second token of the pair stays.


def merge(word, pair, new):
    merged = []
    for i in range(len(word)):
        merged.append(new if tuple(word[i : i + 2]) == pair else word[i])
    return merged


# ---- stale_counts ----
# Counts once and takes the n most frequent pairs of that.


def train(words, n):
    counts = pair_counts({tuple(word): times for word, times in words.items()})
    ranked = sorted(counts, key=lambda pair: (-counts[pair], pair))
    return [pair for pair in ranked if counts[pair] >= 2][:n]


# ---- strict ----
# Lets the decoder raise.


def decode(tokens, merges):
    pieces = {byte: bytes([byte]) for byte in range(256)}
    for new, (left, right) in enumerate(merges, start=256):
        pieces[new] = pieces[left] + pieces[right]
    return b"".join(pieces[token] for token in tokens).decode()


# ---- strips_spaces-encode ----
# Strips the word before encoding it.


def encode(word, merges):
    tokens = list(word.strip())
    for new, pair in enumerate(merges, start=256):
        tokens = merge(tokens, pair, new)
    return tokens


# ---- strips_spaces ----
# Strips the decoded text.


def decode(tokens, merges):
    pieces = {byte: bytes([byte]) for byte in range(256)}
    for new, (left, right) in enumerate(merges, start=256):
        pieces[new] = pieces[left] + pieces[right]
    return b"".join(pieces[token] for token in tokens).decode("utf-8", "replace").strip()


# ---- ties-largest ----
# Takes the largest of the most frequent pairs: what sorting (count, pair) and taking the last
# gives.


def train(words, n):
    words, merges = {tuple(word): times for word, times in words.items()}, []
    for new in range(256, 256 + n):
        ranked = sorted((count, pair) for pair, count in pair_counts(words).items())
        if not ranked or ranked[-1][0] < 2:
            break
        words = {tuple(merge(word, ranked[-1][1], new)): times for word, times in words.items()}
        merges.append(ranked[-1][1])
    return merges


# ---- ties ----
# Takes whichever of the most frequent pairs was seen first: what max() over a dict gives.


def train(words, n):
    words, merges = {tuple(word): times for word, times in words.items()}, []
    for new in range(256, 256 + n):
        counts = pair_counts(words)
        if not counts:
            break
        best = max(counts, key=counts.get)
        if counts[best] < 2:
            break
        words = {tuple(merge(word, best, new)): times for word, times in words.items()}
        merges.append(best)
    return merges


# ---- token_by_token ----
# Decodes each token on its own.


def decode(tokens, merges):
    def bytes_of(token):
        if token < 256:
            return bytes([token])
        left, right = merges[token - 256]
        return bytes_of(left) + bytes_of(right)

    return "".join(bytes_of(token).decode("utf-8", errors="replace") for token in tokens)


# ---- upside_down ----
# Tokens per byte.
BYTES_PER_TOKEN = 8 / 14
