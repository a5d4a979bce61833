"""Promise: whatever stands in a stranger's files, loading them ends in a correct model or in one line that names the file.

Nothing is unpickled, nothing on disk changes, and no header makes us take memory that the file itself does not have.
"""

import json
import os
import pickle
import struct
import subprocess
import sys
import tracemalloc
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest

import minillm
from minillm import cli
from minillm.architecture.tree import flatten
from minillm.errors import UserError
from minillm.text import tokenizer

CONFIG = {"model_type": "llama", "vocab_size": 300, "hidden_size": 8, "intermediate_size": 6,
          "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 4,
          "max_position_embeddings": 64, "rms_norm_eps": 1e-5, "rope_theta": 10000.0,
          "tie_word_embeddings": True, "hidden_act": "silu", "bos_token_id": 0, "eos_token_id": 0}
SHAPES = {"model.embed_tokens.weight": (300, 8), "model.norm.weight": (8,),
          **{f"model.layers.0.{name}.weight": shape for name, shape in {
                 "input_layernorm": (8,), "post_attention_layernorm": (8,),
                 "self_attn.q_proj": (8, 8), "self_attn.k_proj": (4, 8), "self_attn.v_proj": (4, 8),
                 "self_attn.o_proj": (8, 8), "mlp.gate_proj": (6, 8), "mlp.up_proj": (6, 8),
                 "mlp.down_proj": (8, 6)}.items()}}
NORM = "model.norm.weight"
WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
TEXTS = ["a fox found three apples and gave two of them away"] * 3


def tensors():
    rng = np.random.default_rng(0)
    return {name: rng.standard_normal(shape).astype("<f4") for name, shape in SHAPES.items()}


def entries(arrays):
    """(header as a dict, data) of a sound safetensors file."""
    header, data = {}, b""
    for name, array in arrays.items():
        header[name] = {"dtype": "F32", "shape": list(array.shape),
                        "data_offsets": [len(data), len(data) + array.nbytes]}
        data += array.tobytes()
    return header, data


def pack(header, data: bytes, length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


@pytest.fixture(scope="session")
def made():
    return tokenizer.train(TEXTS, 300)


@pytest.fixture
def folder(tmp_path, made):
    """A sound folder: config.json, model.safetensors, tokenizer.json."""
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(CONFIG), encoding="utf-8")
    (folder / WEIGHTS).write_bytes(pack(*entries(tensors())))
    made.save(folder)
    return folder


def content(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*"))
            if path.is_file()}


def refused(folder, file: str, *words):
    """Loading ends in one line that names the file and holds the words; nothing changed; memory stayed small."""
    before = content(folder)
    size = sum(map(len, before.values()))
    tracemalloc.start()
    with warnings.catch_warnings(), pytest.raises(UserError) as error:
        warnings.simplefilter("error")
        minillm.load(folder)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    message = str(error.value)
    assert message.isprintable() and len(message) < 600, message
    assert file in message, message
    for word in words:
        assert word in message, message
    assert content(folder) == before
    assert peak < 30 * size + 5_000_000, f"{peak:,} bytes for {size:,} on disk"


def test_the_sound_folder_loads(folder):
    model = minillm.load(folder)
    np.testing.assert_array_equal(model.params["norm"], tensors()[NORM])
    np.testing.assert_array_equal(model.params["layers"][0]["down_proj"],
                                  tensors()["model.layers.0.mlp.down_proj.weight"].T)


# ---- Weights: cases 1-22


def changed(**entry):
    """The file with other values in the entry of the last tensor."""
    header, data = entries(tensors())
    last = list(header)[-1]
    header[last] |= entry
    return pack(header, data)


def moved(name, begin, end):
    header, data = entries(tensors())
    header[name]["data_offsets"] = [header[name]["data_offsets"][0] + begin,
                                    header[name]["data_offsets"][1] + end]
    return pack(header, data)


def with_entry(name, entry, extra=b""):
    header, data = entries(tensors())
    return pack(header | {name: entry}, data + extra)


