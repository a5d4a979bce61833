"""Promise: a quantized folder loads to the same integers, runs in every command, and a broken or foreign one is refused in one line."""

import json

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import minillm
from helpers import random_bloom, random_config, random_params
from minillm import cli
from minillm.architecture.quantized import NAMES, Quantized, scheme_named, scheme_of
from minillm.architecture.tree import flatten
from minillm.errors import UserError
from minillm.formats import checkpoint
from minillm.quantization.model import dequantize_params, quantize_model
from minillm.text.tokenizer import train_characters

TEXT = "abcdefghij" * 40


def folder(path, scheme=scheme_named("int8-channel"), bloom=False, method="round", seed=0):
    rng = np.random.default_rng(seed)
    made = train_characters([TEXT])
    config = random_bloom(rng) if bloom else random_config(rng, vocab_size=made.vocab_size, bos_token_id=None, eos_token_id=None)
    params = random_params(config, rng)
    if scheme is not None:
        params = quantize_model(params, config, scheme, method, rng.integers(0, config.vocab_size, (2, 8)), threshold=1.5)
    checkpoint.save_model(path, config, params, None if bloom else made, method=method)
    return config, params


@pytest.mark.parametrize("bloom", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_what_is_saved_is_what_is_loaded(tmp_path, name, bloom):
    for zero, method in ((False, "round"), (True, "round"), (False, "llm-int8")):
        if zero and name.endswith("-min"):
            continue
        path = tmp_path / f"{zero}-{method}"
        _, params = folder(path, scheme_named(name, zero, True), bloom, method)
        loaded = minillm.load(path).params
        for (place, ours), theirs in zip(flatten(params).items(), flatten(loaded).values()):
            if isinstance(ours, Quantized):
                assert theirs.scheme == ours.scheme and theirs.shape == ours.shape and theirs.transposed == ours.transposed
                ours, theirs = ours.parts(), theirs.parts()
                assert ours.keys() == theirs.keys()
                assert all(np.array_equal(ours[part], theirs[part]) and ours[part].dtype == theirs[part].dtype for part in ours), place
            else:
                np.testing.assert_array_equal(ours, theirs)


def test_an_embedding_may_have_a_scheme_of_its_own(tmp_path):
    config, params = folder(tmp_path / "float", None)
    eight, four = scheme_named("int8-group32"), scheme_named("int4-group32-min")
    made = quantize_model(params, config, four, embedding=eight)
    assert scheme_of(made) == scheme_named("int4-group32-min")
    checkpoint.save_model(tmp_path / "q", config, made, train_characters([TEXT]))
    loaded = minillm.load(tmp_path / "q").params
    for (place, ours), theirs in zip(flatten(made).items(), flatten(loaded).values()):
        if isinstance(ours, Quantized):
            assert theirs.scheme == (eight if place == "embed_tokens" else four)
            for name, part in ours.parts().items():
                np.testing.assert_array_equal(part, theirs.parts()[name], err_msg=place)
    values = json.loads((tmp_path / "q" / "config.json").read_text(encoding="utf-8"))
    for others, word in (({"embed": "int8-group32"}, "no matrix"), ([], "others is"),
                         ({"embed_tokens": 8}, "is 8"), ({"norm": "int8-group32"}, "no matrix"),
                         ({"embed_tokens": "int8-channel"}, "asks for F32")):
        values["quantization_config"]["others"] = others
        (tmp_path / "q" / "config.json").write_text(json.dumps(values), encoding="utf-8")
        with pytest.raises(UserError, match=word):
            minillm.load(tmp_path / "q")


def test_every_command_accepts_it(tmp_path, capsys):
    folder(tmp_path / "q", scheme_named("int4-group32", activations=True))
    (tmp_path / "text.txt").write_text(TEXT, encoding="utf-8")
    path = str(tmp_path / "q")
    for twin in ("numpy", "jax"):
        assert cli.main(["evaluate", path, "--text", str(tmp_path / "text.txt"), "--json", "--twin", twin]) == 0
        assert np.isfinite(json.loads(capsys.readouterr().out)["loss"])
        assert cli.main(["generate", path, "--prompt", "abc", "--max-new-tokens", "5", "--quiet", "--twin", twin]) == 0
        assert capsys.readouterr().out.startswith("abc")
    assert cli.main(["inspect-config", path]) == 0
    assert "quantized by minillm: 'int4-group32'" in capsys.readouterr().out
    assert cli.main(["parity", path, "--against", "numpy", "--twin", "numpy"]) == 0
    assert cli.main(["convert", path, "--out", str(tmp_path / "float")]) == 0
    assert "made float again from int4-group32-a8" in capsys.readouterr().out
    for (name, leaf), theirs in zip(flatten(dequantize_params(minillm.load(path).params)).items(),
                                    flatten(minillm.load(tmp_path / "float").params).values()):
        np.testing.assert_array_equal(leaf, theirs, err_msg=name)


def test_quantize_says_what_it_cost(tmp_path, capsys):
    folder(tmp_path / "float", None)
    (tmp_path / "text.txt").write_text(TEXT, encoding="utf-8")
    for method in ("round", "gptq", "smoothquant", "llm-int8"):
        assert cli.main(["quantize", str(tmp_path / "float"), "--scheme", "int8-channel", "--activations", "--method", method,
                         "--text", str(tmp_path / "text.txt"), "--calibration", str(tmp_path / "text.txt"), "--json", "--twin", "numpy",
                         "--figure", str(tmp_path / f"{method}.png"), "--out", str(tmp_path / method)]) == 0
        found = json.loads(capsys.readouterr().out)
        assert found.keys() >= {"scheme", "bits_per_weight", "bytes", "file_bytes", "loss_before", "loss_after", "standard_error",
                                "kl", "agreement", "worst", "drift"}
        assert found["file_bytes"] == (tmp_path / method / "model.safetensors").stat().st_size
        assert (tmp_path / f"{method}.png").stat().st_size > 1000
        assert minillm.load(tmp_path / method).tokenizer is not None
    assert cli.main(["quantize", str(tmp_path / "round"), "--scheme", "int8-tensor", "--out", str(tmp_path / "twice")]) == 2
    assert "quantized already" in capsys.readouterr().err and not (tmp_path / "twice").exists()


def refused(path, capsys):
    """The one line with which a folder is refused, by every command that opens it."""
    for command in (["generate", str(path)], ["convert", str(path), "--out", str(path) + "-out"], ["inspect-config", str(path)]):
        assert cli.main(command) == (1 if command[0] == "inspect-config" else 2)
        found = capsys.readouterr()
        if command[0] != "inspect-config":
            assert found.err.count("\n") == 1
    with pytest.raises(UserError) as error:
        minillm.load(path)
    return str(error.value)


@pytest.mark.parametrize("change, word", [
    ({"quant_method": "gptq", "bits": 4}, "quantization_config is"), ({"quant_method": None}, "quantization_config is"),
    ({"scheme": "int3-channel"}, "int3-channel"), ({"scheme": ["int8"]}, "scheme is"), ({"zero_point": 1}, "zero_point is"),
    ({"activations": None}, "activations is"), ({"surprise": 1}, "surprise"), ({"scheme": "int4-channel"}, "asks for U8"),
    ({"scheme": "int4-group32-min", "zero_point": True}, "no zero point"),
    ({"scheme": "int8-group32"}, "asks for F16"), ({"zero_point": True}, "zeros is absent"), ({"scheme": "int8-tensor"}, "asks for F32 (1, 1)"),
])
def test_a_foreign_or_wrong_config_is_refused(tmp_path, capsys, change, word):
    folder(tmp_path / "q")
    path = tmp_path / "q" / "config.json"
    values = json.loads(path.read_text(encoding="utf-8"))
    values["quantization_config"] |= change
    path.write_text(json.dumps(values), encoding="utf-8")
    assert word in refused(tmp_path / "q", capsys)


DAMAGE = {
    "absent": (lambda t: t.pop("layers.0.q_proj.scales"), "absent"),
    "spare": (lambda t: t.update(spare=np.zeros(3, np.float32)), "not part of"),
    "shape": (lambda t: t.update({"embed_tokens.integers": t["embed_tokens.integers"][:-1]}), "embed_tokens.integers is I8"),
    "kind": (lambda t: t.update({"embed_tokens.integers": t["embed_tokens.integers"].astype(np.float32)}), "is F32"),
    "unknown kind": (lambda t: t.update(norm=t["norm"].astype(np.float64)), "F64"),
}
NUMBERS = {"zero": 0, "negative": -1, "nan": np.nan, "infinite": np.inf}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_file_is_refused(tmp_path, capsys, damage):
    folder(tmp_path / "q")
    tensors = load_file(tmp_path / "q" / "model.safetensors")
    change, word = DAMAGE[damage]
    change(tensors)
    save_file(tensors, tmp_path / "q" / "model.safetensors")
    assert word in refused(tmp_path / "q", capsys)


@pytest.mark.parametrize("number", NUMBERS)
def test_scales_that_are_no_scales_are_refused(tmp_path, number):
    folder(tmp_path / "q")
    tensors = load_file(tmp_path / "q" / "model.safetensors")
    tensors["layers.0.q_proj.scales"][0, 0] = NUMBERS[number]
    save_file(tensors, tmp_path / "q" / "model.safetensors")
    with pytest.raises(UserError, match="layers.0.q_proj.scales"):
        minillm.load(tmp_path / "q")


@pytest.mark.parametrize("columns", [[-1], [10**6], [3, 3], [4, 2]])
def test_outlier_inputs_out_of_place_are_refused(tmp_path, columns):
    folder(tmp_path / "q")
    tensors = load_file(tmp_path / "q" / "model.safetensors")
    tensors["embed_tokens.columns"] = np.array(columns, np.int32)
    tensors["embed_tokens.kept"] = np.zeros((len(tensors["embed_tokens.integers"]), len(columns)), np.float32)
    save_file(tensors, tmp_path / "q" / "model.safetensors")
    with pytest.raises(UserError, match="embed_tokens.columns"):
        minillm.load(tmp_path / "q")


def test_a_file_cut_short_is_refused(tmp_path, capsys):
    folder(tmp_path / "q")
    path = tmp_path / "q" / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-10])
    assert "model.safetensors" in refused(tmp_path / "q", capsys)


def test_half_precision_of_integers_is_refused(tmp_path):
    folder(tmp_path / "q")
    with pytest.raises(UserError, match="quantized"):
        minillm.load(tmp_path / "q", dtype="float16")
