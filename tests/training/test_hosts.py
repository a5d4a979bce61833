"""Promises of several machines: the losses of one process, files once, an end in one line.

The machines are processes of this one; each has its own devices.
"""

import os
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import psutil
import pytest

import minillm
from minillm import training
from minillm.architecture.tree import flatten
from minillm.formats import checkpoint
from minillm.text import dataset as data
from minillm.text.corpora import Corpus
from runs import TOY, assert_same_run

STEPS = 40
FLAGS = dict(steps=STEPS, batch_size=8, context=16, optimizer="adamw", warmup_steps=4,
             steps_per_dispatch=2, eval_every=30, eval_rows=8, save_every=10, keep="last")
FLAGS |= {name: value for name, value in TOY.items() if name != "max_position_embeddings"}
OPTIONS = [word for name, value in FLAGS.items()
           for word in (f"--{name.replace('_', '-')}", str(value))]


@pytest.fixture(scope="module")
def prepared(toy, tmp_path_factory):
    """A dataset of which little is held out, and where what is compiled is kept."""
    folder, (_, made, _) = tmp_path_factory.mktemp("hosts"), toy
    text = " ".join(["the cat sat. a dog ran."] * 40)
    data.prepare(Corpus("toy", "two sentences", [text], [text[:120]]), made, folder / "data")
    return folder


@pytest.fixture(scope="module")
def alone(prepared):
    """The run of one process that has four devices."""
    one = start(prepared, "alone", 4)
    assert ended(one)[0] == 0
    return prepared / "alone"


@pytest.fixture(scope="module")
def together(prepared):
    """The run of two hosts with two devices each, parameters shared out; what each host said."""
    return prepared / "together", [ended(p) for p in hosts(prepared, "together", 2, 2, "--shard")]


