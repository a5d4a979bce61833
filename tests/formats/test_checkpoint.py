"""Promise: what is saved comes back bit for bit; what is damaged is refused in one line that names the file; a crash
while writing leaves the old file."""

import json
import struct
from dataclasses import asdict, replace

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from safetensors.numpy import load_file, save_file

from helpers import random_config
from minillm import files, training
from minillm.architecture.llama import init
from minillm.architecture.tree import flatten, tree_map
from minillm.config import LAYOUT, ModelConfig, TrainConfig
from minillm.errors import UserError
from minillm.formats import checkpoint, llama
from minillm.text import tokenizer

TEXTS = ["A small fox found three apples and gave two of them away."] * 3
TRAIN = TrainConfig(steps=40, batch_size=4, context=8)


def some_model(seed, **fixed):
    rng = np.random.default_rng(seed)
    config = random_config(rng, **fixed)
    return config, tree_map(lambda w: rng.standard_normal(w.shape, np.float32), init(config, rng))


def some_state(seed, dtype=np.float32, **fixed):
    config, params = some_model(seed, **fixed)
    rng = np.random.default_rng(seed + 1)
    params, mean, square = (tree_map(lambda w: rng.standard_normal(w.shape).astype(dtype), params) for _ in range(3))
    return config, {"params": params, "moments": {"mean": mean, "square": square}, "step": 17}


def assert_same_bits(actual, expected):
    actual, expected = flatten(actual), flatten(expected)
    assert list(actual) == list(expected)
    for name, leaf in expected.items():
        assert actual[name].dtype == leaf.dtype and actual[name].shape == leaf.shape, name
        assert actual[name].tobytes() == leaf.tobytes(), name


def refused(call, *words):
    """The call raises a UserError of one line that holds all the words."""
    with pytest.raises(UserError) as error:
        call()
    message = str(error.value)
    assert message.splitlines() == [message] and len(message) < 500
    for word in words:
        assert str(word) in message, message


def edit_json(folder, **values):
    """Set values in config.json; ... removes one."""
    path = folder / "config.json"
    config = json.loads(path.read_text(encoding="utf-8")) | values
    path.write_text(json.dumps({name: value for name, value in config.items() if value is not ...}), encoding="utf-8")


@pytest.fixture
def folder(tmp_path):
    """A model of three layers, its own head, two queries a key."""
    config, params = some_model(5, num_hidden_layers=3, hidden_size=16, num_attention_heads=4, num_key_value_heads=2,
                                head_dim=6, intermediate_size=10, vocab_size=23, tie_word_embeddings=False)
    checkpoint.save_model(tmp_path / "model", config, params)
    return tmp_path / "model"


# ---- What is saved comes back


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("seed", range(5))
def test_a_model_comes_back_bit_for_bit(tmp_path, seed, tied):
    config, params = some_model(seed, tie_word_embeddings=tied, bos_token_id=None, eos_token_id=seed)
    params["norm"][:4] = [np.inf, -0.0, 1e-42, np.nan]             # whatever float32 can be
    checkpoint.save_model(tmp_path / "new" / "deep", config, params)
    again, loaded, made = checkpoint.load_model(tmp_path / "new" / "deep")
    assert (again, made) == (config, None)
    assert_same_bits(loaded, params)
    assert ("lm_head.weight" in load_file(tmp_path / "new" / "deep" / "model.safetensors")) is not tied


def test_the_tokenizer_comes_back(tmp_path):
    made = tokenizer.train(TEXTS, 280)
    config, params = some_model(1, vocab_size=made.vocab_size)
    checkpoint.save_model(tmp_path, config, params, made)
    loaded = checkpoint.load_model(tmp_path)[2]
    assert loaded.encode(TEXTS[0]) == made.encode(TEXTS[0]) and loaded.vocab == made.vocab
    edit_json(tmp_path, vocab_size=made.vocab_size - 1)
    checkpoint.save_params(tmp_path, *some_model(1, vocab_size=made.vocab_size - 1))
    refused(lambda: checkpoint.load_model(tmp_path), "tokenizer.json", made.vocab_size, made.vocab_size - 1)


def test_a_saved_model_replaces_another(tmp_path):
    for seed in (1, 2):
        config, params = some_model(seed)
        checkpoint.save_model(tmp_path, config, params)
    again, loaded, _ = checkpoint.load_model(tmp_path)
    assert again == config
    assert_same_bits(loaded, params)
    assert not list(tmp_path.glob("*.part"))


