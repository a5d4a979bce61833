"""What is checked in exercise 09, and which misconceptions are recognised. The words used here:
minillm/course/exercises.py."""

from pathlib import Path

import numpy as np

from minillm.course.exercises import Hint, Task, normal, number
from minillm.course.lessons import load_module
from minillm.in_numpy import ops
from minillm.in_numpy.model import update_cache
from minillm.loading import until

asking = load_module(Path(__file__).with_name("asking.py"), "asking")

HINTS = {
    "temperature_after": Hint(
        "You applied the temperature after the softmax. Dividing all probabilities by the same "
        "number changes nothing once they add up to 1 again; divide the logits.",
        "Compute the probabilities of the logits 0 and ln 4 at temperature 1/2: are they 1/17 "
        "and 16/17?",
    ),
    "multiplied": Hint(
        "You multiplied the logits by the temperature, so hot is cold: a high temperature must "
        "make probabilities more alike.",
        "Compute the probabilities of the logits 0 and 1 at temperature 100: both should be "
        "close to one half.",
    ),
    "no_shift": Hint(
        "exp overflows. Subtracting the same number from all logits changes no probability.",
        "Compute the probabilities of the logits 1000 and 1001 and of 0 and 1: both must give "
        "the same.",
    ),
    "most_probable": Hint(
        "You took the most probable token, whatever the coin. That is temperature 0: the same "
        "text every time.",
        "Sample from (0.6, 0.4) with the coins 0.1 and 0.9.",
    ),
    "wrong_side": Hint(
        "You gave a coin at the border of two tokens to the first of them. Token 0 has the coins "
        "from 0 up to, but without, p[0]; with the other rule a token of probability 0 can be "
        "drawn.",
        "Sample from (0, 1) with the coin 0, and from (0.5, 0.5) with the coin 0.5: both must "
        "give token 1.",
    ),
    "next_one": Hint(
        "You gave the token before or after the one that the coin falls on.",
        "Sample from (0.5, 0.5) with the coins 0.25 and 0.75.",
    ),
    "rank": Hint(
        "You returned a place in the sorted list instead of a token. After sorting you have to "
        "look up which token it was.",
        "Sample from (0.1, 0.9) with the coin 0.2: the answer must be 1, the token that has "
        "nearly everything.",
    ),
    "drops_crossing": Hint(
        "You dropped the token that crosses the threshold. Without it the threshold is not "
        "reached, and where the first token alone is more probable than the threshold, nothing "
        "is left.",
        "Try p = (0.7, 0.3) with a threshold of 0.5: how many tokens take part?",
    ),
    "one_too_many": Hint(
        "One token too many takes part. Once the threshold is reached (reaching it exactly "
        "counts), no further token is added.",
        "Try p = (0.5, 0.25, 0.25) with a threshold of 0.5: how many tokens take part?",
    ),
    "unsorted": Hint(
        "You summed the tokens in their own order. That keeps tokens by their number, however "
        "improbable; sum from the most probable down.",
        "Try p = (0.1, 0.2, 0.7) with a threshold of 0.6: which token alone reaches it?",
    ),
    "ascending": Hint(
        "You summed from the least probable token up, so the most probable ones are lost first.",
        "Try p = (0.1, 0.2, 0.7) with a threshold of 0.6: which token alone reaches it?",
    ),
    "not_renormalised": Hint(
        "Your kept probabilities do not add up to 1, so a coin beyond their sum falls on no token.",
        "Print the sum of your result.",
    ),
    "order_of_size": Hint(
        "You returned the probabilities sorted. Place i of the result must belong to token i.",
        "Try p = (0.1, 0.2, 0.7) with a threshold of 0.99: it must come back as it was.",
    ),
    "off_by_one": Hint(
        "You wrote the new rows one place too far or too near. A cache that holds n rows has "
        "them in places 0 to n - 1.",
        "Put one row into a cache that holds one, and print it: is the old row still there, "
        "without a gap?",
    ),
    "wrong_place": Hint(
        "You wrote the new rows over the first ones, or at the very end of the array, instead of "
        "after the rows that the cache holds.",
        "Put one row into a cache of five places that holds two, and print it.",
    ),
    "grows": Hint(
        "You joined arrays, so the result is larger or smaller than the cache was. Write into "
        "the free places: compiled code can be used again only for arrays of one size.",
        "Print the shape before and after.",
    ),
    "mask_too_short": Hint(
        "Your mask is too short: a new token does not see itself, or sees as few keys as if it "
        "were at the beginning of the text. It comes after all the old ones.",
        "For two new tokens after three old ones, print the mask: the first row must begin with "
        "four ones, the second with five.",
    ),
    "sees_the_room": Hint(
        "You masked nothing: new tokens see the free places too, and whatever is in them.",
        "Fill the free places with 1000 and compute again: nothing may change.",
    ),
    "sees_ahead": Hint(
        "You masked the free places, but new tokens see new ones that come after them. With one "
        "new token this goes unseen; in a prompt it matters.",
        "Change the last row of k and v and compute again: only the last row of z may change.",
    ),
    "stale": Hint(
        "You attended to the cache as it was before the new keys and values were written, or to "
        "the new ones alone. A token sees both.",
        "Compute attention over five tokens at once, then over three and two more: the last rows "
        "must agree.",
    ),
    "same_coin": Hint(
        "You used the same coin for every token. Then the choices depend on each other: a low "
        "coin takes the first of the likely tokens every time, and most texts can never be "
        "written.",
        "Let the model give (0.5, 0.5) every time, with the coins 0.1, 0.9, 0.1: it must write "
        "0, 1, 0.",
    ),
    "reads_again": Hint(
        "You gave the model the whole text again and again. The text is right, but the cache was "
        "not used.",
        "Print how many tokens the model is given at each call: after the prompt it should be one.",
    ),
    "read_twice": Hint(
        "You gave the model tokens that its cache has already seen, so it now holds them twice.",
        "Print how many tokens the model is given at each call: after the prompt it should be one.",
    ),
    "forgets": Hint(
        "You gave the model the new token alone, without the cache that the call before "
        "returned: it has forgotten what came earlier.",
        "Print the cache that you pass at each call: does it grow?",
    ),
    "end_included": Hint(
        "Your result contains the token that ends the text. It is a mark, not text.",
        "Let the model give all probability to `end` at once: the result must be an empty list.",
    ),
    "prompt_included": Hint(
        "Your result contains the prompt; return only the new tokens.",
        "Call it with no coins: the result must be an empty list.",
    ),
    "one_call_more": Hint(
        "Your model read one token too many: after the last coin, the probabilities of the next "
        "token are not needed.",
        "Count the calls of the model for one coin: it must be one.",
    ),
    "piece_by_piece": Hint(
        "You searched each piece by itself. A stop string that is spread over two pieces is in "
        "neither.",
        'Try the pieces "a#" and "#b" with the stop string "##".',
    ),
    "shown_too_early": Hint(
        "You showed the beginning of a stop string before the rest of it came. What is shown "
        "cannot be taken back.",
        'Try the pieces "a#" and "#b" with the stop string "##": what is shown must be "a".',
    ),
    "stop_shown": Hint(
        "You showed the stop string itself. The text ends where it begins.",
        'Try the piece "a##b" with the stop string "##".',
    ),
    "first_listed": Hint(
        "You stopped at the first stop string of the tuple that you found. The one that comes "
        "first in the text counts.",
        'Try the piece "a--b##c" with the stop strings "##" and "--".',
    ),
    "tail_lost": Hint(
        "You never showed what you held back: the text ended without a stop string, and its last "
        "characters are missing.",
        'Try the piece "abc" with the stop string "##".',
    ),
    "held_to_the_end": Hint(
        "The text is right, but you showed nothing before its end or its stop string. The reader "
        "waits, and the model goes on writing after the stop string.",
        "Let `pieces` be a generator that prints when it is asked for the next piece, and print "
        "each part that is shown.",
    ),
}


