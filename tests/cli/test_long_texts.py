"""Promise: commands that read a long text say what it costs beforehand, and never end with a
traceback for want of memory."""

import numpy as np
import pytest

from helpers import random_config, random_params
from minillm.cli import dispatch, measure
from minillm.formats import checkpoint
from minillm.text import tokenizer as tokenizers
from minillm.training import evaluation

TOKENIZER = tokenizers.train(["the cat sat on the mat. "] * 20, 270)
LONG = "the cat sat on the mat. " * 2                                  # 14 tokens
COMMANDS = {"score": ("--prompt", LONG, "--options", " a", " b"),
            "parity": ("--prompt", LONG, "--against", "numpy"),
            "inspect": (LONG, "--panels", "lens")}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    rng, folder = np.random.default_rng(0), tmp_path_factory.mktemp("f")
    config = random_config(rng, vocab_size=TOKENIZER.vocab_size, bos_token_id=0, eos_token_id=0,
                           max_position_embeddings=64)
    checkpoint.save_model(folder, config, random_params(config, rng), TOKENIZER)
    return folder


def run(minillm, command, folder, *more):
    options = COMMANDS[command]
    out = ("--out", folder / "page.html", "--force") if command == "inspect" else ()
    return minillm(command, folder, *options, "--twin", "numpy", *out, *more)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_text_longer_than_the_context_is_refused_with_the_way_out(monkeypatch, minillm, folder,
                                                                    command):
    monkeypatch.setattr(measure, "CONTEXT", 8)
    status, _, err = run(minillm, command, folder)
    assert status == 2 and "more than --context 8" in err and err.count("\n") == 1
    length = err.partition("give --context ")[2].split()[0]
    assert run(minillm, command, folder, "--context", length)[0] == 0
    for wrong in (0, 65):
        status, _, err = run(minillm, command, folder, "--context", wrong)
        assert status == 2 and f"--context is {wrong}: the model reads 1 to 64" in err


@pytest.mark.parametrize("command", COMMANDS)
def test_much_memory_is_said_beforehand(monkeypatch, minillm, folder, command):
    assert "of memory" not in run(minillm, command, folder)[2]
    monkeypatch.setattr(evaluation, "BARE", 3 * 10**9)
    assert "[this needs about" in run(minillm, command, folder)[2]


@pytest.mark.parametrize("error", [
    MemoryError("Unable to allocate 51.5 GiB for an array"),
    RuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 51539608064 bytes."),
    RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 515 bytes.")])
def test_memory_that_runs_out_is_one_line(monkeypatch, minillm, folder, error):
    def fails(*_):
        raise error

    monkeypatch.setattr(measure, "rows_to_measure", fails)
    monkeypatch.setattr(dispatch.measure, "rows_to_measure", fails)
    status, out, err = minillm("evaluate", folder, "--text", "x")
    assert (status, out) == (2, "") and err.count("\n") == 1 and "Traceback" not in err