def test_matrices_are_stored_as_hugging_face_stores_them(folder):
    config, params, _ = checkpoint.load_model(folder)
    theirs = load_file(folder / "model.safetensors")
    for i, layer in enumerate(params["layers"]):
        for name, part in (("q_proj", "self_attn"), ("o_proj", "self_attn"), ("down_proj", "mlp")):
            np.testing.assert_array_equal(theirs[f"model.layers.{i}.{part}.{name}.weight"], layer[name].T)
    np.testing.assert_array_equal(theirs["lm_head.weight"], params["lm_head"].T)
    np.testing.assert_array_equal(theirs["model.embed_tokens.weight"], params["embed_tokens"])
    assert len(theirs) == len(flatten(params))


@pytest.mark.parametrize("seed", range(5))
def test_a_config_comes_back(tmp_path, seed):
    config = replace(some_model(seed)[0], initializer_range=0.1 + 0.2, rope_theta=1e6 / 3, bos_token_id=None)
    checkpoint.save_model(tmp_path, config, init(config, np.random.default_rng(0)))
    assert llama.load_config(tmp_path) == config


def test_hugging_face_s_other_ways_to_write_the_same_config(folder):
    config = llama.load_config(folder)
    for kind in ({"rope_type": "default"}, {"type": "default"}, {}):
        rope = kind | {"rope_theta": 77.5}
        edit_json(folder, rope_theta=..., rope_scaling=..., rope_parameters=rope)         # transformers 5
        assert llama.load_config(folder) == replace(config, rope_theta=77.5)
    edit_json(folder, rope_theta=55.0)                             # there the inner one counts
    assert llama.load_config(folder).rope_theta == 77.5
    edit_json(folder, rope_theta=55.0, rope_parameters=..., rope_scaling={"rope_type": "default"})
    assert llama.load_config(folder) == replace(config, rope_theta=55.0)
    for absent in (None, ...):                                     # hidden / heads, and a key/value head for each head
        edit_json(folder, head_dim=absent, num_key_value_heads=absent)
        assert llama.load_config(folder) == replace(config, rope_theta=55.0, head_dim=4, num_key_value_heads=4)


def test_half_precision_comes_in_exactly(folder):
    path = folder / "model.safetensors"
    halves = {name: array.astype(np.float16) for name, array in load_file(path).items()}
    save_file(halves, path)
    params = checkpoint.load_model(folder)[1]
    np.testing.assert_array_equal(params["embed_tokens"], halves["model.embed_tokens.weight"].astype(np.float32))
    assert {leaf.dtype for leaf in flatten(params).values()} == {np.dtype(np.float32)}


# ---- What does not belong together, or is damaged, is refused


def test_tensors_that_do_not_fit_are_named(folder):
    path = folder / "model.safetensors"
    tensors = load_file(path)
    name = "model.layers.1.mlp.up_proj.weight"                     # (F, D) there, (D, F) here

    def load_with(changed):
        save_file({key: np.ascontiguousarray(value) for key, value in changed.items()}, path)
        checkpoint.load_model(folder)

    refused(lambda: load_with(tensors | {name: tensors[name].T}), path, name, "(10, 16)", "(16, 10)")
    refused(lambda: load_with(tensors | {name: tensors[name][:, :0]}), path, name, "(0, 10)", "(16, 10)")
    refused(lambda: load_with(tensors | {"model.norm.weight": tensors["model.norm.weight"][:, None]}),
            path, "model.norm.weight", "(16, 1)", "(16,)")
    refused(lambda: load_with({key: value for key, value in tensors.items() if key != name}), path, name, "absent")
    refused(lambda: load_with(tensors | {"model.extra\nline": np.zeros(2, np.float32)}), path, "model.extra")
    refused(lambda: load_with(tensors | {"model.layers.3.mlp.up_proj.weight": tensors[name]}), path, "layers.3")
    refused(lambda: load_with({}), path)
    for kind, known_as in ((np.complex64, "C64"), (np.int32, "I32")):
        refused(lambda: load_with(tensors | {name: tensors[name].astype(kind)}), path, name, known_as)
    load_with(tensors)
    edit_json(folder, tie_word_embeddings=True)
    refused(lambda: checkpoint.load_model(folder), path, "lm_head.weight")
    edit_json(folder, tie_word_embeddings=False, num_hidden_layers=2)
    refused(lambda: checkpoint.load_model(folder), path, "layers.2")
    edit_json(folder, num_hidden_layers=4)
    refused(lambda: checkpoint.load_model(folder), path, "layers.3")
    edit_json(folder, num_hidden_layers=2**31 - 1)                 # at once: no table of two billion rows
    refused(lambda: checkpoint.load_model(folder), path, 2**31 - 1)
    edit_json(folder, num_hidden_layers=3, vocab_size=24)
    refused(lambda: checkpoint.load_model(folder), path, "model.embed_tokens.weight", "(23, 16)", "(24, 16)")


