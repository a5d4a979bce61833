"""Promise: inspection works on a quantized folder as it is: what `minillm quantize` wrote, `minillm inspect` opens in both twins; its activations,
attributions, patches and ablations are those of the float model that its integers stand for."""

from dataclasses import replace

import numpy as np
import pytest

import minillm
from helpers import assert_close, random_bloom, random_config, random_params
from minillm import cli, inspection
from minillm.architecture.quantized import scheme_of
from minillm.formats import checkpoint
from minillm.inspection import faithfulness
from minillm.quantization.model import dequantize_params
from minillm.text.tokenizer import train_characters

TEXT = "abcdefghij" * 40
SCHEMES = ["int8-channel", "int4-group32"]
TOLERANCE = 2e-5  # float32: the same numbers in another order of sums
TWINS = ["numpy", "jax"]
COMPILED_LATER = ["numpy", pytest.param("jax", marks=pytest.mark.slow)]  # many programs to compile


@pytest.fixture(
    scope="module",
    params=[(name, bloom) for name in SCHEMES for bloom in (False, True)],
    ids=lambda p: f"{p[0]}{'-bloom' * p[1]}",
)
def folders(request, tmp_path_factory):
    """(the float folder, the one that `minillm quantize` made of it)."""
    name, bloom = request.param
    path, rng, made = (
        tmp_path_factory.mktemp("quantized"),
        np.random.default_rng(5),
        train_characters([TEXT]),
    )
    config = (
        random_bloom(rng, num_hidden_layers=2)
        if bloom
        else random_config(
            rng,
            vocab_size=made.vocab_size,
            num_hidden_layers=2,
            bos_token_id=None,
            eos_token_id=None,
        )
    )
    checkpoint.save_model(
        path / "float", config, random_params(config, rng), None if bloom else made
    )
    assert (
        cli.main(
            [
                "quantize",
                str(path / "float"),
                "--scheme",
                name,
                "--twin",
                "numpy",
                "--out",
                str(path / "q"),
            ]
        )
        == 0
    )
    return path / "float", path / "q"


def both(folder):
    """The quantized model, and the float model of the same numbers."""
    model = minillm.load(folder)
    assert scheme_of(model.params) is not None
    return model, replace(model, params=dequantize_params(model.params))


@pytest.mark.parametrize("which", TWINS)
def test_every_activation_is_that_of_the_dequantized_model(folders, which):
    model, plain = both(folders[1])
    tokens_BT = np.random.default_rng(1).integers(0, model.config.vocab_size, (2, 11))
    ours, theirs = (inspection.record(each, tokens_BT, twin=which) for each in (model, plain))
    assert list(ours) == list(theirs) == inspection.tap_names(model.config)
    for name in ours:
        assert_close(ours[name], theirs[name], TOLERANCE, f"{which} {name}")
    floats = minillm.load(folders[0])
    assert (
        np.max(np.abs(ours["logits"] - inspection.logits_of(floats, tokens_BT, twin=which))) > 1e-4
    ), "rounding must have changed something"


@pytest.mark.parametrize("which", COMPILED_LATER)
def test_the_tools_agree_with_the_dequantized_model_too(folders, which):
    model, plain = both(folders[1])
    clean, corrupt = np.random.default_rng(2).integers(0, model.config.vocab_size, (2, 9))
    lens, attribution, patched, gone = (
        [make(each) for each in (model, plain)]
        for make in (
            lambda each: inspection.logit_lens(each, clean, twin=which).p_NTM,
            lambda each: inspection.attribute_logits(each, clean, twin=which),
            lambda each: inspection.patch(each, clean, corrupt, "z", "head", twin=which).score_LN,
            lambda each: inspection.ablate_heads(each, clean, twin=which).kl_LNT,
        )
    )
    assert_close(lens[0], lens[1], 1e-4, "lens")
    assert_close(attribution[0].head_TLH, attribution[1].head_TLH, 1e-4, "attribution")
    assert_close(attribution[0].total_T, attribution[0].logit_T, 1e-4, "the parts are the logit")
    assert_close(patched[0], patched[1], 1e-4, "patching")
    np.testing.assert_allclose(gone[0], gone[1], atol=1e-5)


@pytest.mark.parametrize("which", COMPILED_LATER)
def test_the_command_makes_a_page_of_it(folders, which, tmp_path, capsys):
    """Exit status 0 means that every identity of the faithfulness panel holds."""
    prompt = ["1 2 3 4 5", "--ids"] if minillm.load(folders[1]).tokenizer is None else ["abcde"]
    assert (
        cli.main(
            [
                "inspect",
                str(folders[1]),
                *prompt,
                "--against",
                str(folders[0]),
                "--twin",
                which,
                "--out",
                str(tmp_path / "page.html"),
            ]
        )
        == 0
    )
    assert (
        "identities hold" in capsys.readouterr().out
        and (tmp_path / "page.html").stat().st_size > 10_000
    )


def test_editing_nothing_in_jax_changes_no_more_than_rounding(folders):
    """XLA fuses integers with what is around them, so that bits may change where a float model's do not: rounding is granted, and no more."""
    model = minillm.load(folders[1])
    tokens_BT = np.random.default_rng(3).integers(0, model.config.vocab_size, (1, 9))
    seen = inspection.record(model, tokens_BT, faithfulness.NEEDED)
    nothing = lambda *arguments: None
    worst = faithfulness.by_layer(model, tokens_BT, seen, "jax", nothing, nothing)
    assert worst["nothing"] < 1e-5 and worst["recording"] < 1e-5
