"""Promise: evaluation costs what the rows hold; padding and slices change no loss."""

import numpy as np
import pytest

from helpers import assert_close, random_config, random_params
from minillm import in_jax, in_numpy
from minillm.config import IGNORE
from minillm.text import lengths
from minillm.training import evaluation

TWINS = [in_numpy, in_jax]


@pytest.fixture(scope="module")
def case():
    rng = np.random.default_rng(0)
    config = random_config(rng, max_position_embeddings=64)
    tokens = rng.integers(0, config.vocab_size, (5, 64)).astype(np.int32)
    targets = np.roll(tokens, -1, axis=1)
    for row, length in enumerate((11, 3, 9, 12, 1)):
        targets[row, length:] = IGNORE
    return config, random_params(config, rng), tokens, targets


@pytest.mark.parametrize("twin", TWINS)
def test_padding_changes_no_loss(case, twin):
    config, params, tokens, targets = case
    nats, counts = evaluation.row_nats(twin, params, config, tokens, targets, 2)
    assert counts.tolist() == [11, 3, 9, 12, 1]
    for row, length in enumerate(counts):
        alone = twin.row_losses(
            params, tokens[row : row + 1, :length], targets[row : row + 1, :length], config
        )
        assert_close(nats[row], np.asarray(alone[0])[0], 1e-5)


@pytest.mark.parametrize("twin", TWINS)
def test_slices_of_logits_change_no_loss(case, twin, monkeypatch):
    config, params, tokens, targets = case
    whole, _ = twin.row_losses(params, tokens, targets, config)
    monkeypatch.setattr(
        twin.train, "LOGITS_AT_ONCE", 5 * 7 * config.vocab_size
    )  # seven places of each row
    sliced, counts = twin.row_losses(params, tokens, targets, config)
    assert_close(np.asarray(sliced), np.asarray(whole), 1e-6)
    assert np.asarray(counts).tolist() == [11, 3, 9, 12, 1]


def test_a_batch_holds_no_more_than_memory_should(case, monkeypatch):
    config = case[0]
    assert (
        lengths.rows_at_once(config, 64, 16, 5) == 5 and lengths.rows_at_once(config, 64, 2, 5) == 2
    )
    monkeypatch.setattr(lengths, "AT_ONCE", 1)
    assert lengths.rows_at_once(config, 64, 16, 5) == 1