@pytest.mark.parametrize("kind, size", [("I64", 8), ("F8_E4M3", 1), ("BOOL", 1)])
def test_numbers_of_another_kind_are_refused_by_name(folder, kind, size):
    header = {"model.norm.weight": {"dtype": kind, "shape": [2], "data_offsets": [0, 2 * size]}}
    header = json.dumps(header).encode()
    path = folder / "model.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(2 * size))
    refused(lambda: checkpoint.load_model(folder), path, "model.norm.weight", kind)


@pytest.fixture(scope="module")
def damaged(tmp_path_factory):
    """A folder to damage again and again, and the whole bytes of its model.safetensors."""
    folder = tmp_path_factory.mktemp("damaged")
    config, params = some_model(3, num_hidden_layers=1)
    checkpoint.save_model(folder, config, params)
    return folder, (folder / "model.safetensors").read_bytes()


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_file_cut_short_is_refused(damaged, data):
    folder, whole = damaged
    path = folder / "model.safetensors"
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
    refused(lambda: checkpoint.load_model(folder), path)
    path.write_bytes(whole + b"\0")
    refused(lambda: checkpoint.load_model(folder), path)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_changed_header_is_refused_or_changes_nothing(damaged, data):
    folder, whole = damaged
    end = 8 + struct.unpack("<Q", whole[:8])[0]
    path = folder / "model.safetensors"
    path.write_bytes(whole)
    before = checkpoint.load_model(folder)[1]
    at = data.draw(st.integers(0, end - 1))
    path.write_bytes(whole[:at] + bytes([data.draw(st.integers(0, 255))]) + whole[at + 1 :])
    try:
        after = checkpoint.load_model(folder)[1]
    except UserError as error:
        message = str(error)
        assert message.splitlines() == [message] and str(path) in message
    else:
        assert_same_bits(after, before)


@pytest.mark.parametrize("text", [b"", b"{", b"[1, 2]", b"null", b"\xff\xfe{}", b'{"a": 1}\n}', b"[" * 100_000,
                                  b"\0" * 100, b'{"vocab_size": ' + b"9" * 5000 + b"}"])
def test_a_config_that_is_no_json_object_is_refused(folder, text):
    (folder / "config.json").write_bytes(text)
    refused(lambda: checkpoint.load_model(folder), folder / "config.json")


@pytest.mark.parametrize("name, value", [
    ("model_type", "gemma"), ("model_type", None), ("hidden_act", "gelu"), ("attention_bias", 1), ("mlp_bias", "no"),
    ("rope_scaling", {"rope_type": "longrope", "factor": 8.0}), ("rope_scaling", {"type": "linear"}),
    ("rope_scaling", "yarn"), ("rope_parameters", [1]), ("quantization_config", {"bits": 4}), ("rope_interleaved", True),
    ("vocab_size", 0), ("vocab_size", 2**40), ("vocab_size", "many"), ("vocab_size", 23.0), ("vocab_size", True),
    ("hidden_size", -1), ("num_hidden_layers", 0),
    ("num_hidden_layers", None), ("num_attention_heads", 3), ("num_key_value_heads", 3),
    ("head_dim", 5), ("head_dim", "6"),
    ("max_position_embeddings", 0), ("rms_norm_eps", 0), ("rms_norm_eps", float("nan")),
    ("rope_theta", float("inf")), ("rope_theta", -1.0), ("rope_theta", "1e4"),
    ("tie_word_embeddings", 1), ("bos_token_id", "<s>"), ("eos_token_id", [0, 2.5]), ("eos_token_id", ["a\nb"])])
def test_a_config_that_is_not_one_of_our_models_is_refused(folder, name, value):
    edit_json(folder, **{name: value})
    words = [name] if name not in ("num_attention_heads", "rope_scaling") else []      # there what it clashes with is named
    refused(lambda: checkpoint.load_model(folder), folder / "config.json", *words)


