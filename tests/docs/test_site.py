"""Promise: the built site and the pages of `minillm lesson open` work from disk, without a network, in a browser: no error, no
request, every tab shows the function that it is named after, formulas, links, search, both colour schemes, a phone's width.
Needs the docs extra, Chromium and selenium, and is skipped with the reason where they are missing.

    python -m pytest tests/docs/test_site.py -m ""                             builds the site and looks at it
    SITE=site python -m pytest tests/docs/test_site.py -m ""                   looks at what `make docs` built
    SCREENSHOTS=DIR AXE=axe.min.js python -m pytest tests/docs/test_site.py -m ""     also keeps pictures, and asks axe-core about accessibility
"""

import json
import os
import re
import subprocess
import sys
import threading
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

import pytest

import needs
from helpers import ROOT
from minillm.course.lessons import all_lessons, find

HOW_TO = sorted(path.stem for path in (ROOT / "docs" / "pages" / "how-to").glob("*.md"))
PAGES = ("index.html", "start.html", "lessons/index.html",
         *(f"lessons/{lesson.name}.html" for lesson in all_lessons()), "path.html",
         *(f"how-to/{name}.html" for name in HOW_TO), "reference/commands.html",
         "reference/numpy.html", "design.html", "benchmarks.html", "glossary.html",
         "other-courses.html", "troubleshooting.html")
SIZES = {"desktop": (1280, 900), "phone": (390, 844)}
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site, built strictly, in a folder away from the repository."""
    needs.require("mkdocs", "material", "mkdocstrings")
    if "SITE" in os.environ:
        return Path(os.environ["SITE"]).resolve()
    out = tmp_path_factory.mktemp("site")
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": str(ROOT)}
    for command in (["docs/build.py"], ["-m", "mkdocs", "build", "--strict", "--quiet",
                                        "--site-dir", str(out)], ["docs/check_site.py", str(out)]):
        done = subprocess.run([sys.executable, *command], cwd=ROOT, env=environment,
                              capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    return out


@pytest.fixture(scope="module")
def browser(browser):
    """Chromium that forgets the colour scheme of the page before, which the theme remembers."""
    forget = ("Object.keys(localStorage).filter(k => k.endsWith('__palette'))"
              ".forEach(k => localStorage.removeItem(k))")
    browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": forget})
    return browser



def show(browser, page, size="desktop", scheme="light"):
    """Open a page; returns the addresses outside the disk that it asked for, and what it complained about."""
    width, height = SIZES[size]
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": size == "phone"})
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia",
                            {"features": [{"name": "prefers-color-scheme", "value": scheme}]})
    for kind in ("browser", "performance"):
        browser.get_log(kind)
    browser.get(page.as_uri())
    browser.execute_async_script("const done = arguments[0]; setTimeout(done, 150)")
    asked = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = [m["params"]["request"]["url"] for m in asked
             if m["method"] == "Network.requestWillBeSent"]
    return [url for url in asked if not url.startswith(("file:", "data:", "blob:"))], [
        entry["message"] for entry in browser.get_log("browser")]


def eventually(browser, script: str, wanted, seconds: float = 20):
    """Assert what a script returns, once the page's own scripts have had their time."""
    end = time.monotonic() + seconds
    while (value := browser.execute_script(script)) != wanted and time.monotonic() < end:
        browser.execute_async_script("setTimeout(arguments[0], 100)")
    assert value == wanted


def test_there_is_every_page_of_the_menu(site):
    assert all((site / page).is_file() for page in PAGES)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("page", PAGES)
