"""Promises: the report is one small file that loads nothing and runs nothing but its own script, whatever the tokens are; in a
browser without network every panel is drawn and the token cursor and the choice of a head work."""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from helpers import DATA, REAL, random_bloom, random_config, random_params
from minillm import cli
from minillm.architecture.llama import init
from minillm.config import ModelConfig
from minillm.errors import UserError
from minillm.formats import checkpoint
from minillm.inspection import report, shown
from minillm.loading import Model
from minillm.text import tokenizer

HOSTILE = ["</script><script>alert(1)</script>", "<img src=x onerror=alert(1)>", "]]>", "\u202e", "\u2028", "\x00", "<!--", "{{DATA}}", "&lt;"]
PANELS = ["trust", "next", "norms", "heads", "pattern", "circuits", "lens", "attribution", "ablation", "patching", "neurons", "compare", "left"]


@pytest.fixture(scope="module")
def hostile_tokenizer():
    return tokenizer.train(["a fox found three apples. The fox gave two apples away. " * 3], 290)


@pytest.fixture(scope="module")
def model(hostile_tokenizer):
    rng = np.random.default_rng(0)
    config = random_config(rng, vocab_size=hostile_tokenizer.vocab_size, num_hidden_layers=2, hidden_size=16, num_attention_heads=4,
                           num_key_value_heads=2, max_position_embeddings=256, bos_token_id=0, eos_token_id=0)
    return Model(config, random_params(config, rng), hostile_tokenizer, "a <b>model</b>", (0,))


@pytest.fixture(scope="module")
def page(model):
    """A page with every panel, of a prompt that holds all of hostile-files.md 27 and half of a UTF-8 sequence."""
    ids = model.prompt_ids("".join(HOSTILE)) + model.tokenizer.encode_bytes(b"\xe2\x82") + [0, 0]
    corrupt = [*ids[:-3], ids[-1], *ids[-2:]]
    other = Model(model.config, {**model.params, "norm": model.params["norm"] * 1.01}, model.tokenizer, "other")
    return report.page(report.contents(model, ids, corrupt, other, twin="numpy"))


class Reader(HTMLParser):
    """Notes every element that a browser would make, and the text of scripts and styles."""

    def __init__(self):
        super().__init__()
        self.tags, self.texts, self.attributes = [], {}, []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += attributes

    def handle_data(self, text):
        if self.tags and self.tags[-1] in ("script", "style"):
            self.texts.setdefault(self.tags[-1], []).append(text)


def test_nothing_of_a_token_becomes_markup(page):
    reader = Reader()
    reader.feed(page)
    assert reader.tags == ["html", "head", "meta", "meta", "meta", "meta", "title", "style", "body", "a", "header", "main", "noscript", "p",
                           "footer", "script", "script"]
    assert not [name for name, _ in reader.attributes if name.startswith("on") or name == "src" or name == "style"]
    assert "http" not in page.replace("http-equiv", "").replace("http://www.w3.org/2000/svg", "")
    assert not re.search("[\u202a-\u202e\u2066-\u2069\u2028\u2029\x00-\x08]", page)
    data = json.loads(reader.texts["script"][0])
    assert "</script" in "".join(text for segments in data["labels"].values() for text, _ in segments) or data["tokens"]


def test_the_policy_allows_this_style_and_this_script_and_nothing_else(page):
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1]
    assert policy.startswith("default-src 'none';") and "unsafe" not in policy
    for kind, tag in (("style", "style"), ("script", "script")):
        text = re.search(rf"<{tag}>(.*?)</{tag}>", page, re.S)[1]
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy


def test_tokens_are_shown_with_escapes(model):
    assert shown.segments("a\u202eb".encode()) == [["a", False], ["\\u{202E}", True], ["b", False]]
    assert shown.segments(b"\xe2\x82") == [["\\xE2\\x82", True]]
    assert shown.segments("\x00\u2028\n\u200b".encode()) == [["\\u{0000}\\u{2028}\\n\\u{200B}", True]]
    assert shown.segments("</script> é 日本".encode()) == [["</script> é 日本", False]]
    assert shown.segments(b"") == [["", False]]
    assert shown.shown(None, 7) == [["[7]", False]]
    assert shown.shown(model.tokenizer, 10**6) == [["[1000000]", False]]
    for token in range(model.config.vocab_size):
        text = "".join(part for part, _ in shown.shown(model.tokenizer, token))
        assert text.isprintable(), token


