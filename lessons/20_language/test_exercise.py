"""What is checked in exercise 20, and which misconceptions are recognised. The words used here:
minillm/course/exercises.py."""

import numpy as np

from minillm.architecture.widened import widened
from minillm.config import ModelConfig
from minillm.course.exercises import Hint, Task, normal, number, sizes
from minillm.text.extended import temperature_shares

HINTS = {
    "not_tempered": Hint(
        "That is the share of the text itself, as with alpha = 1.",
        "With alpha = 0 every language must be drawn alike: is it?",
    ),
    "not_divided": Hint(
        "You raised the share to alpha and did not divide by the sum over languages, so your "
        "shares do not add up to 1.",
        "Add your shares up.",
    ),
    "all_alike": Hint(
        "You drew all languages alike, as with alpha = 0.",
        "With alpha = 1 the shares must be those of the text.",
    ),
    "inverse": Hint(
        "You divided by the power, or raised to 1 / alpha: that is a temperature in the other "
        "direction, and large languages are drawn more often still.",
        "Must a small language be drawn more or less often than it occurs when alpha is 0.5?",
    ),
    "softmax": Hint(
        "You took a softmax of the shares. Here the shares themselves are raised to a power: that "
        "is a softmax of alpha times their logarithms.",
        "With alpha = 1 the shares must be those of the text.",
    ),
    "empty_drawn": Hint(
        "A language without any text got a share. 0 to the power 0 is 1 in NumPy, but there is "
        "nothing to draw.",
        "Let one size be 0 and alpha be 0.",
    ),
    "per_byte": Hint(
        "You divided by bytes. Fertility counts tokens a word; bytes would make scripts with long "
        "letters look cheap.",
        "A word of three Georgian letters that is cut into nine tokens: is its fertility 9 or 1?",
    ),
    "per_letter": Hint(
        "You divided by characters. Fertility counts tokens a word.",
        "For a text of one word the fertility is the number of tokens.",
    ),
    "upside_down": Hint(
        "That is words a token: the ratio is upside down.",
        "A vocabulary that cuts words into more pieces must have the larger fertility.",
    ),
    "spaces_split": Hint(
        "You split at single spaces. Two spaces in a row, or a line break, then count as more "
        "words, or as fewer.",
        "How many words does 'a  b' have for you, and how many 'a', a line break, 'b'?",
    ),
    "bytes_only": Hint(
        "You went back to single bytes, although the old vocabulary has longer tokens.",
        "If the new token is itself a known one, how many pieces has it?",
    ),
    "shortest": Hint(
        "You took a known token that is not the longest at this place.",
        "With the tokens a, b, ab and abb, cut abb: one piece is enough.",
    ),
    "backwards": Hint(
        "You cut from the end of the token. Here the longest known *beginning* is taken first.",
        "With a, b, c, ab and bc, cut abc: which pair is kept whole?",
    ),
    "as_bytes": Hint(
        "You returned the pieces themselves. Their ids are asked for: they find rows in a table.",
        "Index an array with your answer.",
    ),
    "summed": Hint(
        "You added the rows of the pieces up. A token of many pieces then begins far longer than "
        "any other.",
        "Give a new token the same piece twice: its row must be that piece's.",
    ),
    "zeros": Hint(
        "New tokens began as zeros. All have the same logit then, and the model must learn to tell "
        "them apart from nothing.",
        "A new token of one piece must begin as that piece.",
    ),
    "mean_of_all": Hint(
        "You took the mean of the whole table for every new token. That is a stranger of average "
        "length; its pieces say more.",
        "Two new tokens of different pieces must differ.",
    ),
    "first_piece": Hint(
        "Only the first piece, or only the last, went into the new row.",
        "Change the row of another piece: the new row must change.",
    ),
    "head_forgotten": Hint(
        "The head was not extended as the embedding was: the model could read the new tokens, but "
        "it begins without knowing how to write them.",
        "Compare the columns of the new tokens in the head with those of their pieces.",
    ),
    "front": Hint(
        "The new tokens came first. Every old id now means another token.",
        "Row 0 of the extended embedding must be row 0 of the old one.",
    ),
    "per_token": Hint(
        "You divided by tokens. Two vocabularies cut the same text into different numbers of "
        "tokens, so the one with more tokens looks better for nothing.",
        "Cut every token in two halves, each with half the loss: the distance must not change.",
    ),
    "mean_of_means": Hint(
        "You took the distance of each text first and then a mean over texts: a word of a short "
        "text counts more.",
        "One text of 1 word and one of 99: do all words count alike?",
    ),
    "not_above": Hint(
        "You did not take off the floor.",
        "For a perfect model losses * counts equals floors, and the distance must be 0.",
    ),
    "losses_as_sums": Hint(
        "You added up mean losses as if they were sums over a text. A mean times its count is a "
        "sum.",
        "A text of 10 tokens at 2 nats a token costs 20 nats.",
    ),
    "floor_of_tokens": Hint(
        "You multiplied the floor by the number of tokens too. It is -log p of the whole text "
        "already.",
        "For a perfect model losses * counts equals floors, and the distance must be 0.",
    ),
}


