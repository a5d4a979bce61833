"""The pages of `minillm lesson open`: what the site shows, in a folder of the reader's, from disk.

    pages/lessons/NN_name.html    every lesson; its figures are in NN_name/
    pages/lessons/index.html      the list of lessons
    pages/glossary.html
    pages/code/PATH.html          every file of source that a page links to

The Markdown is the site's (minillm/course/pages.py), and so are its extensions (mkdocs.yml). A page
that is up to date is not made again. Figures take seconds a lesson, so one lesson is written first and
the others after it; until then their pages say so, and load themselves again.
"""

import functools
import hashlib
import html
import re
import shutil
from pathlib import Path

import markdown
import pymdownx.superfences  # noqa: F401  (an extension that is missing fails here, at once)
from jinja2 import Environment, PackageLoader
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_for_filename

from minillm.course.lessons import PACKAGE, Lesson, all_lessons, duration, lessons_folder, points_of
from minillm.course.pages import LINK, PageRenderer, file_of, lesson_page, reading_minutes
from minillm.files import make_folder
from minillm.in_page.page import asset

EXTENSIONS = {
    "minillm.course.formulas": {},
    "admonition": {},
    "attr_list": {},
    "md_in_html": {},
    "tables": {},
    "toc": {"permalink": "#", "toc_depth": "2-3"},
    "pymdownx.details": {},
    "pymdownx.superfences": {},
    "pymdownx.inlinehilite": {},
    "pymdownx.tabbed": {"alternate_style": True},
    "pymdownx.highlight": {"pygments_lang_class": True},
}
ASSETS = ("content.css", "noto-sans-math.woff2", "page.css", "page.js")


class Pages:
    """The pages in a folder."""

    def __init__(self, folder: Path):
        self.folder, self.lessons, self.stamp, self.known = Path(
            folder), all_lessons(), stamp(), set()
        loader = PackageLoader("minillm.course", "assets")
        self.template = Environment(loader=loader, autoescape=True).get_template("page.html")
        make_folder(self.folder)
        for name in ASSETS:
            shutil.copyfile(Path(__file__).parent / "assets" / name, self.folder / name)
        (self.folder / "playground.css").write_text(asset("playground.css"), encoding="utf-8")

        self.index, self.words = self.folder / "lessons" / "index.html", self.folder / "glossary.html"

    def path(self, lesson: Lesson) -> Path:
        return self.folder / "lessons" / f"{lesson.name}.html"

    def fresh(self, path: Path) -> bool:
        """Whether a page was made from what is installed now."""
        if (path, self.stamp) not in self.known and path.is_file() and (
            f'content="{self.stamp}"' in path.read_text(encoding="utf-8")):
            self.known.add((path, self.stamp))
        return (path, self.stamp) in self.known

    def write(self, lesson: Lesson) -> Path:
        """One lesson, with the source that it links to; a page that is not made yet gets a promise of one."""
        others = {self.path(other): f"{other.number} {other.title}" for other in self.lessons}
        for path, title in (others | {self.index: "Lessons", self.words: "Glossary"}).items():
            if path != self.path(lesson) and not path.exists():
                self.page(path, title, promise(title, lesson), stamp="", reload=True)
        path = self.path(lesson)
        if not self.fresh(path):
            text, files = lesson_page(lesson, "html", self.linker("../"))
            for name, content in files.items():
                make_folder((path.parent / name).parent)
                (path.parent / name).write_text(content, encoding="utf-8")
            self.text(path, f"{lesson.number} {lesson.title}", text, lesson)
        return path

    def missing(self) -> list[Path]:
        """The pages that are not made, or not made from what is installed now."""
        paths = [*map(self.path, self.lessons), self.index, self.words]
        return [path for path in paths if not self.fresh(path)]

    def write_missing(self):
        """Every page that is missing: the short ones first."""
        if not self.fresh(self.words):
            self.text(self.words, "Glossary", self.glossary())
        if not self.fresh(self.index):
            self.text(self.index, "Lessons", "# Lessons\n\n" + lesson_table(self.lessons))
        for lesson in self.lessons:
            self.write(lesson)

    def glossary(self) -> str:
        path = lessons_folder() / "glossary.md"
        renderer = PageRenderer(path, "html", None, self.linker(""))
        return renderer.page(path.read_text(encoding="utf-8"))

    def linker(self, up: str):
        """Where a lesson and the source of a function are, seen from a page; the source is written here."""

        def link(kind, target):
            if kind == "lesson":
                return f"{up}lessons/{target}.html"
            path, line = target
            self.code(path)
            return f"{up}code/{path}.html#L-{line}"

        return link

    def code(self, path: str):
        """A file of source, with a line of its own for each line."""
        page = self.folder / "code" / f"{path}.html"
        if self.fresh(page):
            return
        text = file_of(path).read_text(encoding="utf-8").rstrip() + "\n"
        lines = HtmlFormatter(linenos="inline", lineanchors="L", anchorlinenos=True, wrapcode=True)
        body = highlight(text, get_lexer_for_filename(path, stripnl=False), lines)
        self.page(page, path, f"<h1>{html.escape(path)}</h1>\n{body}", wide=True)

    def text(self, path: Path, title: str, text: str, lesson: Lesson | None = None):
        """A page of Markdown."""
        reader = markdown.Markdown(extensions=list(EXTENSIONS), extension_configs=EXTENSIONS)
        known = {lesson.name for lesson in self.lessons} | {"index"}
        body = reader.convert(LINK.sub(functools.partial(here, known), text))
        self.page(path, title, body, contents=reader.toc if lesson else "", lesson=lesson)

    def page(self, path: Path, title: str, body: str, lesson: Lesson | None = None, **more):
        at = self.lessons.index(lesson) if lesson else None
        up = "../" * (len(path.relative_to(self.folder).parts) - 1)
        around = {"before": self.lessons[at - 1] if at else None, "after": self.lessons[at + 1]
                  if at is not None and at + 1 < len(self.lessons) else None}
        values = {"stamp": self.stamp} | around | more
        make_folder(path.parent)
        text = self.template.render(title=title, body=body, up=up, **values)
        path.write_text(text, encoding="utf-8")


