"""Promises of the training loop: resumed bit for bit after any interruption, mistakes refused in words, and it learns."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from safetensors import safe_open
from safetensors.numpy import load_file

from minillm import training
from minillm.architecture.llama import init
from minillm.architecture.tree import flatten
from minillm.config import IGNORE, TrainConfig
from minillm.errors import UserError
from minillm.formats import checkpoint
from minillm.loading import twin_package
from minillm.text import dataset as data
from minillm.training import curves, loop, state
from runs import DRIVER, TRAIN, TWINS, assert_same_run, interrupt_at


@pytest.fixture(scope="module")
def whole(toy, tmp_path_factory):
    """The folders of uninterrupted runs in this process, by twin."""
    folders = {}
    for twin in ("numpy", "jax"):
        folders[twin] = tmp_path_factory.mktemp("whole") / twin
        run(folders[twin], toy, twin=twin)
    return folders


def run(folder, toy, train=TRAIN, **options):
    dataset, made, config = toy
    return training.run(folder, config, train, dataset, made, **options)


def start(folder, toy, twin, train=TRAIN, die_at=0) -> subprocess.Popen:
    dataset, _, config = toy
    job = {"folder": str(folder), "twin": twin, "config": asdict(config), "train": asdict(train), "die_at": die_at,
           "data": str(dataset.folder)}
    return subprocess.Popen([sys.executable, "-c", DRIVER, json.dumps(job)], stdout=subprocess.PIPE, text=True)


def finish(folder, toy, twin, train=TRAIN) -> dict:
    """Run to the end in a process of its own; returns its summary."""
    with start(folder, toy, twin, train) as process:
        lines = process.stdout.read().splitlines()
    assert process.returncode == 0
    return json.loads(lines[-1])


# Resuming ---------------------------------------------------------------------------------------------------

@TWINS
def test_interrupted_and_resumed_is_the_uninterrupted_run(twin, toy, whole, tmp_path):
    """Stopped at every second dispatch: an evaluation's step, a checkpoint's step, and steps that are neither."""
    edges, step = [], 0
    while (step := loop.next_edge(step, TRAIN)) < TRAIN.steps:
        edges.append(step)
    assert edges == [4, 6, 8, 12, 16, 18, 20, 24, 28, 30, 32, 36]
    summary = run(tmp_path, toy, twin=twin, callbacks=interrupt_at(edges))
    assert summary["step"] == edges[0] and not summary["done"]
    for edge in edges[2::2]:
        summary = run(tmp_path, toy, twin=twin, resume=True, callbacks=interrupt_at([edge]))
        assert summary["step"] == edge and not summary["done"]
    assert run(tmp_path, toy, twin=twin, resume=True)["done"]
    assert_same_run(tmp_path, whole[twin])


def test_a_finished_run_resumes_to_itself(toy, whole, tmp_path):
    """As after a kill between the last checkpoint and the last evaluation, or before the summary."""
    folder = tmp_path / "run"
    for cut in (0, 1, 25):
        shutil.copytree(whole["numpy"], folder, dirs_exist_ok=True)
        (folder / "summary.json").unlink()
        log = (folder / training.METRICS).read_bytes()
        (folder / training.METRICS).write_bytes(log[: len(log) - cut])
        summary = run(folder, toy, twin="numpy", resume=True)
        assert summary["done"] and summary["tokens"] == 0
        assert_same_run(folder, whole["numpy"])
        assert (folder / "summary.json").exists()


@TWINS
def test_killed_in_a_write_and_resumed(twin, toy, whole, tmp_path):
    """kill -9 in the middle of writing: the first files, model, state, the log on resuming (the second kill), the end."""
    tries = {"numpy": [(2,), (4,), (10, 1), (13,), (16, 2), (20,), (23, 4), (52, 20), (56,)], "jax": [(23,)]}[twin]
    killed_and_resumed(twin, toy, whole, tmp_path, tries)


@pytest.mark.slow
@TWINS
def test_killed_at_every_moment_of_every_write(twin, toy, whole, tmp_path):
    moments = finish(tmp_path / "counted", toy, twin)["moments"]
    killed_and_resumed(twin, toy, whole, tmp_path, [(n,) for n in range(1, moments + 1, 1 if twin == "numpy" else 3)])


def killed_and_resumed(twin, toy, whole, tmp_path, tries):
    """Each try is one run: killed at these moments of its processes, one after another, then finished."""
    for moments in tries:
        folder = tmp_path / str(moments)
        for die_at in moments:
            with start(folder, toy, twin, die_at=die_at) as process:
                process.stdout.read()
            assert process.returncode not in (0, 1), f"was not killed: it has no moment {die_at}"
        if (folder / training.STATE).exists():
            checkpoint.read_tensors(folder / training.STATE, ("F32",))
        if (folder / checkpoint.MODEL).exists():
            checkpoint.load_model(folder)
        # In this process, where nothing needs compiling again.
        run(folder, toy, twin=twin, resume=(folder / training.STATE).exists())
        assert_same_run(folder, whole[twin])


@pytest.mark.parametrize("twin, tries", [("numpy", 4), ("jax", 1), pytest.param("numpy", 40, marks=pytest.mark.slow),
                                         pytest.param("jax", 12, marks=pytest.mark.slow)])
def test_killed_at_random_and_resumed(twin, tries, toy, whole, tmp_path):
    """kill -9 at a random moment after a random step, again and again, until the run is through."""
    seed = random.randrange(10**9)
    rng, folder, killed = random.Random(seed), tmp_path / "run", 0
    print("seed", seed)
    while killed < tries:
        last = 0
        with start(folder, toy, twin) as process:
            dispatches = rng.randrange(1, 6)
            for line, _ in zip(process.stdout, range(dispatches)):
                last = line
            time.sleep(rng.uniform(0, 0.01))
            process.kill()
        if process.returncode == 0:
            assert_same_run(folder, whole[twin])
            shutil.rmtree(folder)
        killed += process.returncode != 0
        assert last, "the run never made a step"
    run(folder, toy, twin=twin, resume=(folder / training.STATE).exists())
    assert_same_run(folder, whole[twin])


@pytest.mark.skipif(sys.platform == "win32", reason="a process cannot be sent Ctrl-C there without its parent")
def test_ctrl_c_saves_and_says_how_to_go_on(toy, tmp_path):
    dataset, _, config = toy
    command = [sys.executable, "-m", "minillm", "pretrain", str(dataset.folder), "--twin", "numpy", "--model", "1",
               "--steps", "100000", "--batch-size", "2", "--context", "16", "--eval-every", "100000", "--eval-rows", "1",
               "--out", str(tmp_path / "run")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        while not wc(tmp_path / "run" / training.METRICS) > 20:
            time.sleep(0.02)
            assert process.poll() is None, process.stderr.read()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    assert "--resume" in out.splitlines()[-1] and "saved at step" in out.splitlines()[-1]
    losses = [r for r in training.read_metrics(tmp_path / "run" / training.METRICS) if "loss" in r]
    assert f"saved at step {len(losses):,} of" in out
    with safe_open(tmp_path / "run" / training.STATE, framework="numpy") as file:
        assert file.metadata()["step"] == str(len(losses))


# The best model beside the last state ------------------------------------------------------------------------

class Killed(BaseException):
    """As kill -9: nothing catches it."""


@pytest.fixture(scope="module")
def rising(toy, tmp_path_factory):
    """(toy with a held-out text of shuffled characters, its uninterrupted run): the held-out loss soon rises."""
    dataset, made, config = toy
    shuffled = np.random.default_rng(0).permutation(np.asarray(dataset.validation))
    text = replace(dataset, validation=shuffled), made, config
    folder = tmp_path_factory.mktemp("rising") / "run"
    run(folder, text, twin="numpy")
    return text, folder


def held_out_of(params, text) -> float:
    """The held-out loss that the loop would log for these parameters."""
    rows = training.held_out(text[0], TRAIN.context, TRAIN.eval_rows)
    return training.evaluate(twin_package("numpy"), params, text[2], rows,
                           TRAIN.batch_size)["held_out"]


def test_the_folder_holds_the_best_model_and_the_state_is_the_last(rising, tmp_path):
    """And with keep="last" the folder holds the last one; the summary says which, and where the loss was lowest."""
    text, folder = rising
    losses = curves.held_out_losses(training.read_metrics(folder / training.METRICS))
    best, last = min(losses, key=losses.get), max(losses)
    assert 0 < best < last == TRAIN.steps and losses[last] > losses[best] + 0.03
    run(tmp_path, text, twin="numpy", keep="last")
    for path, step in ((folder, best), (tmp_path, last)):
        _, params, _ = checkpoint.load_model(path)
        assert held_out_of(params, text) == losses[step]
        state = training.load_training(path, text[2], TRAIN, text[0].fingerprint)
        assert state["step"] == last and held_out_of(state["params"], text) == losses[last]
        summary = json.loads((path / "summary.json").read_text(encoding="utf-8"))
        assert summary["model_step"] == step and summary["lowest"] == {"step": best,
                                                                       "held_out": losses[best]}
        everything = training.held_out(text[0], TRAIN.context)
        assert summary["held_out"] == training.evaluate(twin_package("numpy"), params,
                                                      text[2], everything, 4)["held_out"]
    rows = (len(text[0].train) - 1) // TRAIN.context - 1
    assert summary["epochs"] == pytest.approx(TRAIN.steps * TRAIN.batch_size / rows)
    assert training.training_notes(folder) == {"text": "toy",
                                                 "best": {"step": best, "held_out": losses[best]}}


def test_where_the_floor_is_known_the_last_model_is_kept(toy, tmp_path):
    dataset, made, config = toy
    known = replace(dataset, floor_nats=np.ones(len(dataset.validation_starts))), made, config
    assert run(tmp_path, known, replace(TRAIN, steps=2), twin="numpy")["keep"] == "last"
    refused("keep is 'all'.*best or last", tmp_path / "new", toy, twin="numpy", keep="all")
    assert not (tmp_path / "new").exists()


def test_interrupted_and_resumed_has_the_same_best_model(rising, tmp_path):
    """Stopped before the best evaluation, in the middle, after it."""
    text, expected = rising
    summary = run(tmp_path, text, twin="numpy", callbacks=interrupt_at([4]))
    for edge in (12, 24):
        summary = run(tmp_path, text, twin="numpy", resume=True, callbacks=interrupt_at([edge]))
    assert summary["model_step"] == 8 and not summary["done"]
    run(tmp_path, text, twin="numpy", resume=True)
    assert_same_run(tmp_path, expected)


def test_killed_at_any_rename_the_folder_is_consistent_and_goes_on_to_the_same(rising, tmp_path, monkeypatch):
    """Killed before or after some rename of the run: what is there opens, and the resumed run ends as the whole one."""
    text, expected = rising
    rename, died, moments = os.replace, [], 0
    for die_at in range(2, 1000, 4):
        folder, moments = tmp_path / str(die_at), 0

        def replace_or_die(old, new):
            nonlocal moments
            for act in (lambda: None, lambda: rename(old, new)):
                act()
                moments += 1
                if moments == die_at:
                    raise Killed

        monkeypatch.setattr(os, "replace", replace_or_die)
        try:
            run(folder, text, twin="numpy")
            break
        except Killed:
            died.append(die_at)
        finally:
            monkeypatch.setattr(os, "replace", rename)
        if (folder / checkpoint.MODEL).exists():
            checkpoint.load_model(folder)
        run(folder, text, twin="numpy", resume=(folder / training.STATE).exists())
        assert_same_run(folder, expected)
        shutil.rmtree(folder)
    assert len(died) > 5


def test_absurd_sizes_are_refused_by_the_memory_they_need(toy, monkeypatch):
    config = toy[2]
    for machine in (10**9, 10**12):
        monkeypatch.setattr(loop, "machine_memory", lambda: machine)
        training.check_memory(config, TRAIN, "numpy")
        for wrong in (replace(config, num_hidden_layers=10**9),
                      replace(config, hidden_size=10**9, head_dim=10**8)):
            with pytest.raises(UserError, match="parameters needs at least .* GB"):
                training.check_memory(wrong, TRAIN, "jax")
        for wrong in (dict(batch_size=10**8), dict(context=10**8),
                      dict(batch_size=10**6, context=10**4)):
            with pytest.raises(UserError, match="needs at least .* GB.*--batch-size"):
                training.check_memory(config, replace(TRAIN, **wrong), "numpy")
    assert len(training.held_out(toy[0], 16,
                                 10**12).tokens_NT) == len(training.held_out(toy[0], 16).tokens_NT)


def wc(path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


@given(st.integers(1, 400), *[st.integers(1, 60)] * 3, st.integers(0, 60))
@settings(max_examples=60, deadline=None)
def test_dispatches_end_on_every_grid_and_depend_on_the_step_alone(steps, dispatch, evaluate, save, sample):
    train = TrainConfig(steps=steps, steps_per_dispatch=dispatch, eval_every=evaluate, save_every=save, sample_every=sample)
    edges = [0]
    while edges[-1] < steps:
        edges.append(loop.next_edge(edges[-1], train))
    grids = [dispatch, evaluate, save] + [sample] * (sample > 0)
    assert edges == sorted({0, steps, *(n for grid in grids for n in range(0, steps, grid))})


# What must not matter ---------------------------------------------------------------------------------------

@TWINS
def test_watching_changes_nothing(twin, toy, whole, tmp_path):
    """No evaluation, other checkpoints, samples: the weights are the same where the dispatches are cut the same."""
    edges = replace(TRAIN, steps=24, steps_per_dispatch=4, eval_every=100, save_every=100)
    run(tmp_path / "bare", toy, edges, twin=twin)
    seen = []

    class Watch(training.Callbacks):
        def sampled(self, step, text):
            seen.append((step, text))

    run(tmp_path / "watched", toy, replace(edges, eval_every=4, save_every=8, sample_every=8, eval_rows=2), twin=twin,
        callbacks=Watch())
    assert [step for step, _ in seen] == [8, 16] and all(text for _, text in seen)
    bare, watched = (load_file(tmp_path / name / training.STATE) for name in ("bare", "watched"))
    assert all(np.array_equal(bare[name], watched[name]) for name in bare)
    losses = [[r["loss"] for r in training.read_metrics(tmp_path / name / training.METRICS) if "loss" in r]
              for name in ("bare", "watched")]
    assert losses[0] == losses[1] and len(losses[0]) == 24


# Refusals ---------------------------------------------------------------------------------------------------

def refused(match, *arguments, **options):
    with pytest.raises(UserError, match=match) as caught:
        run(*arguments, **options)
    assert "\n" not in str(caught.value)


def test_what_is_not_the_same_run_is_not_resumed(toy, whole, tmp_path):
    dataset, made, config = toy
    folder = shutil.copytree(whole["numpy"], tmp_path / "run")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    refused("learning_rate.*0.01 then, 0.02 now", folder, toy, replace(TRAIN, learning_rate=0.02), twin="numpy", resume=True)
    refused("steps.*38 then, 60 now", folder, toy, replace(TRAIN, steps=60), twin="numpy", resume=True)
    wider = replace(config, intermediate_size=48)
    refused("intermediate_size.*32 then, 48 now", folder, (dataset, made, wider), twin="numpy", resume=True)
    refused("other data", folder, (replace(dataset, fingerprint="0" * 64), made, config), twin="numpy", resume=True)
    refused("already there.*--resume", folder, toy, twin="numpy")
    refused("without --resume", tmp_path / "empty", toy, twin="numpy", resume=True)
    refused("twin 'torch'", tmp_path / "new", toy, twin="torch")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_model_that_is_no_run_is_not_overwritten(toy, tmp_path):
    dataset, made, config = toy
    checkpoint.save_model(tmp_path, config, init(config, np.random.default_rng(3)), made)
    before = (tmp_path / checkpoint.MODEL).read_bytes()
    refused("a model is already there", tmp_path, toy, twin="numpy")
    assert (tmp_path / checkpoint.MODEL).read_bytes() == before


def test_a_text_too_short_for_the_context(toy, tmp_path):
    dataset, made, config = toy
    short = replace(dataset, train=dataset.train[:16])
    refused("16 tokens.*at least 17", tmp_path, (short, made, config), twin="numpy")
    short = replace(dataset, train=dataset.train[:17])
    assert run(tmp_path, (short, made, config), replace(TRAIN, steps=1), twin="numpy")["done"]


@TWINS
@pytest.mark.parametrize("steps_per_dispatch", [1, 7])
@pytest.mark.filterwarnings("error")
def test_a_diverging_run_says_so_and_keeps_its_checkpoint(twin, steps_per_dispatch, toy, tmp_path):
    train = replace(TRAIN, learning_rate=1e30, warmup_steps=0, steps_per_dispatch=steps_per_dispatch, save_every=500)
    refused(r"loss is .* at step \d+.*lower learning rate.*keeps the checkpoint of step 0", tmp_path, toy, train, twin=twin)
    dataset, made, config = toy
    fresh = flatten(init(config, np.random.default_rng(train.seed)))
    state = training.load_training(tmp_path, config, train, dataset.fingerprint)
    kept = [flatten(checkpoint.load_model(tmp_path)[1]), flatten(state["params"])]
    assert state["step"] == 0 and all(np.array_equal(fresh[name], tree[name]) for tree in kept for name in fresh)
    log = (tmp_path / training.METRICS).read_text(encoding="utf-8")
    assert "NaN" not in log and "Infinity" not in log


# Learning and measuring -------------------------------------------------------------------------------------

def test_the_loop_learns(toy, whole):
    """A character costs ln(25) = 3.2 nats before, and the text's own uncertainty is below 0.15 after."""
    for twin, folder in whole.items():
        held_out = [r["held_out"] for r in training.read_metrics(folder / training.METRICS) if "held_out" in r]
        steps = [r["step"] for r in training.read_metrics(folder / training.METRICS) if "held_out" in r]
        assert steps == [0, 8, 16, 24, 32, 38] and abs(held_out[0] - np.log(toy[2].vocab_size)) < 0.05
        assert held_out[-1] < 2.2 and held_out[-1] == min(held_out), twin


