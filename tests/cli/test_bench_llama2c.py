"""Promises of `minillm bench --llama2c`: the programs get the model as they read it, their own
tokens a second are told, and what goes wrong is one line. A stand-in prints what they print; with
LLAMA2C=DIR, where make built run and runq, the programs themselves must write what we write."""

import json
import os
import sys

import numpy as np
import pytest

import minillm
from helpers import DATA, random_config, random_params
from minillm import cli, in_numpy
from minillm.architecture.quantized import scheme_named
from minillm.cli import llama2c
from minillm.config import GenerateConfig
from minillm.formats import checkpoint
from minillm.formats.llama2c import load
from minillm.quantization.model import quantize_params

SHAPE = dict(hidden_size=64, intermediate_size=96, num_attention_heads=4, num_key_value_heads=2,
             head_dim=16, rms_norm_eps=1e-5, rope_theta=10000.0, attention_bias=False,
             mlp_bias=False, max_position_embeddings=96)
SMALL = ["--twins", "numpy", "--prompt-tokens", "5", "--new-tokens", "4", "--rounds", "2"]
STAND_IN = """#!{python}
import json, shutil, struct, sys
from pathlib import Path
here, told = Path(__file__), dict(zip(sys.argv[2::2], sys.argv[3::2]))
tokens, at = Path(told["-z"]).read_bytes(), 4
for _ in range(8):                                             # the 8 is token 7
    length = struct.unpack_from("<i", tokens, at + 4)[0]
    token, at = tokens[at + 8 : at + 8 + length], at + 8 + length
prompt, steps = told.get("-i", ""), int(told["-n"])
with open(here.with_name(here.name + ".log"), "a", encoding="utf-8") as log:
    log.write(json.dumps(told) + chr(10))
shutil.copy(sys.argv[1], here.with_name(here.name + ".bin"))
sys.stdout.buffer.write(prompt.encode() + token * (steps - 1 - len(prompt)) + b"\\n")
if steps > 1:
    print("achieved tok/s: 250.000000", file=sys.stderr)
"""
needs_shebang = pytest.mark.skipif(os.name == "nt", reason="a script is no program there")


@pytest.fixture
def folder(tmp_path):
    """A random model without a tokenizer: none is needed."""
    rng = np.random.default_rng(0)
    config = random_config(rng, **SHAPE)
    checkpoint.save_model(tmp_path / "model", config, random_params(config, rng))
    return tmp_path / "model"


def built(folder, run=STAND_IN, runq=STAND_IN):
    """A folder with stand-ins for run and runq."""
    folder.mkdir()
    for name, source in (("run", run), ("runq", runq)):
        (folder / name).write_text(source.replace("{python}", sys.executable), encoding="utf-8")
        (folder / name).chmod(0o755)
    return folder