HEADER, DATA = entries(tensors())
END = len(DATA)
DAMAGED = {
    "1 empty": b"", "2 seven bytes": b"1234567", "3 header of length 0": struct.pack("<Q", 0)
    + DATA, "4 header of length 2^64-1": pack(HEADER, DATA, 2**64 - 1),
    "5 header past the end": pack(HEADER, DATA, 10_000_000), "6 header above 100 MB": pack(
        HEADER, DATA, 100_000_001), "7 not UTF-8": pack(b'{"\xff\xfe": {}}', DATA),
    "8 truncated JSON": pack(json.dumps(HEADER).encode()[:-20], DATA),
    "9 nested 100,000 deep": pack(b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", DATA),
    "10 integer of 5,000 digits": pack(
        json.dumps(HEADER).encode().replace(b"[8, 6]", b"[" + b"9" * 5000 + b"]"), DATA),
    "11 NaN as a dimension": pack(json.dumps(HEADER).encode().replace(b"[8, 6]", b"[8, NaN]"),
                                  DATA),
    "11 1e3 as a dimension": pack(json.dumps(HEADER).encode().replace(b"[8, 6]", b"[8, 6e0]"),
                                  DATA), "11 true as a dimension": changed(shape=[8, True]),
    "12 negative": changed(shape=[8, -6]), "13 a product that wraps": with_entry(
        "big", {"dtype": "F32", "shape": [2**32, 2**32], "data_offsets": [END, END]}),
    "14 unknown dtype": changed(dtype="F33"), "15 half a byte": with_entry(
        "odd", {"dtype": "F4", "shape": [3], "data_offsets": [END, END + 1]}, b"\0"),
    "16 overlap": moved(NORM, -4, -4), "17 a hole": moved(list(HEADER)[-1], 4, 4),
    "18 begin after end": changed(data_offsets=[END, END - 192]),
    "19 bytes after the end": pack(HEADER, DATA + b"\0" * 8),
    "21 metadata of numbers": pack(HEADER | {"__metadata__": {"a": 1}}, DATA),
    "21 metadata is a list": pack(HEADER | {"__metadata__": ["a"]}, DATA),
    "22 a pickle": pickle.dumps({"weights": [1.0] * 100}), "header is a list": pack(b"[]", DATA),
    "entry is a number": pack(HEADER | {"x": 3}, DATA),
    "no offsets": pack(HEADER | {"x": {"dtype": "F32", "shape": []}}, DATA),
    "one byte short": pack(HEADER, DATA[:-1])}


@pytest.mark.parametrize("case", DAMAGED)
def test_damaged_weights_are_refused(folder, case):
    (folder / WEIGHTS).write_bytes(DAMAGED[case])
    refused(folder, WEIGHTS)


def test_a_zip_is_refused(folder):
    with zipfile.ZipFile(folder / WEIGHTS, "w") as archive:
        archive.writestr("data.pkl", pickle.dumps(1))
    refused(folder, WEIGHTS, "never opened")


def test_an_identical_duplicate_key_is_legal(folder):
    """Case 20: JSON lets a key stand twice; where both say the same there is nothing to choose."""
    text = json.dumps(HEADER).encode()
    entry = json.dumps({NORM: HEADER[NORM]}).encode()[1:-1]
    (folder / WEIGHTS).write_bytes(pack(text[:-1] + b", " + entry + b"}", DATA))
    try:
        model = minillm.load(folder)
    except UserError as error:  # stricter libraries refuse it: in words
        assert WEIGHTS in str(error)
    else:
        np.testing.assert_array_equal(model.params["norm"], tensors()[NORM])


def test_empty_tensors_and_scalars_are_read(tmp_path):
    from minillm.formats.weights import Weights
    arrays = {"none": np.zeros((0, 3), "<f4"), "one": np.array(7.5, "<f4"),
              "row": np.arange(3, dtype="<f4")}
    (tmp_path / "x.safetensors").write_bytes(pack(*entries(arrays)))
    with Weights([tmp_path / "x.safetensors"], ("F32",)) as weights:
        for name, array in arrays.items():
            np.testing.assert_array_equal(weights.read(name, np.float32), array)
            assert weights.read(name, np.float32, transposed=True).shape == array.shape[::-1]


class Bomb:
    """Unpickling it makes a file."""

    def __init__(self, marker):
        self.marker = str(marker)

    def __reduce__(self):
        return os.mkdir, (self.marker,)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "consolidated.00.pth", "model.pt", WEIGHTS])
@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_no_pickle_is_ever_opened(folder, tmp_path, name, protocol):
    (folder / WEIGHTS).unlink()
    (folder / name).write_bytes(pickle.dumps(Bomb(tmp_path / "exploded"), protocol))
    refused(folder, name)
    with pytest.raises(UserError, match=name):
        minillm.load(folder / name)
    assert not (tmp_path / "exploded").exists()


