"""Pages with nothing typed by hand: references become numbers, source, tables, figures and printed output.

    {{ results.merges.0.count:,d }}   a number of results.json, by its path; after the colon a format of Python's
    {{ full.loss:.3f }}               the same from results_full.json
    {{ smollm2.loss:.3f }}            the same from results_smollm2.json, which smollm2.py makes
    {{ code minillm.text.tokenizer.merge_pair }}    the source of a function, a class, or a method
    {{ answer minillm.in_numpy.ops.f }}        the same, folded: the package's answer to a task
    {{ twins ops.rmsnorm }}           the same function in NumPy and in JAX, in tabs below its name
    {{ link minillm/text/ngram.py }}       a link to a file
    {{ table NAME }}  {{ figure NAME }}        what demo.py makes of results.json; `full NAME`: of
                                      results_full.json; `smollm2 NAME`: a table of smollm2.py
    {{ picture NAME }}                a drawing of minillm/course/pictures/
    {{ mistakes }}  {{ tasks }}  {{ exercise }}    hints, tasks and stubs of the exercise
    {{ widget NAME }}                 assets/NAME.js of minillm/in_page, with the data of shown.py's
                                      `widgets`; a notebook names the page
    {{ live the report }}             a link to the page that the lesson's report.py writes; elsewhere
                                      than on the site the words alone
    ```python run                     a block that is run now; what it prints is shown below it
    ```python hidden                  a block that is run now and not shown: what the next one needs
A reference that names nothing raises PageError, with the file and the line: a page is never built with
a hole in it. A page is made for a target: "site" (MkDocs material), "html" (minillm lesson open: the same
Markdown, with links to other pages of its folder) or "notebook" (jupytext).
"""

import ast
import base64
import contextlib
import html
import io
import re
from functools import cache, cached_property
from inspect import signature
from pathlib import Path

import jinja2

from minillm.course import demos, pictures
from minillm.course.lessons import PACKAGE, Lesson, duration, lessons_folder, load_module
from minillm.course.source import source_of
from minillm.errors import UserError
from minillm.in_page import page as in_page

