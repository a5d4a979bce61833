"""Promises of distillation: gradients by hand are right, alpha = 0 is plain training bit for bit, a killed run goes on bit for
bit, kept targets are the teacher's, what the teacher writes is a dataset, and a teacher that does not fit is one line."""

import json
import subprocess
import sys
from dataclasses import asdict, replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import minillm.in_jax.distill as jax_distill
import minillm.in_numpy.distill as numpy_distill
from helpers import assert_close, random_bloom, random_config, random_params
from minillm import distillation, training
from minillm.architecture.llama import init
from minillm.architecture.tree import flatten
from minillm.config import DistillConfig, GenerateConfig
from minillm.distillation.pruning import pruned
from minillm.errors import UserError
from minillm.formats import checkpoint
from minillm.in_numpy.ops import log_softmax
from minillm.loading import Model, load, twin_package
from minillm.text import dataset as data, storyworld, tokenizer
from minillm.text.corpora import Corpus
from runs import DRIVER, SAME, TRAIN, TWINS, assert_same_run, interrupt_at

LOSSES = {"forward_kl": (1.7,), "reverse_kl": (1.7,), "jsd": (1.7, 0.3),
          "distill_loss": (DistillConfig(alpha=0.7, temperature=1.7),)}
WAYS = {"soft": DistillConfig(alpha=0.7, temperature=1.5), "reverse": DistillConfig(objective="reverse"),
        "on-policy": DistillConfig(objective="on-policy", alpha=0.5), "kept": DistillConfig(kept=5),
        "jsd": DistillConfig(objective="on-policy", jsd_beta=0.4)}


def logits_and_targets(rng, dtype=np.float64):
    B, T, V = rng.integers(1, 4), rng.integers(2, 7), rng.integers(3, 30)
    logits, teacher = (4 * rng.standard_normal((B, T, V)).astype(dtype) for _ in range(2))
    targets = rng.integers(0, V, (B, T))
    targets[0, 0] = -100
    return logits, teacher, targets


# Losses -----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("objective", ["soft", "reverse"])
@pytest.mark.parametrize("name", LOSSES)
def test_gradients_of_every_loss(name, objective, float64):
    for seed in range(2):
        logits, teacher, targets = logits_and_targets(np.random.default_rng(seed))
        how = tuple(replace(a, objective=objective) if name == "distill_loss" else a for a in LOSSES[name])
        ours = getattr(numpy_distill, f"{name}_backward")(1.3, logits, teacher, targets, *how)
        value, grad = jax.jit(jax.value_and_grad(lambda logits: getattr(jax_distill, name)(logits, teacher, targets, *how)))(logits)
        assert_close(ours, 1.3 * grad, 1e-9, name)
        assert_close(getattr(numpy_distill, name)(logits, teacher, targets, *how), value, 1e-12, name)
        assert np.all(ours[targets == -100] == 0) and np.any(ours != 0)


def test_every_loss_has_its_backward_right_under_it():
    names = [name for name, value in vars(numpy_distill).items() if getattr(value, "__module__", None) == numpy_distill.__name__]
    for name in ("counted_mean", *LOSSES):
        assert names[names.index(name) + 1] == f"{name}_backward"


@pytest.mark.parametrize("name", ["soft", "reverse", "kept", "jsd"])
def test_gradients_of_the_whole_model(name, float64):
    rng = np.random.default_rng(5)
    config = random_config(rng, vocab_size=23)
    params, how = random_params(config, rng, np.float64), replace(WAYS[name], alpha=0.6, temperature=1.5)
    tokens, targets = rng.integers(0, 23, (2, 3, 8))
    said = 3 * rng.standard_normal((3, 8, 23))
    if name == "kept":
        said = numpy_distill.top_k(said, 5)
    value, grads = numpy_distill.distill_loss_and_grads(params, tokens, targets, said, config, how)
    expected_value, expected = jax.jit(lambda params: jax_distill.distill_loss_and_grads(
        params, tokens, targets, said, config, how))(params)
    assert_close(value, expected_value, 1e-12)
    expected = flatten(expected)
    for path, grad in flatten(grads).items():
        assert_close(grad, expected[path], 1e-9, path)


