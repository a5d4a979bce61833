"""Promise: every variation of a Hugging Face LLaMA or BLOOM loads to the logits of `transformers`, in both twins.

The files of tests/golden/variations were made by tests/golden/make_variations.py; they come in through `minillm.load`.
"""

from dataclasses import replace
from importlib import import_module
from pathlib import Path

import jax
import numpy as np
import pytest

import minillm
from golden_files import folder_of, read
from helpers import GOLDEN, assert_close
from minillm.architecture.bloom import BloomConfig
from minillm.architecture.tree import flatten
from minillm.formats import checkpoint

FILES = sorted((GOLDEN / "variations").glob("*.safetensors"))
TOLERANCE = 1e-4


def logits_of(model, twin, tokens):
    return np.asarray(import_module(f"minillm.in_{twin}").forward_of(model.config)(model.params, tokens, model.config)[0])


@pytest.mark.parametrize("twin", ["numpy", "jax"])
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_logits_are_the_reference_s(tmp_path, file, twin):
    _, expected, _ = read(file)
    model = minillm.load(folder_of(file, tmp_path))
    logits = logits_of(model, twin, expected["tokens"])
    assert logits.dtype == np.float32
    assert_close(logits, expected["logits"], TOLERANCE, file.stem)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_sharded_equals_single(tmp_path, file):
    (tmp_path / "one").mkdir()
    (tmp_path / "three").mkdir()
    one, three = minillm.load(folder_of(file, tmp_path / "one")), minillm.load(folder_of(file, tmp_path / "three", 3))
    assert one.config == three.config
    for path, leaf in flatten(one.params).items():
        np.testing.assert_array_equal(flatten(three.params)[path], leaf, err_msg=path)
        assert leaf.dtype == np.float32


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_cached_decoding_equals_the_full_forward(tmp_path, file):
    """Token by token through the cache, as far as the model's context reaches."""
    model = minillm.load(folder_of(file, tmp_path))
    tokens = read(file)[1]["tokens"][:, : model.config.max_position_embeddings]
    whole = logits_of(model, "numpy", tokens)
    for twin in ("numpy", "jax"):
        package = import_module(f"minillm.in_{twin}")
        forward = package.forward_of(model.config)
        step = forward if twin == "numpy" else jax.jit(forward, static_argnames="config")
        cache = package.init_cache(model.config, len(tokens), tokens.shape[1])
        for t in range(tokens.shape[1] if twin == "numpy" else min(4, tokens.shape[1])):
            logits, cache = step(model.params, tokens[:, t : t + 1], model.config, cache)
            assert_close(np.asarray(logits)[:, 0], whole[:, t], 1e-5, f"{twin}, position {t}")


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_inner_activations_are_the_reference_s(tmp_path, file):
    """Where the golden file holds what transformers' modules gave on the way, our taps see the same."""
    _, expected, _ = read(file)
    taps = {name.removeprefix("tap."): array for name, array in expected.items() if name.startswith("tap.")}
    if not taps:
        return
    model, seen = minillm.load(folder_of(file, tmp_path)), {}
    package = import_module("minillm.in_numpy")
    package.forward_of(model.config)(model.params, expected["tokens"], model.config,
                                     tap=lambda name, x: seen.setdefault(name, x))
    for name, theirs in taps.items():
        ours = seen[name]
        if ours.ndim == 5:                                    # (B, K, G, T, E or S): they count the heads in one axis
            ours = ours.reshape(ours.shape[0], -1, *ours.shape[3:])
        assert_close(ours, theirs, TOLERANCE, name)


@pytest.mark.parametrize("file", FILES[::3], ids=lambda file: file.stem)
def test_what_we_save_again_is_the_same_model(tmp_path, file):
    """Saved in float32: bit for bit. In bfloat16: every number rounded to it, once."""
    from ml_dtypes import bfloat16
    model = minillm.load(folder_of(file, tmp_path))
    for dtype in ("float32", "bfloat16"):
        model.save(tmp_path / dtype, dtype)
        again = minillm.load(tmp_path / dtype)
        assert again.config == model.config
        for path, leaf in flatten(model.params).items():
            rounded = leaf if dtype == "float32" else leaf.astype(bfloat16).astype(np.float32)
            np.testing.assert_array_equal(flatten(again.params)[path], rounded, err_msg=path)