# ---- Fresh inputs, small ones first -------------------------------------------------------------

WORDS = "მაკო vela თელენ näh so გუდორ a ბალუმ".split()


def texts_and_cuts(rng):
    yield "მაკო", ["მაკო".encode()]
    yield "a  b\nc", [b"a", b"  b", b"\n", b"c"]
    for n in (1, 2, 3, 4, *rng.integers(3, 12, 20)):
        words = [str(word) for word in rng.choice(WORDS, n)]
        gaps = [str(gap) for gap in rng.choice([" ", " ", "  ", "\n\n"], n - 1)] + [""]
        text = "".join(word + gap for word, gap in zip(words, gaps))
        data, cut = text.encode(), []
        while data:
            k = int(rng.integers(1, 6))
            cut.append(data[:k])
            data = data[k:]
        yield text, cut


def amounts(rng):
    yield np.array([3.0, 1.0]), 1.0
    yield np.array([3.0, 1.0]), 0.0
    yield np.array([4.0, 1.0]), 0.5
    yield np.array([2.0, 0.0, 1.0]), 0.0
    for n in (2, 2, 3, 3, *rng.integers(2, 9, 20)):
        some = np.round(rng.lognormal(0, 2, n), 2) + 0.01
        some[0] = 0.0 if rng.random() < 0.2 and n > 2 else some[0]
        yield some, float(rng.choice([0.0, 0.3, 0.5, 0.7, 1.0]))


def tokens_and_known(rng):
    single = {bytes([i]): i for i in range(256)}
    yield b"ab", single
    yield b"abc", single | {b"ab": 256, b"bc": 257}
    yield b"abb", single | {b"ab": 256, b"abb": 257}
    yield b"abcab", single | {b"ab": 256, b"cab": 257, b"ca": 258}
    for _ in range(40):
        known = dict(single)
        for _ in range(int(rng.integers(1, 14))):
            piece = bytes(rng.integers(97, 100, rng.integers(2, 5)).tolist())
            known.setdefault(piece, len(known))
        yield bytes(rng.integers(97, 100, rng.integers(1, 12)).tolist()), known


def tables(rng):
    yield normal(rng, 3, 2), normal(rng, 2, 3), [[0, 1]]
    yield normal(rng, 3, 2), normal(rng, 2, 3), [[1, 1, 2], [0]]
    for V, D, N in sizes(rng, 2, 7, (20, 3)):
        new = [rng.integers(0, V, rng.integers(1, 5)).tolist() for _ in range(N)]
        yield normal(rng, V, D), normal(rng, D, V), new


def measured_texts(rng):
    yield np.array([2.0]), np.array([10]), np.array([15.0]), np.array([5])
    for n in (1, 2, 2, 3, *rng.integers(2, 7, 20)):
        words = rng.integers(1, 9, n)
        counts = words * rng.integers(2, 5, n) + rng.integers(0, 3, n)
        floors = np.round(words * rng.uniform(0.5, 2, n), 1)
        yield np.round(floors / counts + rng.uniform(0.1, 1, n), 2), counts, floors, words


# ---- The right answers, and those of misconceptions ---------------------------------------------


def right_pieces(token, known):
    """The longest known beginning, found by trying all of them."""
    ids, at = [], 0
    while at < len(token):
        piece = max((p for p in known if token.startswith(p, at)), key=len)
        ids.append(known[piece])
        at += len(piece)
    return ids


def shortest(token, known):
    return [known[token[i : i + 1]] for i in range(len(token))]


def second_longest(token, known):
    ids, at = [], 0
    while at < len(token):
        found = sorted((p for p in known if token.startswith(p, at)), key=len)
        piece = next((p for p in found if len(p) > 1), found[0])
        ids.append(known[piece])
        at += len(piece)
    return ids


def backwards(token, known):
    ids, end = [], len(token)
    while end:
        piece = max((p for p in known if token.endswith(p, 0, end)), key=len)
        ids.insert(0, known[piece])
        end -= len(piece)
    return ids


def right_extended(embedding, head, new):
    V, D = embedding.shape
    config = ModelConfig(vocab_size=V, hidden_size=D, intermediate_size=2, num_hidden_layers=1,
                         num_attention_heads=1, num_key_value_heads=1, head_dim=2,
                         max_position_embeddings=8)
    params, _ = widened({"embed_tokens": embedding, "lm_head": head}, config, new)
    return params["embed_tokens"], params["lm_head"]


