"""Promise: inspect-config says what a checkpoint is, convert writes the same model, parity names the first difference;
loading takes little more memory than the parameters, and NumPy needs no JAX."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import minillm
from helpers import random_bloom, random_config, random_params
from minillm import cli
from minillm.architecture.llama import count, init
from minillm.architecture.tree import flatten
from minillm.config import ModelConfig
from minillm.formats import checkpoint, describe
from minillm.inspection import parity
from minillm.text import tokenizer


def run(capsys, *arguments):
    status = cli.main([str(argument) for argument in arguments])
    return status, *capsys.readouterr()


@pytest.fixture
def folder(tmp_path):
    made = tokenizer.train(["a fox found three apples and gave two of them away"] * 3, 300)
    rng = np.random.default_rng(0)
    config = random_config(rng, vocab_size=made.vocab_size, num_hidden_layers=2, bos_token_id=0, max_position_embeddings=64)
    checkpoint.save_model(tmp_path / "model", config, random_params(config, rng), made)
    return tmp_path / "model"


def test_inspect_config_counts_every_parameter(folder, capsys):
    model = minillm.load(folder)
    status, out, _ = run(capsys, "inspect-config", folder, "--json")
    found = json.loads(out)
    assert status == 0 and found["refused"] == []
    assert found["parameters"]["total"] == count(model.config) == sum(leaf.size for leaf in flatten(model.params).values())
    assert sum(found["parameters"].values()) == 2 * found["parameters"]["total"]
    assert found["memory"]["float32"] == sum(leaf.nbytes for leaf in flatten(model.params).values())
    half = minillm.load(folder, dtype="float16").params
    assert found["memory"]["float16 or bfloat16"] == sum(leaf.nbytes for leaf in flatten(half).values())
    from minillm.in_numpy import init_cache
    assert found["kv_cache"]["bytes_per_token"] * 10 == sum(
        array.nbytes for layer in init_cache(model.config, 1, 10)["layers"] for array in layer.values())
    assert found["files"]["numbers"] == {"F32": found["parameters"]["total"]}
    assert found["tokenizer"]["before_a_prompt"] == ["<|endoftext|>"]
    status, out, _ = run(capsys, "inspect-config", folder)
    assert status == 0 and f"{found['parameters']['total']:,}" in out and "nothing is refused" in out


def test_inspect_config_names_all_that_is_refused(folder, capsys):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"hidden_act": "relu"}), encoding="utf-8")
    (folder / "model.safetensors").write_bytes(b"")
    status, out, _ = run(capsys, "inspect-config", folder)
    assert status == 1 and out.count("refused: ") == 2 and "hidden_act" in out and "model.safetensors" in out


@pytest.mark.parametrize("make", [random_config, random_bloom])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_convert_writes_the_same_model(tmp_path, capsys, make, dtype):
    rng = np.random.default_rng(1)
    config = make(rng, eos_token_id=(1, 2), bos_token_id=3)
    checkpoint.save_model(tmp_path / "from", config, random_params(config, rng))
    status, out, _ = run(capsys, "convert", tmp_path / "from", "--out", tmp_path / "to", "--dtype", dtype)
    assert status == 0 and "to" in out
    before, after = minillm.load(tmp_path / "from"), minillm.load(tmp_path / "to")
    assert after.config == config
    kind = checkpoint.dtype_named(dtype)
    for path, leaf in flatten(before.params).items():
        np.testing.assert_array_equal(flatten(after.params)[path], leaf.astype(kind).astype(np.float32))
    status, _, err = run(capsys, "convert", tmp_path / "from", "--out", tmp_path / "to")
    assert status == 2 and "to" in err                              # nothing is written over


def test_convert_brings_tokenizer_and_template_along(folder, tmp_path, capsys):
    (folder / "chat_template.jinja").write_text("{{ messages }}", encoding="utf-8")
    about = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps(about | {"pad_token_id": 2}), encoding="utf-8")
    assert run(capsys, "convert", folder, "--out", tmp_path / "to")[0] == 0
    again = json.loads((tmp_path / "to" / "config.json").read_text(encoding="utf-8"))
    assert again["pad_token_id"] == 2
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        assert (tmp_path / "to" / name).read_bytes() == (folder / name).read_bytes()


@pytest.mark.parametrize("make", [random_config, random_bloom])
def test_parity_names_the_first_that_differs(tmp_path, capsys, make):
    rng = np.random.default_rng(2)
    config = make(rng, num_hidden_layers=3)
    params = random_params(config, rng)
    checkpoint.save_model(tmp_path / "model", config, params)
    golden = tmp_path / "golden.safetensors"
    assert run(capsys, "parity", tmp_path / "model", "--save", golden)[0] == 0
    assert run(capsys, "parity", tmp_path / "model", "--against", "jax")[0] == 0
    status, out, _ = run(capsys, "parity", tmp_path / "model", "--against", golden, "--twin", "jax", "--json")
    assert status == 0 and json.loads(out)["first"] is None and len(json.loads(out)["taps"]) > 30
    params["layers"][1]["o_proj"][0, 0] += 1                        # from here on it is another model
    checkpoint.save_model(tmp_path / "other", config, params)
    status, out, _ = run(capsys, "parity", tmp_path / "other", "--against", golden, "--json")
    assert status == 1 and json.loads(out)["first"] == "layers.1.attn_out"
    status, out, _ = run(capsys, "parity", tmp_path / "other", "--against", golden)
    assert status == 1 and "layers.1.attn_out is the first that differs" in " ".join(out.split())


def test_parity_says_what_it_cannot_compare(folder, tmp_path, capsys):
    (tmp_path / "x.safetensors").write_bytes(b"x")
    for arguments in ([], ["--against", tmp_path / "none"], ["--against", tmp_path / "x.safetensors"],
                      ["--against", folder / "model.safetensors"]):
        status, out, err = run(capsys, "parity", folder, *arguments)
        assert (status, out, err.count("\n")) == (2, "", 1)


def test_differences_that_are_not_finite_are_differences():
    nan, one = np.array([np.nan, 1.0], np.float32), np.array([0.0, 1.0], np.float32)
    assert not parity.compare({"a": nan}, {"a": one}, 1e-4)[0]["same"]
    assert not parity.compare({"a": one}, {"a": nan}, 1e-4)[0]["same"]
    hidden = np.array([-np.inf, 1.0], np.float32)
    assert parity.compare({"a": hidden}, {"a": hidden}, 1e-4)[0]["same"]


def test_describing_reads_no_weights(tmp_path):
    """A checkpoint whose weights are a hole in a sparse file is described at once."""
    config = ModelConfig(vocab_size=32000, hidden_size=512, intermediate_size=1024, num_hidden_layers=2, num_attention_heads=8,
                         num_key_value_heads=8, head_dim=64, max_position_embeddings=64)
    checkpoint.save_model(tmp_path / "m", replace(config, vocab_size=8), init(replace(config, vocab_size=8), np.random.default_rng(0)))
    assert describe.describe(tmp_path / "m")["parameters"]["total"] == count(replace(config, vocab_size=8))


# A child process without JAX: sys.modules refuses it. What it prints: bytes of the parameters, and by how much its resident
# memory grew at most, from before loading to after (both in bytes).
CHILD = """
import sys
sys.modules["jax"] = sys.modules["jaxlib"] = None
import minillm, numpy as np
from minillm import in_numpy
from minillm.formats import checkpoint
from minillm.text import tokenizer
from minillm.architecture.llama import flatten
peak = lambda: 1024 * int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0])
before = peak()
model = minillm.load(sys.argv[1], dtype=sys.argv[2])
print(sum(leaf.nbytes for leaf in flatten(model.params).values()), peak() - before)
tokens = list(in_numpy.generate(model.params, [1], model.config, minillm.config.GenerateConfig(20, temperature=0)))
assert len(tokens) == 20
print(peak())
"""


def write_big(folder, config, kind):
    """A checkpoint of small numbers, written piece by piece: this process must not need much memory either."""
    rng = np.random.default_rng(0)
    checkpoint.save_model(folder, config, init(config, rng), dtype=kind)


@pytest.mark.parametrize("stored, dtype", [("float32", "float32"), ("bfloat16", "float32"), ("float32", "float16")])
def test_a_15m_checkpoint_in_numpy_without_jax_in_little_memory(tmp_path, stored, dtype):
    if not Path("/proc/self/status").exists():
        pytest.skip("this platform does not say how much memory a process took")
    config = ModelConfig(vocab_size=32000, hidden_size=288, intermediate_size=768, num_hidden_layers=6, num_attention_heads=6,
                         num_key_value_heads=6, head_dim=48, max_position_embeddings=256, bos_token_id=1, eos_token_id=None,
                         tie_word_embeddings=False)                # untied: 24M, more than was promised
    write_big(tmp_path, config, stored)
    done = subprocess.run([sys.executable, "-c", CHILD, str(tmp_path), dtype], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    size, grown, peak = map(int, done.stdout.split())
    assert grown <= 1.3 * size + 8e6, (grown / size, done.stdout)   # 8 MB: the blocks that are read, the modules
    assert peak < (250e6 if dtype == "float32" else 300e6), f"{peak:,}"