def test_the_files_cover_the_variations():
    configs = [read(file)[0]["config"] for file in FILES]
    llamas, blooms = ([c for c in configs if c["model_type"] == kind] for kind in ("llama", "bloom"))
    assert len(configs) >= 40 and len(blooms) >= 8
    ropes = [c.get("rope_scaling") or c.get("rope_parameters") or {} for c in llamas]
    assert {rope.get("rope_type", rope.get("type")) for rope in ropes} >= {"default", "linear", "dynamic", "llama3", "yarn"}
    assert any("type" in rope for rope in ropes) and any("rope_theta" in rope for rope in ropes)
    assert {(bool(c.get("attention_bias")), bool(c.get("mlp_bias"))) for c in llamas} >= {(True, False), (False, True), (True, True)}
    assert {kind for file in FILES for kind, _ in read(file)[2].values()} == {"F32", "F16", "BF16"}
    heads = {c.get("n_head", c.get("num_attention_heads")) for c in blooms}
    assert {1, 2, 4, 8} & heads and {3, 5, 6} & heads
    assert any(isinstance(c.get("eos_token_id"), list) for c in configs)


def test_a_wrong_reading_does_not_pass():
    """The files can tell: with another theta, another eps, or without the stretching, the logits leave the tolerance."""
    def differs(file, folder, change):
        model = minillm.load(folder_of(file, folder))
        changed = change(model.config)
        if changed is None:
            return None
        tokens, expected = read(file)[1]["tokens"], read(file)[1]["logits"]
        logits = logits_of(replace(model, config=changed), "numpy", tokens)
        return np.max(np.abs(logits - expected)) > 2 * TOLERANCE * np.max(np.abs(expected))

    import tempfile
    changes = {
        "theta": lambda c: None if isinstance(c, BloomConfig) or c.head_dim == 2 else replace(c, rope_theta=1.2 * c.rope_theta),
        "stretch": lambda c: None if getattr(c, "rope_scaling", None) is None else replace(c, rope_scaling=None),
        "eps": lambda c: replace(c, layer_norm_epsilon=2 * c.layer_norm_epsilon + 1e-3) if isinstance(c, BloomConfig)
        else replace(c, rms_norm_eps=2 * c.rms_norm_eps + 1e-3)}
    for name, change in changes.items():
        with tempfile.TemporaryDirectory() as folder:
            told = [differs(file, Path(folder), change) for file in FILES]
        told = [each for each in told if each is not None]
        assert len(told) >= 8 and np.mean(told) > 0.8, (name, told)


def test_half_precision_storage(tmp_path):
    """float16 and bfloat16 keep the matrices in two bytes and compute in float32: logits as of the rounded weights."""
    file = next(file for file in FILES if read(file)[0]["config"]["model_type"] == "llama")
    folder, tokens = folder_of(file, tmp_path), read(file)[1]["tokens"]
    for dtype, twins in (("float16", ("numpy", "jax")), ("bfloat16", ("jax",))):
        kind = checkpoint.dtype_named(dtype)
        model, whole = minillm.load(folder, dtype=dtype), minillm.load(folder)
        assert {leaf.dtype for leaf in flatten(model.params).values()} == {kind, np.dtype(np.float32)}
        rounded = {path: leaf if leaf.ndim < 2 else leaf.astype(kind).astype(np.float32)
                   for path, leaf in flatten(whole.params).items()}
        from minillm.architecture.tree import unflatten
        expected = replace(whole, params=unflatten(rounded, whole.params)).logits(tokens)
        for twin in twins:
            assert_close(model.logits(tokens, twin), expected, 1e-5, f"{dtype}, {twin}")
    with pytest.raises(minillm.errors.UserError, match="jax twin"):
        model.logits(tokens, "numpy")