# ---- Fresh inputs, small ones first -------------------------------------------------------------


def short(p, digits):
    """Rounded to so many digits, and still adding up to 1; 0 where that rounds to 0."""
    p = np.round(p, digits)
    p[np.argmax(p)] += 1 - p.sum()
    return p


def coins_on_tokens(rng):
    for p, coin in (
        ((0.5, 0.5), 0.25),
        ((0.5, 0.5), 0.5),
        ((0.0, 1.0), 0.0),
        ((0.125, 0.25, 0.0, 0.625), 0.375),
        ((0.1, 0.9), 0.2),
        ((0.75, 0.25), 0.8),
    ):
        yield np.array(p), coin
    for V in (2,) * 8 + (3,) * 8 + (8,) * 16:
        yield short(asking.some_p(rng, V), 2), round(float(rng.uniform(0, 0.99)), 3) + 0.0005


def logits_and_temperatures(rng):
    yield np.array([0.0, 1.0]), 2.0
    yield np.array([0.0, np.log(4)]), 0.5
    yield np.array([1000.0, 1001.0]), 0.5
    yield np.array([-1000.0, 1000.0]), 1.0
    for V in (2,) * 5 + (3,) * 5 + (8,) * 10:
        yield 2 * normal(rng, V), float(rng.choice([0.3, 0.5, 0.8, 1.5, 3.0]))


