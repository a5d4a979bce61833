"""Promise: what moves in a lesson computes what minillm computes, by keyboard too."""

import re

import numpy as np
import pytest

from helpers import ROOT, assert_close
from minillm import inspection
from minillm.architecture.quantized import Scheme
from minillm.course.demos import load as load_demo, read_results
from minillm.in_numpy import forward, ops
from minillm.in_page import page
from minillm.loading import load
from minillm.quantization.model import dequantize_params, quantize_params
from minillm.text.tokenizer import VISIBLE, learn_merges

HOST = '<!doctype html><meta charset="utf-8"><div id="widget-{0}"></div><script>{1}</script>'


@pytest.fixture
def opened(browser, tmp_path):
    """Opens a widget alone in a page."""
    def open_widget(name):
        file = tmp_path / f"{name}.html"
        file.write_text(HOST.format(name, page.widget(name, None)), encoding="utf-8")
        browser.get_log("browser")
        browser.get(file.as_uri())
        return browser
    yield open_widget
    assert browser.get_log("browser") == []


def lines(browser, selector):
    return browser.execute_script(
        "return Array.from(document.querySelectorAll(arguments[0]), (item) => item.textContent)",
        selector)


def test_merges_are_those_of_the_lesson(opened):
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    browser, rng = opened("merging"), np.random.default_rng(0)
    text = browser.find_element(By.ID, "merging-text")
    for _ in range(8):
        word = "".join(rng.choice(list("abcd"), rng.integers(2, 40)))
        text.clear()
        text.send_keys(word)
        step, back, everything = browser.find_elements(By.CSS_SELECTOR, "button")
        browser.execute_script("arguments[0].click()", everything)
        # no pretokenizer: the whole text is one word; bytes in the order of their numbers
        wanted = list(learn_merges({word: 1}, [VISIBLE[byte] for byte in range(256)]))
        assert lines(browser, ".lens-rows li") == [
            f"{left} + {right} is token {256 + rank}"
            for rank, (left, right, _) in enumerate(wanted)]
        assert "".join(lines(browser, ".piece")) == word and not step.is_enabled()
        for _ in wanted:
            back.send_keys(Keys.ENTER)
        assert lines(browser, ".piece") == list(word) and not back.is_enabled()
        if wanted:
            left, right, count = wanted[0]
            assert lines(browser, "ol.next li")[0] == f"{left} + {right}: {count}, next"


def test_a_merge_may_cut_a_letter_into_bytes(opened):
    from selenium.webdriver.common.by import By

    browser = opened("merging")
    text = browser.find_element(By.ID, "merging-text")
    text.clear()
    text.send_keys("é è")
    assert lines(browser, ".piece") == ["\\xC3", "\\xA9", "␣", "\\xC3", "\\xA8"]


def test_turning_is_rope(opened):
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    browser, q, k = opened("turning"), np.array([1, 0.4]), np.array([0.5, 0.9])

    def wanted(m, n, frequency):
        turned = [ops.rope(x, np.cos([p * frequency]), np.sin([p * frequency]))
                  for x, p in ((q, m), (k, n))]
        return (f"Distance {m - n}: the product of the turned query and key is "
                f"{turned[0] @ turned[1]:.4f}; before turning it was {q @ k:.4f}.")

    said = lambda: browser.find_element(By.CSS_SELECTOR, ".status").text
    assert said() == wanted(3, 2, 0.1)
    browser.find_element(By.ID, "turning-query").send_keys(Keys.ARROW_RIGHT * 4)
    assert said() == wanted(7, 2, 0.1)
    browser.find_element(By.CSS_SELECTOR, "button").send_keys(Keys.ENTER)
    assert said() == wanted(8, 3, 0.1) == wanted(7, 2, 0.1)
    browser.find_element(By.ID, "turning-pair").send_keys(Keys.HOME)
    assert said() == wanted(8, 3, 1)
    browser.find_element(By.ID, "turning-key").send_keys(Keys.HOME)
    assert said() == wanted(8, 0, 1)


