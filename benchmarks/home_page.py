"""What the home page of a built site weighs, and how long it takes to open, in headless Chromium.

    make docs && python benchmarks/home_page.py [SITE] [--rounds 5] [--json FILE]

From disk, medians of rounds after a first one. What is counted are the files that the page asks
for by itself, in bytes as they lie on the disk; then the search is opened, and what it asks for.
Memory is what the page's scripts hold, arrays included, once the model has written. Needs Chromium,
its driver and selenium.
"""

import argparse
import json
import os
import statistics
import tempfile
from itertools import islice
from pathlib import Path
from urllib.parse import unquote, urlsplit

import numpy as np

from minillm.course.pages import load_module
from minillm.loading import load
from minillm.text import storyworld
from page_speed import ROOT, chromium

STORIES = 100                                              # held out, for the cost of 4 bits
WRITTEN = """const done = arguments[0], look = () =>
  /written/.test(document.querySelector(".status").textContent) ? done() : setTimeout(look, 100);
look();"""
TIMES = """const [page] = performance.getEntriesByType("navigation");
return {first_paint: performance.getEntriesByName("first-contentful-paint")[0]?.startTime || 0,
        load: page.loadEventEnd};"""


def opened(browser, page: Path) -> tuple[dict, dict]:
    """({file: bytes} that the page asked for, {first_paint, load} in milliseconds)."""
    browser.get("about:blank")
    browser.get_log("performance")
    browser.get(page.as_uri())
    browser.execute_async_script("setTimeout(arguments[0], 2000)")
    return asked(browser), browser.execute_script(TIMES)


def asked(browser) -> dict:
    """{file: bytes} of what was asked for since the last call."""
    sent = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    urls = [urlsplit(message["params"]["request"]["url"]) for message in sent
            if message["method"] == "Network.requestWillBeSent"]
    elsewhere = [url.geturl() for url in urls if url.scheme not in ("file", "data", "blob")]
    assert not elsewhere, f"the page asks for {elsewhere}"
    files = {Path(unquote(url.path)) for url in urls if url.scheme == "file"}
    return {path.name: path.stat().st_size for path in files}


def searched(browser) -> dict:
    """{file: bytes} that opening the search asks for."""
    browser.execute_script("document.getElementById('__search').click()")
    browser.execute_async_script("setTimeout(arguments[0], 2000)")
    return asked(browser)


def memory(browser) -> int:
    """Bytes that the page's script holds when the model has written."""
    browser.set_script_timeout(120)
    browser.execute_async_script(WRITTEN)
    browser.execute_cdp_cmd("HeapProfiler.collectGarbage", {})
    found = browser.execute_cdp_cmd("Runtime.getHeapUsage", {})
    return round(found["usedSize"] + found["backingStorageSize"])


def nats(model) -> float:
    """Nats per held-out story."""
    spent = 0.0
    for text in islice(storyworld.stories(1, "validation"), STORIES):
        ids = [*model.begin, *model.tokenizer.encode(text), *model.config.end_tokens]
        logits_TV = model.logits(np.array([ids[:-1]]), twin="numpy")[0].astype(np.float64)
        chosen_T = logits_TV[np.arange(len(ids) - 1), ids[1:]]
        spent += float(np.sum(np.logaddexp.reduce(logits_TV, axis=-1) - chosen_T))
    return spent / STORIES


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("site", nargs="?", type=Path, default=ROOT / "site")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", help="write the results to this file")
    options = parser.parse_args()
    load_before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        browser = chromium(folder)
        try:
            page = options.site.resolve() / "index.html"
            rounds = [opened(browser, page) for _ in range(options.rounds + 1)]
            held, index = memory(browser), searched(browser)
        finally:
            browser.quit()
    files = rounds[-1][0]
    times = {name: round(statistics.median(found[name] for _, found in rounds[1:]))
             for name in ("first_paint", "load")}
    result = {"cores": os.cpu_count(), "load_before": round(load_before, 1), **times,
              "bytes": sum(files.values()), "model": files["story.js"], "files": len(files),
              "memory": held, "search": index["search_index.js"]}
    home = load_module(ROOT / "docs" / "build.py", "build").home_model()
    result["nats"] = {"int8": nats(load(ROOT / "lessons" / "15_inside" / "model")),
                      "int4": nats(home)}
    text = json.dumps(result, indent=2)
    print(text)
    if options.json:
        Path(options.json).write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
