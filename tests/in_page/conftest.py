"""A model that nobody should trust, for every page."""

import json

import numpy as np
import pytest

from helpers import HOSTILE, random_config, random_params
from minillm.loading import Model
from minillm.text import tokenizer


@pytest.fixture(scope="module")
def hostile():
    """A model whose tokens are markup, whose context is absurd, and that looks at everything."""
    rng = np.random.default_rng(4)
    tokens = [c for text in HOSTILE for c in text]
    made = tokenizer.train_characters([*HOSTILE, "a fox"], special_tokens=["<|endoftext|>"])
    spec = json.loads(json.dumps(made.spec))
    for text in HOSTILE:  # whole tokens of markup, which no text is cut into
        spec["model"]["vocab"][text] = len(spec["model"]["vocab"])
    made = tokenizer.Characters(spec)
    assert len(tokens) > 20
    config = random_config(
        rng, vocab_size=made.vocab_size, num_hidden_layers=2, max_position_embeddings=2**31 - 1
    )
    return Model(
        config,
        random_params(config, rng),
        made.fit(config.vocab_size),
        "x</title><script>1</script>",
        (0,),
    )
