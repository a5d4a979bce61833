"""Lesson 20: what a left-out language pays, and how a model learns it from little text."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from minillm.course.demos import main, measured
from minillm.text.extended import extend, pieces_of_new, temperature_shares
from minillm.text.storyworld import RECIPE, VEKARI, corpus, entropy, mean_length, mean_words, parse
from minillm.text.tokenizer import train as learn_tokens

SIZE, ALPHAS = 900, (1.0, 0.7, 0.3, 0.0)      # of the vocabularies of ten languages
UNEQUAL, KEPT = "English", 0.1                # all other languages keep this part of their text
OLD, NEW = 768, 1536                          # tokens of the English model, and after extension
MEGABYTES = 1.0                               # of Vekari, called 100%
CONTEXT, BATCH, STEPS, EVERY = 256, 8, 200, 20
WAYS = ("scratch", "continued", "extended")
SHARES, SEEDS = (0.01, 0.1, 1.0), (0, 1, 2)


def compute(console, full):
    learn = corpus(0, "train", int(MEGABYTES * 1e6), VEKARI)
    held_out = corpus(0, "validation", 60_000, VEKARI)
    parts = {f"{share:g}": learn[: max(1, round(share * len(learn)))] for share in SHARES}
    exact = fertility(console) | {
        "megabytes": MEGABYTES, "steps": STEPS, "context": CONTEXT, "batch": BATCH, "old": OLD,
        "new": NEW, "floor": entropy(VEKARI) / mean_words(VEKARI), "shares": list(SHARES),
        "story_words": mean_words(VEKARI), "story_bytes": mean_length(world=VEKARI),
        "held_out": len(held_out), "stories": {name: len(texts) for name, texts in parts.items()},
        "tokens": story_tokens(parts, held_out), "seeds": len(SEEDS) if full else 0,
        "looks": STEPS // EVERY}
    found = {}
    for seed in SEEDS if full else ():
        english = english_model(seed)
        console.print(f"seed {seed}: English model {english.above:.2f} nats a word above its floor")
        found.setdefault("english", []).append(english.above)
        for name, texts in parts.items():
            for way in WAYS:
                above = learned(way, english, texts, held_out, seed)
                found.setdefault(f"{way}_{name}", []).append(above)
                console.print(f"  {len(texts)} stories, {way}: {above:.2f} nats a word above")
    return {"exact": exact, "measured": {name: measured(values, 0.0, 40.0)
                                         for name, values in found.items()}}


# ---- What a language pays in tokens --------------------------------------------------------------


def fertility(console):
    """Tokens of the same ten texts by vocabularies learned from one, from all, and balanced."""
    path = Path(__file__).resolve().parent.parent / "01_tokens" / "declaration.json"
    texts = json.loads(path.read_text(encoding="utf-8"))["languages"]
    paragraphs = {name: language["text"] for name, language in texts.items()}
    sentences = {name: language["sentence"] for name, language in texts.items()}
    kept = {name: some if name == UNEQUAL else some[: max(1, round(len(some) * KEPT))]
            for name, some in paragraphs.items()}
    made = {"english": learn_tokens(paragraphs[UNEQUAL], SIZE),
            "all": learn_tokens([text for some in paragraphs.values() for text in some], SIZE)}
    sizes = [sum(len(text.encode()) for text in some) for some in kept.values()]
    shares = {f"{alpha:g}": temperature_shares(sizes, alpha) for alpha in ALPHAS}
    for alpha, chances in shares.items():
        made[f"alpha {alpha}"] = learn_tokens(drawn(list(kept.values()), sizes, chances), SIZE)
    rows = {}
    for name, sentence in sentences.items():
        words, n_bytes = len(sentence.split()), len(sentence.encode())
        rows[name] = {"words": words, "bytes": n_bytes,
                      **{kind: len(tokens.encode(sentence)) for kind, tokens in made.items()}}
    console.print(f"vocabularies of {SIZE} tokens for {len(rows)} languages")
    return {"size": SIZE, "kept": KEPT, "languages": rows, "sampling": shares,
            "english_share": sizes[list(kept).index(UNEQUAL)] / sum(sizes),
            "worst": {kind: max(row[kind] for row in rows.values()) / rows[UNEQUAL][kind]
                      for kind in made}}


def drawn(texts, sizes, chances):
    """The texts of each language as often as its share asks for, in whole copies and a part."""
    most = max(size / chance for size, chance in zip(sizes, chances))
    chosen = []
    for some, size, chance in zip(texts, sizes, chances):
        times = chance * most / size                 # at least once; 1 for all where alpha is 1
        chosen += some * int(times) + some[: round((times % 1) * len(some))]
    return chosen


def story_tokens(parts, held_out):
    """Tokens of a held-out story of Vekari on average, by each way to a vocabulary and share."""
    english = learn_tokens(corpus(0, "train", 2_000_000), OLD)
    counts = {}
    for name, texts in parts.items():
        for way in WAYS:
            tokenizer = vocabulary(way, english, texts)
            total = sum(len(tokenizer.encode(text)) for text in held_out)
            counts[f"{way}_{name}"] = total / len(held_out)
    return counts


def vocabulary(way, english, texts):
    """The tokenizer of a way to learn Vekari from `texts`."""
    if way == "scratch":
        return learn_tokens(texts, OLD)
    return extend(english, texts, NEW) if way == "extended" else english


# ---- Learning Vekari -----------------------------------------------------------------------------


def english_model(seed):
    """A small model of English stories: .params, .config, .tokenizer, .above its floor."""
    from minillm.architecture.llama import init
    from minillm.config import preset
    texts, held_out = corpus(seed, "train", 2_000_000), corpus(seed, "validation", 60_000)
    tokenizer = learn_tokens(texts, OLD)
    config = preset(2, vocab_size=OLD, context=CONTEXT, **RECIPE)
    params, losses = trained(init(config, np.random.default_rng(seed)), config, tokenizer, texts,
                             held_out, seed)
    floor = -sum(parse(text).log_probability for text in held_out)
    words = sum(len(text.split()) for text in held_out)
    return SimpleNamespace(params=params, config=config, tokenizer=tokenizer,
                           above=(losses[-1] - floor) / words)


def learned(way, english, texts, held_out, seed):
    """Nats a word above the floor, at the best of all looks at the held-out stories."""
    from dataclasses import replace

    from minillm.architecture.llama import init
    from minillm.architecture.widened import widened
    params, config = english.params, english.config
    tokenizer = vocabulary(way, english.tokenizer, texts)
    if way == "scratch":
        config = replace(config, vocab_size=tokenizer.vocab_size)
        params = init(config, np.random.default_rng(seed + 100))
    elif way == "extended":
        params, config = widened(params, config, pieces_of_new(english.tokenizer, tokenizer))
    _, losses = trained(params, config, tokenizer, texts, held_out, seed)
    floor = -sum(parse(text, VEKARI).log_probability for text in held_out)
    return (min(losses) - floor) / sum(len(text.split()) for text in held_out)


def trained(params, config, tokenizer, texts, held_out, seed):
    """(params after STEPS, nats of all of `held_out` at every look). The seed orders the texts."""
    from minillm import in_jax, training
    from minillm.architecture.tree import tree_map
    from minillm.config import TrainConfig
    from minillm.text.dataset import document_rows, row_starts, tokenize
    train = TrainConfig(steps=STEPS, batch_size=BATCH, context=CONTEXT, cpu_devices=1)
    order = np.random.default_rng([seed, 1]).permutation(len(texts))
    tokens, starts = tokenize([texts[i] for i in order], tokenizer)
    text = (tokens, row_starts(starts, len(tokens), CONTEXT))
    rows = document_rows(*tokenize(held_out, tokenizer), CONTEXT)

    def look(params):
        nats, _ = training.row_nats(in_jax, params, config, *rows, batch_size=32)
        return float(nats.sum())

    state, losses = in_jax.init_state(tree_map(np.array, params)), []
    for step, state, _ in training.steps(in_jax, state, text, config, train):
        if step % EVERY == 0:
            losses.append(look(state["params"]))
    return tree_map(np.array, state["params"]), losses


if __name__ == "__main__":
    main(globals())
