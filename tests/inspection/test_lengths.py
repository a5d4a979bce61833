"""Promise: in JAX texts of many lengths share few programs, and the results are those of NumPy."""

import jax
import numpy as np
import pytest

from helpers import assert_close, random_config, random_params
from minillm import inspection
from minillm.inspection.ablation import ablate_heads
from minillm.loading import Model
from minillm.text.lengths import padded_length, room_for

SHARED = (33, 40, 36)                                      # lengths that are padded to 40


@pytest.fixture(scope="module")
def model():
    rng = np.random.default_rng(4)
    config = random_config(rng, max_position_embeddings=64, num_hidden_layers=2)
    return Model(config, random_params(config, rng), None, "a test")


def lens(model, tokens_T, twin):
    found = inspection.logit_lens(model, tokens_T, twin=twin)
    return found.entropy_NT, found.kl_NT


def by_layer(model, tokens_T, twin):
    return [x for _, x in inspection.record_by_layer(model, tokens_T, twin=twin)]


def patched(model, tokens_T, twin):
    other_T = np.roll(tokens_T, 1)
    return [each(model, tokens_T, other_T, twin=twin).score_LN
            for each in (inspection.patch, inspection.rank_by_gradient)]


def ablated(model, tokens_T, twin):
    found = ablate_heads(model, tokens_T, twin=twin)
    return found.kl_LNT, found.surprise_LNT


ANALYSES = {
    "logits": lambda model, tokens_T, twin: [model.logits(tokens_T[None], twin)],
    "record": lambda model, tokens_T, twin: list(
        inspection.record(model, tokens_T, twin=twin).values()),
    "by layer": by_layer, "lens": lens, "patching": patched, "ablation": ablated,
    "attribution": lambda model, tokens_T, twin: [
        inspection.attribute_logits(model, tokens_T, twin=twin).total_T],
}


def test_few_lengths_stand_for_many():
    lengths = {padded_length(length, 64) for length in range(5, 61)}
    assert lengths == {8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 56, 64}


@pytest.mark.parametrize("name", ANALYSES)
def test_lengths_of_one_room_share_programs(name, model):
    """Nothing is compiled for the second and third length, and all results are NumPy's."""
    assert {room_for(length, model.config) for length in SHARED} == {40}
    rng, compilations = np.random.default_rng(1), []
    listen = lambda event, seconds, **_: compilations.append(event) if event.endswith(
        "backend_compile_duration") else None
    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        counts = []
        for length in SHARED:
            tokens_T = rng.integers(0, model.config.vocab_size, length)
            found = ANALYSES[name](model, tokens_T, "jax")
            counts.append(len(compilations))
            for ours, theirs in zip(ANALYSES[name](model, tokens_T, "numpy"), found, strict=True):
                assert_close(theirs, ours, 1e-4)
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)
    assert counts[0] > 0 and counts[1:] == counts[:1] * 2
