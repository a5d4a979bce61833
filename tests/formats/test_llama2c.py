"""Promises: llama2.c's files are read exactly, its own test text comes out of both twins, damaged files are refused."""

import struct
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import minillm
from helpers import DATA, REAL, assert_close, random_config, random_params
from minillm import in_jax, in_numpy
from minillm.architecture.llama import init, table
from minillm.architecture.quantized import scheme_named
from minillm.architecture.tree import flatten
from minillm.cli import main
from minillm.config import GenerateConfig, RopeScaling
from minillm.errors import UserError
from minillm.formats import llama2c, llama2c_out
from minillm.loading import until
from minillm.quantization.model import dequantize_params, quantize_params

EXPECTED = """Once upon a time, there was a little girl named Lily. She loved to play outside in the park. One day, she saw a big, \
red ball. She wanted to play with it, but it was too high.
Lily's mom said, "Lily, let's go to the park." Lily was sad and didn't know what to do. She said, "I want to play with your \
ball, but I can't find it."
Lily was sad and didn't know what to do. She said, "I'm sorry, Lily. I didn't know what to do."
Lily didn't want to help her mom, so she"""                      # the text that llama2.c's own test expects


@pytest.fixture(scope="module")
def stories():
    return minillm.load(DATA / "stories260K.bin")


@REAL
@pytest.mark.parametrize("twin", ["numpy", "jax"])
def test_the_real_one_writes_what_llama2c_writes(stories, twin):
    assert "".join(stories.generate(twin=twin, temperature=0, max_new_tokens=200)) == EXPECTED


@REAL
@pytest.mark.parametrize("options", [{}, {"temperature": 0.8, "top_p": 0.9}, {"top_k": 20, "repetition_penalty": 1.1}, {"min_p": 0.1}],
                         ids=str)
@pytest.mark.parametrize("seed", [0, *(pytest.param(n, marks=pytest.mark.slow) for n in (1, 2))])
def test_the_twins_write_the_same_with_the_real_one(stories, options, seed):
    how = GenerateConfig(200, seed=seed, **options)
    written = [list(twin.generate(stories.params, [1], stories.config, how)) for twin in (in_numpy, in_jax)]
    assert written[0] == written[1] and len(written[0]) == 200


@REAL
def test_commands_and_folders(stories, tmp_path, capsys):
    """The command prints the same text; saved as a folder it loads again with the same numbers and the same ids."""
    path = str(DATA / "stories260K.bin")
    assert main(["generate", path, "--temperature", "0", "--max-new-tokens", "200", "--quiet", "--twin", "numpy"]) == 0
    assert capsys.readouterr().out == EXPECTED + "\n"
    assert main(["generate", path, "--temperature", "0", "--stop", " park", "--prompt", "Lily", "Tom", "--quiet"]) == 0
    texts = capsys.readouterr().out.split("\n---\n")
    assert len(texts) == 2 and texts[0].startswith("Lily") and texts[1].startswith("Tom") and " park" not in "".join(texts)
    stories.save(tmp_path / "saved")
    again = minillm.load(tmp_path / "saved")
    for name, leaf in flatten(stories.params).items():
        np.testing.assert_array_equal(flatten(again.params)[name], leaf)
    text = "Once upon a time, Zoë  saw 日本\n"
    assert again.tokenizer.encode(text) == stories.tokenizer.encode(text)
    assert again.tokenizer.decode(again.tokenizer.encode(text)) == text


def best_score_merging(text: str, tokens: list[bytes], scores: list[float]) -> list[int]:
    """llama2.c's way: characters (or bytes + 3), then again and again the neighbours whose union scores best."""
    ids = {token: i for i, token in reversed(list(enumerate(tokens)))}
    pieces = []
    for character in (" " + text if text else ""):
        data = character.encode()
        pieces += [ids[data]] if ids.get(data, 0) > 258 else [byte + 3 for byte in data]
    while True:
        pairs = [(scores[ids[tokens[a] + tokens[b]]], -i) for i, (a, b) in enumerate(zip(pieces, pieces[1:]))
                 if ids.get(tokens[a] + tokens[b], 0) > 258]
        if not pairs:
            return pieces
        i = -max(pairs)[1]
        pieces[i : i + 2] = [ids[tokens[pieces[i]] + tokens[pieces[i + 1]]]]


