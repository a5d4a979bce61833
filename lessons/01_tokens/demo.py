"""Lesson 01: merges being learned, what a larger vocabulary saves, and what a language pays that was left out."""

import json
from itertools import islice
from pathlib import Path

from minillm.course.demos import main
from minillm.text.storyworld import corpus
from minillm.text.tokenizer import BYTE, count_pretokens, learn_merges, train, visible

SIZES = (257, 320, 512, 768, 1024, 1536, 2048, 3072, 4096)       # of vocabularies; 257 is the bytes and one special token
FIRST = 24                                                       # merges that the table shows
LANGUAGES_SIZE = 900 
STEPS = (0, 5, 20, 100, 400, 1500)                               # merges after which the sample is cut again


def compute(console, full):
    learn, held_out = corpus(0, "train", 1_000_000), corpus(0, "validation", 100_000)
    text = "\n\n".join(held_out)
    console.print(f"{len(learn):,} stories to learn from, {len(held_out):,} held out")
    symbols = sorted(BYTE)
    merges = list(islice(learn_merges(count_pretokens(learn), symbols), max(STEPS)))
    sample = text[: text.index(".") + 1]
    exact = {
        "merges": [{"left": left, "right": right, "count": count} for left, right, count in merges[:FIRST]],
        "sample": sample,
        "cuts": [{"merges": n, "tokens": cut(sample, merges[:n])} for n in STEPS],
        "units": units(learn, text),
        "bytes_per_token": {}, "vocabulary": LANGUAGES_SIZE, "stories": len(learn),
    }
    for size in SIZES:
        made = train(learn, size)
        exact["bytes_per_token"][size] = len(text.encode()) / len(made.encode(text))
        console.print(f"vocabulary of {size:,}: {exact['bytes_per_token'][size]:.2f} bytes a token")
    exact["languages"] = languages()
    english = exact["languages"]["English"]
    left_out = {name: counts for name, counts in exact["languages"].items() if name != "English"}
    exact["dearest"] = max(left_out, key=lambda name: left_out[name]["english"])
    for kind in ("english", "all"):
        exact[f"most_{kind}"] = max(counts[kind] / english[kind] for counts in left_out.values())
        exact[f"spread_{kind}"] = max(c[kind] for c in exact["languages"].values()) / min(c[kind] for c in exact["languages"].values())
    return {"exact": exact}


def cut(text, merges):
    """The tokens of `text` in visible characters."""
    from minillm.text.tokenizer import apply_merges, pretokens
    ranks = {(left, right): rank for rank, (left, right, _) in enumerate(merges)}
    return [token for pretoken in pretokens(text) for token in apply_merges(visible(pretoken), ranks)]


def units(learn, text):
    """Letters, words and byte-pairs on held-out stories and on an English text of another kind."""
    other = " ".join(declaration()["languages"]["English"]["text"])
    letters, words = set("".join(learn)), {word for story in learn for word in story.split()}
    made = train(learn, 1024)
    rows = {}
    for name, text in (("stories", text), ("declaration", other)):
        n = len(text.encode())
        rows[name] = {
            "letters": {"per_token": n / len(text), "unknown": sum(letter not in letters for letter in text) / len(text)},
            "words": {"per_token": n / len(text.split()), "unknown": sum(word not in words for word in text.split()) / len(text.split())},
            "byte_pairs": {"per_token": n / len(made.encode(text)), "unknown": 0.0}}
    return {"vocabulary": {"letters": len(letters), "words": len(words), "byte_pairs": made.vocab_size}, **rows}


def declaration():
    return json.loads(Path(__file__).with_name("declaration.json").read_text(encoding="utf-8"))


def languages():
    """{language: {"characters", "bytes", "english", "all"}}: the sentence in characters, in bytes, and in tokens of two vocabularies."""
    texts = declaration()["languages"]
    english = train(texts["English"]["text"], LANGUAGES_SIZE)
    everyone = train([paragraph for language in texts.values() for paragraph in language["text"]], LANGUAGES_SIZE)
    if (english.vocab_size, everyone.vocab_size) != (LANGUAGES_SIZE, LANGUAGES_SIZE):
        raise ValueError(f"the vocabularies differ in size: {english.vocab_size} and {everyone.vocab_size}")
    counts = {}
    for name, language in texts.items():
        sentence = language["sentence"]
        counts[name] = {"characters": len(sentence), "bytes": len(sentence.encode()), "english": len(english.encode(sentence)),
                        "all": len(everyone.encode(sentence))}
    return counts


def tables(results):
    from rich.table import Table
    exact = results["exact"]
    merges = Table("rank", "left", "right", "new token", "count", title="The first merges (Ġ is a space)")
    for rank, row in enumerate(exact["merges"], start=1):
        merges.add_row(str(rank), row["left"], row["right"], row["left"] + row["right"], f"{row['count']:,}")
    yield "merges", merges
    cuts = Table("merges", "tokens", "the same sentence, cut", title="One sentence while merges are learned")
    for row in exact["cuts"]:
        cuts.add_row(f"{row['merges']:,}", str(len(row["tokens"])), " ".join(row["tokens"]))
    yield "cuts", cuts
    units = Table("unit", "vocabulary", "bytes a token: stories", "unknown", "bytes a token: declaration", "unknown",
                  title="Letters, words, byte pairs")
    for unit in ("letters", "words", "byte_pairs"):
        cells = [f"{exact['units'][text][unit][what]:{form}}" for text in ("stories", "declaration")
                 for what, form in (("per_token", ".2f"), ("unknown", ".1%"))]
        units.add_row(unit.replace("_", " "), f"{exact['units']['vocabulary'][unit]:,}", *cells)
    yield "units", units
    languages = Table("language", "characters", "bytes", "vocabulary of English", "times English", "of all ten", "times English",
                      title="Article 1 of the Universal Declaration of Human Rights")
    english = exact["languages"]["English"]
    for name, row in exact["languages"].items():
        languages.add_row(name, str(row["characters"]), str(row["bytes"]), str(row["english"]), f"{row['english'] / english['english']:.1f}",
                          str(row["all"]), f"{row['all'] / english['all']:.1f}")
    yield "languages", languages


def figures(results, new):
    exact = results["exact"]
    figure, axes = new()
    sizes = {int(size): ratio for size, ratio in exact["bytes_per_token"].items()}
    axes.plot(list(sizes), list(sizes.values()), marker="o")
    axes.set(xscale="log", xlabel="tokens in the vocabulary", ylabel="bytes per token, held-out stories", ylim=(0, None))
    axes.set_xticks(list(sizes), [f"{size:,}" for size in sizes], rotation=45)
    axes.minorticks_off()
    axes.grid(alpha=0.6)
    yield ("bytes_per_token", "Bytes per token against the size of the vocabulary: steep at first, then flat once every word of "
           "the stories is a token.", figure)

    figure, axes = new(7.0, 4.6)
    names = list(exact["languages"])[::-1]
    rows = [exact["languages"][name] for name in names]
    places = range(len(names))
    axes.barh([p + 0.2 for p in places], [row["english"] for row in rows], height=0.38, label="vocabulary of English alone")
    axes.barh([p - 0.2 for p in places], [row["all"] for row in rows], height=0.38, label="vocabulary of all ten")
    axes.set_yticks(places, names)
    axes.set(xlabel="tokens for the same sentence")
    axes.legend()
    axes.grid(axis="x", alpha=0.6)
    yield ("languages", "Tokens of one sentence in ten languages: with a vocabulary learned from English, most other languages take "
           "several times as many; with one learned from all ten, the bars are much closer.", figure)


if __name__ == "__main__":
    main(globals())
