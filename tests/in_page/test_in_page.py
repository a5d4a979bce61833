"""Promises: the model in a page gives the twins' logits, tokens and text; what it cannot run is
refused in one line; a page loads nothing and runs its own script alone, whatever the checkpoint
holds; it works by mouse and by keyboard.
"""

import json
import os
import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from helpers import (
    DATA,
    HOSTILE,
    REAL,
    ROOT,
    assert_close,
    random_bloom,
    random_config,
    random_params,
    random_relative,
)
from minillm.architecture.quantized import scheme_named
from minillm.architecture.qwen2 import Qwen2Config
from minillm.architecture.qwen3 import Qwen3Config
from minillm.config import GenerateConfig, RopeScaling
from minillm.course.demos import load as load_demo, read_results
from minillm.course.pages import load_module
from minillm.errors import UserError
from minillm.formats import checkpoint
from minillm.formats.gguf_tokenizer import GPT2, LLAMA3, QWEN2
from minillm.in_numpy import forward
from minillm.in_numpy.generate import are_finite, sample
from minillm.in_page import page
from minillm.in_page.embedding import embedded
from minillm.inspection import logits_of, report, zero
from minillm.loading import Model, load
from minillm.quantization.model import quantize_model
from minillm.text import storyworld, tokenizer
from minillm.text.tokenizer_json import byte_level_spec

NANO = ROOT / "lessons" / "15_inside" / "model"
HOME = load_module(ROOT / "docs" / "build.py", "build").home_model()
SCHEMES = ("int8-tensor", "int8-channel", "int8-group32", "int4-tensor", "int4-channel",
           "int4-group32", "int4-group32-min")
BARE = """<!doctype html><meta charset="utf-8"><title>bare</title>
<script type="application/json" id="data">%s</script><script>%s</script>"""
OPEN = """window.of = {forward, init_cache, generate, sample, are_finite, softmax, Reader,
             models: JSON.parse(document.getElementById("data").textContent).map(load)};"""


@pytest.fixture(scope="module")
def stories():
    return storyworld.corpus(0, "train", 60_000)


@pytest.fixture(scope="module")
def texts(stories):
    """200 texts: stories cut anywhere, other scripts, signs, spaces, numbers, any characters."""
    rng = np.random.default_rng(0)
    whole = "\n".join(stories)
    cut = [
        whole[i : i + n]
        for i, n in zip(rng.integers(0, len(whole) - 90, 110), rng.integers(1, 90, 110))
    ]
    odd = [
        "",
        " ",
        "  a  b ",
        "\n\n x\t\ty\r\n",
        "don't I'LL we’ve",
        "1234567 ½ ٣٤",
        "naïve café déjà",
        "日本語の文章、です。",
        "हिन्दी में",
        "مرحبا بالعالم",
        "👩‍👩‍👧 🇩🇪!",
        "a\u0301e\u0302",
        "<s> </s> <unk> <|endoftext|>",
        "x" * 70,
        "▁a ▁▁b",
        "<0x41>",
        "\ufeffa\u2028b\u0085c\xa0d",
        "ſ'ſ it'S",
        "ﬁ Ⅷ ① ²",
        "\x00\x07",
    ]
    points = [
        c
        for low, high in (
            (32, 0x250),
            (0x370, 0x600),
            (0x900, 0xE80),
            (0x2000, 0x2100),
            (0x3040, 0x3100),
            (0x1F300, 0x1F650),
        )
        for c in range(low, high)
    ]
    mixed = ["".join(map(chr, rng.choice(points, int(n)))) for n in rng.integers(1, 20, 70)]
    return cut + odd + mixed


def tiny(rng, made, **others):
    config = random_config(
        rng,
        vocab_size=made.vocab_size + 3,
        num_hidden_layers=2,
        max_position_embeddings=64,
        **others,
    )
    return Model(config, random_params(config, rng), made.fit(config.vocab_size), "tiny", (0,))