@pytest.mark.slow
@TWINS
def test_the_loop_learns_the_text(twin, toy, tmp_path):
    """Three sentences, each equally probable: ln(3) / 13.3 = 0.08 nats a character, plus what a cut row cannot know."""
    assert run(tmp_path, toy, replace(TRAIN, steps=600, eval_every=600, save_every=600), twin=twin)["held_out"] < 0.3


def test_the_twins_learn_the_same(whole):
    losses = {twin: [r["loss"] for r in training.read_metrics(folder / training.METRICS) if "loss" in r]
              for twin, folder in whole.items()}
    assert len(losses["jax"]) == TRAIN.steps
    np.testing.assert_allclose(losses["numpy"][:10], losses["jax"][:10], rtol=1e-5)


@pytest.mark.parametrize("twin, batch_size", [("numpy", 1), ("numpy", 4), ("numpy", 7), ("jax", 4)])
def test_evaluation_is_the_plain_mean(twin, batch_size, toy):
    """Against one forward pass of everything and a log-softmax in float64; the last batch is a short one."""
    dataset, _, config = toy
    model, params = twin_package(twin), init(config, np.random.default_rng(1))
    params = {**params, "embed_tokens": params["embed_tokens"] * 30}
    for rows in (training.held_out(dataset, 16), training.held_out(dataset, 16, 5),
                 training.HeldOut(*data.windows(dataset.validation[:50], 16), 0, None, 49)):
        record = training.evaluate(model, params, config, rows, batch_size)
        logits_NTV = np.asarray(model.forward(params, rows.tokens_NT, config)[0], np.float64)
        log_p_NTV = logits_NTV - np.log(np.sum(np.exp(logits_NTV), axis=-1, keepdims=True))
        counted = rows.targets_NT != IGNORE
        nats = -np.take_along_axis(log_p_NTV, np.maximum(rows.targets_NT, 0)[..., None], -1)[..., 0][counted]
        assert abs(record["held_out"] - nats.mean()) < 1e-6 * nats.mean() and nats.std() > 0.5
        if rows.text_bytes:
            assert abs(record["bits_per_byte"] * rows.text_bytes * np.log(2) / nats.sum() - 1) < 1e-6
    assert "bits_per_byte" in record and len(rows.tokens_NT) == 4