def grown(row, column=None):
    """Tables with new rows by `row` (and columns by `column`) of the old rows of the pieces."""

    def answer(embedding, head, new):
        rows = np.array([row(embedding, ids) for ids in new]).reshape(-1, embedding.shape[1])
        columns = np.array([(column or row)(head.T, ids) for ids in new]).reshape(-1, len(head))
        return np.concatenate([embedding, rows]), np.concatenate([head, columns.T], axis=1)

    return answer


def mean_row(table, ids):
    return table[ids].mean(axis=0)


def nothing(table, ids):
    return np.zeros(table.shape[1])


def in_front(embedding, head, new):
    larger, wider = right_extended(embedding, head, new)
    V = len(embedding)
    return (np.concatenate([larger[V:], larger[:V]]),
            np.concatenate([wider[:, V:], wider[:, :V]], axis=1))


def head_as_it_was(embedding, head, new):
    return right_extended(embedding, head, new)[0], head


def right_above(losses, counts, floors, words):
    nats = sum(float(loss) * int(count) for loss, count in zip(losses, counts))
    return (nats - float(sum(floors))) / int(sum(words))


def powers(sizes, alpha):
    p = np.asarray(sizes) / np.sum(sizes)
    return np.where(p > 0, np.power(np.where(p > 0, p, 1.0), alpha), 0.0)


def inverse(sizes, alpha):
    with np.errstate(all="ignore"):
        p = powers(sizes, 1 / alpha if alpha else np.inf)
        return p / p.sum()


def soft(sizes, alpha):
    p = np.exp(alpha * np.asarray(sizes) / np.sum(sizes))
    return p / p.sum()


def empty_drawn(sizes, alpha):
    p = (np.asarray(sizes) / np.sum(sizes)) ** alpha
    return p / p.sum()


TASKS = [
    number("SHARE", "a share on paper", 0.25,
           {"not_tempered": 0.1, "all_alike": 0.5, "not_divided": (0.1**0.5, 0.316, 0.32),
            "inverse": (0.01 / 0.82, 0.012)},
           tolerance=2e-3),
    Task("fertility", "tokens a word", lambda text, cut: len(cut) / len(text.split()),
         texts_and_cuts,
         {"per_byte": lambda text, cut: len(cut) / len(text.encode()),
          "per_letter": lambda text, cut: len(cut) / len(text),
          "upside_down": lambda text, cut: len(text.split()) / len(cut),
          "spaces_split": (lambda text, cut: len(cut) / len(text.split(" ")),
                           lambda text, cut: len(cut) / (text.count(" ") + 1))}),
    Task("shares", "drawing with temperature",
         lambda sizes, alpha: np.array(temperature_shares(sizes, alpha)), amounts,
         {"not_tempered": lambda sizes, alpha: sizes / sizes.sum(),
          "all_alike": lambda sizes, alpha: (sizes > 0) / (sizes > 0).sum(),
          "not_divided": powers,
          "inverse": inverse,
          "softmax": soft,
          "empty_drawn": empty_drawn}),
    Task("pieces", "what a new token is made of", right_pieces, tokens_and_known,
         {"bytes_only": shortest,
          "shortest": second_longest,
          "backwards": backwards,
          "as_bytes": lambda token, known: [
              {i: piece for piece, i in known.items()}[i] for i in right_pieces(token, known)]}),
    Task("extended", "new tokens for a trained model", right_extended, tables,
         {"head_forgotten": (head_as_it_was, grown(mean_row, nothing)),
          "zeros": grown(nothing),
          "summed": grown(lambda table, ids: table[ids].sum(axis=0)),
          "mean_of_all": grown(lambda table, ids: table.mean(axis=0)),
          "first_piece": (grown(lambda table, ids: table[ids[0]]),
                          grown(lambda table, ids: table[ids[-1]])),
          "front": in_front},
         points=2, returns=("embedding", "head")),
    Task("above", "how far above the floor", right_above, measured_texts,
         {"per_token": lambda losses, counts, floors, words:
             ((losses * counts).sum() - floors.sum()) / counts.sum(),
          "mean_of_means": lambda losses, counts, floors, words:
             ((losses * counts - floors) / words).mean(),
          "not_above": lambda losses, counts, floors, words: (losses * counts).sum() / words.sum(),
          "losses_as_sums": lambda losses, counts, floors, words:
             (losses.sum() - floors.sum()) / words.sum(),
          "floor_of_tokens": lambda losses, counts, floors, words:
             ((losses - floors) * counts).sum() / words.sum()}),
]
