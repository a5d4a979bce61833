"""Pages with nothing typed by hand: references in Markdown become numbers, source, tables, figures and printed output.

    {{ results.merges.0.count:,d }}   a number of results.json, by its path; after the colon a format of Python's
    {{ full.loss:.3f }}               the same from results_full.json
    {{ code minillm.tokenizer.merge_pair }}    the source of a function, a class, or a method
    {{ link minillm/ngram.py }}       a link to a file
    {{ twins ops.rmsnorm }}           the same function of minillm.in_numpy and of minillm.in_jax, in linked tabs
    {{ table NAME }}  {{ figure NAME }}        what demo.py makes of results.json; `full NAME`: of results_full.json
    {{ mistakes }}  {{ tasks }}  {{ exercise }}    hints, tasks and stubs of the exercise
    {{ live the report }}             a link to the page that the lesson's report.py writes; elsewhere than on the site the words alone
    ```python run                     a block that is run now; what it prints is shown below it
    ```python hidden                  a block that is run now and not shown: what the next one needs
A reference that names nothing raises PageError, with the file and the line: a page is never built with a hole in it. A page
is made for a form: "site" (MkDocs material), "notebook" (jupytext) or "html" (one file by itself).
"""

import ast
import base64
import contextlib
import html
import io
import re
import runpy
import textwrap
from pathlib import Path

from minillm.course import demos
from minillm.course.lessons import PACKAGE, Lesson, load_module
from minillm.errors import UserError