def test_held_out_rows(toy):
    """All targets once without a limit; with one, that many rows from all over the split."""
    dataset, _, _ = toy
    everything, some = training.held_out(dataset, 16), training.held_out(dataset, 16, 5)
    counted = everything.targets_NT[everything.targets_NT >= 0]
    assert np.array_equal(counted, dataset.validation[1:]) and everything.text_bytes == dataset.validation_bytes
    assert len(some.tokens_NT) == 5 and some.text_bytes is None
    assert np.array_equal(some.tokens_NT[[0, -1]], everything.tokens_NT[[0, -1]])


@TWINS
def test_distance_from_the_floor(twin, toy, tmp_path):
    """With a floor a row is a document; above_floor is nats over the floor's nats, of the same documents, less one."""
    dataset, made, config = toy
    longest = int(np.diff(dataset.validation_starts, append=len(dataset.validation) - 1).max())
    floor = np.linspace(5, 50, len(dataset.validation_starts))
    known, config = replace(dataset, floor_nats=floor), replace(config, max_position_embeddings=longest)
    model, params = twin_package(twin), init(config, np.random.default_rng(1))
    for count in (None, 4):
        rows = training.held_out(known, longest, count)
        documents = count or len(floor)
        assert len(rows.tokens_NT) == rows.documents == documents and (rows.tokens_NT[:, 0] == 0).all()
        record = training.evaluate(model, params, config, rows, 3)
        nats_N, counts_N = training.row_nats(model, params, config, rows.tokens_NT, rows.targets_NT, 5)
        assert abs(record["nats_per_document"] - nats_N.sum() / documents) < 1e-4
        assert record["floor_per_document"] == pytest.approx(floor[:documents].mean(), rel=1e-12)
        assert record["above_floor"] == pytest.approx(nats_N.sum() / floor[:documents].sum() - 1, rel=1e-6)
        assert rows.floor_per_token == pytest.approx(floor[:documents].sum() / counts_N.sum(), rel=1e-12)
        assert counts_N.sum() == np.sum(rows.targets_NT >= 0)
        ends = np.append(dataset.validation_starts[1:], len(dataset.validation) - 1)
        assert counts_N.tolist() == (ends - dataset.validation_starts)[:documents].tolist()
    if twin == "numpy":
        summary = run(tmp_path, (known, made, config), replace(TRAIN, steps=2, context=longest), twin=twin)
        written = json.loads((tmp_path / "summary.json").read_text(encoding="utf-8"))
        assert summary["above_floor"] == written["above_floor"] and summary["done"]