@pytest.mark.parametrize("reverse", [False, True])
def test_kept_targets_teach_one_event_more(reverse, float64):
    """At temperature 1: the gradient of the KL between k named tokens and "another one", which jax.grad differentiates whole."""
    for seed in range(2):
        logits, teacher, targets = logits_and_targets(np.random.default_rng(seed))
        ids, log_p = numpy_distill.top_k(teacher, min(4, logits.shape[-1] - 1))

        def events(log_BTV):
            named = jnp.take_along_axis(log_BTV, ids, axis=-1)
            return jnp.concatenate([named, jnp.log(1 - jnp.sum(jnp.exp(named), -1, keepdims=True))], axis=-1)

        def kl(logits):
            q = events(jax.nn.log_softmax(logits))
            p = jnp.concatenate([log_p, jnp.log(1 - jnp.sum(jnp.exp(log_p), -1, keepdims=True))], axis=-1)
            nats = jnp.sum(jnp.exp(q) * (q - p) if reverse else jnp.exp(p) * (p - q), axis=-1)
            return jnp.sum(jnp.where(targets != -100, nats, 0)) / np.sum(targets != -100)

        full = numpy_distill.expand_top_k(ids, log_p, logits)
        assert_close(np.exp(full).sum(-1), np.ones(targets.shape), 1e-9)
        name = "reverse_kl" if reverse else "forward_kl"
        value, grad = jax.jit(jax.value_and_grad(kl))(logits)
        assert_close(getattr(numpy_distill, name)(logits, full, targets, 1.0), value, 1e-9)
        assert_close(getattr(numpy_distill, f"{name}_backward")(1.0, logits, full, targets, 1.0), grad, 1e-8)


def test_all_tokens_kept_is_the_teacher_itself():
    logits, teacher, targets = logits_and_targets(np.random.default_rng(0))
    full = numpy_distill.expand_top_k(*numpy_distill.top_k(teacher, teacher.shape[-1]), logits)
    assert_close(full, log_softmax(teacher), 1e-12)


@pytest.mark.parametrize("module", [numpy_distill, jax_distill], ids=["numpy", "jax"])
def test_kl_is_zero_with_itself_and_positive_with_others(module):
    for seed in range(2):
        logits, teacher, targets = logits_and_targets(np.random.default_rng(seed), np.float32)
        for name in ("forward_kl", "reverse_kl"):
            for temperature in (0.5, 1.0, 3.0):
                assert getattr(module, name)(logits, logits, targets, temperature) == 0
                assert getattr(module, name)(logits, teacher, targets, temperature) > 0
    if module is numpy_distill:
        assert np.all(numpy_distill.forward_kl_backward(1.0, logits, logits, targets, 2.0) == 0)
        assert np.all(numpy_distill.reverse_kl_backward(1.0, logits, logits, targets, 2.0) == 0)


def test_jsd_lies_between_the_two_kl():
    """Zero with itself; beta KL(p || q) and (1 - beta) KL(q || p) at the ends; the half is even."""
    logits, teacher, targets = logits_and_targets(np.random.default_rng(3))
    said = logits, teacher, targets, 1.0
    assert abs(numpy_distill.jsd(logits, logits, targets, 1.0, 0.3)) < 1e-15
    near = numpy_distill.jsd(*said, 1e-9) / 1e-9, numpy_distill.jsd(*said, 1 - 1e-9) / 1e-9
    assert_close(near[0], numpy_distill.forward_kl(*said), 1e-4)
    assert_close(near[1], numpy_distill.reverse_kl(*said), 1e-4)
    turned = numpy_distill.jsd(teacher, logits, targets, 1.0, 0.5)
    assert_close(numpy_distill.jsd(*said, 0.5), turned, 1e-12)


def test_kl_of_two_coins():
    """p = (3/4, 1/4), q = (1/2, 1/2): KL(p || q) = 3/4 ln 3/2 + 1/4 ln 1/2, KL(q || p) = 1/2 ln 2/3 + 1/2 ln 2."""
    teacher, student, targets = np.log([[[0.75, 0.25]]]), np.log([[[0.5, 0.5]]]), np.array([[0]])
    assert abs(numpy_distill.forward_kl(student, teacher, targets, 1.0) - (0.75 * np.log(1.5) + 0.25 * np.log(0.5))) < 1e-15
    assert abs(numpy_distill.reverse_kl(student, teacher, targets, 1.0) - 0.5 * np.log(4 / 3)) < 1e-15


