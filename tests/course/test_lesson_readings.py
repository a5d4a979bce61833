"""Promise: lesson 14's readings.py reads any LLaMA rightly, and names the first activation that each wrong reading gets wrong."""

import subprocess
import sys

import numpy as np
import pytest

import minillm
from minillm.architecture.llama import init
from minillm.architecture.tree import tree_map
from minillm.config import ModelConfig
from minillm.course.lessons import all_lessons, load_module, with_package
from minillm.errors import UserError
from minillm.formats import checkpoint
from minillm.inspection import parity
from minillm.text import storyworld, tokenizer

FOLDER = next(lesson.folder for lesson in all_lessons() if lesson.name == "14_real_llama")
FIRST = {"right": None, "theta": "layers.0.pattern", "eps": "layers.0.attn_in", "layout": "layers.0.q", "groups": "layers.0.pattern", "head": "logits",
         "square": "layers.0.q", "half": "embed"}


@pytest.fixture(scope="module")
def readings():
    return load_module(FOLDER / "readings.py", "readings")


@pytest.fixture(scope="module")
def made():
    return tokenizer.train(storyworld.corpus(0, "train", 100_000), 400)


def folder_of(path, made, **change):
    """A checkpoint of random numbers, large enough that every part of it counts."""
    sizes = dict(vocab_size=made.vocab_size, hidden_size=24, intermediate_size=40, num_hidden_layers=2, num_attention_heads=6, num_key_value_heads=3,
                 head_dim=4, max_position_embeddings=64, tie_word_embeddings=False) | change
    config, rng = ModelConfig(**sizes), np.random.default_rng(0)
    params = tree_map(lambda w: (0.3 * rng.standard_normal(w.shape) + (w.ndim == 1)).astype(np.float32), init(config, rng))
    checkpoint.save_model(path, config, params, made, "bfloat16")
    return path


@pytest.fixture
def seen_by_the_other_twin(monkeypatch):
    def absent(*_):
        raise UserError("no transformers")
    monkeypatch.setattr(parity, "reference", absent)


@pytest.mark.parametrize("change", [{}, {"tie_word_embeddings": True}, {"rope_theta": 500_000.0, "rms_norm_eps": 1e-6}, {"head_dim": 6, "num_hidden_layers": 1},
                                    {"num_key_value_heads": 6}, {"num_key_value_heads": 1}])
def test_the_first_wrong_activation_is_named(tmp_path, readings, made, seen_by_the_other_twin, change):
    model = minillm.load(folder_of(tmp_path / "model", made, **change))
    readings.check(model)
    found = readings.look(model, "Everyone knew Elif the beekeeper", [model.prompt_ids("Everyone knew Olga the doctor")], 5)
    none = {"groups"} if "num_key_value_heads" in change else {"square"} if "head_dim" in change else set()
    for name, first in FIRST.items():
        assert (found[name] is None) == (name in none), name
        if name == "eps" and found[name]:                      # numbers of this size hardly feel it: then no activation may differ by much
            assert found[name]["first"] in (first, None) and max(found[name]["relative"]) < 1e-2
        elif found[name]:
            assert found[name]["first"] == first, name
    assert found["right"]["taps"][0] == "embed" and found["right"]["taps"][-1] == "logits" and max(found["right"]["relative"]) < 1e-5


def test_groups_dealt_out_in_turn_are_wrong_for_the_heads_in_the_middle_alone(tmp_path, readings, made):
    model = minillm.load(folder_of(tmp_path / "model", made))
    tokens = np.array([model.prompt_ids("Everyone knew Elif")])
    right = readings.record(readings.right(model), tokens)["layers.0.pattern"]
    wrong = readings.record(readings.groups(model), tokens)["layers.0.pattern"]
    different = [bool(np.abs(a - b).max() > 1e-6) for a, b in zip(right.reshape(-1, 6, *right.shape[-2:])[0], wrong.reshape(-1, 6, *wrong.shape[-2:])[0])]
    assert different == [h // 2 != h % 3 for h in range(6)]


@pytest.mark.parametrize("what", ["nothing", "no tokenizer", "another model"])
def test_what_is_no_llama_with_a_tokenizer_is_refused_in_one_line(tmp_path, made, what):
    path = tmp_path / "model"
    if what != "nothing":
        folder_of(path, made)
        (path / "tokenizer.json").unlink()
    if what == "another model":
        (path / "config.json").write_text('{"model_type": "gpt2"}', encoding="utf-8")
    done = subprocess.run([sys.executable, FOLDER / "readings.py", path], env=with_package(), capture_output=True, encoding="utf-8")
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and done.stderr.startswith("readings.py: ")
