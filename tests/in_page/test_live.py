"""Promises of `minillm inspect --live`: what is edited in the page gives what Python's edits give;
it works by keyboard, says what cannot be, and loads nothing."""

import json
from dataclasses import replace

import numpy as np
import pytest

from helpers import HOSTILE, ROOT, assert_close
from minillm import inspection
from minillm.errors import UserError
from minillm.in_page.page import live
from minillm.inspection import report
from minillm.loading import load

NANO = ROOT / "lessons" / "15_inside" / "model"
PROMPT, OTHER = "Once there was a doctor named Amara", "Once there was a sailor named Bjorn"
LAYER = 2
STATE = "const {state} = window.live; return state.edited && Array.from(state.edited.logits_V)"


@pytest.fixture(scope="module")
def model():
    return load(NANO)


@pytest.fixture(scope="module")
def file(model, tmp_path_factory):
    """A report without panels, with the model in it."""
    contents = report.contents(model, PROMPT, OTHER, twin="numpy", panels=())
    path = tmp_path_factory.mktemp("live") / "report.html"
    report.write(path, contents | {"live": live(model, PROMPT, OTHER)})
    return path


@pytest.fixture
def opened(browser, file):
    """The page, when the first numbers are there; in the end nothing was asked for or failed."""
    for kind in ("browser", "performance"):
        browser.get_log(kind)
    browser.get(file.as_uri())
    browser.execute_async_script("live.ready.then(arguments[0])")
    yield browser
    asked = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    urls = [m["params"]["request"]["url"] for m in asked
            if m["method"] == "Network.requestWillBeSent"]
    assert urls == [file.as_uri()] and not browser.get_log("browser")


def set_up(browser, script):
    """Run a line in the page and wait for its numbers; returns the edited logits."""
    browser.execute_async_script(f"{script}; live.changed().then(arguments[0])")
    return np.array(browser.execute_script(STATE))


def wanted(model, edits=()):
    return inspection.logits_of(model, PROMPT, edits, twin="numpy")[0, -1]


def test_edits_are_those_of_python(model, opened):
    other = inspection.record(model, OTHER, twin="numpy")
    this = inspection.record(model, PROMPT, twin="numpy")
    assert_close(np.array(opened.execute_script(STATE)), wanted(model), 1e-4)
    logits = set_up(opened, "live.state.edits.set('3.1', 'out').set('1.mlp', 'out')")
    assert_close(logits, wanted(model, [inspection.zero("layers.3.z", heads=[1]),
                                        inspection.zero("layers.1.mlp_out")]), 1e-4)
    logits = set_up(opened, "live.state.edits.clear(); live.state.edits.set('0.2', 'patched')"
                            ".set('2.mlp', 'patched')")
    assert_close(logits, wanted(model, [inspection.swap("layers.0.z", other, heads=[2]),
                                        inspection.swap("layers.2.mlp_out", other)]), 1e-4)
    name = f"layers.{LAYER}.resid_post"
    direction_D = other[name][0, -1] - this[name][0, -1]
    logits = set_up(opened, "live.state.edits.clear(); live.strength.value = 1.5")
    assert_close(logits, wanted(model, [inspection.add(name, 1.5 * direction_D)]), 1e-4)
    assert np.abs(logits - wanted(model)).max() > 0.1  # it does something


def test_it_goes_on_as_python_does_with_the_edits(model, opened):
    set_up(opened, "live.strength.value = 0; live.state.edits.set('3.1', 'out')")
    text = opened.execute_script("return live.state.edited.text")
    edits = [inspection.zero("layers.3.z", heads=[1])]
    steps = inspection.record_generation(model, PROMPT, (), edits, "numpy", temperature=0,
                                         max_new_tokens=len(text))
    assert text == [token for token, _ in steps] and len(text) > 5


def test_by_keyboard(opened):
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    grid = opened.find_element(By.ID, "live-grid")
    grid.send_keys(Keys.ARROW_DOWN, Keys.ARROW_RIGHT, Keys.ENTER)
    opened.execute_async_script("live.changed().then(arguments[0])")
    cell = opened.find_element(By.ID, "live-1-1")
    assert cell.get_attribute("aria-selected") == "true"
    assert cell.get_attribute("aria-label") == "Head 1.1, taken out"
    verdict = opened.find_element(By.ID, "live-verdict").text
    assert verdict.startswith("Logit of “") and verdict.endswith("without edits.")
    grid.send_keys(" ")
    opened.execute_async_script("live.changed().then(arguments[0])")
    assert cell.get_attribute("aria-label") == "Head 1.1"


def test_a_hostile_checkpoint_is_shown_as_text_and_never_run(hostile, browser, tmp_path):
    prompt, path = HOSTILE[0], tmp_path / "report.html"
    contents = report.contents(hostile, prompt, twin="numpy", panels=())
    report.write(path, contents | {"live": live(hostile, prompt)})
    browser.get(path.as_uri())
    browser.execute_async_script("live.ready.then(arguments[0])")
    assert browser.title.startswith("Inside ")
    assert browser.execute_script("return live.state.edited")
    markup = "return document.querySelectorAll('#live img, #live script').length"
    assert browser.execute_script(markup) == 0
    assert browser.execute_script("return live.prompt.value") == prompt


def with_norm(model, value):
    """The model with a last norm that no training gives."""
    return replace(model, params=model.params | {"norm": np.full_like(model.params["norm"], value)})


def test_numbers_that_overflow_are_said_in_words(model, browser, tmp_path):
    path = tmp_path / "report.html"
    contents = report.contents(model, PROMPT, twin="numpy", panels=())
    report.write(path, contents | {"live": live(with_norm(model, 3e38), PROMPT)})
    browser.get(path.as_uri())
    browser.execute_async_script("live.ready.then(arguments[0])")
    said = browser.execute_script("return document.querySelector('#live .status').textContent")
    assert said == "The model's logits are not finite numbers: there is nothing to see."
    assert browser.execute_script("return live.state.edited") is None


def test_nan_and_huge_models_are_refused(model):
    with pytest.raises(UserError, match="norm has numbers that are NaN or infinite"):
        live(with_norm(model, np.nan), PROMPT)
    huge = np.broadcast_to(np.float32(0), (2**31, 2**20))         # two petabytes, never stored
    with pytest.raises(UserError, match="a page holds at most 20"):
        live(replace(model, params=model.params | {"embed_tokens": huge}), PROMPT)


@pytest.mark.parametrize(("script", "words"), [
    ("live.other.value = 'Once'; live.state.edits.set('0.0', 'patched')", "of equal length"),
    ("live.other.value = ''; live.strength.value = 1", "Type another prompt"),
    ("live.prompt.value = 'Once '.repeat(2000)", "shorten it")])
def test_what_cannot_be_is_said(opened, script, words):
    set_up(opened, script)
    said = "return document.querySelector('#live .status').textContent"
    assert words in opened.execute_script(said)


def test_a_command_writes_it_and_says_what_it_needs(minillm, tmp_path):
    out = tmp_path / "page.html"
    status, _, error = minillm("inspect", NANO, PROMPT, "--live", "--panels", "", "--out", out,
                               "--twin", "numpy")
    assert status == 0, error
    text = out.read_text(encoding="utf-8")
    assert text.count('id="live-data"') == 1 and "function Live(" in text
    for extra in (["--ids"], ["--special"]):
        status, _, error = minillm("inspect", NANO, "1 2", "--live", *extra, "--out", out,
                                   "--force")
        assert status == 2 and "--live reads what one types" in error