def test_what_is_missing_is_named(folder, tmp_path):
    refused(lambda: checkpoint.load_model(tmp_path / "nowhere"), tmp_path / "nowhere", "no such folder")
    refused(lambda: checkpoint.load_model(folder / "config.json"), "no such folder")
    (folder / "model.safetensors").unlink()
    refused(lambda: checkpoint.load_model(folder), folder / "model.safetensors", "no such file")
    (folder / "model.safetensors").mkdir()
    refused(lambda: checkpoint.load_model(folder), folder / "model.safetensors")
    (folder / "config.json").unlink()
    refused(lambda: checkpoint.load_model(folder), folder / "config.json", "no such file")
    (folder / "config.json").mkdir()
    refused(lambda: checkpoint.load_model(folder), folder / "config.json")


def test_a_damaged_tokenizer_is_refused(folder):
    (folder / "tokenizer.json").write_text("{}", encoding="utf-8")
    refused(lambda: checkpoint.load_model(folder), folder / "tokenizer.json")


# ---- Writing: all or nothing


class Killed(BaseException):
    """Stands for the end of the process: nothing catches it."""


def break_writing(monkeypatch, where, error):
    def fail(*_):
        raise error

    def write_half(_, path, **metadata):
        with open(path, "wb") as file:
            file.write(b"half of it")
        raise error

    if where == "write":
        monkeypatch.setattr(checkpoint, "save_file", write_half)
        monkeypatch.setattr(files.Path, "write_bytes", lambda path, data: write_half(data, path))
    else:
        monkeypatch.setattr(files.os, where, fail)


@pytest.mark.parametrize("error", [Killed(), OSError(28, "No space left on device")], ids=["killed", "disk full"])
@pytest.mark.parametrize("where", ["write", "fsync", "replace"])
def test_a_crash_while_writing_leaves_the_old_model(folder, monkeypatch, where, error):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    config, params, _ = checkpoint.load_model(folder)
    state = {"params": params, "moments": {"mean": params, "square": params}, "step": 3}
    training.save_training(folder, state, config, TRAIN, "data")
    with monkeypatch.context() as broken:
        break_writing(broken, where, error)
        other = tree_map(lambda w: w + 1, params)
        for save in (lambda: checkpoint.save_model(folder, replace(config, rope_theta=9.0), other),
                     lambda: checkpoint.save_params(folder, config, other),
                     lambda: training.save_training(folder, state | {"params": other}, config, TRAIN, "data")):
            if isinstance(error, OSError):
                refused(save, folder, "No space left")
                assert not list(folder.glob("*.part"))
            else:
                with pytest.raises(Killed):
                    save()
    assert {name: (folder / name).read_bytes() for name in before} == before
    again, loaded, _ = checkpoint.load_model(folder)               # with what the crash left lying beside it
    assert again == config
    assert_same_bits(loaded, params)
    resumed = training.load_training(folder, config, TRAIN, "data")
    assert resumed["step"] == 3
    assert_same_bits(resumed["params"], params)
    checkpoint.save_model(folder, replace(config, rope_theta=9.0), other)            # and the next attempt succeeds
    assert_same_bits(checkpoint.load_model(folder)[1], other)


def test_a_crash_in_the_first_writing_leaves_no_model(tmp_path, monkeypatch):
    config, params = some_model(2)
    checkpoint.save_model(tmp_path, config, params)
    (tmp_path / "model.safetensors").unlink()
    with monkeypatch.context() as broken, pytest.raises(Killed):
        break_writing(broken, "write", Killed())
        checkpoint.save_params(tmp_path, config, params)
    assert list(tmp_path.glob("*.part"))
    refused(lambda: checkpoint.load_model(tmp_path), "model.safetensors", "no such file")


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    config, state = some_state(1)
    (tmp_path / "file").write_text("not a folder", encoding="utf-8")
    inside = tmp_path / "file" / "model"
    for save in (lambda: checkpoint.save_model(inside, config, state["params"]),
                 lambda: checkpoint.save_params(inside, config, state["params"]),
                 lambda: training.save_training(inside, state, config, TRAIN, ""),
                 lambda: checkpoint.write_json(inside, {}), lambda: checkpoint.make_folder(inside)):
        refused(save, inside)
    refused(lambda: checkpoint.make_folder(tmp_path / "file"), tmp_path / "file")
    (tmp_path / "taken" / "model.safetensors" / "x").mkdir(parents=True)
    refused(lambda: checkpoint.save_model(tmp_path / "taken", config, state["params"]), "model.safetensors")
    assert not list(tmp_path.rglob("*.part"))