@REAL
@settings(max_examples=200, deadline=None)
@given(text=st.text(max_size=60) | st.text("abdehilnorstuwy ,.!\n'LT", max_size=200))
def test_the_tokenizer_merges_as_llama2c_does(text):
    data, at, tokens, scores = (DATA / "tok512.bin").read_bytes(), 4, [], []
    while at < len(data):
        score, length = struct.unpack_from("<fi", data, at)
        tokens.append(data[at + 8 : at + 8 + length])
        scores.append(score)
        at += 8 + length
    made = llama2c.read_tokenizer(DATA / "tok512.bin", 512)
    assert made.encode(text) == best_score_merging(text, tokens, scores)
    assert made.decode(made.encode(text)) == text


def write_bin(path, config, params):
    """A checkpoint in llama2.c's format, written independently of the reader: pairs side by side."""
    E, L = config.head_dim, params["layers"]

    def pairs(w):                                                 # ours (in, heads x halves) -> theirs (heads x pairs, in)
        heads = w.T.reshape(-1, E, w.shape[0])
        return np.stack([heads[:, : E // 2], heads[:, E // 2 :]], axis=2).reshape(w.shape[1], -1)

    parts = [params["embed_tokens"], *(layer["input_layernorm"] for layer in L), *(pairs(layer["q_proj"]) for layer in L),
             *(pairs(layer["k_proj"]) for layer in L), *(layer["v_proj"].T for layer in L), *(layer["o_proj"].T for layer in L),
             *(layer["post_attention_layernorm"] for layer in L), *(layer["gate_proj"].T for layer in L),
             *(layer["down_proj"].T for layer in L), *(layer["up_proj"].T for layer in L), params["norm"],
             np.full(config.max_position_embeddings * E, np.nan)]
    parts += [params["lm_head"].T] if "lm_head" in params else []
    header = struct.pack("<7i", config.hidden_size, config.intermediate_size, config.num_hidden_layers,
                         config.num_attention_heads, config.num_key_value_heads,
                         config.vocab_size * (1 if config.tie_word_embeddings else -1), config.max_position_embeddings)
    path.write_bytes(header + b"".join(np.asarray(part, "<f4").tobytes() for part in parts))
    return header


def write_tokenizer(path, vocab_size):
    path.write_bytes(struct.pack("<i", 6) + b"".join(struct.pack("<fi", -i, len(f"t{i}")) + f"t{i}".encode() for i in range(vocab_size)))


def small(rng, **fixed):
    fixed |= dict(attention_bias=False, mlp_bias=False)
    config = random_config(rng, **fixed)
    return random_config(rng, **fixed | dict(hidden_size=config.num_attention_heads * config.head_dim,
                                            num_attention_heads=config.num_attention_heads, head_dim=config.head_dim,
                                            num_key_value_heads=config.num_key_value_heads))


def adjacent_pair_logits(config, params, tokens):
    """llama2.c's forward in plain loops over its own orientation: the last position's logits, in float64."""
    E, G = config.head_dim, config.queries_per_key

    def norm(x, w):
        return w * x / np.sqrt(np.mean(x * x) + 1e-5)

    def interleaved(y):                                           # our halves of each head as pairs side by side
        return y.reshape(-1, 2, E // 2).swapaxes(1, 2).reshape(-1, E)

    def turned(y, position):
        y = y.copy()
        for i in range(0, E, 2):
            angle = position * 10000.0 ** (-i / E)
            a, b = y[:, i].copy(), y[:, i + 1].copy()
            y[:, i], y[:, i + 1] = a * np.cos(angle) - b * np.sin(angle), a * np.sin(angle) + b * np.cos(angle)
        return y

    kept = [([], []) for _ in params["layers"]]
    for position, token in enumerate(tokens):
        x = params["embed_tokens"][token].astype(np.float64)
        for layer, (keys, values) in zip(params["layers"], kept):
            n = norm(x, layer["input_layernorm"])
            q = turned(interleaved(n @ layer["q_proj"]), position)
            keys.append(turned(interleaved(n @ layer["k_proj"]), position))
            values.append((n @ layer["v_proj"]).reshape(-1, E))
            out = []
            for h in range(config.num_attention_heads):
                scores = np.array([q[h] @ key[h // G] for key in keys]) / np.sqrt(E)
                p = np.exp(scores - scores.max())
                out.append(sum(w * value[h // G] for w, value in zip(p / p.sum(), values)))
            x = x + np.concatenate(out) @ layer["o_proj"]
            n = norm(x, layer["post_attention_layernorm"])
            gate = n @ layer["gate_proj"]
            x = x + (gate / (1 + np.exp(-gate)) * (n @ layer["up_proj"])) @ layer["down_proj"]
    return norm(x, params["norm"]) @ (params["lm_head"] if "lm_head" in params else params["embed_tokens"].T)


@pytest.mark.parametrize("seed", range(6))
def test_any_checkpoint_is_read_exactly(seed, tmp_path):
    rng = np.random.default_rng(seed)
    config = small(rng, tie_word_embeddings=bool(seed % 2), rms_norm_eps=1e-5, rope_theta=10000.0)
    params = init(config, rng)
    write_bin(tmp_path / "model.bin", config, params)
    write_tokenizer(tmp_path / "tokenizer.bin", config.vocab_size)
    model = minillm.load(tmp_path / "model.bin")
    assert list(flatten(model.params)) == list(flatten(table(model.config)))
    for name, leaf in flatten(params).items():
        np.testing.assert_array_equal(flatten(model.params)[name], leaf)
    tokens = rng.integers(0, config.vocab_size, (1, 7))
    expected = adjacent_pair_logits(config, params, tokens[0])
    for twin in ("numpy", "jax"):
        assert_close(model.logits(tokens, twin)[0, -1], expected, 1e-4)


@pytest.mark.parametrize("change, word", [
    (lambda d: d[:-1], "cut short"), (lambda d: d + b"x", "something follows"), (lambda d: d[:27], "too few"),
    (lambda d: b"", "too few"), (lambda d: struct.pack("<i", -8) + d[4:], "header"), (lambda d: struct.pack("<i", 0) + d[4:], "header"),
    (lambda d: d[:20] + struct.pack("<i", -2**31) + d[24:], "vocab_size|header|bytes"),
    (lambda d: struct.pack("<7i", *[2**31 - 1] * 7) + d[28:], "must be|bytes"),
    (lambda d: d[:8] + struct.pack("<i", 10**9) + d[12:], "cut short"), (lambda d: d[:12] + struct.pack("<i", 3) + d[16:], "header|divisor|even"),
])
def test_damaged_checkpoints_are_refused(change, word, tmp_path):
    rng = np.random.default_rng(0)
    config = small(rng, num_attention_heads=2, num_key_value_heads=1, head_dim=4)
    write_bin(tmp_path / "model.bin", config, init(config, rng))
    write_tokenizer(tmp_path / "tokenizer.bin", config.vocab_size)
    minillm.load(tmp_path / "model.bin")
    (tmp_path / "model.bin").write_bytes(change((tmp_path / "model.bin").read_bytes()))
    with pytest.raises(UserError, match=word) as error:
        minillm.load(tmp_path / "model.bin")
    assert "model.bin" in str(error.value) and "\n" not in str(error.value)


def test_which_tokenizer_is_said(tmp_path):
    rng = np.random.default_rng(0)
    config = small(rng)
    write_bin(tmp_path / "model.bin", config, init(config, rng))
    with pytest.raises(UserError, match="--tokenizer"):
        minillm.load(tmp_path / "model.bin")
    write_tokenizer(tmp_path / "tok1.bin", config.vocab_size)
    assert minillm.load(tmp_path / "model.bin").tokenizer.vocab_size == config.vocab_size
    write_tokenizer(tmp_path / "tok2.bin", config.vocab_size + 1)
    with pytest.raises(UserError, match="2 files"):
        minillm.load(tmp_path / "model.bin")
    with pytest.raises(UserError, match="bytes follow"):
        minillm.load(tmp_path / "model.bin", tmp_path / "tok2.bin")
    for damaged in (b"", b"1234", (tmp_path / "tok1.bin").read_bytes()[:-1]):
        (tmp_path / "tok1.bin").write_bytes(damaged)
        with pytest.raises(UserError, match="tok1.bin"):
            minillm.load(tmp_path / "model.bin", tmp_path / "tok1.bin")


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_mutated_files_end_in_one_line(data, tmp_path_factory):
    folder = tmp_path_factory.getbasetemp() / "mutated"
    folder.mkdir(exist_ok=True)
    rng = np.random.default_rng(0)
    config = small(rng, num_attention_heads=2, num_key_value_heads=1, head_dim=4, num_hidden_layers=1)
    write_bin(folder / "model.bin", config, init(config, rng))
    write_tokenizer(folder / "tokenizer.bin", config.vocab_size)
    name = data.draw(st.sampled_from(["model.bin", "tokenizer.bin"]))
    content = bytearray((folder / name).read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, min(len(content), 80) - 1))
        content[at] = data.draw(st.integers(0, 255))
    (folder / name).write_bytes(content[: data.draw(st.sampled_from([None, None, 5, 30, 100]))])
    try:
        minillm.load(folder / "model.bin")
    except UserError as error:
        assert "\n" not in str(error) and ".bin" in str(error)


def test_a_stop_string_is_never_shown():
    """However the text is cut into pieces, what comes out ends before the stop string, and nothing else is lost."""
    for seed in range(200):
        rng = np.random.default_rng(seed)
        text = "".join(rng.choice(list("ab"), 30))
        stop = tuple("".join(rng.choice(list("ab"), rng.integers(2, 6))) for _ in range(2))
        begun = int(rng.integers(0, 6))
        cuts = [0, *sorted(rng.choice(np.arange(1, 30), 8, False)), 30]
        found = [at for at in (text.find(word, begun) for word in stop) if at >= 0]
        pieces = list(until(iter(text[a:b] for a, b in zip(cuts, cuts[1:])), stop, begun))
        assert "".join(pieces) == (text[: min(found)] if found else text)
        assert all(pieces)


# ---- writing ------------------------------------------------------------------------------------

def holdable(rng, **fixed):
    """A config that llama2.c can hold."""
    return small(rng, **dict(rms_norm_eps=1e-5, rope_theta=10000.0) | fixed)


@pytest.mark.parametrize("seed", range(4))
def test_a_checkpoint_is_written_as_llama2c_writes_it(seed, tmp_path):
    """Every byte is that of the independent writer above, but the angles, which it leaves out."""
    rng = np.random.default_rng(seed)
    config = holdable(rng, tie_word_embeddings=bool(seed % 2))
    params = random_params(config, rng)
    header = write_bin(tmp_path / "theirs.bin", config, params)
    llama2c_out.write(tmp_path / "ours.bin", config, params)
    theirs, ours = ((tmp_path / name).read_bytes() for name in ("theirs.bin", "ours.bin"))
    S, E = config.max_position_embeddings, config.head_dim
    head = 0 if config.tie_word_embeddings else 4 * config.vocab_size * config.hidden_size
    at = len(theirs) - head - 4 * S * E
    assert ours[:at] == theirs[:at] and ours[at + 4 * S * E :] == theirs[at + 4 * S * E :]
    cos_sin = np.frombuffer(ours, "<f4", S * E, at).reshape(2, S, E // 2)
    for position in (0, 1, S - 1):
        angle = [position * 10000.0 ** (-i / E) for i in range(0, E, 2)]
        assert_close(cos_sin[:, position], [np.cos(angle), np.sin(angle)], 1e-6)
    assert ours.startswith(header)


def read_version_2(path):
    """What runq reads: (the 7 numbers, tied?, the floats, {name: matrix (layers, rows, columns)})."""
    data, at = path.read_bytes(), 256
    magic, version, *sizes = struct.unpack_from("<4si7i", data)
    tied, group = struct.unpack_from("<Bi", data, 36)
    assert (magic, version, group) == (b"24ka", 2, 32) and not any(data[41:256])
    D, F, L, H, K, V, _ = sizes
    norms = np.frombuffer(data, "<f4", (2 * L + 1) * D, at)
    at, found = at + norms.nbytes, {}
    kinds = {"embed_tokens": (1, V, D), "q": (L, D, D), "k": (L, D // H * K, D),
             "v": (L, D // H * K, D), "o": (L, D, D), "gate": (L, F, D), "down": (L, D, F),
             "up": (L, F, D)} | ({} if tied else {"lm_head": (1, V, D)})
    for name, (times, rows, columns) in kinds.items():
        found[name] = []
        for _ in range(times):
            integers = np.frombuffer(data, np.int8, rows * columns, at).reshape(-1, 32)
            scales = np.frombuffer(data, "<f4", rows * columns // 32, at + rows * columns)
            found[name].append((integers * scales[:, None]).reshape(rows, columns))
            at += rows * columns + scales.nbytes
    assert at == len(data)
    return sizes, bool(tied), norms, found


@pytest.mark.parametrize("tied", [True, False])
def test_version_2_holds_the_integers_of_int8_group32(tied, tmp_path):
    rng = np.random.default_rng(tied)
    config = holdable(rng, hidden_size=64, intermediate_size=96, num_attention_heads=8, head_dim=8,
                      num_key_value_heads=4, num_hidden_layers=2, tie_word_embeddings=tied)
    params = random_params(config, rng)
    llama2c_out.write(tmp_path / "q.bin", config,
                      quantize_params(params, scheme_named("int8-group32")))
    sizes, has_no_head, norms, found = read_version_2(tmp_path / "q.bin")
    assert sizes == [64, 96, 2, 8, 4, config.vocab_size, config.max_position_embeddings]
    assert has_no_head == tied
    layers = params["layers"]
    assert norms.tobytes() == np.concatenate(
        [*(layer["input_layernorm"] for layer in layers),
         *(layer["post_attention_layernorm"] for layer in layers), params["norm"]]).tobytes()
    expected = dequantize_params(quantize_params(params, scheme_named("int8-group32")))
    np.testing.assert_array_equal(found["embed_tokens"][0], expected["embed_tokens"])
    if not tied:
        np.testing.assert_array_equal(found["lm_head"][0], expected["lm_head"].T)
    for i, layer in enumerate(expected["layers"]):
        for name in ("q", "k", "v", "o", "gate", "up", "down"):
            rows = found[name][i]
            if name in "qk":                              # theirs: pairs; ours: halves of each head
                heads = rows.reshape(-1, 4, 2, 64)
                rows = np.concatenate([heads[:, :, 0], heads[:, :, 1]], axis=1).reshape(rows.shape)
            np.testing.assert_array_equal(rows, layer[f"{name}_proj"].T, f"{name} {i}")


@pytest.mark.parametrize("change, words", [
    (dict(rope_theta=1e5), "rope_theta"), (dict(rms_norm_eps=1e-6), "rms_norm_eps"),
    (dict(head_dim=12), "head_dim"), (dict(mlp_bias=True), "biases"),
    (dict(rope_scaling=RopeScaling("linear", 2.0)), "rope_scaling"),
    (dict(intermediate_size=100), "intermediate_size"),
])
def test_what_llama2c_cannot_hold_is_refused_in_one_line(change, words, tmp_path):
    rng = np.random.default_rng(0)
    config = holdable(rng, hidden_size=64, intermediate_size=96, num_attention_heads=8, head_dim=8,
                      num_key_value_heads=4)
    llama2c_out.write(tmp_path / "a.bin", config, random_params(config, rng))
    changed = replace(config, **change)
    params = quantize_params(random_params(changed, rng), scheme_named("int8-group32"))
    with pytest.raises(UserError, match=words) as error:
        llama2c_out.write(tmp_path / "b.bin", changed, params)
    assert "\n" not in str(error.value) and not (tmp_path / "b.bin").exists()
    if words == "intermediate_size":                      # in float32 there are no groups
        llama2c_out.write(tmp_path / "b.bin", changed, random_params(changed, rng))


def test_schemes_that_llama2c_does_not_have_are_refused(tmp_path):
    rng = np.random.default_rng(0)
    config = holdable(rng)
    for name in ("int8-channel", "int4-group32"):
        params = quantize_params(random_params(config, rng), scheme_named(name))
        with pytest.raises(UserError, match=name):
            llama2c_out.write(tmp_path / "q.bin", config, params)


def test_a_tokenizer_is_written_as_it_is_read(tmp_path):
    tokens = [b"<unk>", b"\n<s>\n", b"\n</s>\n", *(f"<0x{i:02X}>".encode() for i in range(256)),
              b" ", b"a", b" b", "é".encode()]
    scores = [0.0] * 259 + [-1.0, -2.5, -3.0, -4.0]
    llama2c_out.write_tokenizer(tmp_path / "tokenizer.bin", tokens, scores)
    data = (tmp_path / "tokenizer.bin").read_bytes()
    assert data[:4] == struct.pack("<i", 6)
    assert data.endswith(b"".join(struct.pack("<fi", score, len(token)) + token for token, score
                                  in zip(tokens[259:], scores[259:])))
    made = llama2c.read_tokenizer(tmp_path / "tokenizer.bin", len(tokens))
    assert made.decode(made.encode("a bé")) == "a bé"
