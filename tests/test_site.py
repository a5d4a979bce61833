"""Promise: the built site works from disk, without a network, in a browser: no error, no request, formulas, tabs, search, both colour
schemes, a phone's width. Needs the docs extra and Chromium, and is skipped with the reason where they are missing.

    python -m pytest tests/test_site.py -m ""                             builds the site and looks at it
    SCREENSHOTS=DIR AXE=axe.min.js python -m pytest tests/test_site.py -m ""     also keeps pictures, and asks axe-core about accessibility
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import needs
import pytest
from selenium import webdriver

from minillm.course.lessons import all_lessons

ROOT = Path(__file__).parents[1]
HOW_TO = sorted(path.stem for path in (ROOT / "docs" / "pages" / "how-to").glob("*.md"))
PAGES = ("index.html", "start.html", "lessons/index.html", *(f"lessons/{lesson.name}.html" for lesson in all_lessons()), "path.html",
         *(f"how-to/{name}.html" for name in HOW_TO), "reference/commands.html", "reference/numpy.html", "design.html", "glossary.html",
         "other-courses.html", "troubleshooting.html")
SIZES = {"desktop": (1280, 900), "phone": (390, 844)}
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site, built strictly, in a folder away from the repository."""
    needs.require("mkdocs", "material", "mkdocstrings", "latex2mathml")
    out = tmp_path_factory.mktemp("site")
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": str(ROOT)}
    for command in (["docs/build.py"], ["-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(out)], ["docs/check_site.py", str(out)]):
        done = subprocess.run([sys.executable, *command], cwd=ROOT, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    return out


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    needs.require("chromium", "chromedriver")
    options = webdriver.ChromeOptions()
    options.binary_location = needs.program("chromium")
    for argument in ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
                     "--disable-component-update", "--disable-sync", f"--user-data-dir={tmp_path_factory.mktemp('browser')}"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(needs.program("chromedriver")))
    driver.execute_cdp_cmd("Network.enable", {})
    driver.execute_cdp_cmd("Network.emulateNetworkConditions", {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0})
    forget = "Object.keys(localStorage).filter(k => k.endsWith('__palette')).forEach(k => localStorage.removeItem(k))"
    driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": forget})      # the theme remembers the scheme of the page before
    yield driver
    driver.quit()


def show(browser, page, size="desktop", scheme="light"):
    """Open a page; returns the addresses outside the disk that it asked for, and what it complained about."""
    width, height = SIZES[size]
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": size == "phone"})
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]})
    for kind in ("browser", "performance"):
        browser.get_log(kind)
    browser.get(page.as_uri())
    browser.execute_async_script("const done = arguments[0]; setTimeout(done, 150)")
    asked = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = [m["params"]["request"]["url"] for m in asked if m["method"] == "Network.requestWillBeSent"]
    return [url for url in asked if not url.startswith(("file:", "data:", "blob:"))], [entry["message"] for entry in browser.get_log("browser")]


def test_there_is_every_page_of_the_menu(site):
    assert all((site / page).is_file() for page in PAGES)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("page", PAGES)
def test_a_page_asks_for_nothing_and_complains_of_nothing(page, size, scheme, site, browser):
    asked, complaints = show(browser, site / page, size, scheme)
    assert asked == [] and complaints == []
    assert browser.execute_script("return document.documentElement.scrollWidth") <= SIZES[size][0], "wider than the window"
    assert browser.execute_script("return document.body.dataset.mdColorScheme") == ("slate" if scheme == "dark" else "default")
    for picture in browser.execute_script("return [...document.images].filter(i => i.offsetParent).map(i => [i.src, i.naturalWidth, i.alt.length])"):
        assert picture[1] > 0 and picture[2] > 20, picture
    if "SCREENSHOTS" in os.environ:
        folder = Path(os.environ["SCREENSHOTS"])
        folder.mkdir(parents=True, exist_ok=True)
        browser.save_screenshot(str(folder / f"{page.replace('/', '-').removesuffix('.html')}-{size}-{scheme}.png"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_live_report_asks_for_nothing_and_complains_of_nothing(scheme, site, browser):
    """It is linked from lesson 15 and made by lessons/15_inside/report.py when the site is built."""
    assert 'href="15_inside/report.html"' in (site / "lessons" / "15_inside.html").read_text(encoding="utf-8")
    for size in SIZES:
        assert show(browser, site / "lessons" / "15_inside" / "report.html", size, scheme) == ([], [])
        assert browser.execute_script("return document.documentElement.dataset.ready") == "yes"


def test_formulas_are_drawn(site, browser):
    show(browser, site / "lessons/02_counting.html")
    sizes = browser.execute_script("return [...document.querySelectorAll('math')].map(m => [m.getBoundingClientRect().width, m.getBoundingClientRect().height])")
    assert len(sizes) > 10 and all(width > 3 and height > 5 for width, height in sizes)
    assert "$$" not in browser.execute_script("return document.querySelector('article').innerText")


def test_tabs_are_linked(site, browser):
    """JAX chosen once is JAX everywhere, also on the next page."""
    show(browser, site / "start.html")
    browser.execute_script("[...document.querySelectorAll('.tabbed-labels label')].find(l => l.innerText == 'JAX').click()")
    browser.execute_async_script("setTimeout(arguments[0], 200)")
    chosen = "return [...document.querySelectorAll('.tabbed-set')].map(s => [...s.querySelectorAll('.tabbed-labels label')][[...s.querySelectorAll(':scope > input')].findIndex(i => i.checked)].innerText)"
    assert set(browser.execute_script(chosen)) == {"JAX"}
    show(browser, site / "lessons/02_counting.html")
    assert set(browser.execute_script(chosen)) == {"JAX"}


def test_the_search_finds_from_disk(site, browser):
    show(browser, site / "index.html")
    browser.execute_script("document.querySelector('[data-md-toggle=search]').click()")
    field = browser.find_element("css selector", ".md-search__input")
    field.send_keys("perplexity")
    for _ in range(50):
        browser.execute_async_script("setTimeout(arguments[0], 100)")
        found = browser.execute_script("return [...document.querySelectorAll('.md-search-result__link')].map(a => a.href)")
        if found:
            break
    assert any("glossary.html" in link or "02_counting.html" in link for link in found), found


@pytest.mark.skipif("AXE" not in os.environ, reason="needs AXE=path of axe.min.js (npm install axe-core)")
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("page", PAGES)
def test_accessibility(page, scheme, site, browser):
    for size in SIZES:
        show(browser, site / page, size, scheme)
        browser.execute_script(Path(os.environ["AXE"]).read_text(encoding="utf-8"))
        found = browser.execute_async_script("const done = arguments[0]; axe.run(document, {resultTypes: ['violations']}).then(r => done(r.violations))")
        serious = [(v["id"], [node["html"][:160] for node in v["nodes"][:3]]) for v in found if v["impact"] in ("serious", "critical")]
        assert serious == [], size