def drag(browser, slider, share):
    """Take the slider of this id with the mouse to about a share of its way."""
    from selenium.webdriver.common.action_chains import ActionChains

    at = browser.find_element("id", slider)
    across = int((share - 0.5) * (at.size["width"] - 16))
    ActionChains(browser).move_to_element(at).click_and_hold().move_to_element_with_offset(
        at, across, 0).release().perform()
    return float(at.get_property("value"))


def test_by_mouse_alone(opened):
    browser = opened("merging")
    browser.find_element("xpath", "//button[text()='Merge the first pair']").click()
    assert lines(browser, ".lens-rows li") == ["a + a is token 256"]
    browser.find_element("xpath", "//button[text()='Back']").click()
    assert lines(browser, ".piece") == list("aaabdaaabac")
    browser = opened("turning")
    m, n, pair = (drag(browser, f"turning-{name}", share)
                  for name, share in (("query", 0.9), ("key", 0.25), ("pair", 0.66)))
    assert m > 33 and 5 < n < 15 and pair == 2
    said = browser.find_element("css selector", ".status").text
    assert said.startswith(f"Distance {m - n:.0f}: ")
    browser.find_element("xpath", "//button[text()='Both one token further']").click()
    assert browser.find_element("css selector", ".status").text == said
    assert browser.find_element("id", "turning-query").get_property("value") == f"{m + 1:.0f}"


# ---- widgets with the model of lesson 15 -----------------------------------------------------


@pytest.fixture(scope="module")
def model():
    return load(ROOT / "lessons" / "15_inside" / "model")


@pytest.fixture
def with_model(browser, tmp_path, model):
    """Opens a widget of a lesson with its own data and the model, as the page does."""
    def open_widget(name, lesson, **changes):
        folder = ROOT / "lessons" / lesson
        data = dict(load_demo(folder)["widgets"](read_results(folder)))[name] | changes
        (tmp_path / "model.js").write_text(page.shared(model), encoding="utf-8")
        (tmp_path / f"{name}.js").write_text(page.widget(name, data), encoding="utf-8")
        file = tmp_path / f"{name}.html"
        file.write_text(f'<!doctype html><meta charset="utf-8"><div id="widget-{name}"></div>'
                        f'<script src="model.js" defer></script>'
                        f'<script src="{name}.js" defer></script>', encoding="utf-8")
        browser.get_log("browser")
        browser.get(file.as_uri())
        return data
    yield open_widget
    assert browser.get_log("browser") == []


def status(browser):
    return browser.find_element("css selector", ".status").text


def settled(browser, before, begins=""):
    """The status, once it is another one, and begins so."""
    browser.execute_async_script(
        "const [before, begins, done] = arguments, look = () => {"
        "const said = document.querySelector('.status').textContent;"
        "said !== before && said.startsWith(begins) ? done() : setTimeout(look, 30) }; look();",
        before, begins)
    return status(browser)


def looks(model, text, layer, head, at):
    """The shares of attention of one head at token `at`, and what the widget calls the tokens."""
    pattern = inspection.record(model, text, twin="numpy")[f"layers.{layer}.pattern"]
    T = pattern.shape[-1]
    return pattern[0].reshape(-1, T, T)[head, at]


def percent_of(words):
    return float(re.search(r"([\d.]+)%", words)[1]) / 100


def test_attention_of_a_typed_sentence_is_that_of_python(with_model, browser, model):
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    data = with_model("attending", "03_attention")
    T = len(model.begin) + len(model.tokenizer.encode(data["text"]))
    said = status(browser)
    assert said.startswith("Head 0.0 at “came” looks at “Tala”")
    row = looks(model, data["text"], 0, 0, T - 1)
    assert abs(percent_of(said) - row.max()) < 0.006
    line = browser.find_element(By.ID, "attending-tokens")
    line.send_keys(Keys.ARROW_LEFT * 3)                         # by keyboard: three tokens earlier
    browser.find_element(By.ID, "attending-head").send_keys(Keys.ARROW_DOWN * 5)
    said = status(browser)
    assert said.startswith("Head 1.1 at “windmill”")
    assert abs(percent_of(said) - looks(model, data["text"], 1, 1, T - 4).max()) < 0.006
    browser.find_element(By.ID, "attending-tokens-5").click()   # by mouse
    assert status(browser).startswith("Head 1.1 at “librarian”")
    chosen = browser.find_element(By.ID, "attending-tokens-5")
    assert chosen.get_attribute("aria-selected") == "true"
    box = browser.find_element(By.ID, "attending-text")
    box.clear()
    box.send_keys("a <b>fox</b> was")
    said = settled(browser, status(browser), "Head 1.1 at “was”")
    assert said.startswith("Head 1.1 at “was”") and not browser.find_elements(By.TAG_NAME, "b")
    box.send_keys(" was" * 90)
    assert "shorten it" in settled(browser, said, "The text has")