def foreign(stories, cut, digits=False):
    """A tokenizer with the cuts of others: digits one by one, then `cut`; GPT2 is its own."""
    from tokenizers import Tokenizer as Backend, trainers

    steps = [{"type": "Digits", "individual_digits": True}] * digits
    steps += [
        {"type": "Split", "pattern": {"Regex": cut}, "behavior": "Isolated", "invert": False}
    ] * (cut != GPT2)
    steps.append(
        {
            "type": "ByteLevel",
            "add_prefix_space": False,
            "trim_offsets": True,
            "use_regex": cut == GPT2,
        }
    )
    backend = Backend.from_str(json.dumps(byte_level_spec(steps, {}, [], [], cut == LLAMA3)))
    alphabet = sorted(tokenizer.BYTE)
    backend.train_from_iterator(
        stories,
        trainers.BpeTrainer(
            vocab_size=420,
            initial_alphabet=alphabet,
            show_progress=False,
            special_tokens=["<|endoftext|>"],
        ),
    )
    return tokenizer.Library(backend.to_str())


@pytest.fixture(scope="module")
def models(stories):
    """Models of every kind that a page runs, by name; those of files only where the file is."""
    rng = np.random.default_rng(1)
    made = tokenizer.train(stories, 400)
    qwen = random_relative(
        Qwen2Config, rng, vocab_size=500, num_hidden_layers=2, max_position_embeddings=64
    )
    known = {
        "biases": tiny(rng, made, attention_bias=True, mlp_bias=True, tie_word_embeddings=False),
        "stretched": tiny(
            rng,
            made,
            num_attention_heads=6,
            num_key_value_heads=2,
            head_dim=6,
            rope_scaling=RopeScaling("yarn", 4.0, original_max_position_embeddings=16),
        ),
        "characters": tiny(
            rng, tokenizer.train_characters(stories, special_tokens=["<|endoftext|>"])
        ),
        "gpt-2": tiny(rng, foreign(stories, GPT2, digits=True)),
        "llama-3": tiny(rng, foreign(stories, LLAMA3)),
        "qwen-2": Model(qwen, random_params(qwen, rng), foreign(stories, QWEN2).fit(500), "qwen"),
        "nano in int8": load(NANO),
        "nano in 4 bits": HOME,
    }
    plain = known["biases"]
    for scheme in SCHEMES:
        known[scheme] = replace(
            plain, params=quantize_model(plain.params, plain.config, scheme_named(scheme))
        )
    if DATA is not None and (DATA / "stories260K.bin").exists():
        real = load(DATA / "stories260K.bin")
        known |= {
            "stories260K": real,
            "stories260K in int8": replace(
                real, params=quantize_model(real.params, real.config, scheme_named("int8-channel"))
            ),
        }
    return known


# ---- in a browser ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bare(models, browser, tmp_path_factory):
    """The browser with `of`: the functions of llama.js, and the models in the order of names."""
    file = tmp_path_factory.mktemp("bare") / "bare.html"
    data = json.dumps([embedded(model) for model in models.values()]).replace("<", "\\u003c")
    file.write_text(BARE % (data, page.script(OPEN)), encoding="utf-8")

    def ask(name, code, *arguments):
        if browser.current_url != file.as_uri():
            browser.get(file.as_uri())
        begun = f"const model = of.models[{list(models).index(name)}], {{config, params}} = model;"
        return browser.execute_script(begun + code, *arguments)

    return ask


NAMES = [
    "biases",
    "stretched",
    "characters",
    "gpt-2",
    "llama-3",
    "qwen-2",
    "nano in int8",
    "nano in 4 bits",
    *SCHEMES,
    pytest.param("stories260K", marks=REAL),
    pytest.param("stories260K in int8", marks=REAL),
]


def prompt_of(model, count=24):
    text = "Once there was a little girl named Lily. She had a red ball and a dog. "
    return [*model.begin, *model.tokenizer.encode(text)][:count]


