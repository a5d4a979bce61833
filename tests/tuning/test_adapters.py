"""Promises of LoRA: nothing changes at the start, gradients by hand are right on any targets and on
an int8 base, merging is exact, a folder is PEFT's, and an adapter of another model is refused."""

import json
import shutil
from dataclasses import replace

import jax
import numpy as np
import pytest

from helpers import assert_close, random_config, random_params
from minillm import in_jax, in_numpy, load
from minillm.architecture.adapted import Adapted
from minillm.architecture.adapters import TARGETS, adapt, bytes_to_train, init_adapters, merged
from minillm.architecture.quantized import scheme_named
from minillm.architecture.tree import flatten, tree_map
from minillm.cli import main
from minillm.errors import UserError
from minillm.formats import adapter, gguf
from minillm.formats.kind import stored_dtype
from minillm.in_page.page import playground
from minillm.inspection.dispatch import matrix
from minillm.inspection.faithfulness import check_all
from minillm.loading import fingerprint
from minillm.quantization.model import quantize_model

SETS = [("q_proj", "v_proj"), ("down_proj",), TARGETS]


def model_and_adapters(seed, targets, dtype=np.float64, **fixed):
    rng = np.random.default_rng(seed)
    config = random_config(rng, vocab_size=23, **fixed)
    params = random_params(config, rng, dtype)
    adapters = tree_map(lambda leaf: rng.standard_normal(leaf.shape).astype(dtype) * 0.3,
                        init_adapters(params, targets, 3, rng))
    tokens, targets = rng.integers(0, 23, (2, 3, 8))
    targets[0, :3] = -100
    return config, params, adapters, tokens, targets


@pytest.mark.parametrize("targets", SETS, ids=len)
@pytest.mark.parametrize("quantized", [False, True])
def test_gradients_of_adapters(targets, quantized, float64):
    config, params, adapters, tokens, counted = model_and_adapters(len(targets), targets)
    if quantized:
        params = tree_map(lambda leaf: leaf.astype(np.float32), params)
        params = quantize_model(params, config, scheme_named("int8-channel"), "round")
        params |= {"norm": params["norm"].astype(np.float64)}
        params["layers"] = [{name: leaf.astype(np.float64) if isinstance(leaf, np.ndarray) else leaf
                             for name, leaf in layer.items()} for layer in params["layers"]]
    arguments = adapters, params, tokens, counted, config, 1.5
    value, grads = in_numpy.adapter_loss_and_grads(*arguments)
    expected_value, expected = jax.jit(
        lambda adapters: in_jax.adapter_loss_and_grads(adapters, *arguments[1:]))(adapters)
    assert_close(value, expected_value, 1e-9)
    expected = flatten(expected)
    assert set(flatten(grads)) == set(expected)
    for path, grad in flatten(grads).items():
        assert_close(grad, expected[path], 1e-9, path)
        assert np.any(grad != 0)


def test_at_the_start_it_is_the_base(float64):
    config, params, _, tokens, _ = model_and_adapters(0, TARGETS)
    fresh = init_adapters(params, TARGETS, 4, np.random.default_rng(0))
    assert all(np.any(change["a"]) and not np.any(change["b"])
               for layer in fresh["layers"] for change in layer.values())
    for twin in (in_numpy, in_jax):
        there, _ = twin.forward(adapt(params, fresh, 2.0), tokens, config)
        assert np.array_equal(there, twin.forward(params, tokens, config)[0])


def test_merged_is_adapted():
    for seed, targets in enumerate(SETS):
        config, params, adapters, tokens, _ = model_and_adapters(seed, targets)
        both = adapt(params, adapters, 1.5)
        whole = merged(both)
        assert not any(isinstance(leaf, Adapted) for leaf in flatten(whole).values())
        there = in_numpy.forward(both, tokens, config)[0]
        assert_close(in_numpy.forward(whole, tokens, config)[0], there, 1e-12)
        assert np.any(np.abs(there - in_numpy.forward(params, tokens, config)[0]) > 1e-3)
        assert merged(whole) == whole


def test_only_the_adapters_move():
    config, params, adapters, tokens, counted = model_and_adapters(1, SETS[0], np.float32)
    from minillm.config import TrainConfig
    train = TrainConfig(steps=4, learning_rate=1e-2, warmup_steps=0, optimizer="adamw")
    before = {path: leaf.copy() for path, leaf in flatten(params).items()}
    states = [twin.adapter_steps(twin.init_state(adapters), params, np.stack([tokens] * 4),
                                 np.stack([counted] * 4), config, train, 1.5)
              for twin in (in_numpy, in_jax)]
    assert_close(states[1][1]["loss"], states[0][1]["loss"], 1e-5)
    assert states[0][1]["loss"][-1] < states[0][1]["loss"][0]
    assert all(np.array_equal(leaf, before[path]) for path, leaf in flatten(params).items())
    moments = flatten(states[0][0]["moments"])
    assert len(moments) == 2 * len(flatten(adapters))


