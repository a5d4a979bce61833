"""Promise: what lesson 08 puts into minillm's forward pass does what it says, and each of its recipes makes one choice differently, at equal tokens."""

import json
from dataclasses import replace

import numpy as np
import pytest

from minillm.architecture.tree import tree_map
from minillm.config import ModelConfig
from minillm.course.demos import read_results
from minillm.course.lessons import find, load_module
from minillm.in_jax import forward, loss
from minillm.text import storyworld

FOLDER = find("08").folder
CONFIG = ModelConfig(vocab_size=50, hidden_size=24, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
                     head_dim=6, max_position_embeddings=16, initializer_range=24**-0.5, **storyworld.RECIPE)
TOKENS_BT = np.concatenate([np.zeros((2, 1), int), np.random.default_rng(1).integers(1, 50, (2, 11))], axis=1)
TARGETS_BT = np.roll(TOKENS_BT, -1, axis=1)


@pytest.fixture(scope="module")
def variants():
    return load_module(FOLDER / "variants.py", "variants")


def params_of(variants, recipe):
    rng = np.random.default_rng(0)
    return tree_map(lambda w: (w + 0.2 * rng.standard_normal(w.shape)).astype(np.float32), variants.begin(recipe, CONFIG, 0))


def close(a, b):
    np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)


def test_the_recipe_as_it_stands_is_minillms(variants):
    recipe = variants.Recipe()
    params = params_of(variants, recipe)
    close(variants.logits(params, TOKENS_BT, recipe, CONFIG), forward(params, TOKENS_BT, CONFIG)[0])
    assert float(variants.loss(params, TOKENS_BT, TARGETS_BT, recipe, CONFIG)) == float(loss(params, TOKENS_BT, TARGETS_BT, CONFIG))


def test_every_recipe_makes_one_choice_otherwise_and_sees_as_many_tokens(variants):
    ours, tokens = variants.Recipe(), variants.STEPS * variants.BATCH * variants.CONTEXT
    recipes = variants.recipes()
    assert recipes["minillm"] == ours and len(set(recipes.values())) == len(recipes) == len(variants.CHOICES) + 1
    for name, *_, change in variants.CHOICES:
        recipe = recipes[name]
        assert recipe == replace(ours, **change) and len(change) == 1, name
        assert recipe.train.steps * recipe.train.batch_size * recipe.train.context == tokens, name
        assert recipe.train.warmup_steps in (0, recipe.train.steps // 30), name
    assert set(variants.STORIES_ONLY) < set(recipes)


def test_none_sees_the_future(variants):
    other_BT = np.where(np.arange(12) > 6, 49, TOKENS_BT)
    for name, recipe in variants.recipes().items():
        params = params_of(variants, recipe)
        a, b = (np.asarray(variants.logits(params, tokens, recipe, CONFIG)) for tokens in (TOKENS_BT, other_BT))
        close(a[:, :7], b[:, :7])
        assert np.abs(a[:, 7:] - b[:, 7:]).max() > 0.01, name


def test_masked_documents_are_as_if_alone(variants):
    recipe = variants.Recipe(mask=True)
    params = params_of(variants, recipe)
    tokens_BT = TOKENS_BT.copy()
    tokens_BT[:, 5] = 0                                       # a second document begins
    both = np.asarray(variants.logits(params, tokens_BT, recipe, CONFIG))
    close(both[:, :5], forward(params, tokens_BT[:, :5], CONFIG)[0])
    close(both[:, 5:], forward(params, tokens_BT[:, 5:], CONFIG)[0])
    assert np.abs(both[:, 5:] - np.asarray(forward(params, tokens_BT, CONFIG)[0])[:, 5:]).max() > 0.01


def test_with_qk_norm_the_size_of_queries_and_keys_does_not_matter(variants):
    recipe = variants.Recipe(qk_norm=True)
    params = params_of(variants, recipe)
    larger = params | {"layers": [layer | {"q_proj": 30 * layer["q_proj"], "k_proj": 7 * layer["k_proj"]} for layer in params["layers"]]}
    a, b = (np.asarray(variants.logits(p, TOKENS_BT, recipe, CONFIG)) for p in (params, larger))
    np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-3)
    assert np.abs(a - np.asarray(variants.logits(params, TOKENS_BT, variants.Recipe(), CONFIG))).max() > 0.01


def test_z_loss_is_the_mean_square_of_the_log_of_the_sum(variants):
    recipe = variants.Recipe(z_loss=0.5)
    params = params_of(variants, recipe)
    logits_BTV = np.asarray(forward(params, TOKENS_BT, CONFIG)[0], np.float64)
    z = np.log(np.exp(logits_BTV).sum(axis=-1))
    close(variants.loss(params, TOKENS_BT, TARGETS_BT, recipe, CONFIG) - loss(params, TOKENS_BT, TARGETS_BT, CONFIG), 0.5 * np.mean(z * z))


def test_starts_differ_in_what_writes_into_the_stream_alone(variants):
    ours = variants.begin(variants.Recipe(), CONFIG, 5)
    for start in ("gpt2", "loud", "zero"):
        other = variants.begin(variants.Recipe(start=start), CONFIG, 5)
        assert (other["embed_tokens"] == ours["embed_tokens"]).all()
        for a, b in zip(ours["layers"], other["layers"]):
            assert {name for name in a if not np.array_equal(a[name], b[name])} == {"o_proj"} | ({"down_proj"} if start != "gpt2" else set())
            sizes = {"gpt2": 24**-0.5 / 2, "loud": 24**-0.5, "zero": 0.0}[start]
            assert abs(b["o_proj"].std() - sizes) < 0.02 and abs(b["down_proj"].std() - (24**-0.5 / 2 if start == "gpt2" else sizes)) < 0.02
    assert "lm_head" in variants.begin(variants.Recipe(tied=False), CONFIG, 5) and "lm_head" not in ours


def test_the_committed_results_are_of_all_the_committed_runs(variants):
    rows = [json.loads(line) for line in (FOLDER / "runs.jsonl").read_text(encoding="utf-8").splitlines()]
    runs = {(row["data"], row["recipe"], row["seed"]): row["loss"] for row in rows}
    assert len(runs) == len(rows)
    measured = read_results(FOLDER, full=True)["measured"]
    for data in ("stories", "shakespeare"):
        names = [name for name in variants.recipes() if data == "stories" or name not in variants.STORIES_ONLY]
        for name in names[1:]:
            differences = [runs[data, name, seed] - runs[data, "minillm", seed] for seed in (0, 1, 2)]
            np.testing.assert_allclose(measured[f"{data}_{name}"]["value"], differences, atol=1e-9)