def stamp() -> str:
    """Names the state of the package and the lessons that pages are made from."""
    files = [path for folder in (PACKAGE, lessons_folder()) for path in folder.rglob("*")
             if path.suffix in (".py", ".md", ".json", ".css", ".js", ".html")]
    facts = sorted((path.as_posix(), path.stat().st_size, path.stat().st_mtime_ns)
                   for path in files)
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:32]


def promise(title: str, lesson: Lesson) -> str:
    """A page that is not made yet."""
    return (f"<h1>{html.escape(title)}</h1>\n<p>This page is being written and appears here by itself. If it does "
            f"not, run <code>minillm lesson open {int(lesson.number)}</code> again.</p>")


def here(known: set[str], link: re.Match) -> str:
    """A link to a page of this folder; what is on the site alone becomes plain words."""
    words, path, anchor = link.groups()
    name = path.rpartition("/")[2]
    return f"[{words}]({path}.html{anchor or ''})" if name in known or name == "glossary" else words


PARTS = {1: "The model", 6: "Training it", 9: "Running it", 11: "Making it smaller",
         14: "Looking inside", 16: "Teaching it to answer",
         18: "What it learned from us, what it costs, whom it leaves out, how it is released",
         22: "The law behind it"}                                    # {its first lesson: a part}


def lesson_table(lessons: list[Lesson], at: str = "") -> str:
    """A row for each lesson: question, minutes, points; the lessons of a part below its name."""
    rows = ["| | lesson | question | reading | with pencil | points |",
            "|---|---|---|---:|---:|---:|"]
    for lesson in lessons:
        if int(lesson.number) in PARTS:
            rows.append(f"| | **{PARTS[int(lesson.number)]}** | | | | |")
        rows.append(f"| {lesson.number} | [{lesson.title}]({at}{lesson.name}.md) | {lesson.front['question']} | "
                    f"{reading_minutes(lesson)} min | {duration(lesson.front['pencil'])} | {points_of(lesson)} |")
    return "\n".join(rows)
