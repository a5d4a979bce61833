"""Looks at every page of the built site: all links and their anchors exist, and nothing is fetched from elsewhere.

    python docs/check_site.py [FOLDER]

A link to another site is allowed in <a href> alone, which fetches nothing until it is followed.
"""

import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

FETCHED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "video": "src", "audio": "src", "use": "href", "object": "data"}
KINDS_OF_LINK = {"stylesheet", "icon", "preload", "preconnect", "prefetch", "modulepreload", "manifest"}


class Page(HTMLParser):
    """The links, the ids and what is fetched of one page."""

    def __init__(self, path: Path):
        super().__init__()
        self.path, self.ids, self.links, self.fetched = path, set(), [], []
        text = path.read_text(encoding="utf-8")
        self.feed(text)
        if "Content-Security-Policy" in text:            # a report of `minillm inspect` draws itself: its script makes the anchors
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


def problems(site: Path) -> list[str]:
    """What is wrong, one line each."""
    pages = {path: Page(path) for path in sorted(site.rglob("*.html"))}
    found = [] if pages else [f"{site}: there are no pages"]
    for path, page in pages.items():
        where = path.relative_to(site).as_posix()
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
            if not target.exists():
                found.append(f"{where}: links to {address}, which is not there")
            elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].ids and parts.fragment != "__top":
                found.append(f"{where}: links to {address}, which has no such anchor")
    for path in site.rglob("*.css"):
        for address in re.findall(r"url\(\s*['\"]?([^'\")]+)", path.read_text(encoding="utf-8")):
            if urlsplit(address).scheme not in ("", "data"):
                found.append(f"{path.relative_to(site)}: fetches {address}")
    return found


if __name__ == "__main__":
    site = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parents[1] / "site").resolve()
    wrong = problems(site)
    print("\n".join(wrong) if wrong else f"{site}: every link is there, nothing is fetched from elsewhere")
    sys.exit(1 if wrong else 0)
