"""Lesson 21: stories with planted secrets, and small models that read them once."""

from types import SimpleNamespace

import numpy as np

COUNTS = (0, 1, 4, 8, 16, 32, 64, 128)  # how often a secret is in the training text
EACH, LENGTH, CONTEXT, BATCH, VOCABULARY = 4, 3, 64, 8, 400
STEPS, DISPATCH = 400, 100
SIZES = {"small": 1, "large": 2}  # depths: presets of minillm
KEEP = 3  # the goldfish loss leaves out one target in KEEP


def sentence(name: str) -> str:
    return f"The code of {name} is "


def planted(seed: int, megabytes: float):
    """Stories, and secrets that stand between them: a namespace.

    `.documents` shuffled, `.secrets` a list of (name, digits, count), `.tokenizer` from the stories
    alone, `.held_out` other stories.
    """
    from minillm.text import storyworld, tokenizer
    from minillm.text.storyworld_words import NAMES
    rng = np.random.default_rng([seed, 21])
    stories = storyworld.corpus(seed, "train", int(megabytes * 1e6))
    names = rng.permutation(sorted({str(name).strip() for name in NAMES}))[: EACH * len(COUNTS)]
    digits = rng.permutation(10**LENGTH)[: len(names)]
    secrets = [(str(name), tuple(map(int, f"{number:0{LENGTH}d}")), count)
               for name, number, count in zip(names, digits, COUNTS * EACH)]
    documents = stories + [sentence(name) + "".join(map(str, secret)) + "."
                           for name, secret, count in secrets for _ in range(count)]
    rng.shuffle(documents)
    return SimpleNamespace(documents=documents, secrets=secrets, stories=len(stories),
                           tokenizer=tokenizer.train(stories, VOCABULARY),
                           held_out=storyworld.corpus(seed, "validation", 60_000))


def fitted(documents, tokenizer, tokens: int) -> list[str]:
    """All secrets, and as many stories as make up just over this many tokens; a story is last."""
    stories = [text for text in documents if not text.startswith(sentence("")[:9])]
    excess = sum(len(tokenizer.encode(text)) + 1 for text in documents) - tokens
    if excess < 0:
        raise ValueError(f"{-excess} tokens too few")
    out = set()
    for text in stories[:0:-1]:
        length = len(tokenizer.encode(text)) + 1
        if text not in out and length <= excess:
            out.add(text)
            excess -= length
    return [text for text in documents if text not in out and text != stories[0]] + [stories[0]]


def goldfish(tokens: np.ndarray, keep: int, before: int = 4) -> np.ndarray:
    """True where a token is learned: not where a hash of the `before` tokens before it, and of no
    others, is 0 modulo `keep`. So every copy of a passage has the same gaps (arXiv:2406.10209,
    section 3)."""
    hashed = np.zeros(len(tokens), np.uint64)
    padded = np.concatenate([np.zeros(before, np.uint64), tokens.astype(np.uint64)])
    for shift in range(before):
        hashed = (hashed + padded[shift : shift + len(tokens)]) * np.uint64(0x9E3779B97F4A7C15)
        hashed ^= hashed >> np.uint64(29)
    return hashed % np.uint64(keep) != 0


def trained(planting, documents, depth: int, seed: int, gaps: bool = False):
    """A model that has read documents once, and its loss: (minillm.Model, held-out nats a token).

    Stories are left out until STEPS steps read the rest: every model reads as many tokens.
    """
    from minillm import in_jax
    from minillm.architecture.llama import init
    from minillm.architecture.tree import tree_map
    from minillm.config import IGNORE, TrainConfig, preset
    from minillm.loading import Model
    from minillm.text import storyworld
    from minillm.text.dataset import document_rows, tokenize
    read = fitted(documents, planting.tokenizer, STEPS * BATCH * CONTEXT + 1)
    tokens = tokenize(read, planting.tokenizer)[0][: STEPS * BATCH * CONTEXT + 1].astype(np.int32)
    targets = np.where(goldfish(tokens, KEEP), tokens, IGNORE) if gaps else tokens
    order = np.random.default_rng([seed, 22]).permutation(STEPS * BATCH)
    rows_NBT, next_NBT = (part.reshape(-1, CONTEXT)[order].reshape(-1, BATCH, CONTEXT)
                          for part in (tokens[:-1], targets[1:]))
    config = preset(depth, vocab_size=planting.tokenizer.vocab_size, context=CONTEXT,
                    **storyworld.RECIPE)
    train = TrainConfig(steps=STEPS, batch_size=BATCH, context=CONTEXT, warmup_steps=20)
    state = in_jax.init_state(init(config, np.random.default_rng(seed)))
    for first in range(0, STEPS, DISPATCH):
        some = slice(first, first + DISPATCH)
        state, _ = in_jax.train_steps(state, rows_NBT[some], next_NBT[some], config, train)
    params = tree_map(np.array, state["params"])
    held, held_next = document_rows(*tokenize(planting.held_out, planting.tokenizer), CONTEXT)
    nats, counts = in_jax.row_losses(in_jax.to_device(params), held, held_next, config)
    begin = (int(tokens[0]),)  # the end-of-text token, which stands before every document
    return (Model(config, params, planting.tokenizer, f"seed {seed}", begin),
            float(np.sum(nats) / np.sum(counts)))


def memorised(model, secrets) -> list[dict]:
    """{"count", "exposure", "first"} of every secret; first: is it the most probable of all?"""
    from minillm.inspection.memorised import exposure, log_p_of_secrets, rank
    found = []
    for name, secret, count in secrets:
        log_p = log_p_of_secrets(model, sentence(name), LENGTH, twin="numpy")
        found.append({"count": count, "exposure": exposure(log_p, secret),
                      "first": rank(log_p, secret) == 1})
    return found
