"""A vocabulary that grows keeps what it had, and a model's new rows are means of its old ones."""

import re

import numpy as np
import pytest

from minillm import cli, load
from minillm.architecture.llama import init
from minillm.architecture.widened import widened
from minillm.config import ModelConfig
from minillm.errors import UserError
from minillm.text import storyworld, tokenizer
from minillm.text.extended import extend, pieces_of_new, temperature_shares

ENGLISH = storyworld.corpus(0, "train", 60_000)
VEKARI = storyworld.corpus(0, "train", 60_000, storyworld.VEKARI)


@pytest.fixture(scope="module")
def grown():
    old = tokenizer.train(ENGLISH, 500)
    return old, extend(old, VEKARI, 700)


def test_old_texts_are_cut_as_before_and_new_ones_come_back(grown):
    old, new = grown
    assert new.vocab_size == 700 and new.vocab.items() >= old.vocab.items()
    assert new.special_tokens == old.special_tokens
    for text in storyworld.corpus(1, "validation", 20_000):
        ids = new.encode(text)
        assert new.decode(ids) == text
        if max(ids) < old.vocab_size:          # else it has one of the signs that were merged
            assert ids == old.encode(text)
    letters = [re.sub("[^\u10d0-\u10ff\\s]", "", text) for text in VEKARI]
    apart = extend(old, letters, 700)          # from words of another script alone
    for text in storyworld.corpus(1, "validation", 20_000):
        assert apart.encode(text) == old.encode(text)
    unseen = storyworld.corpus(1, "validation", 20_000, storyworld.VEKARI)
    assert [new.decode(new.encode(text)) for text in unseen] == unseen
    before, after = (sum(len(made.encode(text)) for text in unseen) for made in grown)
    assert after < before / 3


def test_growing_a_fresh_tokenizer_is_training_it():
    """From the bytes alone, going on to learn is learning: the engine of `train` is the oracle."""
    bytes_alone = tokenizer.train(VEKARI, 257)
    assert tokenizer.same_tokenizer(extend(bytes_alone, VEKARI, 400), tokenizer.train(VEKARI, 400))


@pytest.mark.parametrize("tied", [True, False])
def test_new_rows_are_means_of_the_rows_of_their_pieces(grown, tied):
    old, new = grown
    config = ModelConfig(vocab_size=old.vocab_size, hidden_size=8, intermediate_size=16,
                         num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=2,
                         head_dim=4, max_position_embeddings=32, tie_word_embeddings=tied)
    params, pieces = init(config, np.random.default_rng(0)), pieces_of_new(old, new)
    wide, wider = widened(params, config, pieces)
    assert wider.vocab_size == new.vocab_size and ("lm_head" in wide) == (not tied)
    assert wide["layers"] is params["layers"]
    for name, axis in (("embed_tokens", 0), ("lm_head", 1))[: 1 if tied else 2]:
        rows, was = np.moveaxis(wide[name], axis, 0), np.moveaxis(params[name], axis, 0)
        np.testing.assert_array_equal(rows[: old.vocab_size], was)
        for row, piece in zip(rows[old.vocab_size:], pieces, strict=True):
            np.testing.assert_allclose(row, was[piece].mean(axis=0), rtol=1e-5, atol=1e-7)
    assert [b"".join(old.pieces[i] for i in piece) for piece in pieces] == [
        new.pieces[i] for i in range(old.vocab_size, new.vocab_size)]


def test_what_cannot_be_extended_is_refused(grown):
    old, _ = grown
    with pytest.raises(UserError, match="has 500 already"):
        extend(old, VEKARI, 500)
    with pytest.raises(UserError, match="only a tokenizer that minillm trained"):
        extend(tokenizer.train_characters(ENGLISH), VEKARI, 700)
    config = ModelConfig(vocab_size=300, hidden_size=8, intermediate_size=16, num_hidden_layers=1,
                         num_attention_heads=2, num_key_value_heads=2, head_dim=4,
                         max_position_embeddings=32)
    with pytest.raises(UserError, match="token ids below 300"):
        widened(init(config, np.random.default_rng(0)), config, [[300]])


def test_the_command_saves_a_model_that_is_loaded_and_cut_alike(grown, tmp_path, capsys):
    old, new = grown
    config = ModelConfig(vocab_size=500, hidden_size=8, intermediate_size=16, num_hidden_layers=1,
                         num_attention_heads=2, num_key_value_heads=2, head_dim=4,
                         max_position_embeddings=32, tie_word_embeddings=False)
    from minillm.loading import Model
    Model(config, init(config, np.random.default_rng(0)), old, "test").save(tmp_path / "old")
    text = tmp_path / "vekari.txt"
    text.write_text("<|endoftext|>".join(VEKARI), encoding="utf-8")
    assert cli.main(["tokenizer", "extend", str(tmp_path / "old"), str(text), "--vocab-size", "600",
                     "--out", str(tmp_path / "new")]) == 0
    assert "100 of them new" in capsys.readouterr().out
    before, after = load(tmp_path / "old"), load(tmp_path / "new")
    assert after.config.vocab_size == after.tokenizer.vocab_size == 600
    tokens = np.array([after.tokenizer.encode(ENGLISH[0])[:20]])
    np.testing.assert_allclose(after.logits(tokens)[..., :500], before.logits(tokens), rtol=1e-6)


def test_temperature_draws_small_languages_more_often():
    sizes = [900.0, 90.0, 10.0]
    np.testing.assert_allclose(temperature_shares(sizes, 1), [0.9, 0.09, 0.01])
    np.testing.assert_allclose(temperature_shares(sizes, 0), [1 / 3] * 3)
    np.testing.assert_allclose(temperature_shares(sizes, 0.5),
                               np.sqrt(sizes) / np.sqrt(sizes).sum(), rtol=1e-12)
