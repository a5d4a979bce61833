"""What several demos begin with: stories as rows of tokens, and a small model trained on them."""

from types import SimpleNamespace

import numpy as np


def stories(megabytes: float, held_out: float, vocabulary: int, context: int, **sizes) -> dict:
    """A model of these sizes (fields of ModelConfig) by the story recipe, and what it reads.

    {"config", "parameters", "tokens", "starts" of its rows of training, "rows": all (tokens,
    targets) of `held_out` megabytes}.
    """
    from minillm.architecture.llama import count
    from minillm.config import ModelConfig
    from minillm.text import storyworld, tokenizer
    from minillm.text.dataset import document_rows, row_starts, tokenize
    learn = storyworld.corpus(0, "train", int(megabytes * 1e6))
    learned = tokenizer.train(learn, vocabulary)
    tokens, starts = tokenize(learn, learned)
    config = ModelConfig(vocab_size=learned.vocab_size, max_position_embeddings=context, **sizes,
                         **storyworld.RECIPE)
    rows = tokenize(storyworld.corpus(0, "validation", int(held_out * 1e6)), learned)
    return {"config": config, "parameters": count(config), "tokens": tokens,
            "starts": row_starts(starts, len(tokens), context),
            "rows": document_rows(*rows, context)}


def trained(console, megabytes: float, vocabulary: int, context: int, train, **changes):
    """A model of two layers after minillm's own training on stories, without its folder.

    `.config` (a preset with `changes`), `.params` (NumPy's), `.losses` of the steps, `.tokenizer`,
    and `.tokens` that it learned from.
    """
    from minillm import in_jax, training
    from minillm.architecture.llama import init
    from minillm.architecture.tree import tree_map
    from minillm.config import preset
    from minillm.text import storyworld, tokenizer
    from minillm.text.dataset import tokenize
    learn = storyworld.corpus(train.seed, "train", int(megabytes * 1e6))
    learned = tokenizer.train(learn, vocabulary)
    config = preset(2, vocab_size=learned.vocab_size, context=context, **storyworld.RECIPE,
                    **changes)
    text, losses = tokenize(learn, learned), []
    start = in_jax.init_state(init(config, np.random.default_rng(train.seed)))
    for step, state, metrics in training.steps(in_jax, start, text, config, train):
        losses += metrics["loss"].tolist()
        if step % 50 == 0:
            console.print(f"step {step:4}: loss {np.mean(losses[-10:]):.2f} nats a token")
    return SimpleNamespace(config=config, params=tree_map(np.asarray, state["params"]),
                           losses=losses, tokenizer=learned, tokens=text[0])
