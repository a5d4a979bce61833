"""Looks at every page of a built site, or of `minillm lesson open`, as a reader would see it.

    python docs/check_site.py [FOLDER]

All links and their anchors exist; nothing is fetched from elsewhere (a link to another site is allowed in
<a href> alone, which fetches nothing until it is followed); every formula is drawn, and is part of its
paragraph; a set of tabs is one function; code is at most 100 columns wide in lessons, and on other
written pages as wide as a desktop shows at once (test_site.py measures that in a browser).
"""

import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

FETCHED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "video": "src", "audio": "src",
           "use": "href", "object": "data"}
KINDS_OF_LINK = {"stylesheet", "icon", "preload", "preconnect", "prefetch", "modulepreload", "manifest"}
VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
TEXT = {"p", "li", "td", "th", "dd", "dt", "h1", "h2", "h3", "h4", "summary", "figcaption"}
NOT_TEXT = {"code", "pre", "math", "script", "style", "svg", "title"}
TEX = re.compile(r"\$[^$\s](?:[^$\n]*[^$\s])?\$(?!\w)|\$\$|\\(?:frac|mathrm|text|left|right|sum|sqrt|cdot|top|quad|ln|ell|delta)(?![a-z])")
COLUMNS, COLUMNS_THAT_FIT = 100, 118
KEEP_TO_COLUMNS = re.compile(r"(^|/)(lessons/\d\d_\w+|index)\.html$")
MADE_FROM_CODE = re.compile(r"(^|/)(reference|code)/")


def columns(path: str) -> float:
    """How wide code may be on a page."""
    if MADE_FROM_CODE.search(path):
        return float("inf")
    return COLUMNS if KEEP_TO_COLUMNS.search(path) else COLUMNS_THAT_FIT


class Page(HTMLParser):
    """The links, the ids and what is fetched of one page; and what a reader should not see."""

    def __init__(self, path: Path):
        super().__init__()
        self.path, self.ids, self.links, self.fetched, self.wrong = path, set(), [], [], []
        self.stack, self.line, self.code = [], "", ""
        self.columns = columns(path.as_posix())
        self.labels = []
        text = path.read_text(encoding="utf-8")
        if "/code/" in path.as_posix():                  # a page of source: thousands of marks and little else
            self.ids |= set(re.findall(r'(?:id|name)="([^"]+)"', text))
            self.fetched += re.findall(r'<script src="([^"]+)"', text)
        else:
            self.feed(text)
        if "Content-Security-Policy" in text:            # a report of `minillm inspect`: its script makes the anchors
            self.ids |= set(re.findall(r'\bid: "([\w-]+)"', text))

    def handle_starttag(self, tag, pairs):
        values = dict(pairs)
        for name in ("id", "name"):
            if values.get(name):
                self.ids.add(values[name])
        if tag == "a" and values.get("href"):
            self.links.append(values["href"])
        if tag in FETCHED and values.get(FETCHED[tag]):
            self.fetched.append(values[FETCHED[tag]])
        if tag == "link" and KINDS_OF_LINK & set((values.get("rel") or "").split()):
            self.fetched.append(values.get("href") or "")
        if tag == "math" and not TEXT & set(self.stack):
            self.wrong.append(f"has a formula outside a paragraph, after {self.line[-40:]!r}")
        if "tabbed-set" in (values.get("class") or "").split():
            self.labels = []
        if tag not in VOID:
            self.stack.append(tag)

    def handle_endtag(self, tag):
        if tag in self.stack:
            while self.stack.pop() != tag:
                pass

    def handle_data(self, data):
        if self.stack and self.stack[-1] == "label" and data.strip() in ("NumPy", "JAX"):
            self.labels.append(data.strip())
            if len(self.labels) != len(set(self.labels)):
                self.wrong.append(f"has a set of tabs with {self.labels}: one set for each function")
        if not NOT_TEXT & set(self.stack):
            self.wrong += [f"shows TeX: {found[0][:60]!r}" for found in TEX.finditer(data)]
        if "pre" not in self.stack:
            self.line = data if data.strip() else self.line
        else:
            for part in data.splitlines(keepends=True):
                self.code += part
                if len(self.code.rstrip("\n")) > self.columns and self.code.endswith("\n"):
                    self.wrong.append(f"has {len(self.code) - 1} columns of code: {self.code[:50]!r}")
                if self.code.endswith("\n"):
                    self.code = ""


def problems(site: Path) -> list[str]:
    """What is wrong, one line each."""
    pages = {path: Page(path) for path in sorted(site.rglob("*.html"))}
    found = [] if pages else [f"{site}: there are no pages"]
    for path, page in pages.items():
        where = path.relative_to(site).as_posix()
        found += [f"{where}: {wrong}" for wrong in page.wrong]
        if where == "404.html":                      # its links are relative to wherever it is shown
            continue
        for address in page.fetched:
            if urlsplit(address).scheme not in ("", "data") or address.startswith("//"):
                found.append(f"{where}: fetches {address}")
        for address in page.links + [a for a in page.fetched if urlsplit(a).scheme == "" and not a.startswith("//")]:
            parts = urlsplit(address)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            target = target / "index.html" if target.is_dir() else target
            anchor = unquote(parts.fragment)
            if not target.exists():
                found.append(f"{where}: links to {address}, which is not there")
            elif anchor and target in pages and anchor not in pages[target].ids and anchor != "__top":
                found.append(f"{where}: links to {address}, which has no such anchor")
    for path in site.rglob("*.css"):
        for address in re.findall(r"url\(\s*['\"]?([^'\")]+)", path.read_text(encoding="utf-8")):
            if urlsplit(address).scheme not in ("", "data"):
                found.append(f"{path.relative_to(site)}: fetches {address}")
    return found


if __name__ == "__main__":
    site = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parents[1] / "site").resolve()
    wrong = problems(site)
    fine = "every link is there, every formula is drawn, nothing is fetched from elsewhere"
    print("\n".join(wrong) if wrong else f"{site}: {fine}. Open {site / 'index.html'} in a browser.")
    sys.exit(1 if wrong else 0)