def thresholds(rng):
    yield np.array([0.125, 0.25, 0.625]), 0.5
    yield np.array([0.125, 0.5, 0.25, 0.125]), 0.5
    yield np.array([0.25, 0.125, 0.5, 0.125]), 0.75
    for V in (3,) * 8 + (4,) * 8 + (9,) * 16:
        yield distinct(rng, V), round(float(rng.uniform(0.2, 0.95)), 2) + 0.005


def distinct(rng, V):
    """Probabilities with two digits after the point, no two alike."""
    while len(set(p := short(asking.some_p(rng, V), 2))) < V or p.min() <= 0:
        pass
    return p


def caches(rng):
    for S, length, T, E in (
        (4, 1, 1, 1),
        (4, 1, 2, 1),
        (5, 2, 2, 1),
        (5, 2, 1, 2),
        *((int(rng.integers(9, 13)), *(int(n) for n in rng.integers(1, 4, 3))) for _ in range(20)),
    ):
        yield normal(rng, S, E), normal(rng, T, E), length


def continued(rng):
    for S, length, T, E in (
        (2, 1, 1, 1),
        (3, 1, 1, 1),
        (3, 1, 2, 1),
        (4, 1, 2, 1),
        (4, 1, 1, 2),
        (6, 3, 2, 2),
        *((int(rng.integers(9, 13)), *(int(n) for n in rng.integers(2, 5, 3))) for _ in range(20)),
    ):
        yield (*normal(rng, 3, T, E), *normal(rng, 2, S, E), length)


def texts_to_write(rng):
    """Models whose end comes soon, late, or never (7 is no token of theirs)."""
    for n in range(40):
        end = 7 if n % 2 else int(rng.integers(0, 6))
        prompt = [int(token) for token in rng.integers(0, 6, rng.integers(1, 4))]
        coins = (rng.integers(0, 100, int(rng.integers(1, 4 if n < 12 else 8))) + 0.5) / 100
        yield (
            asking.Model(int(rng.integers(2**31)), None if end == 7 else end),
            prompt,
            coins.tolist(),
            end,
        )


STOPS = ("###", "--", "END")


def streams(rng):
    yield ["ab", "c"], ("--",)
    yield ["-", "a"], ("--",)
    yield ["a", "-", "-"], ("--",)
    yield ["a-", "b-"], ("--",)
    yield ["a-", "b--"], ("--",)
    yield ["E", "N", "D"], ("END",)
    yield ["EE", "ND"], ("END",)
    yield ["EN", "x"], ("END",)
    yield ["a-", "-b"], ("--",)
    yield ["a##", "b###c", "d"], ("###",)
    yield ["a--b###c"], ("###", "--")
    yield ["abcdef", "ghi--", "jkl", "mn"], ("END", "--")
    yield ["a long beginning ", "and more of it ", "and an end E", "N"], ("END", "###")
    for _ in range(20):
        words = rng.choice(
            ["a", "bc", "-", "##", "EN", " ", "x#y", *STOPS],
            12,
            p=[0.18, 0.18, 0.1, 0.1, 0.1, 0.1, 0.1, 0.05, 0.04, 0.05],
        )
        text, cuts = "".join(words), np.sort(rng.integers(0, len("".join(words)), 5))
        pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)]) if a < b]
        yield pieces, tuple(str(word) for word in rng.permutation(STOPS)[: rng.integers(1, 4)])


# ---- The right answers: minillm's own where it has them -----------------------------------------


def right_sample(p, coin):
    return int(np.argmax(np.cumsum(p) > coin))


def right_tempered(logits, temperature):
    return ops.softmax(logits / temperature)


def unshifted(logits, temperature):
    with np.errstate(all="ignore"):
        return np.exp(logits / temperature) / np.sum(np.exp(logits / temperature))


def kept_of(p, chosen):
    with np.errstate(all="ignore"):
        kept = np.where(np.isin(np.arange(len(p)), chosen), p, 0)
        return kept / kept.sum()


def right_top_p(p, threshold, more=0):
    order = np.argsort(-p, kind="stable")
    count = int(np.count_nonzero(np.cumsum(p[order]) - p[order] < threshold))
    return kept_of(p, order[: count + more])


def right_remember(kept, new, length):
    return update_cache(kept[None], new[None, None], length)[0]