@pytest.mark.parametrize("name", NAMES)
def test_logits_equal_numpy(name, bare, models):
    """All at once, and in two parts with the cache between."""
    model = models[name]
    ids = prompt_of(model)
    expected_TV = forward(model.params, np.array([ids]), model.config)[0][0]
    for cut in (len(ids), 7):
        found = bare(
            name,
            """const cache = of.init_cache(config, 40), [ids, cut] = arguments;
            const parts = [ids.slice(0, cut), ids.slice(cut)].filter((part) => part.length);
            return parts.flatMap((part) => Array.from(of.forward(params, part, config, cache)));""",
            ids,
            cut,
        )
        assert_close(np.reshape(found, expected_TV.shape), expected_TV, 1e-5, name)
        assert np.abs(np.reshape(found, expected_TV.shape) - expected_TV).max() < 1e-4


@pytest.mark.parametrize("name", NAMES)
def test_greedy_text_equals_numpy(name, bare, models):
    model, count = (
        models[name],
        40 if name.startswith(("nano", "stories260K")) else 30,
    )
    ids = prompt_of(model, 16)
    expected = list(
        model.continuation(ids, "numpy", GenerateConfig(max_new_tokens=count, temperature=0))
    )
    found, text = bare(
        name,
        """const [ids, count] = arguments;
        const how = {temperature: 0, top_p: 1}, coins = new Float32Array(count);
        const made = [...of.generate(params, ids, config, how, coins)];
        return [made, model.tokenizer.decode(made)];""",
        ids,
        count,
    )
    assert found == expected and text == model.tokenizer.decode(expected)


@pytest.mark.parametrize("name", NAMES)
def test_ids_equal_python(name, bare, models, texts):
    model = models[name]
    if name == "characters":
        texts = [text for text in texts if set(text) <= set(model.tokenizer.vocab)]
    assert len(texts) >= (40 if name == "characters" else 200)
    expected = [model.tokenizer.encode(text) for text in texts]
    encoded, decoded = bare(
        name,
        """const found = arguments[0].map(model.tokenizer.encode);
        return [found, found.map(model.tokenizer.decode)];""",
        texts,
    )
    assert encoded == expected
    assert decoded == [model.tokenizer.decode(ids) for ids in expected]


SAMPLERS = (
    (1, 0, 1, 0),
    (0.7, 0, 0.9, 0),
    (1.5, 0, 0.5, 0.1),
    (0, 0, 1, 0),
    (1, 0, 0.05, 0),
    (1, 5, 1, 0),
    (2, 12, 0.8, 0.05),
    (1.2, 0, 1, 0.2),
)


def test_sampling_equals_numpy(bare):
    rng = np.random.default_rng(2)
    for temperature, top_k, top_p, min_p in SAMPLERS:
        logits_NV = (3 * rng.standard_normal((40, 60))).astype(np.float32)
        coins_N = rng.random(40, np.float32)
        how = {"temperature": temperature, "top_k": top_k, "top_p": top_p, "min_p": min_p}
        expected = [
            int(sample(logits_V, coin, GenerateConfig(**how)))
            for logits_V, coin in zip(logits_NV, coins_N)
        ]
        found = bare(
            "biases",
            """const [rows, coins, how] = arguments;
            return rows.map((row, i) => of.sample(Float32Array.from(row), coins[i], how));""",
            logits_NV.tolist(),
            coins_N.tolist(),
            how,
        )
        assert found == expected
    told = "return arguments[0].map((row) => of.are_finite(Float32Array.from(row, Number)))"
    rows = [["1", "NaN", "2"], ["1", "Infinity"], ["1", "-Infinity"], ["-Infinity"] * 2, ["1", "2"]]
    expected = [bool(are_finite(np.array(row, float))) for row in rows]
    assert bare("biases", told, rows) == expected == [False, False, True, False, True]