def test_recomputing_gives_the_same_steps_and_keeps_less():
    config, params, adapters, tokens, counted = model_and_adapters(3, TARGETS, np.float32)
    from minillm.config import TrainConfig
    found, kept = {}, {}
    for again, loss in ((False, in_jax.loss), (True, in_jax.recompute.recomputing_loss)):
        train = TrainConfig(steps=3, learning_rate=1e-2, warmup_steps=0, recompute=again)
        found[again] = in_jax.adapter_steps(in_jax.init_state(adapters), params, tokens[None],
                                            counted[None], config, train, 1.5)[0]["params"]
        _, backward = jax.vjp(lambda adapters, loss=loss: loss(
            adapt(params, adapters, 1.5), tokens, counted, config), adapters)
        kept[again] = sum(leaf.size for leaf in jax.tree.leaves(backward))
    for one, other in zip(*(jax.tree.leaves(found[again]) for again in (False, True))):
        assert_close(one, other, 1e-5)
    assert kept[True] < kept[False]


def test_memory_is_what_the_formula_says():
    config, params, *_ = model_and_adapters(2, TARGETS, np.float32)
    fresh = init_adapters(params, TARGETS, 4, np.random.default_rng(0))
    numbers = sum(4 * (leaf.shape[0] + leaf.shape[1]) for layer in params["layers"]
                  for name, leaf in layer.items() if name in TARGETS)
    base = 4 * sum(leaf.size for leaf in flatten(params).values())
    assert bytes_to_train(params, fresh) == base + 16 * numbers
    state = in_numpy.init_state(fresh)
    held = sum(leaf.nbytes for part in ("params", "moments")
               for leaf in flatten(state[part]).values())
    assert held == 12 * numbers           # and as many bytes as parameters again for the gradient


@pytest.fixture
def folder(tmp_path, small):
    """A base model on disk, and an adapter of it beside."""
    small.save(tmp_path / "base")
    base = load(tmp_path / "base")
    rng = np.random.default_rng(3)
    changes = tree_map(lambda leaf: rng.standard_normal(leaf.shape).astype(np.float32) * 0.1,
                       init_adapters(base.params, SETS[0], 4, rng))
    (tmp_path / "change").mkdir()
    adapter.save_config(tmp_path / "change", str(tmp_path / "base"), fingerprint(base), 4, 8.0,
                        SETS[0])
    adapter.save_adapters(tmp_path / "change", changes)
    return tmp_path, base, changes


def test_a_folder_opens_as_the_adapted_model(folder):
    path, base, changes = folder
    tokens = np.random.default_rng(0).integers(0, base.config.vocab_size, (2, 9))
    model, adapted = load(path / "change"), adapt(base.params, changes, 2.0)
    assert np.array_equal(model.logits(tokens),
                          in_numpy.forward(merged(adapted), tokens, base.config)[0])
    wide = lambda tree: tree_map(lambda leaf: np.asarray(leaf, np.float64), tree)
    adapted = adapt(wide(base.params), wide(changes), 2.0)  # where rounding hides nothing
    apart, together = (in_numpy.forward(params, tokens, base.config)[0]
                       for params in (adapted, merged(adapted)))
    assert_close(together, apart, 1e-12)
    assert_close(model.logits(tokens), apart, 1e-5)


def test_beside_a_quantized_base_the_change_stays_apart(folder):
    path, base, changes = folder
    params = quantize_model(base.params, base.config, scheme_named("int8-channel"), "round")
    replace(base, params=params).save(path / "int8")
    adapter.save_config(path / "change", str(path / "int8"), fingerprint(load(path / "int8")), 4,
                        8.0, SETS[0])
    model = load(path / "change")
    assert isinstance(model.params["layers"][0]["q_proj"], Adapted)
    tokens = np.random.default_rng(0).integers(0, base.config.vocab_size, (2, 9))
    expected = in_numpy.forward(adapt(params, changes, 2.0), tokens, base.config)[0]
    for twin in ("numpy", "jax"):
        assert_close(model.logits(tokens, twin), expected, 1e-5)
    for write in (lambda: model.save(path / "one"), lambda: gguf.export(path / "a.gguf", model),
                  lambda: playground(model, "a page")):
        with pytest.raises(UserError, match="beside a quantized model cannot be written"):
            write()
    assert stored_dtype(path / "change") == "float32"