@pytest.mark.parametrize("name", ["forward_kl", "reverse_kl"])
def test_very_soft_targets_match_logits(name):
    """T to infinity: T^2 KL is the squared distance of the centred logits, its gradient their difference / V (Hinton, eq. 4)."""
    logits, teacher, targets = logits_and_targets(np.random.default_rng(2))
    grad = getattr(numpy_distill, f"{name}_backward")(1.0, logits, teacher, targets, 1e4)
    gap = logits - teacher
    expected = (gap - gap.mean(-1, keepdims=True)) / logits.shape[-1] / np.sum(targets != -100)
    assert_close(grad, np.where((targets != -100)[..., None], expected, 0), 2e-3)


# The step ---------------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def teacher(toy):  # noqa: F811
    """A wider model of the toy text with random weights: what it says is sharp enough to be learned."""
    _, made, config = toy
    config = replace(config, hidden_size=24, num_hidden_layers=2, initializer_range=0.4,
                     bos_token_id=0, eos_token_id=0, **storyworld.RECIPE)
    return Model(config, init(config, np.random.default_rng(9)), made, "the teacher", (0,))


@pytest.fixture(scope="module")
def known(toy):  # noqa: F811
    """The toy text with a floor, so that rows begin at documents, and the student's config."""
    dataset, _, config = toy
    return replace(dataset, floor_nats=np.linspace(5, 50, len(dataset.validation_starts))), config


def distill(folder, known, teacher, how, **options):
    dataset, config = known
    return distillation.run(folder, config, TRAIN, how, teacher, dataset, **options)


@pytest.mark.parametrize("twin", ["numpy", pytest.param("jax", marks=pytest.mark.slow)])
def test_alpha_0_is_plain_training(twin, known, teacher, toy, tmp_path):  # noqa: F811
    dataset, config = known
    training.run(tmp_path / "plain", config, TRAIN, dataset, toy[1], twin=twin)
    distill(tmp_path / "distilled", known, teacher, DistillConfig(alpha=0.0, temperature=1.0), twin=twin)
    for name in SAME:
        assert (tmp_path / "plain" / name).read_bytes() == (tmp_path / "distilled" / name).read_bytes(), name
    states = [checkpoint.read_tensors(tmp_path / name / training.STATE, ("F32",))[0] for name in ("plain", "distilled")]
    assert all(states[0][name].tobytes() == states[1][name].tobytes() for name in states[0])


def test_alpha_0_is_plain_training_in_the_formula_too():
    """Not by a shortcut: the blended loss and every gradient equal the plain ones, bit for bit."""
    rng = np.random.default_rng(1)
    config = random_config(rng)
    params = init(config, rng)
    tokens, targets = rng.integers(0, config.vocab_size, (2, 3, 8))
    said = rng.standard_normal((3, 8, config.vocab_size)).astype(np.float32)
    value, grads = numpy_distill.distill_loss_and_grads(params, tokens, targets, said, config, DistillConfig(alpha=0.0))
    expected_value, expected = twin_package("numpy").loss_and_grads(params, tokens, targets, config)
    assert value == expected_value
    assert all(np.array_equal(grad, flatten(expected)[path]) for path, grad in flatten(grads).items())


@pytest.mark.parametrize("kind", ["llama", "bloom"])
def test_a_student_learns_what_its_teacher_says(kind, known, teacher, tmp_path):
    """The loss is KL(teacher || student): it falls to a small part of what it was."""
    if kind == "bloom":
        config = random_bloom(np.random.default_rng(0), vocab_size=teacher.config.vocab_size)
        teacher = Model(config, random_params(config, np.random.default_rng(0)), teacher.tokenizer, "a BLOOM")
    dataset, config = known
    known = dataset, replace(config, **storyworld.RECIPE)             # learns sooner from so few steps
    distill(tmp_path, known, teacher, DistillConfig(), twin="numpy")
    losses = [r["loss"] for r in training.read_metrics(tmp_path / training.METRICS) if "loss" in r]
    assert np.mean(losses[-5:]) < 0.6 * losses[0]


@pytest.mark.parametrize("twin, name", [*(("numpy", name) for name in WAYS), ("jax", "soft"),
                                        pytest.param("jax", "kept", marks=pytest.mark.slow),
                                        pytest.param("jax", "on-policy", marks=pytest.mark.slow)])