# ---- Shards: case 23


def sharded(folder, places, **shards):
    """An index, and shards that hold the named tensors."""
    (folder / WEIGHTS).unlink()
    for name, held in shards.items():
        (folder / f"{name}.safetensors").write_bytes(
            pack(*entries({key: tensors()[key] for key in held})))
    (folder / INDEX).write_text(json.dumps({"weight_map": places}), encoding="utf-8")


HALVES = list(SHAPES)[:5], list(SHAPES)[5:]
PLACES = {name: f"{'ab'[name in HALVES[1]]}.safetensors" for name in SHAPES}


def test_shards_load(folder):
    whole = minillm.load(folder).params
    sharded(folder, PLACES, a=HALVES[0], b=HALVES[1])
    for path, leaf in flatten(minillm.load(folder).params).items():
        np.testing.assert_array_equal(leaf, flatten(whole)[path])


@pytest.mark.parametrize("place", ["../../etc/passwd", "/etc/passwd", "../a.safetensors",
                                   "missing.safetensors", "..", ".", "", "sub/a.safetensors",
                                   "..\\a.safetensors", "a.safetensors\0", "C:\\a.safetensors"])
def test_a_shard_that_is_not_in_the_folder_is_refused(folder, place):
    sharded(folder, PLACES | {NORM: place}, a=HALVES[0], b=HALVES[1])
    refused(folder, INDEX)


def test_a_link_out_of_the_folder_is_refused(folder, tmp_path):
    sharded(folder, PLACES, a=HALVES[0], b=HALVES[1])
    (folder / "b.safetensors").rename(tmp_path / "elsewhere")
    try:
        (folder / "b.safetensors").symlink_to(tmp_path / "elsewhere")
    except OSError:
        pytest.skip("this platform makes no links")
    refused(folder, INDEX, "b.safetensors")


def test_the_links_of_hugging_face_s_cache_are_followed(folder, tmp_path):
    sharded(folder, PLACES, a=HALVES[0], b=HALVES[1])
    home = tmp_path / "models--x" / "snapshots" / "1234"
    home.parent.mkdir(parents=True)
    (tmp_path / "models--x" / "blobs").mkdir()
    folder.rename(home)
    for path in list(home.iterdir()):
        path.rename(tmp_path / "models--x" / "blobs" / path.name)
        try:
            path.symlink_to(Path("..") / ".." / "blobs" / path.name)
        except OSError:
            pytest.skip("this platform makes no links")
    np.testing.assert_array_equal(minillm.load(home).params["norm"], tensors()[NORM])


def test_a_tensor_in_two_shards_or_in_none_is_refused(folder):
    sharded(folder, PLACES, a=HALVES[0], b=HALVES[1] + [NORM])
    refused(folder, "safetensors", NORM)
    (folder / "b.safetensors").write_bytes(
        pack(*entries({key: tensors()[key] for key in HALVES[1][1:]})))
    refused(folder, INDEX, HALVES[1][0])
    (folder / "b.safetensors").write_bytes(pack(*entries({key: tensors()[key] for key in HALVES[1]}
                                                         | {"x": np.zeros(2, "<f4")})))
    refused(folder, "b.safetensors", "x")


@pytest.mark.parametrize("index", ["[]", "{}", '{"weight_map": []}', '{"weight_map": {}}',
                                   '{"weight_map": {"a": 3}}', "", "{", '{"weight_map": "a"}',
                                   '{"weight_map": {"a": null}}', "[" * 100_000])
def test_an_index_that_is_none_is_refused(folder, index):
    (folder / WEIGHTS).unlink()
    (folder / INDEX).write_text(index, encoding="utf-8")
    refused(folder, INDEX)


# ---- Configuration: case 24


