"""Makes stories.json: one distribution of a trained model beside the truth, and stories written with many samplers, judged by the grammar.

    minillm pretrain storyworld --model nano --out runs/nano          (some minutes)
    python lessons/09_writing/stories.py runs/nano

The story world can read a story back (`storyworld.parse`), so it is known of every story that a model writes whether it has a mistake
in it. Variety is the entropy of what a sampler writes: the mean of -log q(story), q its own probability of it, after all cuts.
"""

import json
import re
import sys
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np

import minillm
from minillm.architecture.llama import count
from minillm.config import GenerateConfig
from minillm.text import storyworld
from minillm.text.storyworld_words import WORDS

STORIES, BATCH, LONGEST, SHOWN = 256, 128, 255, 60
HOWS = [dict(), dict(temperature=0.7), dict(top_k=10), dict(top_p=0.9), dict(min_p=0.1), dict(temperature=0.5), dict(top_k=40), dict(top_p=0.95),
        dict(min_p=0.05), dict(temperature=1.5, min_p=0.1), dict(temperature=1.2), dict(temperature=0.85)]


def main(folder):
    """Goes on where it was stopped; without stories.json it starts anew."""
    model, out = minillm.load(folder), Path(__file__).with_name("stories.json")
    found = json.loads(out.read_text(encoding="utf-8")) if out.exists() else {
        "model": Path(folder).name, "parameters": count(model.config), "stories": STORIES, "places": places(model), "world": world(), "written": []}
    for how in HOWS[len(found["written"]):]:
        texts, nats = write(model, GenerateConfig(**how))
        found["written"].append({"how": how, **judged(texts), "nats": float(np.mean(nats))})
        print(found["written"][-1], flush=True)
        out.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def places(model):
    """A place with many right words, all equally probable, and one with a single right word, each in the first held-out story that has it."""
    manners = [word.strip() for word in WORDS["manner"].split("|")]
    return {name: next(described(model, text[:found.end()], right or [storyworld.parse(text).values["hero"]])
                       for text in storyworld.stories(1, "validation") for found in [re.search(pattern, text)] if found)
            for name, pattern, right in (("many", r"Now (he|she) stopped(?= )", manners), ("one", r'"I promise," \w+(?= )', None))}


def described(model, begun, right):
    """What the model thinks comes next. Tokens are named by their rank, the most probable first."""
    ids = [model.config.bos_token_id, *model.tokenizer.encode(begun)]
    tokens = [model.tokenizer.encode(f"{begun} {word} ")[len(ids) - 1] for word in right]
    assert len(set(tokens)) == len(right)
    logits = model.logits(np.array([ids]), twin="numpy")[0, -1]
    order = np.argsort(-logits, kind="stable")
    return {"begun": begun.split("\n\n")[-1], "right": sorted(int(np.flatnonzero(order == token)[0]) for token in tokens),
            "words": [model.tokenizer.decode([int(token)]).strip() for token in order[:SHOWN]],
            "logits": [round(float(x), 4) for x in logits[order]]}


def world():
    """What the world's own stories are like, for comparison."""
    return judged(list(islice(storyworld.stories(2, "validation"), STORIES))) | {"nats": storyworld.entropy()}


def write(model, how):
    """STORIES texts and the nats in each by the sampler's own probabilities, BATCH at a time, each with coins of its own: the twin's own steps."""
    import jax
    import jax.numpy as jnp

    from minillm import in_jax
    from minillm.in_jax.generate import sample
    config = model.config
    params = jax.tree.map(jnp.asarray, model.params)

    def choose(logits_V, coin):
        token = sample(logits_V, coin, how)
        return token, -jnp.log(share(jnp, logits_V, token, how))

    @partial(jax.jit, donate_argnums=1)
    def step(tokens_B, cache, coins_B):
        logits_BTV, cache = in_jax.forward(params, tokens_B[:, None], config, cache)
        return *jax.vmap(choose)(logits_BTV[:, 0], coins_B), cache

    texts, nats, rng = [], [], np.random.default_rng(0)
    while len(texts) < STORIES:
        tokens_B, cache, written, ended_B, nats_B = jnp.full(BATCH, config.bos_token_id), in_jax.init_cache(config, BATCH, LONGEST), [], np.zeros(BATCH, bool), 0
        for coins_B in rng.random((LONGEST, BATCH), np.float32):
            tokens_B, more_B, cache = step(tokens_B, cache, coins_B)
            nats_B = nats_B + np.where(ended_B, 0, more_B)
            written.append(np.asarray(tokens_B))
            ended_B |= np.isin(written[-1], config.end_tokens)
            if ended_B.all():
                break
        nats += nats_B.tolist()
        for row in np.stack(written, axis=1).tolist():
            ends = [row.index(token) for token in config.end_tokens if token in row]
            texts.append(model.tokenizer.decode(row[: min(ends, default=len(row))]))
    return texts, nats


def share(np, logits_V, token, how):
    """How probable a token is after all cuts: the same masks as `sample` has, over falling probabilities."""
    from minillm.in_jax.ops import softmax
    p_V = softmax(logits_V / how.temperature)
    falling_V = np.sort(p_V)[::-1] if how.top_k or how.top_p < 1 else p_V
    kept_V = falling_V >= how.min_p * np.max(p_V)
    if how.top_k:
        kept_V = kept_V & (np.arange(len(p_V)) < how.top_k)
    if how.top_p < 1:
        kept_V = kept_V & (np.cumsum(falling_V) - falling_V < how.top_p)
    return p_V[token] / np.sum(np.where(kept_V, falling_V, 0))


def judged(texts):
    """The share of texts that the grammar can read, and how many different words are in all of them."""
    def right(text):
        try:
            return bool(storyworld.parse(text))
        except ValueError:
            return False

    words = {word.strip('.,:;?!"') for text in texts for word in text.split()}
    return {"right": sum(map(right, texts)) / len(texts), "words": len(words)}


if __name__ == "__main__":
    main(sys.argv[1])
