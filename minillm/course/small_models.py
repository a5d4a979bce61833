"""What several demos begin with: stories as rows of tokens, and a small model trained on them."""

from itertools import chain

import numpy as np


def joined(tokenizer, texts: list[str], begin: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """(tokens, where each text starts): every text behind the token `begin`, one more at the end."""
    pieces = [[begin, *tokenizer.encode(text)] for text in texts]
    return np.array([*chain(*pieces), begin]), np.cumsum([0, *map(len, pieces[:-1])])


def stories(megabytes: float, held_out: float, vocabulary: int, context: int, **sizes) -> dict:
    """A model of these sizes (fields of ModelConfig) by the story recipe, and what it reads.

    {"config", "parameters", "tokens", "starts" of its rows of training, "rows": all (tokens,
    targets) of `held_out` megabytes}.
    """
    from minillm.architecture.llama import count
    from minillm.config import ModelConfig
    from minillm.text import storyworld, tokenizer
    from minillm.text.dataset import document_rows, row_starts
    learn = storyworld.corpus(0, "train", int(megabytes * 1e6))
    learned = tokenizer.train(learn, vocabulary)
    tokens, starts = joined(learned, learn)
    config = ModelConfig(vocab_size=learned.vocab_size, max_position_embeddings=context, **sizes,
                         **storyworld.RECIPE)
    rows = joined(learned, storyworld.corpus(0, "validation", int(held_out * 1e6)))
    return {"config": config, "parameters": count(config), "tokens": tokens,
            "starts": row_starts(starts, len(tokens), context), "rows": document_rows(*rows, context)}


def fit(console, params, text, config, train) -> tuple[dict, list[float]]:
    """(parameters as NumPy's, the loss of each step): minillm's own training, without its folder.

    `text` is what `joined` gives: a row begins anywhere in it.
    """
    from minillm import in_jax, training
    from minillm.architecture.tree import tree_map
    losses, start = [], in_jax.init_state(params)
    for step, state, metrics in training.steps(in_jax, start, text, config, train):
        losses += metrics["loss"].tolist()
        if step % 50 == 0:
            console.print(f"step {step:4}: loss {np.mean(losses[-10:]):.2f} nats a token")
    return tree_map(np.asarray, state["params"]), losses