@pytest.mark.parametrize(
    "changes, words",
    [({"num_hidden_layers": 10**9}, ["layers"]),
     ({"num_hidden_layers": 10**30}, ["num_hidden_layers"]),
     ({"num_attention_heads": 0}, ["num_attention_heads"]),
     ({"num_key_value_heads": 0}, ["num_key_value_heads"]),
     ({"num_attention_heads": 6, "num_key_value_heads": 4}, ["num_key_value_heads", "6"]),
     ({"head_dim": 3}, ["head_dim", "even"]), ({"head_dim": -4}, ["head_dim"]),
     ({"rope_theta": 0}, ["rope_theta"]), ({"rope_theta": -1}, ["rope_theta"]),
     ({"rope_theta": float("nan")}, ["rope_theta"]), ({"rope_theta": "x" * 1000}, ["rope_theta"]),
     ({"rope_scaling": {"type": "linear", "factor": 0}}, ["factor"]),
     ({"rope_scaling": {"type": "linear"}}, ["factor"]),
     ({"rope_scaling": {"type": "linear", "factor": float("nan")}}, ["factor"]),
     ({"rope_scaling": {"rope_type": "su", "factor": 2.0}}, ["su"]),
     ({"rope_scaling": {"rope_type": ["x"], "factor": 2.0}}, ["rope"]),
     ({"rope_scaling": {"rope_type": "llama3", "factor": 2.0}}, ["low_freq_factor"]),
     ({"rope_scaling": {"rope_type": "llama3", "factor": 2.0, "low_freq_factor": 4,
                        "high_freq_factor": 4}}, ["high_freq_factor"]),
     ({"rope_scaling": {"rope_type": "yarn", "factor": 2.0}, "rope_theta": 1}, ["rope_theta"]),
     ({"rope_scaling": {"rope_type": "yarn", "factor": 2.0, "beta_fast": "a"}}, ["beta_fast"]),
     ({"rope_parameters": {"rope_type": "default", "partial_rotary_factor": 0.5}},
      ["partial_rotary_factor"]), ({"model_type": "gemma"}, ["gemma"]),
     ({"model_type": "mistral", "sliding_window": 9}, ["sliding_window"]),
     ({"model_type": None}, ["model_type"]), ({"model_type": ["llama"]}, ["model_type"]),
     ({"quantization": {"bits": 4}}, ["quantization", "MLX", "mlx_lm"]),
     ({"hidden_act": "gelu"}, ["hidden_act", "gelu"]),
     ({"quantization_config": {"bits": 4}}, ["quantization_config", "dequantize"]),
     ({"rope_interleaved": True}, ["rope_interleaved"]),
     ({"sliding_window": 32}, ["sliding_window"]), ({"bos_token_id": "3"}, ["bos_token_id"]),
     ({"eos_token_id": [0, 0.5]}, ["eos_token_id"]), ({"eos_token_id": [[0]]}, ["eos_token_id"]),
     ({"vocab_size": 2**31}, ["vocab_size"]), ({"hidden_size": "8"}, ["hidden_size"]),
     ({"tie_word_embeddings": "no"}, ["tie_word"]), ({"rms_norm_eps": -1}, ["rms_norm_eps"]),
     ({"max_position_embeddings": 0}, ["max_position_embeddings"]),
     ({"attention_bias": "yes"}, ["attention_bias"])])
def test_an_impossible_or_unsupported_config_is_refused(folder, changes, words):
    (folder / "config.json").write_text(json.dumps(CONFIG | changes), encoding="utf-8")
    refused(folder, WEIGHTS if changes == {"num_hidden_layers": 10**9} else "config.json", *words)


@pytest.mark.parametrize("changes, words",
                         [({"vocab_size": 299}, ["embed_tokens", "(300, 8)", "(299, 8)"]),
                          ({"hidden_size": 10}, ["(300, 8)", "(300, 10)"]),
                          ({"intermediate_size": 7}, ["gate_proj", "(8, 6)", "(8, 7)"]),
                          ({"num_key_value_heads": 2}, ["k_proj", "(8, 4)", "(8, 8)"]),
                          ({"num_hidden_layers": 2}, ["model.layers.1.", "absent"]),
                          ({"tie_word_embeddings": False}, ["lm_head.weight", "absent"]),
                          ({"attention_bias": True}, ["q_proj.bias", "absent"])])
def test_weights_that_disagree_with_the_config_are_refused(folder, changes, words):
    (folder / "config.json").write_text(json.dumps(CONFIG | changes), encoding="utf-8")
    refused(folder, WEIGHTS, *words)


def test_a_tensor_nobody_asked_for_is_refused(folder):
    for name in ("model.layers.0.self_attn.q_proj.bias", "model.layers.1.mlp.up_proj.weight",
                 "extra\n\x1b[31m", "lm_head.weight"):
        (folder / WEIGHTS).write_bytes(pack(*entries(tensors() | {name: np.ones((300, 8), "<f4")})))
        refused(folder, WEIGHTS)
    copy = tensors()["model.embed_tokens.weight"]                # a tied head that is stored again, and old buffers
    (folder / WEIGHTS).write_bytes(
        pack(*entries(tensors()
                      | {"lm_head.weight": copy,
                         "model.layers.0.self_attn.rotary_emb.inv_freq": np.ones(2, "<f4")})))
    assert "lm_head" not in minillm.load(folder).params


