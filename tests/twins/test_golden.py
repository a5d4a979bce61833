"""Promise: logits, loss and every gradient are those of transformers' LlamaForCausalLM, in both twins.

The numbers were made by tests/golden/make_golden.py; they come in through the same door as any model on disk.
"""

import json
from dataclasses import replace
from functools import cache
from importlib import import_module

import jax
import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from helpers import GOLDEN, assert_close
from minillm import in_numpy
from minillm.architecture.tree import flatten
from minillm.formats import checkpoint, llama

FILES = sorted(GOLDEN.glob("*.safetensors"))
TOLERANCE = 1e-4


@cache
def read(file):
    """(config as Hugging Face writes it, all tensors, the weights' names)."""
    with safe_open(file, framework="numpy") as opened:
        made = json.loads(opened.metadata()["golden"])
        tensors = {name: opened.get_tensor(name) for name in opened.keys()}
    return made["config"], tensors, [name.removeprefix("grad.") for name in tensors if name.startswith("grad.")]


def load(file, folder):
    """(config, params, expected): the model by way of a folder as transformers saves it."""
    config, tensors, names = read(file)
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    save_file({name: tensors[name] for name in names}, folder / "model.safetensors", metadata={"format": "pt"})
    config, params, tokenizer = checkpoint.load_model(folder)
    assert tokenizer is None
    return config, params, tensors


def evaluate(twin, params, tokens, targets, config):
    """logits, loss, gradients, in one program for JAX."""
    model = import_module(f"minillm.in_{twin}")

    def run(params):
        return model.forward(params, tokens, config)[0], *model.loss_and_grads(params, tokens, targets, config)

    return jax.jit(run)(params) if twin == "jax" else run(params)


@pytest.mark.parametrize("twin", ["numpy", "jax"])
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_logits_loss_and_all_gradients_are_the_reference_s(tmp_path, file, twin):
    config, params, expected = load(file, tmp_path)
    logits, loss, grads = evaluate(twin, params, expected["tokens"], expected["targets"], config)
    assert logits.dtype == loss.dtype == np.float32
    assert_close(logits, expected["logits"], TOLERANCE, "logits")
    assert_close(loss, expected["loss"], TOLERANCE, "loss")
    compared = {"tokens", "targets", "logits", "loss", *read(file)[2]}
    for path, grad in flatten(grads).items():
        name, transposed = llama.hugging_face_name(path)
        assert_close(np.asarray(grad).T if transposed else grad, expected[f"grad.{name}"], TOLERANCE, f"d{path}")
        compared.add(f"grad.{name}")
    assert compared == set(expected)


def test_the_files_cover_what_can_go_wrong():
    configs = [read(file)[0] for file in FILES]
    assert len(configs) >= 12
    shapes = {(c["num_attention_heads"] // c["num_key_value_heads"], c["tie_word_embeddings"]) for c in configs}
    assert shapes == {(groups, tied) for groups in (1, 2, 4) for tied in (False, True)}
    assert any(c["num_attention_heads"] > c["num_key_value_heads"] > 1 for c in configs)
    widths = [c["head_dim"] * c["num_attention_heads"] - c["hidden_size"] for c in configs]
    assert min(widths) < 0 < max(widths) and 0 in widths
    assert {c["num_hidden_layers"] for c in configs} == {1, 2, 3}
    thetas = [(c.get("rope_parameters") or c)["rope_theta"] for c in configs]
    assert min(thetas) == 1e3 and max(thetas) == 1e6 and len(set(thetas)) > 5
    assert {c["rms_norm_eps"] for c in configs} == {1e-6, 1e-5, 1e-4, 1e-3}
    assert all((read(file)[1]["targets"] == -100).any() for file in FILES)


def regroup(w, config, order):
    """The columns of q_proj, (K, G, E), in another order of the heads or within them."""
    return order(w.reshape(-1, config.num_key_value_heads, config.queries_per_key, config.head_dim)).reshape(w.shape)


def wrong_groups(params, config):
    if config.queries_per_key == 1 or config.num_key_value_heads == 1:
        return None                                # every order of the heads has the same groups
    for layer in params["layers"]:                 # as if heads 0, K, 2K ... shared a key: (G, K), not (K, G)
        layer["q_proj"] = regroup(layer["q_proj"], config, lambda w: w.swapaxes(1, 2))
        layer["o_proj"] = regroup(layer["o_proj"].T, config, lambda w: w.swapaxes(1, 2)).T
    return params, config


def wrong_halves(params, config):
    if config.head_dim == 2:
        return None                                # one pair: neighbours are halves
    for layer in params["layers"]:                 # as if neighbours (0, 1), (2, 3) ... were turned together
        halves = lambda w: np.concatenate([w[..., ::2], w[..., 1::2]], axis=-1)
        layer["q_proj"] = regroup(layer["q_proj"], config, halves)
        keys = replace(config, num_attention_heads=config.num_key_value_heads)
        layer["k_proj"] = regroup(layer["k_proj"], keys, halves)
    return params, config


def wrong_theta(params, config):
    return (params, replace(config, rope_theta=config.rope_theta * 1.1)) if config.head_dim > 2 else None


def wrong_eps(params, config):
    return params, replace(config, rms_norm_eps=config.rms_norm_eps * 2)


@pytest.mark.parametrize("mistake", [wrong_groups, wrong_halves, wrong_theta, wrong_eps])
def test_the_files_can_tell_right_from_wrong(tmp_path, mistake):
    """Where a mistake makes a difference at all, the logits leave the tolerance in nearly every file."""
    seen = []
    for file in FILES:
        config, params, expected = load(file, tmp_path)
        wrong = mistake(params, config)
        if wrong:
            logits, _ = in_numpy.forward(wrong[0], expected["tokens"], wrong[1])
            difference = np.max(np.abs(logits - expected["logits"])) / np.max(np.abs(expected["logits"]))
            seen.append(difference > 2 * TOLERANCE)
    assert len(seen) >= 4 and np.mean(seen) > 0.6, seen