def test_a_log_cut_short_is_read_up_to_the_cut(tmp_path):
    path = tmp_path / training.METRICS
    path.write_text('{"step": 0, "held_out": 3.0}\n{"step": 0, "loss": 3.0}\n{"step": 1, "lo', encoding="utf-8")
    assert [r["step"] for r in training.read_metrics(path)] == [0, 0]
    state.truncate_metrics(path, 0)
    assert path.read_bytes() == b""


# The loop without a folder ----------------------------------------------------------------------------------

@TWINS
def test_the_loop_alone_trains_as_a_run_does(twin, toy, whole):
    """`steps` yields at every place where a dispatch ends; `run` adds only what stands in the folder."""
    dataset, _, config = toy
    model = twin_package(twin)
    begin = model.init_state(init(config, np.random.default_rng(TRAIN.seed)))
    edges, losses = [], []
    for step, end, metrics in training.steps(model, begin, dataset, config, TRAIN):
        edges.append(step)
        losses += metrics["loss"].tolist()
    assert edges[:4] == [4, 6, 8, 12] and edges[-1] == TRAIN.steps == len(losses) == int(end["step"])
    records = training.read_metrics(whole[twin] / training.METRICS)
    assert losses == [record["loss"] for record in records if "loss" in record]
    kept = training.load_training(whole[twin], config, TRAIN, dataset.fingerprint)
    for path, leaf in flatten(kept["params"]).items():
        assert np.array_equal(flatten(end["params"])[path], leaf), path
    assert not list(training.steps(model, end, dataset, config, TRAIN))           # nothing is left to do