# ---- Tokenizers: case 25


def test_a_tokenizer_larger_than_the_model_is_refused(folder):
    spec = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    spec["model"]["vocab"]["more"] = 300
    (folder / "tokenizer.json").write_text(json.dumps(spec), encoding="utf-8")
    refused(folder, "tokenizer.json", "301", "300")


@pytest.mark.parametrize(
    "damage", [lambda spec: spec["model"].__setitem__("merges", [["a", "zzz"]]),
               lambda spec: spec["model"]["vocab"].update(a=5, b=5), lambda spec: spec["model"][
                   "vocab"].update(a=2**31), lambda spec: spec["model"]["vocab"].update(a=10**30),
               lambda spec: spec["model"]["vocab"].update(a=-1),
               lambda spec: spec["model"].__setitem__("vocab", {}), lambda spec: spec.pop("model"),
               lambda spec: spec.__setitem__("pre_tokenizer", {"type": "Nonsense"}),
               lambda spec: spec["model"].__setitem__("merges", "a b")])
def test_a_damaged_tokenizer_is_refused(folder, damage):
    spec = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    damage(spec)
    (folder / "tokenizer.json").write_text(json.dumps(spec), encoding="utf-8")
    refused(folder, "tokenizer.json")


@pytest.mark.parametrize("text",
                         [b"", b"[]", b"{", b"\xff\xfe", b"[" * 100_000, b"null", b'{"model": 3}'])
def test_a_tokenizer_that_is_none_is_refused(folder, text):
    (folder / "tokenizer.json").write_bytes(text)
    refused(folder, "tokenizer.json")


@pytest.mark.parametrize("pattern", ["(a|aa)+$", "(a+)+$", "(a*)*b"])
def test_a_pattern_that_backtracks_for_ever_does_not_hang(folder, pattern):
    spec = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    spec["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = pattern
    (folder / "tokenizer.json").write_text(json.dumps(spec), encoding="utf-8")
    code = ("import sys, minillm\nfrom minillm.errors import UserError\n"
            "try: print(len(minillm.load(sys.argv[1]).tokenizer.encode('a' * 40 + '!' + 'a' * 3000 + '!')))\n"
            "except UserError as error: print('refused', error)")
    done = subprocess.run([sys.executable, "-c", code, str(folder)], capture_output=True, text=True,
                          timeout=30)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("refused") or int(done.stdout) > 100


def test_a_sentencepiece_model_alone_is_explained(folder):
    (folder / "tokenizer.json").unlink()
    (folder / "tokenizer_config.json").unlink()
    (folder / "tokenizer.model").write_bytes(b"\x0a\x0e\x0a\x05<unk>")
    model = minillm.load(folder)
    assert model.logits([[1, 2]]).shape == (1, 2, 300)
    with pytest.raises(UserError, match="tokenizer.model.*save_pretrained"):
        model.prompt_ids("hello")


# ---- Numbers: case 28


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("twin", ["numpy", "jax"])
def test_weights_that_are_no_numbers_are_said_in_words(folder, value, twin):
    (folder / WEIGHTS).write_bytes(pack(*entries({name: np.full_like(array, value)
                                                  for name, array in tensors().items()})))
    model = minillm.load(folder)
    with np.errstate(all="ignore"):
        assert not np.isfinite(model.logits([[1, 2]], twin)).any()
        with pytest.raises(UserError, match="NaN or infinite"):
            list(model.generate("a fox", twin))


def test_prompts_that_cannot_be_are_said_in_words(folder):
    model = minillm.load(folder)
    with pytest.raises(UserError, match="64"):
        model.prompt_ids("fox " * 100)
    for tokens, word in (([[300]], "300"), ([[-1]], "-1"), ([[]], "no tokens"), ([1, 2], "shape"),
                         ([[1] * 65], "65")):
        with pytest.raises(UserError, match=word):
            model.logits(tokens)


# ---- The command line


@pytest.mark.parametrize("command",
                         [["generate"], ["evaluate", "--text", "book.txt"], ["inspect-config"],
                          ["convert", "--out", "new"], ["parity", "--against", "jax"], ["chat"]])
@pytest.mark.parametrize("case", ["weights", "config", "tokenizer", "nothing"])
def test_the_command_line_says_it_in_one_line(folder, tmp_path, monkeypatch, capsys, command, case):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "book.txt").write_text("a fox", encoding="utf-8")
    if case == "nothing":
        folder = tmp_path / "nowhere"
    else:
        path = {"weights": WEIGHTS, "config": "config.json", "tokenizer": "tokenizer.json"}[case]
        (folder / path).write_bytes((folder / path).read_bytes()[:100])
    before = content(tmp_path)
    status = cli.main([command[0], str(folder), *command[1:]])
    out, err = capsys.readouterr()
    if command == ["inspect-config"] and case not in ("nothing", "config"):
        assert status == 1 and out.count("refused: ") == 1
    else:
        assert status == 2 and err.count("\n") == 1 and err.startswith("minillm: ") and out == ""
    assert content(tmp_path) == before


