"""Promise: a mean activation is the mean over what is said, and mean ablation puts it in place."""

import numpy as np
import pytest

from helpers import assert_close, random_bloom, random_config, random_params
from minillm import inspection
from minillm.errors import UserError
from minillm.loading import Model


def subject(make=random_config, seed=0, dtype=np.float64):
    rng = np.random.default_rng(seed)
    config = make(rng, num_hidden_layers=2)
    model = Model(config, random_params(config, rng, dtype), None, "random")
    return model, [rng.integers(0, config.vocab_size, length) for length in (5, 3, 9, 5)]


@pytest.mark.parametrize("twin", ["numpy", "jax"])
def test_a_mean_is_over_every_token_of_every_text(twin, float64):
    model, texts = subject()
    for skip in (0, 1):
        found = inspection.means(model, texts, ["*.z", "*.mlp_out"], skip=skip, twin=twin)
        seen = [
            inspection.record(model, text, ["*.z", "*.mlp_out"], twin="numpy") for text in texts
        ]
        assert found.texts == 4 and found.tokens == 22 - 4 * skip and len(found) == 4
        assert found.about == f"the mean over 4 texts, {22 - 4 * skip} tokens"
        assert found.about in repr(found) and "array" not in repr(found)
        z = np.concatenate([each["layers.1.z"][0][:, :, skip:] for each in seen], 2)
        assert_close(found["layers.1.z"], z.mean(2)[None, :, :, None], 1e-12)
        out = np.concatenate([each["layers.0.mlp_out"][0][skip:] for each in seen])
        assert_close(found["layers.0.mlp_out"], out.mean(0)[None, None], 1e-12)


def test_a_mean_of_each_position(float64):
    model, texts = subject()
    found = inspection.means(
        model, [texts[0], texts[3]], "layers.1.z", by_position=True, twin="numpy"
    )
    z = [
        inspection.record(model, text, "layers.1.z", twin="numpy")["layers.1.z"]
        for text in (texts[0], texts[3])
    ]
    assert_close(found["layers.1.z"], (z[0] + z[1]) / 2, 1e-12)
    assert "position by position" in found.about
    for wrong in (
        dict(prompts=texts, by_position=True),
        dict(prompts=texts, names="*.pattern"),
        dict(prompts=texts, skip=3),
    ):
        with pytest.raises(UserError):
            inspection.means(model, **{"names": "*.z", **wrong})


@pytest.mark.parametrize(
    "make, twin", [(random_config, "numpy"), (random_config, "jax"), (random_bloom, "numpy")]
)
def test_mean_ablation_is_the_edit_that_puts_the_mean_there(make, twin, float64):
    model, texts = subject(make)
    mean = inspection.means(model, texts, ["*.z", "*.mlp_out", "*.mlp_post"], twin=twin)
    last = model.config.num_attention_heads - 1
    cases = [
        (inspection.ablate_heads, {}, (1, last), inspection.swap("layers.1.z", mean, heads=[last])),
        (inspection.ablate_mlps, {}, (0, 0), inspection.swap("layers.0.mlp_out", mean)),
        (
            inspection.ablate_neurons,
            {"neurons": [(1, 2), (0, 0)]},
            (0, 0),
            inspection.swap("layers.1.mlp_post", mean, units=[2]),
        ),
    ]
    for function, more, place, edit in cases[: 1 if twin == "jax" else 3]:  # JAX: one program
        found = function(model, texts[2], twin=twin, instead=mean, **more)
        surprise_T, kl_T = inspection.effect_of(model, texts[2], [edit], "numpy")
        assert found.instead == mean.about
        assert_close(found.kl_LNT[place], kl_T, 1e-6)
        assert_close(found.surprise_LNT[place][:-1], surprise_T[:-1], 1e-6)
    zero, other = (
        inspection.ablate_heads(model, texts[2], twin="numpy", instead=each)
        for each in (None, mean)
    )
    assert zero.instead == "zeros" and np.max(np.abs(zero.kl_LNT - other.kl_LNT)) > 1e-6


def test_the_control_of_a_mean_ablation_is_as_long_as_its_change(float64, monkeypatch):
    """With its own activations as the mean nothing changes, and nothing is what the control adds."""
    model, texts = subject()
    own = inspection.record(model, texts[0], ["*.z", "*.mlp_out"], twin="numpy")
    for function in (inspection.ablate_heads, inspection.ablate_mlps):
        found = function(model, texts[0], twin="numpy", instead=own)
        assert np.max(np.abs(found.kl_LNT)) < 1e-12 and np.max(np.abs(found.control_kl_LNT)) < 1e-12
        assert found.instead == "another record"
    for wrong in (
        {},
        {name: x[:, :, :, :3] if "z" in name else x[:, :3] for name, x in own.items()},
    ):
        with pytest.raises(UserError):
            inspection.ablate_heads(model, texts[0], twin="numpy", instead=wrong)
    with pytest.raises(UserError, match="no neuron"):
        inspection.ablate_neurons(model, texts[0], [(2, 0)], twin="numpy")