def test_the_arrays_come_back(model):
    found = report.contents(model, [0, 5, 6, 7, 5, 6], effort=1.0, twin="numpy")
    arrays = {name: np.frombuffer(base64.b64decode(a["data"]), np.dtype(a["kind"])).reshape(a["shape"]) for name, a in found["arrays"].items()}
    from minillm.inspection import record
    from minillm.inspection.heads import patterns
    pattern_LHTS = patterns(record(model, [0, 5, 6, 7, 5, 6]), model.config)
    low = np.tril_indices(6)
    np.testing.assert_allclose((arrays["pattern"] / 255.0) ** 2, pattern_LHTS.reshape(8, 6, 6)[:, *low], atol=0.005)
    total = arrays["part_embed"] + arrays["part_head"].sum((1, 2)) + arrays["part_bias"].sum(1) + arrays["part_mlp"].sum(1) + arrays["part_norm"]
    np.testing.assert_allclose(total, arrays["part_logit"], atol=1e-4 * np.abs(arrays["part_logit"]).max())
    assert {c["verdict"] for c in found["checks"]} == {"holds"}
    assert ["patching", "it needs a second prompt of as many tokens: --corrupt TEXT"] in found["left_out"]


def test_little_effort_says_what_it_left_out(model):
    found = report.contents(model, [0, 5, 6, 7], [0, 5, 8, 7], effort=1e-6, twin="numpy")
    whole = report.contents(model, [0, 5, 6, 7], [0, 5, 8, 7], twin="numpy")
    left = dict(found["left_out"])
    assert any(name.startswith("ablation of") for name in left) and any("exact patches" in name for name in left)
    assert {"the checks", "the lens", "neurons", "OV and QK circuits"} <= set(left)
    assert all("--effort" in left[name] for name in ("the checks", "the lens", "neurons"))
    assert "patch_resid_pre_control" not in found["arrays"] and "patch_resid_pre_control" in whole["arrays"]
    assert not any("exact" in name or "--effort" in why for name, why in whole["left_out"])
    assert {"patch_k", "patch_both", "neuron_effect", "copying"} <= set(whole["arrays"])


@pytest.mark.parametrize("make", [random_config, random_bloom])
def test_every_model_gets_a_page(make):
    """One layer, one head, one token, no tokenizer; BLOOM says what it has not."""
    for seed in range(3):
        rng = np.random.default_rng(seed)
        config = make(rng, num_hidden_layers=1 + seed % 2)
        made = Model(config, random_params(config, rng), None, "x")
        for prompt in ([1], [1, 2, 3, 1, 2]):
            found = report.contents(made, prompt, prompt[:-1] + [4], twin="numpy")
            assert "</html>" in report.page(found)
        assert (make is random_bloom) == any("BLOOM" in why for _, why in found["left_out"])


def test_weights_that_are_not_numbers_are_said_in_words(model, tmp_path, capsys):
    params = {**model.params, "norm": model.params["norm"] * np.nan}
    checkpoint.save_model(tmp_path / "m", model.config, params, model.tokenizer)
    status = cli.main(["inspect", str(tmp_path / "m"), "a fox", "--out", str(tmp_path / "r.html")])
    out, _ = capsys.readouterr()
    assert status == 1 and "final_norm" in out and "NaN" in out
    assert "final_norm are NaN" in (tmp_path / "r.html").read_text(encoding="utf-8")