# ---- Mutations


JUNK = [None, True, False, 0, -1, 1, 2, 3, 2**31, 2**63, 10**400, -10**400, 0.5, 1e308, -1e308,
        float("nan"), float("inf"), "", "x", "x\n\x1b[31m\u202e", "9" * 5000, [], [1], [[]], ["x"],
        {}, {"x": 1}, {"rope_type": "yarn"}, [10**400], "silu", "llama"]


def mutate(rng, files: dict[str, bytes]) -> dict[str, bytes]:
    """One or two damages somewhere in a folder's files, most of them such that the rest still parses."""
    files = dict(files)
    for _ in range(rng.integers(1, 3)):
        name = list(files)[rng.integers(len(files))]
        raw = files[name]
        if name.endswith(".json") and rng.random() < 0.8:
            files[name] = mutated_json(rng, raw)
        elif name == WEIGHTS and rng.random() < 0.5:
            length = struct.unpack("<Q", raw[:8])[0]
            files[name] = pack(mutated_json(rng, raw[8 : 8 + length]), raw[8 + length :])
        else:
            end = min(len(raw), 1500)                            # where the headers are
            at = int(rng.integers(0, max(end, 1)))
            piece = rng.bytes(int(rng.integers(0, 4)))
            files[name] = [raw[:at] + piece + raw[at + len(piece) :], raw[:at] + piece + raw[at:],
                           raw[:at]][rng.integers(3)]
    return files


def mutated_json(rng, raw: bytes) -> bytes:
    """The object with one value, anywhere in it, replaced, removed or copied to another key."""
    try:
        whole = json.loads(raw)
    except ValueError:
        return raw
    place = whole
    while isinstance(place, dict) and place:
        keys = list(place)
        key = keys[rng.integers(len(keys))]
        if isinstance(place[key], dict) and place[key] and rng.random() < 0.7:
            place = place[key]
            continue
        choice = rng.integers(4)
        if choice == 0:
            del place[key]
        elif choice == 1:
            place[keys[rng.integers(len(keys))]] = place[key]
        else:
            place[key] = JUNK[rng.integers(len(JUNK))]
        break
    return json.dumps(whole).encode("utf-8", "surrogatepass")


def try_mutations(folder, first: int, number: int):
    """Load `number` mutated folders: a model, or a UserError of one line that names a file of the folder."""
    spare = {"generation_config.json": json.dumps({"eos_token_id": [0]}).encode()}
    sound, refusals = content(folder) | spare, 0
    for seed in range(first, first + number):
        mutated = mutate(np.random.default_rng(seed), sound)
        for name, raw in mutated.items():
            if (folder / name).read_bytes() != raw if (folder / name).exists() else True:
                (folder / name).write_bytes(raw)
        try:
            minillm.load(folder)
        except UserError as error:
            refusals += 1
            message = str(error)
            assert message.isprintable() and len(message) < 800 and any(
                name in message for name in sound), (seed, message)
        except BaseException as error:
            raise AssertionError(f"seed {seed}: {type(error).__name__}: {error}") from error
    return refusals


def test_mutated_folders_load_or_are_refused(folder):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        refusals = try_mutations(folder, 0, 1500)
    assert 500 < refusals < 1500  # the mutations reach deep, and some are harmless


def test_mutations_take_no_memory(folder):
    tracemalloc.start()
    try_mutations(folder, 10_000_000, 150)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20_000_000, f"{peak:,}"


@pytest.mark.slow
def test_many_mutated_folders_load_or_are_refused(folder):
    assert try_mutations(folder, 1_000_000, 20_000) > 5000