@pytest.mark.parametrize("name", ["stretched", "nano in int8"])
def test_taps_and_a_head_taken_out_equal_numpy(name, bare, models):
    """Two heads without their z: the logits of the page and of `inspection`; patterns, by tap."""
    model = models[name]
    ids = prompt_of(model)
    heads = [(0, 1), (1, 0)]
    edits = [zero(f"layers.{layer}.z", heads=[head]) for layer, head in heads]
    expected_TV = logits_of(model, ids, edits, twin="numpy")[0]
    without = [f"{layer}.{head}" for layer, head in heads]
    found = bare(
        name,
        "return of.Reader(model, new Set(arguments[1])).step(arguments[0]).then((seen) => "
        "[Array.from(seen.logits_V), "
        "seen.patterns.map((x) => Array.from(x))]);",
        ids,
        without,
    )
    assert_close(found[0], expected_TV[-1], 1e-5)
    seen = {}
    forward(
        model.params, np.array([ids]), model.config, tap=lambda name, x: seen.setdefault(name, x)
    )
    H = model.config.num_attention_heads
    plain = bare(
        name,
        "return of.Reader(model, new Set()).step(arguments[0]).then((seen) => "
        "seen.patterns.map((x) => Array.from(x)));",
        ids,
    )
    for i, pattern in enumerate(plain):
        expected_HS = seen[f"layers.{i}.pattern"][0].reshape(H, len(ids), len(ids))[:, -1]
        assert_close(np.reshape(pattern, (H, -1)), expected_HS, 1e-5)


def test_the_functions_are_the_twins_in_their_order():
    """Every function of llama.js that the NumPy twin has comes where it has it, file after file."""
    script = page.asset("llama.js")
    names = re.findall(r"^(?:function\*?|const) (\w+)", script, re.MULTILINE)
    own = {"add"}
    twin = []
    for file in ("ops", "model", "pieces", "generate"):
        text = (ROOT / "minillm" / "in_numpy" / f"{file}.py").read_text(encoding="utf-8")
        twin += re.findall(r"^def (\w+)", text, re.MULTILINE)
    assert [name for name in names if name not in own] == [name for name in twin if name in names]
    assert len(names) == len(set(names)) > 20 and script.count("\n") < 250


def test_the_home_page_says_what_is_true():
    """Its story needs the head that it names: with it Farid comes, without it someone else."""
    shown = read_results(NANO.parent)["exact"]["shown"]
    layer, head = map(int, shown["carrier"].split("."))
    model = HOME
    without = [zero(f"layers.{layer}.z", heads=[head])]
    first = [
        model.tokenizer.decode(
            [int(logits_of(model, shown["text"], edits, twin="numpy")[0, -1].argmax())]
        )
        for edits in ((), without)
    ]
    assert first[0] == f" {shown['names'][0]}" != first[1]


def test_four_bits_take_half_a_byte_in_a_page():
    """The numbers of a page, unlike float32 made of them, are as small as the checkpoint's."""
    sizes = [len(json.dumps(embedded(model)["params"])) for model in (load(NANO), HOME)]
    weights = HOME.params["embed_tokens"].nbytes / HOME.params["embed_tokens"].size
    assert weights == 0.5 + 2 / 32
    assert sizes[1] < 0.57 * sizes[0]


# ---- what is refused -------------------------------------------------------------------------


def test_what_a_page_cannot_run_is_refused(models):
    rng = np.random.default_rng(3)
    plain = models["biases"]
    with pytest.raises(UserError, match="a BLOOM does not run in a page"):
        config = random_bloom(rng)
        embedded(Model(config, random_params(config, rng), plain.tokenizer, "bloom"))
    with pytest.raises(UserError, match="a Qwen3 does not run in a page"):
        config = random_relative(Qwen3Config, rng)
        embedded(Model(config, random_params(config, rng), plain.tokenizer, "qwen3"))
    with pytest.raises(UserError, match="has no tokenizer"):
        embedded(replace(plain, tokenizer=None))
    whole = quantize_model(
        plain.params, plain.config, scheme_named("int8-channel", activations=True)
    )
    with pytest.raises(UserError, match="quantize without --activations"):
        embedded(replace(plain, params=whole))
    for value, place in ((np.nan, "norm"), (np.inf, "embed_tokens")):
        broken = {
            **plain.params,
            place: np.where(
                np.arange(plain.params[place].shape[-1]) == 1, value, plain.params[place]
            ),
        }
        with pytest.raises(UserError, match=f"{place} has numbers that are NaN or infinite"):
            embedded(replace(plain, params=broken))