def test_interrupted_and_resumed_is_the_uninterrupted_run(twin, name, known, teacher, tmp_path):
    options = {"twin": twin, "cache": tmp_path / "cache" if name == "kept" else None}
    distill(tmp_path / "whole", known, teacher, WAYS[name], **options)
    assert not distill(tmp_path / "run", known, teacher, WAYS[name], callbacks=interrupt_at([6]), **options)["done"]
    assert not distill(tmp_path / "run", known, teacher, WAYS[name], resume=True, callbacks=interrupt_at([20]), **options)["done"]
    assert distill(tmp_path / "run", known, teacher, WAYS[name], resume=True, **options)["done"]
    assert_same_run(tmp_path / "run", tmp_path / "whole")


# test_training.py's process that dies in the middle of a write, with a teacher.
KILLED = DRIVER.partition("summary =")[0] + """
from dataclasses import replace
from minillm import distillation
from minillm.config import DistillConfig
from minillm.loading import load

dataset = data.open_dataset(job["data"])
dataset = replace(dataset, floor_nats=__import__("numpy").linspace(5, 50, len(dataset.validation_starts)))
distillation.run(job["folder"], ModelConfig(**job["config"]), TrainConfig(**job["train"]), DistillConfig(**job["how"]),
                 load(job["teacher"]), dataset, twin=job["twin"], callbacks=Watch(), cache=job["cache"],
                 resume=os.path.exists(os.path.join(job["folder"], training.STATE)))
"""


@pytest.mark.parametrize("twin, name, die_at", [("numpy", "soft", 13), ("numpy", "on-policy", 23), ("numpy", "kept", 17),
                                                ("jax", "soft", 23)])
def test_killed_in_a_write_and_resumed(twin, name, die_at, known, teacher, tmp_path):
    """kill -9 in the middle of writing a checkpoint."""
    (dataset, config), how = known, WAYS[name]
    teacher.save(tmp_path / "teacher")
    cache = str(tmp_path / "cache") if name == "kept" else None
    loaded = load(tmp_path / "teacher")
    distill(tmp_path / "whole", known, loaded, how, twin=twin, cache=cache)
    job = {"folder": str(tmp_path / "run"), "twin": twin, "config": asdict(config), "train": asdict(TRAIN), "die_at": die_at,
           "data": str(dataset.folder), "how": asdict(how), "teacher": str(tmp_path / "teacher"), "cache": cache}
    process = subprocess.run([sys.executable, "-c", KILLED, json.dumps(job)], capture_output=True, text=True)
    assert process.returncode not in (0, 1), process.stderr
    distill(tmp_path / "run", known, loaded, how, twin=twin, cache=cache, resume=True)
    assert_same_run(tmp_path / "run", tmp_path / "whole")


def refused(match, *arguments, **options):
    with pytest.raises(UserError, match=match) as caught:
        distill(*arguments, **options)
    assert "\n" not in str(caught.value)


def test_what_does_not_fit_is_refused(known, teacher, toy, tmp_path):  # noqa: F811
    distill(tmp_path / "run", known, teacher, DistillConfig(), twin="numpy", callbacks=interrupt_at([4]))
    foreign = replace(teacher, params=init(teacher.config, np.random.default_rng(10)))
    refused("another teacher", tmp_path / "run", known, foreign, DistillConfig(), twin="numpy", resume=True)
    refused("another distill temperature.*1.0 then, 2.0 now", tmp_path / "run", known, teacher, DistillConfig(temperature=2.0),
            twin="numpy", resume=True)
    made = tokenizer.train_characters(["another text, other letters: xyz!?"], special_tokens=[tokenizer.END_OF_TEXT])
    refused("cut into tokens by another tokenizer", tmp_path / "new", known, replace(teacher, tokenizer=made), DistillConfig())
    refused("no tokenizer.json", tmp_path / "new", known, replace(teacher, tokenizer=None), DistillConfig())
    short = replace(teacher, config=replace(teacher.config, max_position_embeddings=15))
    refused("reads 15 tokens", tmp_path / "new", known, short, DistillConfig())
    dataset, config = known
    refused("vocabulary", tmp_path / "new", (dataset, replace(config, vocab_size=99)), teacher, DistillConfig())
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("settings, match", [
    ({"objective": "hard"}, "objective"), ({"alpha": 1.1}, "alpha"), ({"temperature": 0}, "temperature"), ({"kept": -1}, "top-k"),
    ({"kept": 4, "objective": "on-policy"}, "objective"), ({"student_share": -1}, "student_share"),
    ({"responses": 0}, "responses"), ({"writing_temperature": float("nan")}, "writing_temperature"), ({"start": "warm"}, "start")])
