"""A small model of questions, answers and stories, random or trained a little."""

import numpy as np
import pytest

from minillm.architecture.llama import init
from minillm.config import ModelConfig
from minillm.loading import Model
from minillm.text import tokenizer as tokenizers
from minillm.tuning import task_of


@pytest.fixture(scope="session")
def small() -> Model:
    """A model without a chat template, in its first state."""
    texts = [f"{e.question}\n{e.answer}" for name in ("sums", "desk")
             for e in task_of(name).some("train", 200)]
    made = tokenizers.train([*texts, "<|user|>\n<|assistant|>\n"], 400)
    config = ModelConfig(vocab_size=made.vocab_size, hidden_size=32, intermediate_size=48,
                         num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
                         head_dim=8, max_position_embeddings=96, initializer_range=0.2)
    params = init(config, np.random.default_rng(0))
    return Model(config, params, made, "the small model", (0,))