def test_a_model_that_is_too_large_is_told_what_to_do(models):
    size = sum(leaf.nbytes for leaf in embedded_leaves(models["biases"]))
    with pytest.raises(UserError, match="add --int8"):
        embedded(models["biases"], size - 1)
    with pytest.raises(UserError, match="choose a smaller model"):
        embedded(models["biases"], size // 8)
    assert embedded(models["biases"], size)["bytes"] == size


def embedded_leaves(model):
    from minillm.architecture.tree import flatten

    return flatten(model.params).values()


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda spec: spec | {"normalizer": {"type": "Lowercase"}}, "its normalizer is"),
        (lambda spec: spec | {"pre_tokenizer": {"type": "Whitespace"}}, "its pre_tokenizer has"),
        (
            lambda spec: (
                spec
                | {
                    "pre_tokenizer": {
                        "type": "ByteLevel",
                        "add_prefix_space": True,
                        "trim_offsets": True,
                        "use_regex": True,
                    }
                }
            ),
            "its pre_tokenizer has",
        ),
        (
            lambda spec: spec | {"model": spec["model"] | {"continuing_subword_prefix": "##"}},
            "continuing_subword_prefix",
        ),
        (
            lambda spec: spec | {"added_tokens": [spec["added_tokens"][0] | {"lstrip": True}]},
            "not a plain special token",
        ),
    ],
)
def test_a_tokenizer_that_would_give_other_ids_is_refused(change, words, models):
    plain = models["biases"]
    spec = json.loads(json.dumps(plain.tokenizer.spec))
    other = tokenizer.Library(json.dumps(spec))
    other.spec = change(spec)
    with pytest.raises(UserError, match=words):
        embedded(replace(plain, tokenizer=other.fit(plain.config.vocab_size)))


# ---- the page --------------------------------------------------------------------------------


