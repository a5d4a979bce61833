"""A model saved by us is the same model in `transformers`, and back (optional: `make parity`)."""

from importlib import import_module

import numpy as np
import pytest

from helpers import assert_close, random_config
from minillm.architecture.llama import init
from minillm.architecture.tree import flatten, tree_map
from minillm.config import GenerateConfig
from minillm.formats import checkpoint
from minillm.text import tokenizer as tk
from needs import optional

torch, transformers = optional("torch"), optional("transformers")
pytestmark = pytest.mark.needs("torch", "transformers")

TEXTS = ("The fox said: \"I'll wait, they've gone; it's 1234!\"\r\n\r\n  Don't.", "Größe, Straße  \t x",
         "小狐狸，三个苹果。", "छोटी लोमड़ी। १२३४", "👩‍👧‍👦 ❤️ 🇿🇦", "")
TOLERANCE = 1e-4
TOKENIZER = tk.train([text * 3 for text in TEXTS], 320)


def saved_model(seed, folder):
    """A random LLaMA with a tokenizer, saved: weights so large that attention is sharp, norms that are not ones."""
    rng = np.random.default_rng(seed)
    # transformers wants the hidden size to be a multiple of the heads, even where head_dim is given
    config = random_config(rng, vocab_size=TOKENIZER.vocab_size, max_position_embeddings=64,
                           tie_word_embeddings=seed % 2 == 0, num_attention_heads=(1, 2, 4, 4, 6, 8)[seed],
                           num_key_value_heads=(1, 1, 1, 2, 3, 8)[seed], hidden_size=(10, 14, 12, 16, 24, 16)[seed])
    params = tree_map(lambda w: (w + 0.3 * rng.standard_normal(w.shape)).astype(np.float32), init(config, rng))
    checkpoint.save_model(folder, config, params, TOKENIZER)
    return config, params, rng.integers(0, config.vocab_size, (2, 40)).astype(np.int32)


def open_theirs(folder):
    model, info = transformers.AutoModelForCausalLM.from_pretrained(folder, output_loading_info=True)
    assert not any(info.values()), info                            # nothing missing, nothing left over
    assert type(model).__name__ == "LlamaForCausalLM" and model.dtype == torch.float32
    return model.eval()


def their_logits(model, tokens):
    with torch.no_grad():
        return model(torch.tensor(tokens, dtype=torch.long)).logits.numpy()


@pytest.mark.parametrize("seed", range(6))
def test_a_model_we_save_gives_the_same_logits_there(tmp_path, seed):
    config, params, tokens = saved_model(seed, tmp_path)
    expected = their_logits(open_theirs(tmp_path), tokens)
    for twin in ("numpy", "jax"):
        logits, _ = import_module(f"minillm.in_{twin}").forward(params, tokens, config)
        assert_close(logits, expected, TOLERANCE, twin)


def test_the_tokenizer_we_save_with_it_gives_the_same_ids(tmp_path):
    config, _, _ = saved_model(0, tmp_path)
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path)
    ours = checkpoint.load_model(tmp_path)[2]
    assert theirs.bos_token_id == config.bos_token_id and theirs.eos_token_id == config.eos_token_id
    for text in TEXTS:
        ids = ours.encode(text)
        assert theirs(text)["input_ids"] == [config.bos_token_id, *ids]           # what stands before every prompt of ours
        assert theirs.decode(ids) == text


@pytest.mark.parametrize("seed", range(6))
def test_a_model_they_save_again_is_the_same_model_here(tmp_path, seed):
    config, params, tokens = saved_model(seed, tmp_path / "ours")
    model = open_theirs(tmp_path / "ours")
    model.save_pretrained(tmp_path / "theirs")
    transformers.AutoTokenizer.from_pretrained(tmp_path / "ours").save_pretrained(tmp_path / "theirs")
    again, loaded, made = checkpoint.load_model(tmp_path / "theirs")
    assert again == config
    assert [made.encode(text) for text in TEXTS] == [TOKENIZER.encode(text) for text in TEXTS]
    for path, leaf in flatten(params).items():
        np.testing.assert_array_equal(flatten(loaded)[path], leaf, err_msg=path)
    logits, _ = import_module("minillm.in_numpy").forward(loaded, tokens, again)
    assert_close(logits, their_logits(model, tokens), TOLERANCE)


@pytest.mark.parametrize("twin", ["numpy", "jax"])
@pytest.mark.parametrize("seed", range(6))
def test_greedy_generation_is_the_same(tmp_path, seed, twin):
    config, params, tokens = saved_model(seed, tmp_path)
    model, prompt = open_theirs(tmp_path), tokens[:1, :9]
    ids = torch.tensor(prompt, dtype=torch.long)
    theirs = model.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=20)
    theirs = theirs[0, 9:].tolist()
    ours = import_module(f"minillm.in_{twin}").generate(params, prompt[0].tolist(), config,
                                                        GenerateConfig(max_new_tokens=20, temperature=0),
                                                        stop=(config.eos_token_id,))
    assert list(ours) == [token for token in theirs if token != config.eos_token_id]
    assert len(theirs) == 20 or theirs[-1] == config.eos_token_id
    assert len(theirs) > 1