def start(prepared, out, devices, *options) -> subprocess.Popen:
    command = [sys.executable, "-m", "minillm", "pretrain", str(prepared / "data"), *OPTIONS,
               "--cpu-devices", str(devices), "--out", str(prepared / out), *options]
    environment = {"JAX_DISABLE_MOST_OPTIMIZATIONS": "1", "OPENBLAS_NUM_THREADS": "1",
                   "JAX_COMPILATION_CACHE_DIR": str(prepared / "compiled"),
                   "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            env=os.environ | environment)


def hosts(prepared, out, count, devices, *options) -> list[subprocess.Popen]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
    return [start(prepared, out, devices, "--hosts", str(count), "--host", str(i),
                  "--coordinator", address, *options) for i in range(count)]


def ended(process, seconds: float = 120) -> tuple[int, str, str]:
    """(exit status, standard output, standard error) of a process that ends by itself."""
    out, err = process.communicate(timeout=seconds)
    return process.returncode, out, err


def losses(folder) -> list[float]:
    return [r["loss"] for r in training.read_metrics(folder / training.METRICS) if "loss" in r]


def assert_like_one_process(folder, alone):
    assert len(losses(folder)) == STEPS and losses(alone)[-1] < losses(alone)[0] / 2
    np.testing.assert_allclose(losses(folder), losses(alone), rtol=1e-6, atol=0)
    ours, theirs = (flatten(minillm.load(path).params) for path in (folder, alone))
    for name in theirs:
        np.testing.assert_allclose(ours[name], theirs[name], rtol=0, atol=1e-5, err_msg=name)


def test_two_hosts_are_one_process(together, alone):
    folder, said = together
    assert_like_one_process(folder, alone)
    (first, out, err), second = said
    assert (first, err) == (0, "") and out.count("held-out loss ") == 3
    assert second == (0, "", "")                                  # host 0 alone speaks
    records = training.read_metrics(folder / training.METRICS)
    assert [r["step"] for r in records if "held_out" in r] == [0, 30, STEPS]
    assert not list(folder.glob("*.part")) and (folder / "summary.json").exists()
    ours, theirs = (checkpoint.read_tensors(path / training.STATE, ("F32",))[0]
                    for path in (folder, alone))
    assert {k: v.shape for k, v in ours.items()} == {k: v.shape for k, v in theirs.items()}


@pytest.mark.slow
@pytest.mark.parametrize("shard", ["--shard", "--no-shard"])
def test_four_hosts_are_one_process(shard, prepared, alone):
    out = f"four{shard}"
    said = [ended(process) for process in hosts(prepared, out, 4, 1, shard)]
    assert [status for status, _, _ in said] == [0] * 4
    assert_like_one_process(prepared / out, alone)


def test_a_killed_host_ends_the_others_in_one_line_and_the_run_goes_on(prepared, together):
    """Bit for bit, with as many hosts and devices as before."""
    processes = hosts(prepared, "killed", 2, 2, "--shard")
    wait_for_step(prepared / "killed", 12)
    psutil.Process(processes[1].pid).children()[0].kill()
    for process in processes:
        assert_one_line(*ended(process))
    assert 10 <= saved_step(prepared / "killed") < STEPS
    assert [ended(p)[0] for p in hosts(prepared, "killed", 2, 2, "--resume")] == [0, 0]
    assert_same_run(prepared / "killed", together[0])


def wait_for_step(folder, step: int):
    """Until a run has logged a step."""
    for _ in range(12_000):
        if (folder / training.METRICS).exists() and len(losses(folder)) > step:
            return
        time.sleep(0.01)
    raise AssertionError(f"{folder}: did not come to step {step}")


def saved_step(folder) -> int:
    return int(checkpoint.read_tensors(folder / training.STATE, ("F32",))[1]["step"])


def assert_one_line(status, out, err):
    assert status == 2 and "Traceback" not in out + err, err
    assert err.count("\n") == 1 and err.startswith("minillm: host ") and "--resume" in err


@pytest.mark.slow
def test_host_0_dies_a_signal_stops_all_and_another_layout_goes_on(prepared, alone):
    processes = hosts(prepared, "stopped", 2, 2)
    wait_for_step(prepared / "stopped", 2)
    processes[1].send_signal(signal.SIGTERM)
    (status, out, _), other = (ended(process) for process in processes)
    assert status == 0 and "saved at step" in out and other == (0, "", "")
    assert 0 < saved_step(prepared / "stopped") < STEPS
    processes = hosts(prepared, "stopped", 2, 1, "--resume", "--shard")
    wait_for_step(prepared / "stopped", saved_step(prepared / "stopped") + 1)
    processes[0].kill()                                           # its child leaves with it
    ended(processes[0])
    assert_one_line(*ended(processes[1]))
    status, _, err = ended(start(prepared, "stopped", 1, "--resume", "--no-shard"))
    assert status == 0, err
    assert_like_one_process(prepared / "stopped", alone)


@pytest.mark.slow
def test_hosts_that_differ_are_refused(prepared):
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
    processes = [start(prepared, "differ", 1, "--hosts", "2", "--host", str(i), "--coordinator",
                       address, "--seed", str(i)) for i in range(2)]
    said = [ended(process) for process in processes]
    assert all(status == 2 and err.count("\n") == 1 for status, _, err in said)
    assert any("the hosts differ in options" in err for _, _, err in said)
    assert not (prepared / "differ" / training.STATE).exists()


HOSTS = ("--hosts", "2", "--host", "0", "--coordinator", "localhost:1234")


@pytest.mark.parametrize("options, message", [
    (("--hosts", "0"), "--hosts 0"), (("--host", "0"), "--host: is for several machines"),
    (("--coordinator", "a:1"), "--coordinator: is for several machines"),
    (HOSTS[:2], "--host is missing: must be a number from 0 to 1"),
    ((*HOSTS, "--host", "2"), "--host 2: must be a number from 0 to 1"),
    ((*HOSTS, "--host", "-1"), "--host -1: must be a number from 0 to 1"),
    (HOSTS[:4], "--coordinator None: must be HOST:PORT"),
    ((*HOSTS, "--coordinator", "localhost"), "--coordinator localhost: must be HOST:PORT"),
    ((*HOSTS, "--coordinator", ":99999"), "--coordinator :99999: must be HOST:PORT"),
    ((*HOSTS, "--twin", "numpy"), "--hosts 2: is for --twin jax"),
    ((*HOSTS, "--batch-size", "5"), "--batch-size 5: must be a multiple of the 2 hosts"),
    (("--shard", "--batch-size", "5"), "--batch-size 5: must be a multiple of 2"),
    (("--shard", "--twin", "numpy"), "--shard is 'given'"),
], ids=lambda value: " ".join(value) if isinstance(value, tuple) else "")
def test_options_that_are_no_place_in_a_run(options, message, minillm, prepared, tmp_path):
    status, _, err = minillm("pretrain", prepared / "data", *OPTIONS, "--out", tmp_path / "run",
                             *options)
    assert status == 2 and err.count("\n") == 1 and message in err
    assert not (tmp_path / "run" / training.STATE).exists()