@needs_shebang
def test_the_programs_read_our_files_and_their_own_rate_is_told(folder, tmp_path, capsys):
    there = built(tmp_path / "llama2.c")
    assert cli.main(["bench", str(folder), *SMALL, "--forms", "float32", "int8-group32",
                     "--llama2c", str(there), "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["results"]
    assert [(row["twin"], row["form"]) for row in rows] == [
        ("numpy", "float32"), ("numpy", "int8-group32"),
        ("llama2.c", "float32"), ("llama2.c", "int8-group32")]
    for ours, theirs in zip(rows[:2], rows[2:]):
        assert theirs["read"] == theirs["write"] == [250, 250]
        assert theirs["bytes"] == ours["bytes"] and theirs["peak_bytes"] > 2**20
    config, params, _ = checkpoint.load_model(folder)
    (there / "tokenizer.bin").write_bytes(b"\0\0\0\0" + b"".join(
        b"\0\0\0\0\1\0\0\0" + bytes([i]) for i in range(97, 97 + config.vocab_size)))
    again = load(there / "run.bin", there / "tokenizer.bin")[1]
    np.testing.assert_array_equal(again["layers"][-1]["k_proj"], params["layers"][-1]["k_proj"])
    assert (there / "runq.bin").read_bytes().startswith(b"24ka\2\0\0\0")
    for name in ("run", "runq"):
        log = (there / f"{name}.log").read_text(encoding="utf-8").splitlines()
        loading, *turns = map(json.loads, log)
        assert loading["-n"] == "1" and "-i" not in loading
        # 5 tokens are read: the first, the space that is put before a prompt, and three more
        assert [(told["-n"], told["-t"], len(told["-i"])) for told in turns] == 4 * [("8", "0", 3)]


@needs_shebang
def test_ids_are_given_and_read_as_characters(folder, tmp_path):
    config, params, _ = checkpoint.load_model(folder)
    llama2c.prepare(tmp_path / "files", config, params)
    running = llama2c.Program(built(tmp_path / "llama2.c") / "run", tmp_path / "files")
    assert running.write([1, 2, 9, 4, 2, 5], 6) == ([7] * 6, 250.0)


@needs_shebang
@pytest.mark.parametrize("run, words", [
    ("#!{python}\nimport sys; sys.exit('malloc failed!')", "malloc failed"),
    ("#!{python}\nprint()", "no tok/s"),
    ("#!{python}\nimport sys; print('x'); print('achieved tok/s: 9.0', file=sys.stderr)", "prompt"),
    ("#!{python}\nimport sys; print(dict(zip(sys.argv[2::2], sys.argv[3::2])).get('-i', ''))\n"
     "print('achieved tok/s: inf', file=sys.stderr)", "--new-tokens"),
    ("no program", "does not run"),
])
def test_a_program_that_fails_is_named_in_one_line(run, words, folder, tmp_path, capsys):
    there = built(tmp_path / "llama2.c", run=run)
    assert cli.main(["bench", str(folder), *SMALL, "--llama2c", str(there)]) == 2
    error = capsys.readouterr().err
    assert words in error and str(there / "run") in error and error.count("\n") == 1


@pytest.mark.parametrize("forms, words", [
    (["float32"], "no program run"), (["int8-group32"], "no program runq"),
    (["int8-channel"], "float32, int8-group32")])
def test_a_missing_program_is_named_in_one_line(forms, words, folder, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    assert cli.main(["bench", str(folder), *SMALL, "--forms", *forms, "--llama2c",
                     str(tmp_path / "empty")]) == 2
    error = capsys.readouterr().err
    assert words in error and error.count("\n") == 1


@needs_shebang
def test_a_model_that_llama2c_cannot_hold_is_refused_in_one_line(tmp_path, capsys):
    rng = np.random.default_rng(0)
    config = random_config(rng, **SHAPE | dict(rope_theta=100000.0))
    checkpoint.save_model(tmp_path / "model", config, random_params(config, rng))
    assert cli.main(["bench", str(tmp_path / "model"), *SMALL, "--llama2c",
                     str(built(tmp_path / "llama2.c"))]) == 2
    error = capsys.readouterr().err
    assert "rope_theta is 10000, not 100000" in error and error.count("\n") == 1


# ---- the programs themselves --------------------------------------------------------------------

REAL = pytest.mark.skipif("LLAMA2C" not in os.environ, reason="give LLAMA2C=DIR, where make built "
                          "llama2.c's run and runq")


def greedy(params, config, prompt, count):
    how = GenerateConfig(max_new_tokens=count, temperature=0)
    return list(in_numpy.generate(params, prompt, config, how, stop=(1,)))


@REAL
@pytest.mark.parametrize("seed", ["stories260K", 0, 1, 2])
def test_run_writes_the_tokens_that_we_write(seed, tmp_path):
    if seed == "stories260K":
        model = minillm.load(DATA / "stories260K.bin")
        config, params, rng = model.config, model.params, np.random.default_rng(9)
    else:
        rng = np.random.default_rng(seed)
        config = random_config(rng, **SHAPE)
        params = random_params(config, rng)
    llama2c.prepare(tmp_path / "files", config, params)
    path = llama2c.program(os.environ["LLAMA2C"], "float32")
    running = llama2c.Program(path, tmp_path / "files")
    for _ in range(5):
        prompt = [1, 2, *rng.integers(3, config.vocab_size, 8).tolist()]
        count = config.max_position_embeddings - len(prompt)
        assert running.write(prompt, count)[0] == greedy(params, config, prompt, count)


@REAL
def test_runq_writes_mostly_the_next_token_of_int8_group32(tmp_path):
    """Its activations have a scale for 32 numbers, ours one for a token, so near ties may part."""
    rng = np.random.default_rng(0)
    config = random_config(rng, **SHAPE)
    params = quantize_params(random_params(config, rng), scheme_named("int8-group32"))
    llama2c.prepare(tmp_path / "files", config, params)
    path = llama2c.program(os.environ["LLAMA2C"], "int8-group32")
    running, same = llama2c.Program(path, tmp_path / "files"), 0
    for _ in range(40):
        prompt = [1, 2, *rng.integers(3, config.vocab_size, 8).tolist()]
        same += running.write(prompt, 1)[0] == greedy(params, config, prompt, 1)
    assert same >= 36