@pytest.mark.parametrize("twin", ["numpy", "jax"])
def test_inspection_reads_the_matrix_with_its_change(twin, small):
    base = quantize_model(small.params, small.config, scheme_named("int8-channel"), "round")
    rng = np.random.default_rng(4)
    changes = tree_map(lambda leaf: rng.standard_normal(leaf.shape).astype(np.float32) * 0.1,
                       init_adapters(small.params, TARGETS, 4, rng))
    model = replace(small, params=adapt(base, changes, 2.0))
    checks = check_all(model, [3, 5, 8, 13, 5], twin=twin)
    assert {check.name: check.verdict for check in checks if check.verdict == "fails"} == {}
    assert any(check.verdict == "holds" for check in checks)
    one = model.params["layers"][1]["o_proj"]
    x = rng.standard_normal((5, one.shape[0])).astype(np.float32)
    assert_close(x @ matrix(one), in_numpy.linear(x, one), 1e-5)


BAD = {"use_dora": (True, "use_dora is True: not supported"), "r": ("4", "must be numbers"),
       "peft_type": ("IA3", "only LORA"), "base_model_name_or_path": ("gone", "is not there"),
       "modules_to_save": (["lm_head"], "modules_to_save")}


@pytest.mark.parametrize("name", BAD)
def test_what_it_cannot_read_is_one_line(name, folder):
    path, *_ = folder
    value, says = BAD[name]
    file = path / "change" / adapter.CONFIG
    file.write_text(json.dumps(json.loads(file.read_text()) | {name: value}), encoding="utf-8")
    with pytest.raises(UserError, match=says) as error:
        load(path / "change")
    assert str(error.value).startswith(str(file)) and "\n" not in str(error.value)


def test_an_adapter_of_another_model_is_refused(folder, small):
    path, base, changes = folder
    params = tree_map(lambda leaf: leaf * np.float32(1.01), base.params)
    replace(base, params=params).save(path / "base")
    with pytest.raises(UserError, match="an adapter of another model"):
        load(path / "change")
    config = replace(base.config, hidden_size=40)
    wide = random_params(config, np.random.default_rng(0))
    replace(base, params=wide, config=config).save(path / "base")
    with pytest.raises(UserError, match="is for another model: .*q_proj.lora_A.weight has shape "
                       ".*: name the model that it was made from in base_model_name_or_path"):
        load(path / "change")


def test_inspect_config_says_what_an_adapter_is(folder, small, capsys):
    path, base, changes = folder
    assert main(["inspect-config", str(path / "change"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    numbers = sum(leaf.size for leaf in flatten(changes).values())
    assert found["refused"] == [] and found["adapter"] == {
        "base_model": str(path / "base"), "rank": 4, "alpha": 8.0, "scale": 2.0,
        "base_parameters": sum(leaf.size for leaf in flatten(base.params).values()),
        "targets": list(SETS[0]), "matrices": 2 * len(base.params["layers"]), "parameters": numbers,
        "bytes": (path / "change" / adapter.MODEL).stat().st_size}
    assert main(["inspect-config", str(path / "change")]) == 0
    out = capsys.readouterr().out
    assert "q_proj, v_proj" in out and f"{numbers:,}" in out and len(out.splitlines()) < 14
    replace(base, params=tree_map(lambda leaf: leaf * np.float32(2), base.params)).save(
        path / "base")
    assert main(["inspect-config", str(path / "change")]) == 1
    assert "adapter of another model" in " ".join(capsys.readouterr().out.split())
    shutil.rmtree(path / "base")
    (path / "change" / adapter.MODEL).unlink()
    assert main(["inspect-config", str(path / "change")]) == 1
    out = capsys.readouterr().out
    assert out.count("refused: ") == 2 and "is not there" in out and "rank" in out


@pytest.mark.needs("peft")
@pytest.mark.filterwarnings("ignore::FutureWarning")  # transformers, of itself
def test_peft_opens_ours_and_we_open_theirs(folder):
    import torch
    from peft import LoraConfig, PeftModel, get_peft_model
    from transformers import AutoModelForCausalLM
    path, base, changes = folder
    tokens = np.random.default_rng(0).integers(0, base.config.vocab_size, (2, 9))
    whole = AutoModelForCausalLM.from_pretrained(path / "base", dtype=torch.float32)
    with torch.no_grad():
        theirs = PeftModel.from_pretrained(whole, path / "change")(torch.tensor(tokens)).logits
    assert_close(load(path / "change").logits(tokens), theirs.numpy(), 1e-5)
    torch.manual_seed(0)
    whole = AutoModelForCausalLM.from_pretrained(path / "base", dtype=torch.float32)
    made = get_peft_model(whole, LoraConfig(
        r=3, lora_alpha=7, init_lora_weights=False, use_rslora=True,
        target_modules=["k_proj", "up_proj"], task_type="CAUSAL_LM"))
    made.save_pretrained(path / "theirs")
    with torch.no_grad():
        theirs = made(torch.tensor(tokens)).logits
    assert_close(load(path / "theirs").logits(tokens), theirs.numpy(), 1e-5)