def right_attend(q, k, v, kept_k, kept_v, length, sees=None):
    """minillm's own attention; `sees(t, length, T)` is how many keys the new token t sees, where
    it is not the right number."""
    kept_k, kept_v = right_remember(kept_k, k, length), right_remember(kept_v, v, length)
    if sees is None:
        z = ops.attend(q[None, None, None], kept_k[None, None], kept_v[None, None], length)[0, 0, 0]
    else:
        z = np.stack(
            [
                ops.attend(
                    q[None, None, None, t : t + 1],
                    kept_k[None, None],
                    kept_v[None, None],
                    sees(t, length, len(q)) - 1,
                )[0, 0, 0, 0]
                for t in range(len(q))
            ]
        )
    return z, kept_k[: length + len(q)], kept_v[: length + len(q)]


def attending(sees):
    return lambda *case: right_attend(*case, sees=sees)


def only(new):
    """Attention over the cache as it was (new: over the new tokens alone)."""

    def wrong(q, k, v, kept_k, kept_v, length):
        _, after_k, after_v = right_attend(q, k, v, kept_k.copy(), kept_v.copy(), length)
        keys, values, start = (k, v, 0) if new else (kept_k, kept_v, length)
        return (
            ops.attend(q[None, None, None], keys[None, None], values[None, None], start)[0, 0, 0],
            after_k,
            after_v,
        )

    return wrong


def right_generate(
    model,
    prompt,
    coins,
    end,
    coin_of=lambda coins, n: coins[n],
    feed=lambda prompt, written, cache: ([written[-1]], cache),
    keep_end=False,
    keep_prompt=False,
    more=False,
):
    """(what is written, how many tokens the model read)."""
    written, tokens, cache = [], prompt, None
    for n in range(len(coins)):
        p, cache = model(tokens, cache)
        token = right_sample(p, coin_of(coins, n))
        if token == end and not keep_end:
            break
        written.append(token)
        if token == end:
            break
        tokens, cache = feed(prompt, written, cache)
    else:
        if more:
            model(tokens, cache)
    return [*prompt, *written] if keep_prompt else written, model.read


def writing(**how):
    return lambda *case: right_generate(*case, **how)


def streaming(function):
    return lambda pieces, stop: asking.streamed(function, pieces, stop)


def ending(pieces, stop, end_of=min, early=False, shows_stop=False, tail=True):
    text, shown, longest = "", 0, max(map(len, stop))
    for piece in pieces:
        text += piece
        if early:
            yield piece
        found = [(text.find(word), len(word)) for word in stop if word in text]
        if found:
            at, size = end_of(found)
            if not early:
                yield text[shown : at + size * shows_stop]
            return
        safe = max(shown, len(text) - longest + 1)
        if not early:
            yield text[shown:safe]
        shown = safe
    if tail and not early:
        yield text[shown:]


def searched_apart(pieces, stop):
    for piece in pieces:
        found = [piece.find(word) for word in stop if word in piece]
        yield piece[: min(found, default=len(piece))]
        if found:
            return


def at_the_end(pieces, stop, search=False):
    text = ""
    for piece in pieces:
        text += piece
        if search and any(word in text for word in stop):
            break
    yield text[: min((text.find(word) for word in stop if word in text), default=len(text))]


