"""What the home page of a built site weighs, and how long it takes to open, in headless Chromium.

    make docs && python benchmarks/home_page.py [SITE] [--rounds 5] [--json FILE]

From disk, medians of rounds after a first one. What is counted are the files that the page asks for
by itself, in bytes as they lie on the disk. Needs Chromium, its driver and selenium.
"""

import argparse
import json
import os
import statistics
import tempfile
from pathlib import Path
from urllib.parse import unquote, urlsplit

from page_speed import ROOT, chromium

TIMES = """const [page] = performance.getEntriesByType("navigation");
return {first_paint: performance.getEntriesByName("first-contentful-paint")[0]?.startTime || 0,
        load: page.loadEventEnd};"""


def opened(browser, page: Path) -> tuple[dict, dict]:
    """({file: bytes} that the page asked for, {first_paint, load} in milliseconds)."""
    browser.get("about:blank")
    browser.get_log("performance")
    browser.get(page.as_uri())
    browser.execute_async_script("setTimeout(arguments[0], 2000)")
    sent = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    urls = [urlsplit(message["params"]["request"]["url"]) for message in sent
            if message["method"] == "Network.requestWillBeSent"]
    elsewhere = [url.geturl() for url in urls if url.scheme not in ("file", "data", "blob")]
    assert not elsewhere, f"the page asks for {elsewhere}"
    files = {Path(unquote(url.path)) for url in urls if url.scheme == "file"}
    return {path.name: path.stat().st_size for path in files}, browser.execute_script(TIMES)


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
        finally:
            browser.quit()
    files = rounds[-1][0]
    times = {name: round(statistics.median(found[name] for _, found in rounds[1:]))
             for name in ("first_paint", "load")}
    result = {"cores": os.cpu_count(), "load_before": round(load_before, 1), **times,
              "bytes": sum(files.values()), "model": files["story.js"],
              "search": files.get("search_index.js", 0), "files": len(files)}
    text = json.dumps(result, indent=2)
    print(text)
    if options.json:
        Path(options.json).write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