def test_the_command(model, tmp_path, capsys):
    checkpoint.save_model(tmp_path / "m", model.config, model.params, model.tokenizer)
    out = tmp_path / "r.html"
    assert cli.main(["inspect", str(tmp_path / "m"), "a fox found two", "--corrupt", "a fox gave two", "--out", str(out), "--twin", "numpy",
                     "--against", str(tmp_path / "m")]) in (0, 2)
    capsys.readouterr()
    again = ["0 5 6", "--ids", "--out", str(out), "--twin", "numpy", "--force"]
    assert cli.main(["inspect", str(tmp_path / "m"), *again]) == 0
    assert "identities hold" in capsys.readouterr().out and out.stat().st_size < 300_000
    (tmp_path / "pairs.tsv").write_text("a fox found\ta fox gave\t two\t apples\na fox gave\ta fox found\t two\n", encoding="utf-8")
    (tmp_path / "means.txt").write_text("a fox\nThe fox gave\n", encoding="utf-8")
    files = ["--pairs", str(tmp_path / "pairs.tsv"), "--mean", str(tmp_path / "means.txt"), "--panels", "ablation", "--effort", "99"]
    assert cli.main(["inspect", str(tmp_path / "m"), *files, "--out", str(tmp_path / "p.html"), "--twin", "numpy"]) == 0
    assert "Not checked" in capsys.readouterr().out
    data = json.loads(re.search(r'id="data">(.*?)</script>', (tmp_path / "p.html").read_text(encoding="utf-8"), re.S)[1])
    assert data["pairs"]["count"] == 2 and data["mean"].startswith("the mean over 2 texts")
    assert {"pairs_z_share", "pairs_k_low", "mean_head_kl", "mean_mlp_control_kl",
            "pairs_ablate_kl", "pairs_ablate_high"} <= set(data["arrays"])
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    for wrong in (["a", "--out", str(tmp_path / "notes.txt")], ["a", "--out", str(out)],
                  ["a", "--panels", "all"], [], ["--pairs", str(tmp_path / "notes.txt")], ["a", "--mean", str(tmp_path / "none")], ["a", "--rival", "b"], ["a", "--out", str(tmp_path)], ["x y", "--ids"], ["a fox", "--corrupt", "a"], ["a", "--effort", "0"], ["a", "--against", str(tmp_path / "none")],
                  ["a " * 400], ["999999", "--ids"], ["a", "--out", str(tmp_path / "no" / "where" / "r.html")]):
        status = cli.main(["inspect", str(tmp_path / "m"), *wrong])
        captured = capsys.readouterr()
        lines = [line for line in captured.err.splitlines() if not line.startswith("[")]
        assert status == 2 and len(lines) == 1, wrong
    assert (tmp_path / "notes.txt").read_text(encoding="utf-8") == "mine"


@pytest.mark.slow
def test_sizes():
    """30 layers of 9 heads and 48 tokens stay under 5 MB, all panels included (its arrays at their full size; the work is left out)."""
    config = ModelConfig(vocab_size=512, hidden_size=36, intermediate_size=48, num_hidden_layers=30, num_attention_heads=9,
                         num_key_value_heads=3, head_dim=4, max_position_embeddings=64)
    rng = np.random.default_rng(0)
    big = Model(config, init(config, rng), None, "x")
    ids = rng.integers(0, 512, 48).tolist()
    other = ids[:20] + [ids[20] ^ 1] + ids[21:]
    found = report.contents(big, ids, other, twin="numpy", panels=report.PANELS[1:])
    assert found["arrays"]["pattern"]["shape"] == [270, 48 * 49 // 2]
    assert len(report.page(found)) < 5e6


@REAL
def test_stories260k_under_a_megabyte(tmp_path, capsys):
    out = tmp_path / "r.html"
    assert cli.main(["inspect", str(DATA / "stories260K.bin"), "Once upon a time, there was a little girl named Lily. She", "--corrupt",
                     "Once upon a time, there was a little girl named Lily. He", "--out", str(out), "--twin", "numpy"]) == 0
    assert out.stat().st_size < 1e6 and "11 identities hold" in capsys.readouterr().out


# ---- in a browser ----------------------------------------------------------------------------------------------------------------

def open_page(browser, path, width=1280, scheme="light"):
    """Open a file at a width and colour scheme; returns the requests that it made beside itself."""
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600})
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]})
    browser.get_log("performance")
    browser.get(path.as_uri())
    assert browser.execute_script("return document.documentElement.dataset.ready") == "yes"


def requests_of(browser):
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    return [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]


def drawn(browser, canvas) -> bool:
    """Does a canvas hold more than one colour?"""
    return browser.execute_script("""const c = arguments[0], x = c.getContext("2d").getImageData(0, 0, c.width, c.height).data, seen = new Set();
        for (let i = 0; i < x.length; i += 4) seen.add(x[i] << 16 | x[i + 1] << 8 | x[i + 2]); return seen.size > 1;""", canvas)