def test_a_page_asks_for_nothing_and_complains_of_nothing(page, size, scheme, site, browser):
    asked, complaints = show(browser, site / page, size, scheme)
    assert asked == [] and complaints == []
    assert browser.execute_script(
        "return document.documentElement.scrollWidth") <= SIZES[size][0], "wider than the window"
    assert browser.execute_script("return document.body.dataset.mdColorScheme") == (
        "slate" if scheme == "dark" else "default")
    for picture in browser.execute_script("return [...document.images].filter(i => i.offsetParent).map(i => [i.src, i.naturalWidth, i.alt.length])"):
        assert picture[1] > 0 and picture[2] > 20, picture
    if "SCREENSHOTS" in os.environ:
        folder = Path(os.environ["SCREENSHOTS"])
        folder.mkdir(parents=True, exist_ok=True)
        browser.save_screenshot(
            str(folder / f"{page.replace('/', '-').removesuffix('.html')}-{size}-{scheme}.png"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_live_report_asks_for_nothing_and_complains_of_nothing(scheme, site, browser):
    """It is linked from lesson 15 and made by lessons/15_inside/report.py when the site is built."""
    assert 'href="15_inside/report.html"' in (site / "lessons" / "15_inside.html").read_text(
        encoding="utf-8")
    for size in SIZES:
        assert show(browser, site / "lessons" / "15_inside" / "report.html", size,
                    scheme) == ([], [])
        eventually(browser, "return document.documentElement.dataset.ready", "yes")


def test_the_home_page_writes(site, browser):
    """The model begins by itself, and another name comes without the head that carried this one."""
    show(browser, site / "index.html")
    written = "return /written/.test(document.querySelector('.status').textContent)"
    eventually(browser, written, True, 60)
    given = browser.execute_script("return document.querySelectorAll('.token.given').length")
    text = "return [...document.querySelectorAll('.token')].map(token => token.textContent)"
    whole = browser.execute_script(text)
    assert len(whole) > given + 20 and whole[given] == " Farid"
    browser.find_element("xpath", "//button[starts-with(text(), 'Take out head')]").click()
    eventually(browser, "return document.querySelector('.compared').textContent.length > 0", True, 60)
    assert browser.execute_script(text)[given] != " Farid"
    assert browser.get_log("browser") == []
    assert (site / "lessons" / "model.js").stat().st_size < 1_500_000


def files_of(browser) -> set[str]:
    """The addresses that were asked for since the log was read last."""
    sent = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    urls = {m["params"]["request"]["url"] for m in sent
            if m["method"] == "Network.requestWillBeSent"}
    return {url for url in urls if url.startswith(("file:", "http:"))}


@pytest.fixture
def served(site, browser):
    """The address of the site over a network: that of this machine alone."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(site)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    limits = {"latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
    browser.execute_cdp_cmd("Network.emulateNetworkConditions", limits | {"offline": False})
    yield f"http://127.0.0.1:{server.server_port}"
    browser.execute_cdp_cmd("Network.emulateNetworkConditions", limits | {"offline": True})
    server.shutdown()
    server.server_close()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.mark.parametrize("where", ["from disk", "over http"])
def test_the_home_page_is_light_until_one_searches(where, site, browser, request):
    """At most 1.5 MB as it opens; the index comes when the search is opened, and finds."""
    base = site.as_uri() if where == "from disk" else request.getfixturevalue("served")
    browser.get("about:blank")
    browser.get_log("performance")
    browser.get(f"{base}/index.html")
    browser.execute_async_script("setTimeout(arguments[0], 1500)")
    asked = files_of(browser)
    assert f"{base}/assets/javascripts/story.js" in asked
    assert not re.search("search_index", str(asked))
    sizes = [(site / unquote(url.removeprefix(base + "/")).split("?")[0]).stat().st_size
             for url in asked]
    assert 900_000 < sum(sizes) <= 1_500_000
    found = search(browser, "perplexity")
    assert any(re.search("search_index", url) for url in files_of(browser))
    assert re.search("glossary.html|02_counting.html", found[0])
    browser.get(next(link for link in found if "h=perplexity" in link))
    marked = "return document.querySelectorAll('mark[data-md-highlight]').length > 0"
    eventually(browser, marked, True)


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    """What `minillm lesson open 3` writes, without the figures, which take seconds to draw."""
    from minillm.course.opened import Pages
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("minillm.course.pages.PageRenderer.make_figure", lambda self, name: "")
        pages = Pages(tmp_path_factory.mktemp("opened"))
        pages.write(find("3"))
        pages.write_missing()
    return pages.folder


LESSONS = [lesson.name for lesson in all_lessons()]
TABS = """
const wrong = []
for (const set of document.querySelectorAll(".tabbed-set")) {
  const name = set.previousElementSibling?.querySelector("code")?.innerText
  for (const label of [...set.querySelectorAll(".tabbed-labels label")].reverse()) {
    label.click()
    const shown = [...set.querySelectorAll(".tabbed-block")].filter(block => block.offsetParent)
    if (!name || shown.length != 1 || !RegExp(`(def|class) ${name}\\\\b`).test(shown[0].innerText)
        || !shown[0].innerText.includes(`in_${label.innerText.toLowerCase()}`))
      wrong.push([name, label.innerText, shown.length])
  }
}
return [document.querySelectorAll(".tabbed-set").length, wrong]
"""
TEXT = """
const page = document.querySelector("article").cloneNode(true)
for (const part of page.querySelectorAll("code, pre, math, script, style, svg")) part.remove()
return page.textContent
"""
LOOSE = """return [...document.querySelectorAll("math")].filter(m => !m.closest("p, li, td, th, summary, h1, h2, h3, dd")
  || m.getBoundingClientRect().width < 3 && m.checkVisibility()).map(m => m.textContent)"""
WIDE = """
for (const fold of document.querySelectorAll("article details")) fold.open = true
return [...document.querySelectorAll("article pre")].flatMap(pre => [pre, ...pre.querySelectorAll("code")])
  .filter(block => block.offsetParent && block.scrollWidth > block.clientWidth + 1)
  .map(block => [block.scrollWidth, block.clientWidth, block.innerText.slice(0, 50)])
"""


def is_as_promised(browser, page, tabs=True):
    """What a person does with a page: click every tab, read the text and the formulas, look at all of the code."""
    asked, complaints = show(browser, page)
    assert asked == [] and complaints == []
    if tabs:
        count, wrong = browser.execute_script(TABS)
        assert wrong == [], f"{page}: {count} sets of tabs"
    text = browser.execute_script(TEXT)
    assert not re.search(
        r"\$[^$\s][^$\n]*\$|\\(frac|mathrm|left|right|text|sum|sqrt|cdot)(?![a-z])", text), page
    assert browser.execute_script(LOOSE) == [], page
    assert browser.execute_script(WIDE) == [], page


@pytest.mark.parametrize("name", LESSONS)
def test_a_lesson_of_the_site_shows_all_that_it_holds(name, site, browser):
    is_as_promised(browser, site / "lessons" / f"{name}.html")


@pytest.mark.parametrize("page", [page for page in PAGES if Path(page).stem not in LESSONS])
def test_a_page_of_the_site_shows_all_that_it_holds(page, site, browser):
    is_as_promised(browser, site / page)


@pytest.mark.parametrize("name", LESSONS)
def test_a_page_of_lesson_open_shows_all_that_it_holds(name, opened, browser):
    page = opened / "lessons" / f"{name}.html"
    is_as_promised(browser, page)
    for scheme in ("light", "dark"):
        assert show(browser, page, "phone", scheme) == ([], [])
        assert browser.execute_script(
            "return document.documentElement.scrollWidth") <= SIZES["phone"][0]
    assert browser.execute_script("return matchMedia('(prefers-color-scheme: dark)').matches && getComputedStyle(document.body).backgroundColor") == "rgb(22, 27, 34)"


READ = """(() => {
  const article = document.querySelector("article"), hosts = [...article.querySelectorAll(".in-page")]
  const said = hosts.map(host => host.innerText), drawn = article.querySelectorAll("svg").length
  for (const host of hosts) host.remove()
  return [article.innerText, said, drawn]
})()"""


@pytest.mark.parametrize("name", LESSONS)
def test_a_lesson_reads_whole_with_scripts_off(name, opened, browser):
    """The same text is seen, a drawing too, and where something moves there are words instead."""
    def read():
        browser.get((opened / "lessons" / f"{name}.html").as_uri())
        found = browser.execute_cdp_cmd("Runtime.evaluate",
                                        {"expression": READ, "returnByValue": True})
        return found["result"]["value"]

    whole, _, _ = read()
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        text, said, drawn = read()
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
    assert text == whole and len(text) > 5000 and drawn > 0
    assert len(said) == find(name).text.count("{{ widget ")
    assert all("With scripts allowed" in words for words in said)


@pytest.mark.parametrize("where", ["site", "opened"])
def test_the_path_of_a_learner(where, browser, request):
    """From the list through every lesson by its links: the next lesson, the exercise, the source of a function."""
    place = request.getfixturevalue(where)
    show(browser, place / "lessons" / "index.html")
    listed = browser.execute_script(
        "return [...document.querySelectorAll('article td a')].map(a => a.href)")
    assert [Path(link).stem for link in listed] == LESSONS
    for link in listed:
        browser.get(link)
        links = browser.execute_script("return [...document.querySelectorAll('article a[href], footer a[href]')].map(a => a.href)")
        for part in ("exercise.py.html", "code/minillm/", "lessons/"):
            if part == "lessons/" and where == "site":
                continue
            to = next(found for found in links if part in found and found.split("#")[0] != link)
            browser.get(to)
            assert browser.title and browser.find_elements("css selector", "article, main"), to
            assert browser.execute_script(
                "return !location.hash || !!document.getElementById(location.hash.slice(1)) || "
                "!!document.getElementsByName(location.hash.slice(1)).length"), to


def test_tabs_are_linked(site, browser):
    """JAX chosen once is JAX everywhere, also on the next page."""
    show(browser, site / "start.html")
    click = """for (const name of ['NumPy', 'JAX']) [...document.querySelectorAll(
        '.tabbed-labels label')].find(label => label.innerText == name).click();"""
    chosen = """return [...new Set([...document.querySelectorAll('.tabbed-set')].map(
        set => [...set.querySelectorAll('.tabbed-labels label')][[...set.querySelectorAll(
        ':scope > input')].findIndex(input => input.checked)].innerText))]"""
    kept = """return Object.keys(localStorage).filter(key => key.endsWith('__tabs')).map(
        key => JSON.parse(localStorage[key])[0]).join()"""
    eventually(browser, click + kept, "JAX")
    eventually(browser, chosen, ["JAX"])
    for _ in range(20):              # a busy browser hands its storage on a little later
        show(browser, site / "lessons/02_counting.html")
        if browser.execute_script(kept) == "JAX":
            break
    eventually(browser, chosen, ["JAX"])


def search(browser, word: str) -> list[str]:
    """The addresses that the search finds, the best first."""
    browser.execute_script("document.querySelector('[data-md-toggle=search]').click()")
    browser.find_element("css selector", ".md-search__input").send_keys(word)
    for _ in range(50):
        browser.execute_async_script("setTimeout(arguments[0], 100)")
        found = browser.execute_script("return [...document.querySelectorAll('.md-search-result__item')].map(i => i.querySelector('a').href)")
        if found:
            break
    return found


@pytest.mark.parametrize("word, page",
                         [("perplexity", "glossary.html|02_counting.html"),
                          ("backprop", "glossary.html|06_backward.html"),
                          ("dropout", "glossary.html"), ("fine-tune", "glossary.html|path.html"),
                          ("colab", "glossary.html"), ("rotary", "glossary.html|04_positions.html"),
                          ("rope", "04_positions.html"), ("kv cache", "09_writing.html")])
def test_the_search_finds_from_disk(word, page, site, browser):
    """What explains a word is among the first three pages found."""
    show(browser, site / "index.html")
    found = search(browser, word)
    assert any(re.search(page, link) for link in found[:3]), found


@pytest.mark.skipif("AXE" not in os.environ,
                    reason="needs AXE=path of axe.min.js (npm install axe-core)")
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("page", [*PAGES, "lessons/15_inside/report.html"])
def test_accessibility(page, scheme, site, browser):
    for size in SIZES:
        show(browser, site / page, size, scheme)
        browser.execute_script(Path(os.environ["AXE"]).read_text(encoding="utf-8"))
        found = browser.execute_async_script("const done = arguments[0]; axe.run(document, {resultTypes: ['violations']}).then(r => done(r.violations))")
        serious = [(v["id"], [node["html"][:160] for node in v["nodes"][:3]]) for v in found
                   if v["impact"] in ("serious", "critical")]
        assert serious == [], size