# ---- The state of a training


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("tied", [True, False])
def test_a_training_comes_back_bit_for_bit(tmp_path, tied, dtype):
    config, state = some_state(7, dtype, tie_word_embeddings=tied)
    training.save_training(tmp_path, state, config, TRAIN, "abc")
    again = training.load_training(tmp_path, config, TRAIN, "abc")
    assert again["step"] == 17 and set(again) == {"params", "moments", "step"}
    for part in ("params", "moments"):
        assert_same_bits(again[part], state[part])


def test_another_run_is_refused_and_the_changes_are_named(tmp_path):
    config, state = some_state(7)
    training.save_training(tmp_path, state, config, TRAIN, "abc")
    path = tmp_path / "training_state.safetensors"

    def load(config=config, train=TRAIN, data="abc"):
        training.load_training(tmp_path, config, train, data)

    refused(lambda: load(config=replace(config, rope_theta=123.0)), path, "rope_theta", config.rope_theta, 123.0)
    refused(lambda: load(train=replace(TRAIN, seed=5, batch_size=6)), path,
            "seed (0 then, 5 now)", "batch_size (4 then, 6 now)")
    refused(lambda: load(data="abd"), path, "data")
    for train_field in asdict(TRAIN):
        value = getattr(TRAIN, train_field)
        names = {"matmul_precision": "bfloat16", "optimizer": "adamw"}
        other = names.get(train_field) or (not value if isinstance(value, bool) else value + 1
                                           if isinstance(value, int) else value / 2 or 0.5)
        changed = replace(TRAIN, **{train_field: other})
        if train_field in LAYOUT:  # where a run is done, not what it learns
            load(train=changed)
        else:
            refused(lambda: load(train=changed), path, train_field)
    load()


def test_a_damaged_training_state_is_refused(tmp_path):
    config, state = some_state(7)
    path = tmp_path / "training_state.safetensors"
    refused(lambda: training.load_training(tmp_path, config, TRAIN, "abc"), path, "no such file")
    training.save_training(tmp_path, state, config, TRAIN, "abc")
    whole, tensors = path.read_bytes(), load_file(path)
    metadata = {"step": "17", "model": json.dumps(asdict(config)), "train": json.dumps(asdict(TRAIN)), "data": "abc"}

    def load_with(tensors=tensors, **values):
        values = metadata | values
        save_file(tensors, path, metadata={key: value for key, value in values.items() if value is not ...})
        training.load_training(tmp_path, config, TRAIN, "abc")

    load_with()
    for values in ({"step": ...}, {"step": "x"}, {"train": ...}, {"train": "{"}, {"model": "[1]"}, {"model": "3"}):
        refused(lambda: load_with(**values), path)
    refused(lambda: load_with(data=...), path, "data")
    refused(lambda: load_with(train=json.dumps(asdict(TRAIN) | {"later": 1})), path, "later (1 then, None now)")
    before = {key: value for key, value in asdict(config).items() if key != "o_proj_init_gain"}
    load_with(model=json.dumps(before))                         # a run saved before there was this setting
    name = "moments.mean.norm"
    refused(lambda: load_with({key: value for key, value in tensors.items() if key != name}), path, name)
    refused(lambda: load_with(tensors | {name: tensors[name][1:]}), path, name)
    refused(lambda: load_with(tensors | {name: tensors[name].astype(np.int64)}), path, name, "I64")
    for cut in (0, 7, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:cut])
        refused(lambda: training.load_training(tmp_path, config, TRAIN, "abc"), path)


def test_every_parameter_has_a_name_of_hugging_face():
    config = ModelConfig(vocab_size=9, hidden_size=4, intermediate_size=6, num_hidden_layers=2, num_attention_heads=2,
                         num_key_value_heads=1, head_dim=2, max_position_embeddings=8, tie_word_embeddings=False)
    params = init(config, np.random.default_rng(0))
    names = [llama.hugging_face_name(path)[0] for path in flatten(params)]
    assert len(set(names)) == len(names) == 2 * 9 + 3
    assert names[1] == "model.layers.0.input_layernorm.weight" and names[-1] == "lm_head.weight"
    assert llama.hugging_face_name("layers.0.q_proj") == ("model.layers.0.self_attn.q_proj.weight", True)


def test_whoever_may_read_the_configuration_may_read_the_weights(tmp_path):
    checkpoint.save_model(tmp_path / "m", *some_model(0))
    assert (tmp_path / "m" / "model.safetensors").stat().st_mode == (tmp_path / "m" / "config.json").stat().st_mode