def test_the_lens_is_that_of_python(with_model, browser, model):
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    data = with_model("lens", "15_inside")
    ids = [*model.begin, *model.tokenizer.encode(data["text"])]
    lens = inspection.logit_lens(model, data["text"], count=1, twin="numpy")

    def firsts():
        return lines(browser, ".lens-table p > span:nth-of-type(1)")

    assert len(firsts()) == model.config.num_hidden_layers + 1
    for said, p in zip(firsts(), lens.p_NTM[:, -1, 0]):
        assert abs(percent_of(said) - p) < 0.006
    browser.find_element(By.ID, "lens-tokens").send_keys(Keys.HOME)
    assert status(browser).startswith("After the beginning mark")
    browser.find_element(By.ID, f"lens-tokens-{len(ids) - 2}").click()
    assert status(browser).endswith("in the text “came” follows.")
    assert "came" in lines(browser, ".lens-table p:last-child .right")[0]


def test_a_patched_name_comes_back_as_in_python(with_model, browser, model):
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys
    from selenium.webdriver.support.ui import Select

    data = with_model("patching", "15_inside")
    last = [int(inspection.logits_of(model, data[name], twin="numpy")[0, -1].argmax())
            for name in ("clean", "corrupt")]
    found = inspection.patch(model, data["clean"], data["corrupt"], twin="numpy",
                             target=inspection.target(model, *last))
    ids = [*model.begin, *model.tokenizer.encode(data["corrupt"])]
    named = ids.index(model.tokenizer.encode(" Soren")[0])

    def share():
        return float(re.search(r": (-?[\d.]+) of the difference", status(browser))[1])

    assert status(browser).startswith("“Soren”, the stream that enters layer 0: 1.000 of the")
    assert "logit of “Farid” less that of “Soren”" in status(browser)
    Select(browser.find_element(By.ID, "patching-layer")).select_by_value("1")
    assert abs(share() - found.recovered_LN[1, named]) < 1e-3
    browser.find_element(By.ID, "patching-tokens").send_keys(Keys.END)        # by keyboard
    assert abs(share() - found.recovered_LN[1, len(ids) - 1]) < 1e-3
    browser.find_element(By.ID, f"patching-tokens-{named + 1}").click()       # by mouse
    assert status(browser).startswith("“,”") and abs(
        share() - found.recovered_LN[1, named + 1]) < 1e-3
    browser.find_element(By.CSS_SELECTOR, "button").click()
    looks = ("return Array.from(document.querySelectorAll('#patching-tokens .token'), "
             "(token) => Number(token.style.getPropertyValue('--look')) ** 2)")
    for _ in range(300):
        browser.execute_async_script("setTimeout(arguments[0], 100)")
        shown = browser.execute_script(looks)
        if shown[-1] > 0:
            break
    assert_close(np.array(shown), np.clip(found.recovered_LN[1], 0, 1), 2e-3)
    box = browser.find_element(By.ID, "patching-clean")
    box.send_keys(" <b>")
    assert "of equal length" in settled(browser, status(browser))
    assert not browser.find_elements(By.TAG_NAME, "b")


SCHEMES = {"tensor": "tensor", "channel": "channel", "group": "group32"}


@pytest.mark.parametrize("per, bits",
                         [("group", 4), ("channel", 3), ("tensor", 8), ("channel", 8)])