def test_calls_from_the_loop_to_a_matrix_product(toy):
    """The number that docs/pages/design.md states, law 11, and the names."""
    from minillm.in_numpy import ops
    dataset, _, config = toy
    model, found = twin_package("numpy"), set()

    def on_event(frame, event, _):
        if event == "call" and frame.f_code is ops.linear.__code__:
            names = []
            while frame is not None and frame.f_code is not loop.steps.__code__:
                names.append(frame.f_code.co_name)
                frame = frame.f_back
            found.add(tuple(reversed(names)))

    dispatches = training.steps(model, model.init_state(init(config, np.random.default_rng(0))), dataset, config, TRAIN)
    sys.setprofile(on_event)
    try:
        next(dispatches)
    finally:
        sys.setprofile(None)
    longest = max(found, key=len)
    assert len(longest) == 7 and longest[:5] == ("train_steps", "train_step", "loss_and_grads", "forward", "block")
    page = (Path(__file__).parents[2] / "docs" / "pages" / "design.md").read_text(encoding="utf-8")
    assert "seven calls from the training loop to a matrix product" in page


def test_a_gain_changes_o_proj_alone_and_draws_the_same_numbers(toy):
    """0: the ordinary start, smaller by 1/sqrt(2L) as down_proj is; g: g times the transpose of v_proj."""
    config = replace(toy[2], hidden_size=64, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2)
    rngs = [np.random.default_rng(3) for _ in range(2)]
    plain, copying = (init(replace(config, o_proj_init_gain=gain), rng) for gain, rng in zip((0.0, 6.0), rngs))
    assert rngs[0].random() == rngs[1].random()
    assert config == replace(config, o_proj_init_gain=6.0)           # the same model, begun otherwise
    for name, leaf in flatten(plain).items():
        assert np.array_equal(leaf, flatten(copying)[name]) == (not name.endswith("o_proj")), name
    for before, after in zip(plain["layers"], copying["layers"]):
        assert before["o_proj"].std() == pytest.approx(config.initializer_range / 2, rel=0.05)
        for head, rows_ED in enumerate(after["o_proj"].reshape(4, 8, 64)):
            key = head // config.queries_per_key
            assert np.array_equal(rows_ED, np.float32(6) * after["v_proj"][:, 8 * key: 8 * key + 8].T)
