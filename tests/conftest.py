"""Fixtures that all tests share, and how JAX runs in them."""

import os
import random
import re

if "PYTEST_XDIST_WORKER" in os.environ:                # as many processes as cores: one thread of BLAS in each
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import jax
import numpy as np
import pytest

import needs
from minillm import cli
from minillm.config import ModelConfig
from minillm.text import dataset as data, tokenizer
from minillm.text.corpora import Corpus
from needs import pytest_configure, pytest_runtest_setup, pytest_terminal_summary  # noqa: F401  (hooks, which pytest finds here)
from runs import TOY

# Tests compile hundreds of tiny programs and run each once: compile fast, not well.
jax.config.update("jax_disable_most_optimizations", True)
# As every training run does (TrainConfig.cpu_devices): runs in this process equal runs in their own.
jax.config.update("jax_num_cpu_devices", 2)


def pytest_addoption(parser):
    parser.addoption("--shuffle", metavar="SEED",
                     help="run files, and the tests of each, in the random order of this seed")


def pytest_collection_modifyitems(config, items):
    """With --shuffle SEED, another order: a test that needs the one before it fails."""
    if seed := config.getoption("--shuffle"):
        rng = random.Random(seed)
        place = {path: rng.random() for path in sorted({item.path for item in items})}
        rng.shuffle(items)
        items.sort(key=lambda item: place[item.path])     # the tests of a file share its fixtures


@pytest.fixture(autouse=True, scope="module")
def forget_programs():
    """What was compiled for one file is of no use to the next, and takes gigabytes."""
    yield
    jax.clear_caches()


@pytest.fixture(params=[np.float32, np.float64], ids=["float32", "float64"])
def dtype(request):
    """Runs the test in both precisions; JAX's 64-bit mode is on for float64 alone."""
    with jax.enable_x64(request.param is np.float64):
        yield request.param


@pytest.fixture
def float64():
    with jax.enable_x64(True):
        yield np.float64


@pytest.fixture
def minillm(capsys):
    """Runs a command in this process: (exit status, standard output, standard error without the
    lines that only a slow machine shows)."""
    def run(*arguments):
        capsys.readouterr()
        try:
            status = cli.main([str(argument) for argument in arguments])
        except SystemExit as leaving:
            status = leaving.code
        out, err = capsys.readouterr()
        return status, out, re.sub(r"^\[.* s so far\]\n", "", err, flags=re.MULTILINE)
    return run


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    """(dataset, tokenizer, config): a text in which the next character is nearly always known."""
    rng = random.Random(0)
    documents = [" ".join(rng.choice(["the cat sat.", "a dog ran.", "one bird sang."]) for _ in range(6)) for _ in range(60)]
    made = tokenizer.train_characters(documents, special_tokens=[tokenizer.END_OF_TEXT])
    dataset = data.prepare(Corpus("toy", "three sentences", documents[:50], documents[50:]), made,
                           tmp_path_factory.mktemp("toy") / "data")
    return dataset, made, ModelConfig(vocab_size=made.vocab_size, **TOY)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """Chromium without network, noting every request and every line of its console."""
    needs.require("chromium", "chromedriver")
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = needs.program("chromium")
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        f"--user-data-dir={tmp_path_factory.mktemp('chromium')}",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    service = webdriver.ChromeService(needs.program("chromedriver"))
    made = webdriver.Chrome(options=options, service=service)
    made.execute_cdp_cmd("Network.enable", {})
    made.execute_cdp_cmd(
        "Network.emulateNetworkConditions",
        {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0},
    )
    yield made
    made.quit()
