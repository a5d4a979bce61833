"""Promise: what moves in a lesson computes what minillm computes, by keyboard too."""

import numpy as np
import pytest

from minillm.in_numpy import ops
from minillm.in_page import page
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