def test_settings_that_are_no_way_to_learn(settings, match):
    with pytest.raises(UserError, match=match):
        DistillConfig(**settings)


# Kept targets -----------------------------------------------------------------------------------------------

@TWINS
def test_kept_targets_are_what_the_teacher_says(twin, known, teacher, tmp_path):
    """Of every training row, up to where it runs on into the next: the live teacher's top k, to float16; and the lost mass."""
    dataset, _ = known
    model, k = twin_package("numpy"), 5                      # what the other twin says is held to it elsewhere
    kept = distillation.keep(tmp_path / "cache", teacher, dataset, TRAIN.context, k, twin_package(twin))
    begins, _, tos = distillation.reading(dataset, TRAIN.context)
    lost, counted = 0.0, 0
    for begin, to in list(zip(begins, tos))[::7]:
        tokens = dataset.train[begin:to].astype(np.int32)[None]
        log_p = log_softmax(np.asarray(model.forward(teacher.params, tokens, teacher.config)[0], np.float64))
        ids, expected = numpy_distill.top_k(log_p, k)
        found_ids, found = kept.rows(np.arange(begin, to)[None, None])
        assert np.array_equal(found_ids[0], ids)
        assert np.max(np.abs(found[0] - expected)) < 5e-3
    for begin, to in zip(begins, tos):
        log_p = log_softmax(np.asarray(model.forward(
            teacher.params, dataset.train[begin:to].astype(np.int32)[None], teacher.config)[0], np.float64))
        lost += np.sum(1 - np.exp(numpy_distill.top_k(log_p, k)[1]).sum(-1))
        counted += to - begin
    assert kept.lost == pytest.approx(lost / len(dataset.train), rel=1e-4) and counted >= len(dataset.train) - 1
    assert 0.001 < kept.lost < 0.9


def test_all_kept_trains_as_the_teacher_itself(known, teacher, tmp_path):
    """With every token kept and documents as long as rows, the losses are those of the live teacher, but for float16."""
    _, config = known
    text = [doc for doc in ["the cat sat. a d", "a dog ran. the c", "one bird sang. a"] for _ in range(20)]
    dataset = data.prepare(Corpus("rows", "documents of 15 characters", [d[:15] for d in text], text[:4], [1.0] * 4),
                           teacher.tokenizer, tmp_path / "data")
    losses = []
    for how in (DistillConfig(), DistillConfig(kept=config.vocab_size)):
        folder = tmp_path / f"kept{how.kept}"
        distill(folder, (dataset, config), teacher, how, twin="numpy", cache=tmp_path / "cache")
        losses.append([r["loss"] for r in training.read_metrics(folder / training.METRICS) if "loss" in r])
    np.testing.assert_allclose(losses[1][:10], losses[0][:10], rtol=2e-3, atol=1e-4)