def test_in_a_browser_without_network(browser, page, tmp_path):
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys
    path = tmp_path / "report.html"
    path.write_text(page, encoding="utf-8")
    for width, scheme in ((1280, "light"), (390, "dark")):
        open_page(browser, path, width, scheme)
        assert requests_of(browser) == [path.as_uri()]
        assert [panel.get_attribute("id") for panel in browser.find_elements(By.CSS_SELECTOR, "section")] == PANELS
        assert browser.find_element(By.CSS_SELECTOR, "main > :first-child section, main > :nth-child(2) section").get_attribute("id") == "trust"
        assert browser.execute_script("return document.documentElement.scrollWidth <= window.innerWidth"), "the page is wider than the screen"
        for canvas in browser.find_elements(By.TAG_NAME, "canvas"):
            assert canvas.get_attribute("aria-label") and drawn(browser, canvas), canvas.get_attribute("aria-label")
        for panel in browser.find_elements(By.CSS_SELECTOR, "section"):
            assert panel.size["height"] > 60 and panel.text.strip()
        text = lambda selector: browser.execute_script("return document.querySelector(arguments[0]).innerText", selector)
        tokens = browser.find_elements(By.CSS_SELECTOR, "#tokens .token")
        tokens_shown = text("#tokens").replace("\n", "")                               # U+202E came as three tokens of a byte each
        assert "\\xE2\\x80\\xAE" in tokens_shown and "\\u{0000}" in tokens_shown and "<img·src=x" in tokens_shown
        before = {name: text("#" + name) for name in PANELS}
        browser.execute_script("arguments[0].click()", tokens[3])                      # the cursor moves every panel
        assert browser.find_element(By.CSS_SELECTOR, ".token.now").get_attribute("id") == "token-3"
        changed = {name for name in PANELS if text("#" + name) != before[name]}
        assert {"next", "norms", "pattern", "lens", "attribution", "ablation", "neurons", "compare"} <= changed, changed
        browser.find_element(By.ID, "tokens").send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
        assert browser.find_element(By.CSS_SELECTOR, ".token.now").get_attribute("id") == "token-5"
        canvas = browser.find_element(By.CSS_SELECTOR, "#heads canvas")
        for _ in range(4):
            canvas.send_keys(Keys.ARROW_UP, Keys.ARROW_LEFT)
        assert text("#pattern h2").startswith("Head 0.0")
        canvas.send_keys(Keys.ARROW_DOWN, Keys.ARROW_RIGHT)                            # the choice of a head
        assert text("#pattern h2").startswith("Head 1.1") and "1.1" in text("#strip .status")
        for option in browser.find_elements(By.CSS_SELECTOR, "#heads select option"):
            option.click()
        browser.execute_script("document.querySelectorAll('details').forEach(d => d.open = true)")
        browser.execute_async_script("setTimeout(arguments[0], 50)")
        assert all(table.text for table in browser.find_elements(By.CSS_SELECTOR, ".table table"))
        assert requests_of(browser) == []
    assert browser.get_log("browser") == []


def test_a_broken_model_in_a_browser(browser, model, tmp_path):
    broken = Model(model.config, {**model.params, "norm": model.params["norm"] * np.nan}, model.tokenizer, "broken")
    path = tmp_path / "broken.html"
    report.write(path, report.contents(broken, [1, 2, 3], twin="numpy"))
    open_page(browser, path)
    assert "NaN" in browser.execute_script("return document.querySelector('#trust').innerText")
    assert browser.get_log("browser") == []


def test_what_was_not_asked_for_is_left_out_and_said(model):
    said = {"panels": (), "command": "minillm inspect x"}
    found = report.contents(model, [0, 5, 6, 7], effort=1.0, twin="numpy", **said)
    assert found["checks"] == [] and not {"lens_token", "neuron_at"} & set(found["arrays"])
    assert {name for name, why in found["left_out"] if "--panels" in why} == set(report.PANELS)
    assert found["command"] == "minillm inspect x" and "pattern" in found["arrays"]
    with pytest.raises(UserError, match="the same"):
        report.contents(model, [0, 5, 6], [0, 5, 6], twin="numpy")