def test_rounding_in_the_page_costs_what_it_costs_in_python(with_model, browser, model, per, bits):
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys
    from selenium.webdriver.support.ui import Select

    data = with_model("rounding", "11_int8")
    ids = np.array([[*model.begin, *model.tokenizer.encode(data["text"])]])
    whole = dequantize_params(model.params)

    def loss(params):
        logits_TV = forward(params, ids[:, :-1], model.config)[0][0]
        return float(ops.cross_entropy(logits_TV[None].astype(np.float64), ids[:, 1:]))

    said, slider = status(browser), browser.find_element(By.ID, "rounding-bits")
    slider.send_keys(Keys.END)                                  # by keyboard: 8 bits
    said = settled(browser, said, "8.5")
    Select(browser.find_element(By.ID, "rounding-per")).select_by_value(per)
    if bits < 8:
        slider.send_keys(Keys.ARROW_LEFT * (8 - bits))
    said = settled(browser, "", str(bits) + ".")
    rounded = quantize_params(whole, Scheme(bits, SCHEMES[per]))
    shown = [float(x) for x in re.findall(r"([\d.]+) (?:bits per|nats per|before)", said)]
    assert_close(shown[1:], [loss(rounded), loss(whole)], 1e-3)
    assert abs(shown[0] - {"tensor": bits, "channel": bits + 0.24, "group": bits + 0.5}[per]) < 0.03
    if (per, bits) == ("channel", 8):                           # what is stored already
        assert shown[1] == shown[2]
        assert drag(browser, "rounding-bits", 0) == 2           # by mouse
        said = settled(browser, said, "2.")
        assert float(re.search(r"([\d.]+) nats per", said)[1]) > shown[1] + 0.5


def test_the_lesson_s_model_is_taken_apart_in_its_page(with_model, browser, model):
    data = with_model("live", "15_inside")
    browser.execute_async_script(
        "const done = arguments[0], look = () => document.querySelector('#widget-live')"
        ".dataset.ready ? done() : setTimeout(look, 50); look();")
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys
    from selenium.webdriver.support.ui import Select
    verdict = browser.find_element(By.ID, "live-verdict").text
    gap = float(verdict.rsplit(" ", 1)[1].rstrip("."))
    logits_V = inspection.logits_of(model, data["prompt"], twin="numpy")[0, -1]
    names = [model.tokenizer.encode(f" {name}")[0] for name in ("Farid", "Soren")]
    assert abs(gap - (logits_V[names[0]] - logits_V[names[1]])) < 0.01
    assert "Farid" in verdict and "Soren" in verdict
    browser.find_element(By.ID, "live-grid").send_keys(Keys.ENTER)   # head 0.0 taken out
    browser.execute_async_script(
        "const done = arguments[0], at = document.getElementById('live-verdict'), look = () => "
        "at.textContent.includes('without edits') ? done() : setTimeout(look, 50); look();")
    edited = inspection.logits_of(model, data["prompt"], [inspection.zero("layers.0.z", heads=[0])],
                                  twin="numpy")[0, -1]
    said = browser.find_element(By.ID, "live-verdict").text
    gap = float(re.search(r": ([\d.−-]+),", said)[1].replace("−", "-"))
    assert abs(gap - (edited[names[0]] - edited[names[1]])) < 0.01
    Select(browser.find_element(By.ID, "live-mode")).select_by_value("patched")
    carrier = read_results(ROOT / "lessons" / "15_inside")["exact"]["shown"]["carrier"]
    cell = browser.find_element(By.ID, f"live-{carrier.replace('.', '-')}")
    cell.click()                                                     # by mouse: the name's head
    browser.execute_async_script(
        "const [was, done] = arguments, at = document.getElementById('live-verdict'), look = () => "
        "at.textContent !== was ? done() : setTimeout(look, 50); look();", said)
    assert cell.get_attribute("aria-label").endswith(", patched")
    other = inspection.record(model, data["other"], twin="numpy")
    layer, head = map(int, carrier.split("."))
    edited = inspection.logits_of(
        model, data["prompt"], [inspection.swap(f"layers.{layer}.z", other, heads=[head])],
        twin="numpy")[0, -1]
    said = browser.find_element(By.ID, "live-verdict").text
    gap = float(re.search(r": ([\d.−-]+),", said)[1].replace("−", "-"))
    assert abs(gap - (edited[names[0]] - edited[names[1]])) < 0.01 and gap < 0