TASKS = [
    number(
        "PROBABILITY",
        "temperature and top-p on paper",
        9 / 25,
        {
            "temperature_after": 3 / 9,
            "multiplied": 3**0.5 / (2 + 3**0.5 + 2**0.5),
            "drops_crossing": 0.0,
            "not_renormalised": 9 / 30,
            "one_too_many": 9 / 29,
        },
        tolerance=1e-3,
    ),
    Task(
        "sample",
        "a coin falls on a token",
        right_sample,
        coins_on_tokens,
        {
            "most_probable": lambda p, coin: int(np.argmax(p)),
            "wrong_side": lambda p, coin: int(np.argmax(np.cumsum(p) >= coin)),
            "next_one": (
                lambda p, coin: right_sample(p, coin) + 1,
                lambda p, coin: right_sample(p, coin) - 1,
            ),
            "rank": (
                lambda p, coin: right_sample(np.sort(p)[::-1], coin),
                lambda p, coin: right_sample(np.sort(p), coin),
            ),
        },
    ),
    Task(
        "tempered",
        "logits to probabilities",
        right_tempered,
        logits_and_temperatures,
        {
            "temperature_after": (lambda x, T: ops.softmax(x), lambda x, T: ops.softmax(x) / T),
            "multiplied": lambda x, T: ops.softmax(x * T),
            "no_shift": unshifted,
        },
    ),
    Task(
        "top_p",
        "the fewest that reach a threshold",
        right_top_p,
        thresholds,
        {
            "drops_crossing": (
                lambda p, t: kept_of(
                    p, np.flatnonzero(np.cumsum(np.sort(p)[::-1])[np.argsort(np.argsort(-p))] <= t)
                ),
                lambda p, t: kept_of(
                    p, np.flatnonzero(np.cumsum(np.sort(p)[::-1])[np.argsort(np.argsort(-p))] < t)
                ),
                lambda p, t: kept_of(
                    p, np.argsort(-p)[: max(1, np.count_nonzero(np.cumsum(np.sort(p)[::-1]) <= t))]
                ),
                lambda p, t: kept_of(
                    p, np.argsort(-p)[: max(1, np.count_nonzero(np.cumsum(np.sort(p)[::-1]) < t))]
                ),
            ),
            "one_too_many": (
                lambda p, t: right_top_p(p, t, more=1),
                lambda p, t: right_top_p(p, t + 1e-9),
            ),
            "unsorted": lambda p, t: kept_of(p, np.flatnonzero(np.cumsum(p) - p < t)),
            "ascending": lambda p, t: kept_of(
                p, np.argsort(p)[np.cumsum(np.sort(p)) - np.sort(p) < t]
            ),
            "not_renormalised": lambda p, t: np.where(right_top_p(p, t) > 0, p, 0),
            "order_of_size": lambda p, t: np.sort(right_top_p(p, t))[::-1],
        },
    ),
    Task(
        "remember",
        "write into the cache",
        right_remember,
        caches,
        {
            "off_by_one": (
                lambda kept, new, n: right_remember(kept, new, n + 1),
                lambda kept, new, n: right_remember(kept, new, n - 1),
            ),
            "wrong_place": (
                lambda kept, new, n: right_remember(kept, new, 0),
                lambda kept, new, n: right_remember(kept, new, len(kept) - len(new)),
            ),
            "grows": (
                lambda kept, new, n: np.concatenate([kept, new]),
                lambda kept, new, n: np.concatenate([kept[:n], new]),
            ),
        },
    ),
    Task(
        "attend",
        "attention from the cache",
        right_attend,
        continued,
        {
            "mask_too_short": (
                attending(lambda t, n, T: n + t),
                attending(lambda t, n, T: t + 1),
                attending(lambda t, n, T: n),
            ),
            "sees_the_room": attending(lambda t, n, T: 10**6),
            "sees_ahead": attending(lambda t, n, T: n + T),
            "stale": (only(new=False), only(new=True)),
        },
        call=asking.attend,
        needs=("remember",),
        points=2,
        returns=("z", "kept_k", "kept_v"),
    ),
    Task(
        "generate",
        "the loop",
        right_generate,
        texts_to_write,
        {
            "same_coin": (
                writing(coin_of=lambda coins, n: coins[0]),
                writing(coin_of=lambda coins, n: coins[-1]),
            ),
            "reads_again": writing(feed=lambda prompt, written, cache: ([*prompt, *written], None)),
            "read_twice": writing(feed=lambda prompt, written, cache: ([*prompt, *written], cache)),
            "forgets": writing(feed=lambda prompt, written, cache: ([written[-1]], None)),
            "end_included": writing(keep_end=True),
            "prompt_included": writing(keep_prompt=True),
            "one_call_more": writing(more=True),
        },
        call=asking.generate,
        needs=("sample",),
        points=2,
        returns=("the list", "the number of tokens that the model read"),
    ),
    Task(
        "until",
        "stop strings in a stream",
        streaming(until),
        streams,
        {
            "piece_by_piece": streaming(searched_apart),
            "shown_too_early": streaming(lambda pieces, stop: ending(pieces, stop, early=True)),
            "stop_shown": streaming(lambda pieces, stop: ending(pieces, stop, shows_stop=True)),
            "first_listed": streaming(
                lambda pieces, stop: ending(pieces, stop, end_of=lambda found: found[0])
            ),
            "tail_lost": streaming(lambda pieces, stop: ending(pieces, stop, tail=False)),
            "held_to_the_end": (
                streaming(at_the_end),
                streaming(lambda pieces, stop: at_the_end(pieces, stop, search=True)),
            ),
        },
        call=asking.until,
        points=2,
        returns=(
            "the text shown",
            "the number of pieces asked for",
            "whether all was shown as soon as it could be",
        ),
    ),
]