class Reader(HTMLParser):
    """Notes every element that a browser would make."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.names = [], set()
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.names |= {name for name, _ in attributes}


def test_nothing_of_a_checkpoint_becomes_markup(hostile):
    html = page.playground(hostile, "</title><script>1</script>", HOSTILE[0])
    found = Reader(html)
    assert found.tags == [
        "html",
        "head",
        "meta",
        "meta",
        "meta",
        "meta",
        "title",
        "style",
        "body",
        "header",
        "h1",
        "p",
        "main",
        "noscript",
        "p",
        "footer",
        "script",
        "script",
    ]
    assert not [
        name for name in found.names if name.startswith("on") or name in ("src", "style", "href")
    ]
    assert not re.search("[\u202a-\u202e\u2066-\u2069\u2028\u2029\x00-\x08]", html)
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', html)[1]
    assert policy.startswith("default-src &#39;none&#39;;") and "unsafe" not in policy


def open_page(browser, file, width=1280, scheme="light"):
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600},
    )
    browser.execute_cdp_cmd(
        "Emulation.setEmulatedMedia",
        {"features": [{"name": "prefers-color-scheme", "value": scheme}]},
    )
    for kind in ("browser", "performance"):
        browser.get_log(kind)
    browser.get(file.as_uri())
    until(browser, "return document.documentElement.dataset.ready === 'yes'")


def until(browser, script, seconds=20):
    from selenium.webdriver.support.ui import WebDriverWait

    WebDriverWait(browser, seconds, 0.02).until(lambda driver: driver.execute_script(script))


IDLE = (
    "return document.querySelector('button.first').textContent === 'Write'"
    " && document.querySelector('.status').textContent.includes('written')"
)


def test_a_hostile_checkpoint_is_shown_as_text_and_never_run(hostile, browser, tmp_path):
    file = tmp_path / "hostile.html"
    file.write_text(
        page.playground(hostile, hostile.source, "".join(HOSTILE[:2])), encoding="utf-8"
    )
    open_page(browser, file)
    browser.execute_script("document.querySelector('button.first').click()")
    until(browser, IDLE)
    assert browser.title.startswith("Playground: x</title>")
    assert browser.execute_script("return document.querySelectorAll('img, script').length") == 2
    text = browser.execute_script("return document.querySelector('#tokens').textContent")
    assert text.startswith("".join(HOSTILE[:2])) and "\u202e" not in text and "\u2028" not in text
    assert browser.get_log("browser") == []


def test_logits_that_are_not_finite_are_said_in_words(models, browser, tmp_path):
    plain = models["biases"]
    file = tmp_path / "broken.html"
    large = {
        **plain.params,
        "norm": np.full_like(plain.params["norm"], 3e38),
        "lm_head": np.full_like(plain.params["lm_head"], 3e38),
    }
    file.write_text(
        page.playground(replace(plain, params=large), "broken", "a fox"), encoding="utf-8"
    )
    open_page(browser, file)
    browser.execute_script("document.querySelector('button.first').click()")
    until(
        browser,
        "return document.querySelector('.status').textContent.includes('not finite numbers')",
    )
    assert browser.get_log("browser") == []


def test_the_page_by_keyboard(browser, models, tmp_path):
    """Write, move the cursor, choose a head, take it out, slide, choose a token; no request."""
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    file = tmp_path / "nano.html"
    file.write_text(
        page.playground(models["nano in int8"], "nano", "Once there was a sailor named"),
        encoding="utf-8",
    )
    open_page(browser, file)
    asked = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    assert [
        m["params"]["request"]["url"] for m in asked if m["method"] == "Network.requestWillBeSent"
    ] == [file.as_uri()]

    def text(selector):
        return browser.execute_script(
            "return document.querySelector(arguments[0]).textContent", selector
        )

    browser.execute_script("document.querySelector('#length').value = '20'")
    browser.find_element(By.ID, "set-temperature").send_keys(Keys.HOME)
    browser.find_element(By.ID, "prompt").send_keys(" Farid", Keys.CONTROL, Keys.ENTER)
    until(browser, IDLE)
    model = models["nano in int8"]
    ids = model.prompt_ids("Once there was a sailor named Farid")
    greedy = list(
        model.continuation(ids, "numpy", GenerateConfig(max_new_tokens=20, temperature=0))
    )
    written = model.tokenizer.decode([*ids[len(model.begin) :], *greedy])
    assert text("#tokens").replace("↵", "") == written
    browser.find_element(By.ID, "tokens").send_keys(Keys.HOME, Keys.ARROW_RIGHT)
    until(browser, "return document.querySelector('.token.now')?.textContent === ' there'")
    assert text("#next h2") == "What may come after “there”" and "looks at" in text(".looking")
    heads = browser.find_element(By.ID, "heads")
    heads.send_keys(Keys.ARROW_DOWN, Keys.ARROW_RIGHT)
    assert text(".looking").startswith("Head 1.1 at “there”") and text(".head.now") == "1.1"
    heads.send_keys(Keys.DELETE)
    until(browser, IDLE + " && document.querySelector('.compared').textContent.length > 0")
    assert (
        text(".head.off") == "1.1"
        and text(".compared").replace("↵", "") == "With all heads" + written
    )
    heads.send_keys(Keys.DELETE)
    until(browser, IDLE + " && !document.querySelector('.head.off')")
    assert text("#tokens").replace("↵", "") == written
    shares = [text(".next .share")]
    browser.find_element(By.ID, "set-temperature").send_keys(Keys.END)
    shares.append(text(".next .share"))
    browser.find_element(By.ID, "set-top-p").send_keys(Keys.HOME)
    shares.append(text(".next .share"))
    assert shares[0] == shares[2] == "100%" and shares[1] != "100%"
    word = text(".next .word")
    browser.find_element(By.CSS_SELECTOR, ".next button").send_keys(Keys.ENTER)
    until(
        browser,
        "return document.querySelector('.token.now') === "
        "document.querySelector('#tokens').lastChild",
    )
    assert text("#tokens").endswith(word)
    browser.find_element(By.ID, "prompt").send_keys(" word" * 300, Keys.CONTROL, Keys.ENTER)
    assert "shorten it" in text(".status")
    assert browser.get_log("browser") == []


@pytest.mark.skipif("AXE" not in os.environ,
                    reason="needs AXE=path of axe.min.js (npm install axe-core)")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_accessibility(scheme, browser, models, tmp_path):
    """Of `minillm playground` and of `minillm inspect --live`."""
    model, prompt = models["gpt-2"], "Once there was"
    files = [tmp_path / "play.html", tmp_path / "report.html"]
    files[0].write_text(page.playground(model, "small", prompt), encoding="utf-8")
    contents = report.contents(model, prompt, twin="numpy", panels=("lens",))
    report.write(files[1], contents | {"live": page.live(model, prompt)})
    for file, width in product(files, (1280, 390)):
        open_page(browser, file, width, scheme)
        browser.execute_async_script("setTimeout(arguments[0], 500)")
        browser.execute_script(Path(os.environ["AXE"]).read_text(encoding="utf-8"))
        found = browser.execute_async_script(
            "const done = arguments[0];"
            "axe.run(document, {resultTypes: ['violations']}).then((r) => done(r.violations))"
        )
        serious = [(v["id"], [node["html"][:160] for node in v["nodes"][:3]])
                   for v in found if v["impact"] in ("serious", "critical")]
        assert serious == [], (file.name, width)


def test_the_page_by_mouse_on_a_phone(browser, models, tmp_path):
    from selenium.webdriver.common.by import By

    file = tmp_path / "small.html"
    file.write_text(page.playground(models["gpt-2"], "small", "Once there"), encoding="utf-8")
    for width, scheme in ((1280, "light"), (390, "dark")):
        open_page(browser, file, width, scheme)
        assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    browser.find_element(By.XPATH, "//button[text()='One token more']").click()
    until(browser, IDLE)
    for selector in (".token", "#head-1-0"):
        browser.find_element(By.CSS_SELECTOR, selector).click()
        until(browser, f"return document.querySelector('{selector}').classList.contains('now')")
    assert browser.find_element(By.CSS_SELECTOR, ".looking").text.startswith("Head 1.0 at")
    browser.find_element(By.XPATH, "//button[text()='Take out head 1.0']").click()
    until(browser, IDLE + " && document.querySelector('.head.off')?.textContent === '1.0'")
    browser.find_element(By.XPATH, "//button[text()='Put all heads back']").click()
    until(browser, IDLE + " && !document.querySelector('.head.off')")
    assert browser.get_log("browser") == []


def test_the_widget_of_lesson_09_says_what_its_demo_measured(browser, tmp_path):
    """Tokens kept and the share of right draws, by slider and by keyboard, as in results.json."""
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    lesson = ROOT / "lessons" / "09_writing"
    data = dict(load_demo(lesson)["widgets"](read_results(lesson)))["sampling"]
    file = tmp_path / "widget.html"
    host = (
        '<!doctype html><meta charset="utf-8"><div id="widget-sampling"></div><script>%s</script>'
    )
    file.write_text(host % page.widget("sampling", data), encoding="utf-8")
    browser.get(file.as_uri())
    steps = {
        "as it is": (),
        "min-p 0.05": (("min-p", Keys.ARROW_RIGHT),),
        "min-p 0.1": (("min-p", Keys.ARROW_RIGHT),),
        "top-p 0.95": (("min-p", Keys.HOME), ("top-p", Keys.ARROW_LEFT)),
        "top-p 0.9": (("top-p", Keys.ARROW_LEFT),),
        "top-k 10": (("top-p", Keys.END), ("top-k", Keys.ARROW_RIGHT * 10)),
        "temperature 0.5": (("top-k", Keys.HOME), ("temperature", Keys.ARROW_LEFT * 10)),
    }
    measured = read_results(lesson)["exact"]["samplers"]
    for name in ("many", "one"):
        place = browser.find_element(By.ID, "set-place")
        place.send_keys(Keys.HOME if name == "many" else Keys.ARROW_DOWN)
        for slider, value in {"temperature": 1, "top-k": 0, "top-p": 1, "min-p": 0}.items():
            browser.execute_script(
                "const [id, value] = arguments, at = document.getElementById(id);"
                "at.value = value; at.dispatchEvent(new Event('input'))",
                f"set-{slider}",
                value,
            )
        for how, keys in steps.items():
            for slider, key in keys:
                browser.find_element(By.ID, f"set-{slider}").send_keys(key)
            said = browser.find_element(By.CSS_SELECTOR, ".status").text
            kept, right = re.match(r"([\d,]+) tokens? can be drawn; ([\d.]+)% of", said).groups()
            expected = measured[how][name]
            assert abs(float(right) / 100 - expected["right"]) < 0.002, how
            if "p-" in how or "n-p" in how:  # of all, the demo's coins draw the probable ones alone
                assert int(kept.replace(",", "")) == expected["kept"], how
    browser.find_element(By.CSS_SELECTOR, "button").click()
    assert len(browser.find_elements(By.CSS_SELECTOR, ".drawn-words span")) == 10
    said = browser.find_element(By.CSS_SELECTOR, ".status").text
    cold = browser.find_element(By.ID, "set-temperature")
    ActionChains(browser).move_to_element_with_offset(  # by mouse, to the left end
        cold, -cold.size["width"] // 2 + 3, 0
    ).click().perform()
    assert cold.get_property("value") == "0"
    assert browser.find_element(By.CSS_SELECTOR, ".status").text != said
    assert browser.get_log("browser") == []


# ---- the command -----------------------------------------------------------------------------


def test_the_command(minillm, models, tmp_path):
    plain, folder, out = models["biases"], tmp_path / "m", tmp_path / "p.html"
    checkpoint.save_model(folder, plain.config, plain.params, plain.tokenizer)
    status, said, _ = minillm("playground", folder, "--out", out)
    assert status == 0 and said.startswith(f"{out}: ") and "no network" in said
    size = out.stat().st_size
    assert (
        minillm("playground", folder, "--int8", "--prompt", "a fox", "--out", out, "--force")[0]
        == 0
    )
    assert out.stat().st_size < size
    fewer = out.stat().st_size
    assert minillm("playground", folder, "--int4", "--out", out, "--force")[0] == 0
    assert out.stat().st_size < fewer
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    for wrong in (
        (folder, "--out", out),
        (folder, "--out", tmp_path / "notes.txt", "--force"),
        (folder, "--out", tmp_path),
        (tmp_path / "none", "--out", tmp_path / "q.html"),
        (folder, "--prompt", "a " * 400, "--out", tmp_path / "q.html"),
        (NANO, "--int8", "--out", tmp_path / "q.html"),
        (folder, "--int8", "--int4", "--out", tmp_path / "q.html"),
    ):
        status, said, err = minillm("playground", *wrong)
        assert status == 2 and said == "" and len(err.splitlines()) == 1, wrong
    assert (tmp_path / "notes.txt").read_text(encoding="utf-8") == "mine"