@given(st.integers(2, 300), st.integers(2, 40))
@settings(max_examples=60, deadline=None)
def test_every_place_is_read_once(n, context):
    class Text:
        train, train_starts, floor_nats = np.zeros(n), np.array([0]), None

    begins, froms, tos = distillation.reading(Text, context)
    assert np.concatenate([np.arange(a, b) for a, b in zip(froms, tos)]).tolist() == list(range(n))
    assert all(begin <= a and b <= begin + context for begin, a, b in zip(begins, froms, tos))
    assert all(a - begin >= context // 2 for begin, a in zip(begins[1:], froms[1:]))


def test_kept_targets_of_others_are_refused(known, teacher, tmp_path):
    dataset, config = known
    numpy, folder = twin_package("numpy"), tmp_path / "cache"
    distillation.keep(folder, teacher, dataset, 16, 4, numpy)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    def refused(match, teacher=teacher, dataset=dataset, context=16, k=4, folder=folder):
        with pytest.raises(UserError, match=match) as caught:
            distillation.keep(folder, teacher, dataset, context, k, numpy)
        assert "\n" not in str(caught.value)

    refused("another teacher", teacher=replace(teacher, params=init(teacher.config, np.random.default_rng(10))))
    refused("another text", dataset=replace(dataset, fingerprint="0" * 64))
    refused("another context", context=12)
    refused("another top k", k=5)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear", encoding="utf-8")
    refused("targets.json: there is no such file", folder=tmp_path / "mine")
    (folder / "ids.npy").write_bytes(before["ids.npy"][:-1])
    refused("ids.npy: is damaged", folder=folder)


def test_a_pass_that_broke_off_leaves_nothing(known, teacher, tmp_path):
    class Breaks:
        to_device = staticmethod(lambda params: params)

        @staticmethod
        def read_top_k(*_):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        distillation.keep(tmp_path / "cache", teacher, known[0], 16, 4, Breaks)
    assert list(tmp_path.iterdir()) == []


# Writing ----------------------------------------------------------------------------------------------------

@TWINS
def test_many_rows_at_once_are_the_rows_one_by_one(twin):
    """The slow way is the oracle of the fast one: `generate`, a text at a time, with the same coins."""
    rng = np.random.default_rng(3)
    config = random_config(rng, max_position_embeddings=100)
    params, model = random_params(config, rng), twin_package(twin)
    how = GenerateConfig(max_new_tokens=70, temperature=0.8, top_k=5)
    coins = [np.random.default_rng(seed).random(70, np.float32) for seed in range(2)]
    rows, finite = model.write_rows(params, np.array([1, 2]), np.stack(coins, axis=1), config, how)
    for seed in range(2):
        expected = list(model.generate(params, [seed + 1], config, replace(how, seed=seed)))
        assert rows[seed].tolist() == expected
    assert finite


@pytest.mark.parametrize("twin", ["numpy", pytest.param("jax", marks=pytest.mark.slow)])
def test_what_the_teacher_writes_is_a_dataset(twin, known, teacher, tmp_path):
    dataset, config = known
    how = DistillConfig(objective="responses", responses=140)
    texts = [list(distillation.write_texts(teacher, how, 16, 5, twin)) for _ in range(2)]
    assert texts[0] == texts[1] and len(texts[0]) == 140 and len({text for text, _ in texts[0]}) > 10
    assert texts[0][:3] == list(distillation.write_texts(teacher, replace(how, responses=3), 16, 5, twin))
    written = [text for text, _ in texts[0] if text]
    assert all(tokenizer.END_OF_TEXT not in text for text in written)
    corpus = distillation.corpus_of([text for text, _ in texts[0]], teacher, how, 5, dataset)
    made = data.prepare(corpus, teacher.tokenizer, tmp_path / "data")
    assert corpus.train == written and np.array_equal(made.validation, dataset.validation)
    assert np.array_equal(made.floor_nats, dataset.floor_nats) and len(made.train_starts) == len(written)
    assert training.run(tmp_path / "run", config, replace(TRAIN, steps=2), made, teacher.tokenizer, twin=twin)["done"]
    alone = distillation.corpus_of([text for text, _ in texts[0]], teacher, how, 5)
    assert sorted(alone.train + alone.validation) == sorted(written) and alone.floor_nats is None


def test_a_teacher_that_cannot_begin_or_whose_weights_are_no_numbers(teacher):
    with pytest.raises(UserError, match="no beginning-of-text token"):
        next(distillation.write_texts(replace(teacher, config=replace(teacher.config, bos_token_id=None)), DistillConfig(), 16))
    broken = replace(teacher, params={**teacher.params, "norm": teacher.params["norm"] * np.nan})
    for twin in ("numpy", "jax"):
        with pytest.raises(UserError, match="not finite"):
            next(distillation.write_texts(broken, DistillConfig(responses=2), 4, twin=twin))


# Pruned -----------------------------------------------------------------------------------------------------

def test_a_student_as_large_as_its_teacher_is_its_teacher():
    for seed in range(4):
        rng = np.random.default_rng(seed)
        config = random_config(rng)
        params = random_params(config, rng)
        tokens = rng.integers(0, config.vocab_size, (2, 9))
        same = flatten(pruned(params, config, config, tokens))
        assert list(same) == list(flatten(params))
        assert all(np.array_equal(same[path], leaf) for path, leaf in flatten(params).items())


def test_layers_and_widths_are_the_teachers():
    """Channels, heads and neurons that nothing passes through are those that are left out; the logits are the teacher's."""
    rng = np.random.default_rng(4)
    config = random_config(rng, hidden_size=12, intermediate_size=20, num_attention_heads=6, num_key_value_heads=3, head_dim=4,
                           num_hidden_layers=3)
    params = random_params(config, rng)
    dead_D, dead_F = [1, 5, 6], [0, 7, 19]
    params["embed_tokens"][:, dead_D] = 0
    for layer in params["layers"]:
        for name in ("o_proj", "down_proj", "o_bias", "down_bias"):
            if name in layer:
                layer[name][..., dead_D] = 0
        layer["down_proj"][dead_F] = 0
        layer["o_proj"].reshape(3, 2, 4, 12)[1] = 0                  # a group that writes nothing
        layer["input_layernorm"] *= np.sqrt(12 / 9).astype(np.float32) ** 0
    small = replace(config, hidden_size=9, intermediate_size=17, num_attention_heads=4, num_key_value_heads=2)
    tokens = rng.integers(0, config.vocab_size, (3, 10))
    picked = pruned(params, config, small, tokens)
    live_D = np.setdiff1d(np.arange(12), dead_D)
    assert np.array_equal(picked["embed_tokens"], params["embed_tokens"][:, live_D])
    for layer, whole in zip(picked["layers"], params["layers"]):
        assert np.array_equal(layer["down_proj"], whole["down_proj"][np.ix_(np.setdiff1d(np.arange(20), dead_F), live_D)])
        kept_O = np.r_[0:8, 16:24]
        assert np.array_equal(layer["q_proj"], whole["q_proj"][np.ix_(live_D, kept_O)])
        assert np.array_equal(layer["o_proj"], whole["o_proj"][np.ix_(kept_O, live_D)])
        assert np.array_equal(layer["k_proj"], whole["k_proj"][np.ix_(live_D, np.r_[0:4, 8:12])])
    fewer = pruned(params, config, replace(config, num_hidden_layers=2), tokens)
    assert np.array_equal(fewer["layers"][0]["q_proj"], params["layers"][0]["q_proj"])
    assert np.array_equal(fewer["layers"][1]["q_proj"], params["layers"][2]["q_proj"])


def test_what_cannot_be_picked_is_refused():
    rng = np.random.default_rng(0)
    config = random_config(rng, num_hidden_layers=2, tie_word_embeddings=True)
    params, tokens = random_params(config, rng), rng.integers(0, config.vocab_size, (2, 9))
    for changed, match in (({"num_hidden_layers": 3}, "num_hidden_layers is 3, the teacher's only 2"), ({"head_dim": 64}, "head_dim"),
                           ({"hidden_size": 99}, "hidden_size"), ({"tie_word_embeddings": False}, "tie_word_embeddings")):
        with pytest.raises(UserError, match=match):
            pruned(params, config, replace(config, **changed), tokens)
    bloom = random_bloom(rng)
    with pytest.raises(UserError, match="no LLaMA"):
        pruned(random_params(bloom, rng), bloom, config, tokens)


# The command ------------------------------------------------------------------------------------------------

OPTIONS = ["--student", "1", "--steps", "6", "--context", "16", "--batch-size", "2", "--eval-every", "3", "--eval-rows", "2",
           "--steps-per-dispatch", "3", "--twin", "numpy"]


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """A teacher of the story world, trained for a moment, with its data folder."""
    from minillm import cli
    folder = tmp_path_factory.mktemp("distill") / "large"
    assert cli.main(["pretrain", "storyworld", "--megabytes", "0.02", "--vocab-size", "300", "--out", str(folder), "--model", "2",
                     *OPTIONS[2:]]) == 0
    return folder


@pytest.mark.parametrize("extra", [[], ["--objective", "reverse", "--alpha", "0.5"], ["--objective", "on-policy"],
                                   ["--objective", "responses", "--responses", "30"], ["--start", "pruned"],
                                   ["--cache", "CACHE", "--top-k", "7"]], ids=lambda extra: " ".join(extra) or "soft")
def test_the_command(extra, large, minillm, tmp_path):  # noqa: F811
    extra = [str(tmp_path / "cache") if word == "CACHE" else word for word in extra]
    status, out, err = minillm("distill", large, "--out", tmp_path / "run", *OPTIONS, *extra)
    assert (status, err) == (0, "")
    summary = json.loads((tmp_path / "run" / "summary.json").read_text(encoding="utf-8"))
    assert summary["done"] and "above_floor" in summary and f"minillm evaluate {tmp_path / 'run'}" in out
    if "--cache" in extra:
        assert "leave out" in out
    status, out, err = minillm("distill", large, "--out", tmp_path / "run", *OPTIONS, *extra, "--resume")
    assert (status, err) == (0, "")
    assert minillm("evaluate", tmp_path / "run", "--twin", "numpy", "--data",
                   tmp_path / "run" / "data" if "responses" in extra else large / "data")[0] == 0


def test_a_student_goes_on(large, minillm, tmp_path):  # noqa: F811
    """--from begins with the parameters of a student that was trained before."""
    first, then = tmp_path / "first", tmp_path / "then"
    assert minillm("distill", large, "--out", first, *OPTIONS)[0] == 0
    extra = ["--from", first, "--objective", "on-policy", "--jsd-beta", "0.5", *OPTIONS[2:]]
    status, out, err = minillm("distill", large, "--out", then, *extra)
    assert (status, err) == (0, "") and f"start {first}" in out
    lost = [[r["held_out"] for r in training.read_metrics(folder / training.METRICS)
             if "held_out" in r] for folder in (first, then)]
    rows = [r for r in training.read_metrics(first / training.METRICS) if "on_eval_rows" in r]
    assert lost[1][0] == rows[-1]["on_eval_rows"] != lost[0][0]
    assert minillm("distill", large, "--out", then, *extra, "--resume")[0] == 0
    status, _, err = minillm("distill", large, "--out", tmp_path / "no", *extra, "--start", "pruned")
    assert status == 2 and "start is 'pruned'" in err


def test_the_command_with_alpha_0_is_pretrain(large, minillm, tmp_path):  # noqa: F811
    assert minillm("pretrain", large / "data", "--out", tmp_path / "plain", "--model", "1", *OPTIONS[2:])[0] == 0
    assert minillm("distill", large, "--out", tmp_path / "distilled", "--alpha", "0", "--temperature", "1", *OPTIONS)[0] == 0
    for name in SAME:
        assert (tmp_path / "plain" / name).read_bytes() == (tmp_path / "distilled" / name).read_bytes(), name


def test_plain_training_reads_what_a_teacher_wrote(large, minillm, tmp_path):  # noqa: F811
    assert minillm("distill", large, "--out", tmp_path / "run", "--objective", "responses", "--responses", "20", *OPTIONS)[0] == 0
    assert minillm("pretrain", tmp_path / "run" / "data", "--out", tmp_path / "plain", "--model", "1", *OPTIONS[2:])[0] == 0
    assert ((tmp_path / "run" / checkpoint.MODEL).read_bytes() == (tmp_path / "plain" / checkpoint.MODEL).read_bytes())


@pytest.mark.parametrize("change, expected", [
    (lambda large, tmp: (tmp / "nowhere",), "there is no such file or folder"),
    (lambda large, tmp: (large, "--student", "huge"), "neither a preset"),
    (lambda large, tmp: (large, "--context", "17"), "reads 16 tokens"),
    (lambda large, tmp: (large, "--data", tmp / "other"), "another tokenizer"),
    (lambda large, tmp: (large, "--objective", "on-policy", "--cache", tmp / "cache"), "objective is 'on-policy'"),
    (lambda large, tmp: (large, "--cache", tmp / "cache", "--top-k", "9999"), "top-k is 9999"),
    (lambda large, tmp: (large, "--start", "pruned", "--student", "3"), "the teacher's only 2"),
    (lambda large, tmp: (large, "--alpha", "2"), "alpha is 2.0"),
    (lambda large, tmp: (large, "--resume"), "start without --resume")], ids=range(9))
def test_mistakes_are_one_line(change, expected, large, minillm, tmp_path):  # noqa: F811
    data.prepare(Corpus("other", "another text", ["abc abd"] * 9, ["abd abc"] * 3), tokenizer.train(["abc abd"], 270), tmp_path / "other")
    first, *rest = change(large, tmp_path)
    status, out, err = minillm("distill", first, "--out", tmp_path / "run", *OPTIONS, *rest)
    assert status == 2 and err.count("\n") == 1 and expected in err, err


def test_resuming_with_another_teacher_is_one_line(large, minillm, tmp_path):  # noqa: F811
    assert minillm("distill", large, "--out", tmp_path / "run", *OPTIONS)[0] == 0
    other = load(large)
    replace(other, params={**other.params, "norm": other.params["norm"] * 2}).save(tmp_path / "other")
    status, _, err = minillm("distill", tmp_path / "other", "--data", large / "data", "--out", tmp_path / "run", *OPTIONS, "--resume")
    assert status == 2 and err.count("\n") == 1 and "another teacher" in err