REFERENCE = re.compile(r"\{\{\s*([a-z_]+\d?)(?:[. ]([^}:]*))?(?::([^}]*))?\}\}")
BLOCK = re.compile(r"^```python (run|hidden)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"^(```|~~~).*?^\1[ \t]*$|`[^`\n]+`", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[([^\]]+)\]\((?![a-z]+:|#)([^)\s]*)\.md(#[^)\s]*)?\)")     # to another page of the site
SHELL = re.compile(r"^```(?:sh|bash)$", re.MULTILINE)
HEADING = re.compile(r"^## (.+)$", re.MULTILINE)
SECTIONS = ("The idea", "The code", "The demonstration", "What people get wrong", "The exercise")
WRONG, EXERCISE = SECTIONS[3:]
WORDS_A_MINUTE, LINES_A_MINUTE = 180, 12
ELSEWHERE = "*(`minillm lesson open {}` has something to try here.)*"  # for pages without widgets
MODEL = "model.js"  # beside the pages of lessons: the model of every widget


class PageError(UserError):
    """A page that cannot be made: which file and line, and why."""


class PageRenderer:
    """Makes one page: `folder` holds demo.py, results.json and the exercise, where the page is a lesson's."""

    def __init__(self, path: Path, target: str = "site", folder: Path | None = None, link=None):
        self.path, self.target, self.folder = path, target, folder
        self.link = link or (lambda kind, target: None)     # where the source of a function lies on the site, if it does
        self.names, self.files = {"__name__": "page"}, {}
        self.results = cache(lambda full=False, script="demo": demos.read_results(
            self.folder, full, script))
        self.figures = cache(lambda full: {
            name: (description, svg)
            for name, description, svg in demos.draw(self.demo, self.results(full), "light")})

    @cached_property
    def demo(self) -> dict:
        return demos.load(self.folder)

    @cached_property
    def exercise(self):
        return load_module(self.folder / "test_exercise.py", "test_exercise")

    NUMBERS = ("results", "full", "smollm2")

    def number(self, kind: str, name: str):
        script = "smollm2" if kind == "smollm2" else "demo"
        return demos.lookup(self.results(kind == "full", script), name)

    def page(self, text: str, first_line: int = 1) -> str:
        """`text` with every reference replaced and every block that says so run."""
        def at(position):
            return f"{self.path}, line {first_line + text.count(chr(10), 0, position)}"

        pieces, end = [], 0
        for found in sorted([*REFERENCE.finditer(text), *BLOCK.finditer(text)],
                            key=lambda match: match.start()):
            try:
                new = self.run(*found.groups()) if found.re is BLOCK else self.reference(
                    *found.groups())
            except PageError:
                raise
            except Exception as error:
                raise PageError(f"{at(found.start())}: {found[0].splitlines()[0]}: {type(error).__name__}: {error}") from error
            pieces += [text[end:found.start()], new]
            end = found.end()
        return "".join(pieces) + text[end:]

    def reference(self, kind: str, name: str | None, form: str | None) -> str:
        name = (name or "").strip()
        if kind in self.NUMBERS:
            value = self.number(kind, name)
            if isinstance(value, (dict, list)):
                raise KeyError(f"{name} is not one number or text")
            return format(value, (form or "").strip()) if form else str(value)
        make = getattr(self, f"make_{kind}", None)
        if make is None:
            raise KeyError(f"there is no reference {kind!r}")
        return make(name)

    # ---- Source ---------------------------------------------------------------------------------------

    def make_code(self, name):
        path, line, source = source_of(name)
        title = f"{path}, line {line}"
        if self.target == "notebook":
            return f"{title}:\n\n{fence(source, self.target)}"
        target = self.link("code", (path, line))
        below = f"\n\n[{path}]({target}){{ .source }}" if target else ""
        return f'```python title="{title}"\n{source}\n```{below}'

    def make_answer(self, name):
        return folded(f"The package's answer: {name.split('.')[-1]}", self.make_code(name),
                      self.target)

    def make_link(self, path):
        if not file_of(path).exists():
            if in_clone():
                raise KeyError(f"there is no {path}")
            return f"`{path}`"  # an installed package comes without benchmarks and tests
        return self.linked(path)

    def linked(self, path: str, line: int = 1, label: str | None = None) -> str:
        """A path, or `label`, in the code font; a link to its source where this target has one."""
        target, label = self.link("code", (path, line)), label or path
        return f"[`{label}`]({target})" if target else f"`{label}`"

    def make_twins(self, name):
        names = {"NumPy": f"minillm.in_numpy.{name}", "JAX": f"minillm.in_jax.{name}"}
        if self.target == "notebook":
            return "\n\n".join(f"{twin}, {self.make_code(full)}" for twin, full in names.items())
        tabs = [f'=== "{twin}"\n\n' + indented(self.make_code(full))
                for twin, full in names.items()]
        return "\n\n".join([f"**`{name.split('.')[-1]}`**\n{{ .function }}", *tabs])

    def make_picture(self, name):
        draw = getattr(pictures, name)
        drawing = draw(self.results()) if signature(draw).parameters else draw()
        return f"*Drawing: {drawing.title}*" if self.target == "notebook" else drawing.svg()

    # ---- What the demo made ---------------------------------------------------------------------------

    def make_table(self, name):
        tables = self.demo["tables"](self.results(name.startswith("full ")))
        if name.startswith("smollm2 "):
            script = load_module(self.folder / "smollm2.py", "smollm2")
            tables = script.tables(self.results(script="smollm2"))
        for title, table in tables:
            if title == re.sub("^(full|smollm2) ", "", name):
                return markdown_table(table)
        raise KeyError(f"there is no table {name!r}")

    def make_figure(self, name):
        description, svg = self.figures(name.startswith("full "))[name.removeprefix("full ")]
        if self.target == "notebook":
            code = base64.b64encode(svg.encode()).decode()
            return f'<img alt="{html.escape(description)}" src="data:image/svg+xml;base64,{code}">'
        shown = []
        for scheme, picture in (("light", svg), ("dark", demos.darkened(svg))):
            file = f"{self.folder.name}/{name.replace(' ', '-')}-{scheme}.svg"
            self.files[file] = picture
            shown.append(f"![{description}]({file}#only-{scheme})")
        return "\n".join(shown)

    def make_live(self, words):
        if not (self.folder / "report.py").is_file():
            raise KeyError(f"{self.folder.name} has no report.py")
        return f"[{words}]({self.folder.name}/report.html)" if self.target == "site" else words

    def make_widget(self, name):
        if self.target == "notebook":                             # reads it without scripts
            return ELSEWHERE.format(int(self.folder.name[:2]))
        file, data = f"{self.folder.name}/{name}.js", {}
        if "widgets" in self.demo:
            data = dict(self.demo["widgets"](self.results()))
        self.files[file] = in_page.widget(name, data.get(name))
        scripts = [file]
        if name in in_page.WITH_MODEL:
            self.files[MODEL], scripts = shared_model(), [MODEL, file]
        loaded = "".join(f'<script src="{script}" defer></script>' for script in scripts)
        return (f'<div class="in-page" id="widget-{name}"><noscript>With scripts allowed, there is '
                f'something to try here.</noscript></div>\n{loaded}')

    # ---- What the exercise asks -----------------------------------------------------------------------

    def make_mistakes(self, _):
        return "\n".join(f"- {hint.misconception}" for hint in self.exercise.HINTS.values())

    def make_tasks(self, _):
        rows = ["| task | what | points | after |", "|---|---|---:|---|"]
        rows += [f"| `{task.name}` | {task.about} | {task.points} | {', '.join(f'`{name}`' for name in task.needs)} |"
                 for task in self.exercise.TASKS]
        return "\n".join(rows)

    def make_exercise(self, _):
        source = (self.folder / "exercise.py").read_text(encoding="utf-8")
        return fence(source.rstrip(), self.target)

    # ---- What is run now ------------------------------------------------------------------------------

    def run(self, kind: str, code: str) -> str:
        """The block and what it prints; a hidden one stays a cell of a notebook, which must run too."""
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(code, str(self.path), "exec"), self.names)
        if kind == "hidden" and self.target != "notebook":
            return ""
        shown = f"```python\n{code.rstrip()}\n```"
        output = printed.getvalue().rstrip()
        if self.target == "notebook" or not output:
            return shown
        return f"{shown}\n\n```{{ .text .output }}\n{output}\n```"


@cache
def shared_model() -> str:
    """The model of lesson 15, for the widgets that run one."""
    from minillm.loading import load
    return in_page.shared(load(lessons_folder() / "15_inside" / "model"))


def in_clone() -> bool:
    """Whether this is a clone, which has every file that a page may link to."""
    return lessons_folder().parent == PACKAGE.parent


def file_of(path: str) -> Path:
    """Where a file of the repository lies, in a clone or in an installed package."""
    first, _, rest = path.partition("/")
    return lessons_folder() / rest if first == "lessons" else PACKAGE.parent / path


def fence(source: str, target: str) -> str:
    """A block to be read, not run: in a notebook a fence of "py" stays text, and "python" would be a cell."""
    return f"```{'py' if target == 'notebook' else 'python'}\n{source}\n```"


def indented(text: str) -> str:
    return "\n".join("    " + line if line else "" for line in text.splitlines())


def folded(title: str, text: str, target: str) -> str:
    """Text behind its title, shown when one asks for it."""
    if target == "notebook":
        return f"<details>\n<summary>{title}</summary>\n\n{text}\n\n</details>"
    return f'??? note "{title}"\n\n{indented(text)}'


def markdown_table(table) -> str:
    """A rich table as Markdown; the first column to the left, numbers to the right, text in the code font left alone."""
    columns = [(column.header, [str(cell) for cell in column.cells]) for column in table.columns]

    def cell(text):
        return re.sub(r"([\\|*_`\[{])", r"\\\1", text).replace("<", "&lt;")         # Python-Markdown would show the backslash of \<

    def is_number(cells):
        return all(re.fullmatch(r"[-+]?[\d.,]+(e-?\d+)?\s*%?|-|", text) for text in cells)

    lines = ["| " + " | ".join(cell(header) for header, _ in columns) + " |",
             "|" + "|".join("---:" if i and is_number(cells) else "---"
                            for i, (_, cells) in enumerate(columns)) + "|"]
    lines += ["| " + " | ".join(map(cell, row)) + " |"
              for row in zip(*(cells for _, cells in columns))]
    return "\n".join(lines) + (f"\n\n*{cell(str(table.title))}*" if table.title else "")


# ---- A whole lesson ---------------------------------------------------------------------------------------

FRONT = {"title": str, "question": str, "able": list, "builds_on": list, "code": list,
         "tests": list, "pencil": int, "reading": list}
KINDS = {str: "a text", int: "a number of minutes", list: "a list"}


def check_lesson(lesson: Lesson):
    """Refuse a lesson.md that breaks the contract of lessons/README.md. Raises PageError."""
    path = lesson.folder / "lesson.md"
    for key, kind in FRONT.items():
        if not isinstance(lesson.front.get(key), kind):
            raise PageError(f"{path}: the front matter needs {key}, {KINDS[kind]}")
    headings = [title for title, _ in sections(lesson.text)]
    if tuple(heading for heading in headings if heading in SECTIONS) != SECTIONS:
        raise PageError(f"{path}: needs the sections {', '.join(SECTIONS)}, in this order; has {', '.join(headings)}")


def sections(text: str) -> list[tuple[str, str]]:
    """[(heading of level 2, its text)], outside code; what comes before the first has the heading ""."""
    shadow = CODE.sub(lambda match: re.sub(r"[^\n]", "x", match[0]), text)
    starts = [(match[1], match.start(), match.end()) for match in HEADING.finditer(shadow)]
    ends = [start for _, start, _ in starts[1:]] + [len(text)]
    before = [("", text[:starts[0][1] if starts else len(text)].strip())]
    return [part for part in before
            if part[1]] + [(text[start + 3:end], text[end:next_one].strip())
                           for (_, start, end), next_one in zip(starts, ends)]


def lesson_page(lesson: Lesson, target: str, link=None) -> tuple[str, dict]:
    """(Markdown of the whole lesson, {name: content} of the files that it shows).

    Misconceptions give the exercise away: they come after it, folded, wherever lesson.md has them.
    """
    check_lesson(lesson)
    path = lesson.folder / "lesson.md"
    first_line = path.read_text(encoding="utf-8").count("\n") - lesson.text.count("\n") + 1
    renderer = PageRenderer(path, target, lesson.folder, link)
    parts = dict(sections(renderer.page(lesson.text, first_line)))
    wrong, exercise = parts.pop(WRONG), parts.pop(EXERCISE)
    title = (f"{len(renderer.exercise.HINTS)} misconceptions that the check recognizes: "
             "open after trying")
    parts[EXERCISE] = f"{exercise}\n\n{on_paper(lesson, renderer)}"
    parts[WRONG] = folded(title, wrong, target)
    if target == "notebook":                       # jupytext would make a cell of shell, and run it
        parts = {heading: SHELL.sub("```text", LINK.sub(r"\1", text))
                 for heading, text in parts.items()}
    seconds = renderer.results()["measured"]["seconds"]["value"]
    return template().render(
        lesson=lesson, sections=parts.items(), reading=reading_minutes(lesson),
        pencil=duration(lesson.front["pencil"]),
        running="1 second" if seconds < 1.5 else f"{seconds:.0f} seconds",
        builds_on=[built_on(lesson, name, renderer) for name in lesson.front["builds_on"]],
        code=[[renderer.linked(*source_of(full)[:2], full) for full in twins_of(name)]
              for name in lesson.front["code"]],
        tests=[promised(lesson, test, renderer) for test in lesson.front["tests"]]), renderer.files


@cache
def template() -> jinja2.Template:
    """assets/lesson.md: what stands around the sections of a lesson. Markdown: nothing is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("minillm.course", "assets"), undefined=jinja2.StrictUndefined,
        autoescape=False, trim_blocks=True, keep_trailing_newline=True)
    return environment.get_template("lesson.md")


PAPER = re.compile(r"((?:^#.*\n)+)^[A-Z_]+ = None$", re.MULTILINE)


def on_paper(lesson: Lesson, renderer: PageRenderer) -> str:
    """What the exercise asks for on paper, as the comments of exercise.py have it, and a link to the stubs."""
    if renderer.target == "notebook":                 # has the whole exercise as cells
        return ""
    text = (lesson.folder / "exercise.py").read_text(encoding="utf-8")
    comments = re.sub(r"^# ?", "", "\n\n".join(PAPER.findall(text)), flags=re.MULTILINE)
    plain = re.sub(r"^(?! {4}).*$", lambda line: re.sub(r"([\\*_`<\[])", r"\\\1", line[0]),
                   comments, flags=re.M)
    shown = f'!!! question "On paper"\n\n{indented(plain.strip())}\n\n' if comments else ""
    stubs = renderer.linked(f"lessons/{lesson.name}/exercise.py", 1, "exercise.py")
    return shown + (f"The stubs of every task: {stubs}." if stubs.startswith("[") else "")


def reading_minutes(lesson: Lesson) -> int:
    """Minutes to read a lesson, counted on its source, so that every page says the same."""
    prose = REFERENCE.sub(" x ", CODE.sub(" ", lesson.text))
    words = len(re.sub(r"^\|.*$", "", prose, flags=re.MULTILINE).split())
    lines = sum(block[0].count("\n") - 1 for block in CODE.finditer(lesson.text) if block[1])
    for kind, name, _ in REFERENCE.findall(lesson.text):
        if kind in ("code", "twins"):
            lines += source_of(name.strip() if kind == "code"
                               else f"minillm.in_numpy.{name.strip()}")[2].count("\n") + 1
    return max(1, round(words / WORDS_A_MINUTE + lines / LINES_A_MINUTE))


def built_on(lesson: Lesson, name: str, renderer: PageRenderer) -> str:
    other = lesson.folder.parent / name
    if not (other / "lesson.md").exists():
        raise PageError(f"{lesson.folder / 'lesson.md'}: builds_on {name}: there is no such lesson")
    target = renderer.link("lesson", name)
    return f"[{name[:2]}]({target})" if target else name


def twins_of(name: str) -> list[str]:
    """The dotted names that an entry of `code` stands for: both twins', or its own."""
    if name.startswith("minillm."):
        return [name]
    return [f"minillm.in_{twin}.{name}" for twin in ("numpy", "jax")]


def promise_of(path: Path) -> str:
    """What a file of tests promises: the first paragraph of its docstring, without the word."""
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))).split("\n\n")[0]
    return " ".join(re.sub(r"^Promises?(?: of [^:]+)?: ", "", text).split())


def promised(lesson: Lesson, test: str, renderer: PageRenderer) -> str:
    """A file of tests that a lesson names, and what it promises."""
    path = PACKAGE.parent / test
    if not in_clone():                           # an installed package comes without them
        return f"`{test}`"
    if not path.is_file():
        raise PageError(f"{lesson.folder / 'lesson.md'}: tests: there is no {test}")
    return f"{renderer.linked(test)}: {promise_of(path)}"