REFERENCE = re.compile(r"\{\{\s*([a-z_]+)(?:[. ]([^}:]*))?(?::([^}]*))?\}\}")
BLOCK = re.compile(r"^```python (run|hidden)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MATH = re.compile(r"\$\$(.+?)\$\$|(?<![\\$\w])\$(?!\s)([^$\n]+?)(?<!\s)\$(?![\w$])", re.DOTALL)
CODE = re.compile(r"^(```|~~~).*?^\1[ \t]*$|`[^`\n]+`", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[([^\]]+)\]\((?![a-z]+:|#)[^)\s]*\.md(?:#[^)\s]*)?\)")      # to another page of the site
SECTIONS = ("The idea", "The code", "The demonstration", "What people get wrong", "The exercise")
WORDS_A_MINUTE = 180


class PageError(UserError):
    """A page that cannot be made: which file and line, and why."""


class Maker:
    """Makes one page: `folder` holds demo.py, results.json and the exercise, where the page is a lesson's."""

    def __init__(self, path: Path, form: str = "site", folder: Path | None = None, link=None):
        self.path, self.form, self.folder = path, form, folder
        self.link = link or (lambda kind, target: None)     # where the source of a function lies on the site, if it does
        self.names, self.files, self._kept = {"__name__": "page"}, {}, {}

    def kept(self, what, make):
        if what not in self._kept:
            self._kept[what] = make()
        return self._kept[what]

    @property
    def demo(self) -> dict:
        return self.kept("demo", lambda: runpy.run_path(str(self.folder / "demo.py"), run_name="demo"))

    @property
    def exercise(self):
        return self.kept("exercise", lambda: load_module(self.folder / "test_exercise.py", "test_exercise"))

    def results(self, full=False) -> dict:
        return self.kept(f"results{full}", lambda: demos.read_results(self.folder, full))

    NUMBERS = ("results", "full")

    def number(self, kind: str, name: str):
        return demos.lookup(self.results(kind == "full"), name)

    def page(self, text: str, first_line: int = 1) -> str:
        """`text` with every reference replaced and every block that says so run."""
        def at(position):
            return f"{self.path}, line {first_line + text.count(chr(10), 0, position)}"

        made, end = [], 0
        for found in sorted([*REFERENCE.finditer(text), *BLOCK.finditer(text)], key=lambda match: match.start()):
            try:
                new = self.run(*found.groups()) if found.re is BLOCK else self.reference(*found.groups())
            except PageError:
                raise
            except Exception as error:
                raise PageError(f"{at(found.start())}: {found[0].splitlines()[0]}: {type(error).__name__}: {error}") from error
            made += [text[end:found.start()], new]
            end = found.end()
        return "".join(made) + text[end:]

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
        if self.form == "site":
            target = self.link("code", (path, line))
            below = f"\n\n[{path}]({target}){{ .source }}" if target else ""
            return f'```python title="{title}"\n{source}\n```{below}'
        return f"{title}:\n\n{fence(source, self.form)}"

    def make_link(self, path):
        if not (PACKAGE.parent / path).exists():
            if (PACKAGE.parent / "pyproject.toml").is_file():
                raise KeyError(f"there is no {path}")
            return f"`{path}`"                              # an installed package comes without benchmarks and tests
        target = self.link("code", (path, 1))
        return f"[`{path}`]({target})" if target else f"`{path}`"

    def make_twins(self, name):
        names = {"NumPy": f"minillm.in_numpy.{name}", "JAX": f"minillm.in_jax.{name}"}
        if self.form != "site":
            return "\n\n".join(f"{twin}, {self.make_code(full)}" for twin, full in names.items())
        return "\n\n".join(f'=== "{twin}"\n\n' + indented(self.make_code(full)) for twin, full in names.items())

    # ---- What the demo made ---------------------------------------------------------------------------

    def make_table(self, name):
        full = name.startswith("full ")
        for found, table in self.demo["tables"](self.results(full)):
            if found == name.removeprefix("full "):
                return markdown_table(table)
        raise KeyError(f"demo.py has no table {name!r}")

    def make_figure(self, name):
        schemes = ("light", "dark") if self.form == "site" else ("light",)
        shown, full = [], name.startswith("full ")
        for scheme in schemes:
            drawn = self.kept(f"figures {full} {scheme}",
                              lambda: {n: (d, svg) for n, d, svg in demos.draw(self.demo, self.results(full), scheme)})
            description, svg = drawn[name.removeprefix("full ")]
            if self.form == "site":
                file = f"{self.folder.name}/{name.replace(' ', '-')}-{scheme}.svg"
                self.files[file] = svg
                shown.append(f"![{description}]({file}#only-{scheme})")
            else:
                code = base64.b64encode(svg.encode()).decode()
                shown.append(f'<img alt="{html.escape(description)}" src="data:image/svg+xml;base64,{code}">')
        return "\n".join(shown)

    def make_live(self, words):
        if not (self.folder / "report.py").is_file():
            raise KeyError(f"{self.folder.name} has no report.py")
        return f"[{words}]({self.folder.name}/report.html)" if self.form == "site" else words

    # ---- What the exercise asks -----------------------------------------------------------------------

    def make_mistakes(self, _):
        return "\n".join(f"- {hint.misconception}" for hint in self.exercise.HINTS.values())

    def make_tasks(self, _):
        rows = ["| task | what | points | after |", "|---|---|---:|---|"]
        rows += [f"| `{task.name}` | {task.about} | {task.points} | {', '.join(f'`{name}`' for name in task.needs)} |"
                 for task in self.exercise.TASKS]
        return "\n".join(rows)

    def make_exercise(self, _):
        return fence((self.folder / "exercise.py").read_text(encoding="utf-8").rstrip(), self.form)

    # ---- What is run now ------------------------------------------------------------------------------

    def run(self, kind: str, code: str) -> str:
        """The block and what it prints; a hidden one stays a cell of a notebook, which must run too."""
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(code, str(self.path), "exec"), self.names)
        if kind == "hidden" and self.form != "notebook":
            return ""
        shown = f"```python\n{code.rstrip()}\n```"
        output = printed.getvalue().rstrip()
        if self.form == "notebook" or not output:
            return shown
        return f"{shown}\n\n```{'{ .text .output }' if self.form == 'site' else 'text'}\n{output}\n```"


def source_of(name: str) -> tuple[str, int, str]:
    """(file, first line, source) of a function, class or method by its dotted name; the file relative to the package's parent.

    The file is read, not imported. Raises KeyError where there is no such file, or nothing of that name in it.
    """
    words = name.split(".")
    for n in range(len(words), 0, -1):
        path = PACKAGE.parent.joinpath(*words[:n]).with_suffix(".py")
        if path.is_file():
            break
    else:
        raise KeyError(f"there is no file for {name}")
    text = path.read_text(encoding="utf-8")
    node = ast.parse(text)
    for word in words[n:]:
        node = next((part for part in node.body if getattr(part, "name", None) == word), None)
        if node is None:
            raise KeyError(f"{path.name} has no {'.'.join(words[n:])}")
    if n == len(words):
        return path.relative_to(PACKAGE.parent).as_posix(), 1, text.rstrip()
    first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
    return path.relative_to(PACKAGE.parent).as_posix(), first, textwrap.dedent("\n".join(text.splitlines()[first - 1 : node.end_lineno]))


def fence(source: str, form: str) -> str:
    """A block to be read, not run: in a notebook a fence of "py" stays text, and "python" would be a cell."""
    return f"```{'py' if form == 'notebook' else 'python'}\n{source}\n```"


def indented(text: str) -> str:
    return "\n".join("    " + line if line else "" for line in text.splitlines())


def markdown_table(table) -> str:
    """A rich table as Markdown; the first column to the left, numbers to the right, text in the code font left alone."""
    columns = [(column.header, [str(cell) for cell in column.cells]) for column in table.columns]

    def cell(text):
        return re.sub(r"([\\|*_`\[{])", r"\\\1", text).replace("<", "&lt;")         # Python-Markdown would show the backslash of \<

    def is_number(cells):
        return all(re.fullmatch(r"[-+]?[\d.,]+(e-?\d+)?\s*%?|-|", text) for text in cells)

    lines = ["| " + " | ".join(cell(header) for header, _ in columns) + " |",
             "|" + "|".join("---:" if i and is_number(cells) else "---" for i, (_, cells) in enumerate(columns)) + "|"]
    lines += ["| " + " | ".join(map(cell, row)) + " |" for row in zip(*(cells for _, cells in columns))]
    return "\n".join(lines) + (f"\n\n*{cell(str(table.title))}*" if table.title else "")


# ---- A whole lesson ---------------------------------------------------------------------------------------

def check_lesson(lesson: Lesson):
    """Refuse a lesson.md that breaks the contract of lessons/README.md. Raises PageError."""
    path = lesson.folder / "lesson.md"
    for key, kind in (("title", str), ("question", str), ("able", list), ("builds_on", list), ("code", list), ("tests", list), ("reading", list)):
        if not isinstance(lesson.front.get(key), kind):
            raise PageError(f"{path}: the front matter needs {key}, a {'text' if kind is str else 'list'}")
    headings = re.findall(r"^## (.+)$", CODE.sub("", lesson.text), re.MULTILINE)
    if tuple(heading for heading in headings if heading in SECTIONS) != SECTIONS:
        raise PageError(f"{path}: needs the sections {', '.join(SECTIONS)}, in this order; has {', '.join(headings)}")


def lesson_page(lesson: Lesson, form: str, link=None) -> tuple[str, dict]:
    """(Markdown of the whole lesson, {name: content} of the files that it shows)."""
    check_lesson(lesson)
    path = lesson.folder / "lesson.md"
    first_line = path.read_text(encoding="utf-8").count("\n") - lesson.text.count("\n") + 1
    maker = Maker(path, form, lesson.folder, link)
    body = maker.page(lesson.text, first_line)
    if form != "site":                                        # there are no other pages to link to
        body = LINK.sub(r"\1", body)
    if form == "notebook":                                    # jupytext would make a cell of shell, and run it
        body = re.sub(r"^```(?:sh|bash)$", "```text", body, flags=re.MULTILINE)
    return f"# {lesson.number} {lesson.title}\n\n{top(lesson, maker, body)}\n{body.rstrip()}\n\n{end(lesson, maker)}\n", maker.files


def top(lesson: Lesson, maker: Maker, body: str) -> str:
    """The question; what one will be able to do; minutes of reading and running; what it builds on."""
    words = len(re.sub(r"^\|.*$", "", CODE.sub(" ", body), flags=re.MULTILINE).split())
    lines_of_code = sum(found[0].count("\n") - 1 for found in CODE.finditer(body) if found[1])
    minutes = max(1, round(words / WORDS_A_MINUTE + lines_of_code / 12))
    seconds = maker.results()["measured"]["seconds"]["value"]
    builds = ", ".join(built_on(lesson, name, maker) for name in lesson.front["builds_on"]) or "NumPy and Python, nothing else"
    able = "\n".join(f"- {line}" for line in lesson.front["able"])
    running = "1 second" if seconds < 1.5 else f"{seconds:.0f} seconds"
    return (f"**{lesson.front['question']}**\n\nAfter this lesson you can:\n\n{able}\n\n"
            f"*Reading: {minutes} minutes. Running the demonstration: {running} on two cores. Builds on: {builds}.*\n")


def built_on(lesson: Lesson, name: str, maker: Maker) -> str:
    other = lesson.folder.parent / name
    if not (other / "lesson.md").exists():
        raise PageError(f"{lesson.folder / 'lesson.md'}: builds_on {name}: there is no such lesson")
    target = maker.link("lesson", name)
    return f"[{name[:2]}]({target})" if target else name


def end(lesson: Lesson, maker: Maker) -> str:
    """Where the real code and its tests are; further reading."""
    def item(path, line, label):
        target = maker.link("code", (path, line))
        return f"[`{label}`]({target})" if target else f"`{label}`"

    lines = ["## The real code", ""]
    for name in lesson.front["code"]:
        twins = [f"minillm.in_{twin}.{name}" for twin in ("numpy", "jax")] if name.split(".")[0] != "minillm" else [name]
        lines.append("- " + ", ".join(item(*source_of(full)[:2], full) for full in twins))
    lines += ["", "Tests that hold it to its promises:", ""]
    for test in lesson.front["tests"]:
        path = PACKAGE.parent / test
        if (PACKAGE.parent / "tests").is_dir():                 # an installed package comes without them
            if not path.is_file():
                raise PageError(f"{lesson.folder / 'lesson.md'}: tests: there is no {test}")
            lines.append(f"- {item(test, 1, test)}: {ast.get_docstring(ast.parse(path.read_text(encoding='utf-8'))).splitlines()[0]}")
        else:
            lines.append(f"- `{test}`")
    lines += ["", "## Further reading", "", *(f"- {entry}" for entry in lesson.front["reading"])]
    return "\n".join(lines)


# ---- One file of HTML, for `minillm lesson open` -----------------------------------------------------------

STYLE = """body { max-width: 46rem; margin: 2rem auto; padding: 0 1rem; font: 1rem/1.6 system-ui, sans-serif; color: #1d2733; background: #fff }
pre { overflow-x: auto; padding: .8rem; background: #f3f5f8; line-height: 1.4 } code { font-family: ui-monospace, monospace; font-size: .88rem }
table { border-collapse: collapse; display: block; overflow-x: auto } td, th { border: 1px solid #d5dbe3; padding: .3rem .6rem }
img { max-width: 100% } h1, h2, h3 { line-height: 1.25 }"""


def as_html(lesson: Lesson) -> str:
    """The lesson as one file of HTML that needs nothing else; formulas as MathML where latex2mathml is installed."""
    from markdown_it import MarkdownIt
    text, _ = lesson_page(lesson, "html")
    body = MarkdownIt("commonmark", {"html": True}).enable("table").render(with_math(text, strict=False))
    return (f'<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<meta name="viewport" content="width=device-width">\n'
            f"<title>{html.escape(lesson.title)}</title>\n<style>{STYLE}</style>\n<body>\n{body}</body>\n</html>\n")


def with_math(text: str, strict: bool = True) -> str:
    """$...$ and $$...$$ outside code as MathML, which browsers draw by themselves; as they are where the library is missing."""
    try:
        from latex2mathml.converter import convert
    except ModuleNotFoundError:
        if strict:
            raise
        return text

    def formula(found):
        block = found[1] is not None
        made = convert((found[1] or found[2]).strip(), display="block" if block else "inline")
        made = re.sub(r"(<mi>(?:ln|log|exp|max|min|sin|cos)</mi>)(?=<m[in]>|<mi |<mfrac|<msub)", r'\1<mspace width="0.17em"/>', made)
        made = re.sub(r"[*_`\[\]\\]", lambda sign: f"&#{ord(sign[0])};", made)           # Markdown must not read them
        return f'\n\n<div class="formula">{made}</div>\n\n' if block else made

    made, end = [], 0
    for code in CODE.finditer(text):
        made += [MATH.sub(formula, text[end:code.start()]), code[0]]
        end = code.end()
    return "".join(made) + MATH.sub(formula, text[end:])
