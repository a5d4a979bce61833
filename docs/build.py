"""Makes the pages of the site: run before MkDocs (`make docs`). Strict: what is missing or stale ends it with an error.

    docs/pages/*.md         the pages written by hand, with references (see minillm/course/pages.py, and the class Site below)
    lessons/*/lesson.md     become build/docs/lessons/NN_name.md
    lessons/*/report.py     write build/docs/lessons/NN_name/report.html, a page by itself
    *.py                    become build/docs/code/...: every file that a page links to, with numbered lines
Everything goes to build/docs, which is not committed; mkdocs.yml reads that folder.
"""

import argparse
import ast
import html
import os
import re
import runpy
import shlex
import shutil
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "docs")]

import pictures  # noqa: E402
from minillm import cli  # noqa: E402
from minillm.cli.playground import rounded  # noqa: E402
from minillm.course import demos, pages  # noqa: E402
from minillm.course.lessons import Lesson, all_lessons, lessons_folder  # noqa: E402
from minillm.course.opened import lesson_table  # noqa: E402
from minillm.course.pages import PageError  # noqa: E402
from minillm.errors import UserError  # noqa: E402
from minillm.files import read_json  # noqa: E402
from minillm.in_page import page as in_page  # noqa: E402
from minillm.loading import Model, load  # noqa: E402
from minillm.quantization.model import dequantize_params  # noqa: E402
from minillm.training import curves  # noqa: E402

PAGES, OUT = ROOT / "docs" / "pages", ROOT / "build" / "docs"
CODE = ("minillm/**/*.py", "lessons/README.md", "minillm/**/*.json", "minillm/in_page/assets/*.js", "tests/**/*.py", "lessons/*/demo.py", "lessons/*/report.py", "lessons/*/real_checkpoint.py", "lessons/*/smollm2.py", "lessons/*/exercise.py", "lessons/*/test_exercise.py", "benchmarks/*.py", "benchmarks/*.c",
        "docs/*.py")
SHOWS = {"benchmarks.md": "11_int8"}       # pages with tables and numbers of a lesson's demo.py
BOOST = {"lessons": 2, "glossary.md": 3, "reference": 0.3}      # in the search: what explains comes first
SHELL = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Site(pages.PageRenderer):
    """References that only pages of the site have; {{ benchmark demo.seconds:.0f }} is a number of benchmarks/results/demo.json."""

    NUMBERS = ("results", "full", "smollm2", "benchmark", "curves", "option")

    def number(self, kind, name):
        if kind == "curves":
            return getattr(curves, name.upper())
        if kind == "option":
            command, option = name.split()
            return next(action.default for action in subcommands(cli.parser())[command]._actions if option in action.option_strings)
        if kind != "benchmark":
            return super().number(kind, name)
        file, *path = name.split(".")
        value = read_json(ROOT / "benchmarks" / "results" / f"{file}.json")
        for key in path:
            value = value[int(key)] if isinstance(value, list) else value[key]
        return value

    def make_lessons(self, _):
        """A table of the lessons."""
        return lesson_table(all_lessons(), f"{relative(self.at, 'lessons')}/")

    def make_hint(self, name):
        """What `minillm lesson check` says to one misconception: {{ hint 03_attention masked_by_zero }}."""
        lesson, hint = name.split()
        folder = lessons_folder() / lesson
        found = pages.load_module(folder / "test_exercise.py", "test_exercise")
        task = next(task for task in found.TASKS if hint in task.mistakes)
        said = textwrap.wrap(f"{found.HINTS[hint].misconception} {found.HINTS[hint].see}", 78)
        return "\n".join(["```text", f" not yet  {task.name}  0 of {task.points}", *(f"          {line}" for line in said), "```"])

    def make_commands(self, _):
        """The reference of every command."""
        top = cli.parser()
        return "\n\n".join(of_command(name, command) for name, command in subcommands(top).items())

    def make_command(self, name):
        """The help of one command, or the plain statement that this version has none."""
        known = subcommands(cli.parser())
        if name not in known:
            return (f'!!! note "Not in this version"\n    There is no command `minillm {name}` in this version of minillm yet. This page is written by the '
                    "command line itself: when the command is there, its options stand here.")
        return of_command(name, known[name])

    def make_reference_curves(self, _):
        """The bands of the reference curves, in both colour schemes."""
        return self.drawn(pictures.reference_curves)

    def make_path_of_a_model(self, _):
        """Sizes and losses along the path of one model, in both colour schemes."""
        return self.drawn(pictures.path_of_a_model)

    def make_rates_by_depth(self, _):
        """Loss against rate by depth, in both colour schemes."""
        return self.drawn(pictures.rates_by_depth)

    def make_further_cases(self, _):
        """What is odd about a file, what minillm and the reference do: further_cases.json."""
        rows = ["| what is odd | minillm | the reference |", "|---|---|---|"]
        for row in read_json(ROOT / "tests" / "further_cases.json").values():
            right = row["right"]
            theirs = right.split(": ")[-1] if isinstance(right, str) else "the same value"
            rows.append(f"| {row['about']} | {row['here']} | {theirs} ({row['reference']}) |")
        return "\n".join(rows)

    def make_story(self, _):
        """The model of lesson 15 in 4 bits, and the head that carries the name in its story."""
        folder = lessons_folder() / "15_inside"
        shown = demos.read_results(folder)["exact"]["shown"]
        layer, head = map(int, shown["carrier"].split("."))
        story = in_page.story(home_model(), shown["text"], head=[layer, head])
        write("assets/javascripts/story.js", story)
        script, lesson, bits = (relative(self.at, path) for path in (
            "assets/javascripts/story.js", "lessons/15_inside.md", "lessons/12_four_bits.md"))
        return (f"""<div class="in-page" id="playground"><noscript>Here the model of
lesson 15 writes a story, by a script that your browser does not run.</noscript></div>
<script src="{script}" async></script>

The model of [lesson 15]({lesson}), rounded to [4 bits]({bits}), runs in
this page. The lesson finds which head carries the name
from where it was read to where it is needed. In this story it is head {shown["carrier"]}: take it
out, and *{shown["names"][0]}* is forgotten.""")

    def make_recording(self, name):
        """A recording of the terminal, made by docs/recordings.py, with its words as the text."""
        path = f"assets/recordings/{name}.svg"
        svg = (ROOT / "docs" / path).read_text(encoding="utf-8")
        words = re.search("<title>(.*?)</title>", svg, re.DOTALL)[1]
        words = words.replace("\n", "&#10;").replace('"', "&quot;")
        return f'<img class="recording" src="{relative(self.at, path)}" alt="{words}">'

    def make_modules(self, names):
        """What is public in modules, and in those that packages name in __all__, by mkdocstrings."""
        shown = []
        for module, members in (pair for name in names.split() for pair in face(name).items()):
            link = self.make_link(module.replace(".", "/") + ".py")
            options = f"\n    options:\n      members: {members}" if members else ""
            shown.append(f"## {module}\n\n{link}\n\n::: {module}{options}")
        return "\n\n".join(shown)

    def make_tests(self, paths):
        """Files of tests, each with what it promises: the first paragraph of its docstring."""
        return "\n".join(f"- {self.make_link(path)}: {pages.promise_of(ROOT / path)}" for path in paths.split())

    def drawn(self, figures):
        """Figures of docs/pictures.py, written beside the page."""
        shown = []
        for name, description, svg in demos.draw({"figures": figures}, {}, "light"):
            for scheme, picture in (("light", svg), ("dark", demos.darkened(svg))):
                write(f"{Path(self.at).parent.as_posix()}/{name}-{scheme}.svg", picture)
                shown.append(f"![{description}]({name}-{scheme}.svg#only-{scheme})")
        return "\n".join(shown)


def home_model() -> Model:
    """The model of lesson 15 as the home page holds it: in 4 bits, half of what it is in int8."""
    model = load(lessons_folder() / "15_inside" / "model")
    floats = replace(model, params=dequantize_params(model.params))
    return rounded(floats, "int4-group32")


def face(name: str) -> dict[str, list[str]]:
    """{module: its public names, [] for all}: of a module, or what a package's __all__ names."""
    file = ROOT.joinpath(*name.split("."), "__init__.py")
    if not file.is_file():
        return {name: []}
    body = ast.parse(file.read_text(encoding="utf-8")).body
    listed = next(ast.literal_eval(part.value) for part in body
                  if isinstance(part, ast.Assign) and part.targets[0].id == "__all__")
    parts = {part.module: [alias.name for alias in part.names if alias.name in listed]
             for part in body if isinstance(part, ast.ImportFrom)}
    parts = {module: names for module, names in parts.items() if names}
    files = set(listed) - {imported for names in parts.values() for imported in names}
    whole = {f"{name}.{entry}": [] for entry in files if file.with_name(f"{entry}.py").is_file()}
    return dict(sorted((parts | whole).items()))


def relative(at: str, target: str) -> str:
    """The way from the page `at` to `target`, both relative to the site's folder."""
    path, mark, anchor = target.partition("#")
    return Path(os.path.relpath(path, os.path.dirname(at) or ".")).as_posix() + mark + anchor


def linker(at: str):
    """Where things lie on the site, seen from the page `at`."""
    def link(kind, target):
        if kind == "lesson":
            return relative(at, f"lessons/{target}.md")
        path, line = target
        return relative(at, f"code/{path}.md#__codelineno-0-{line}")
    return link


# ---- The command line -------------------------------------------------------------------------------------

def subcommands(parser) -> dict:
    """{name: parser} of the commands below a parser."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}


def of_command(name: str, parser, level: int = 2) -> str:
    """One command as Markdown: what it does, its options with defaults, an example; then its own subcommands."""
    lines = [f"{'#' * level} minillm {name}", "", parser.description or "", ""]
    below = subcommands(parser)
    if not below:
        lines += ["| option | default | what it is |", "|---|---|---|", *filter(None, map(of_option, parser._actions)), ""]
    if parser.epilog:
        example = parser.epilog.partition("example:\n")[2]
        lines += ["```sh", *(line.strip() for line in example.splitlines()), "```", ""]
    return "\n".join(lines + [of_command(f"{name} {sub}", inner, level + 1) for sub, inner in below.items()])


def of_option(action) -> str:
    """A row for one option; none for --help."""
    if isinstance(action, argparse._HelpAction):
        return ""
    name = ", ".join(action.option_strings) or action.metavar or action.dest
    if action.option_strings and action.nargs != 0 and not isinstance(action, argparse.BooleanOptionalAction):
        name += " " + (action.metavar if isinstance(action.metavar, str) else "|".join(map(str, action.choices or ["VALUE"])))
    default = action.default
    shown = "" if default is None or default is False or default in ("", [], [""], argparse.SUPPRESS) else f"`{default}`"
    what = html.escape(action.help or "", quote=False).replace("|", "\\|")
    return f"| `{name.replace('|', chr(0x2223))}` | {shown} | {what}{' (needed)' if action.required and action.option_strings else ''} |"


def check_shell(text: str, where: str):
    """Every `minillm ...` of a block of shell must parse."""
    for block in SHELL.finditer(text):
        for line in block[1].replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            if words[:1] != ["minillm"] or "..." in words:
                continue
            try:
                cli.parser().parse_args(words[1:])
            except (UserError, SystemExit) as error:
                if not isinstance(error, SystemExit) or error.code:
                    raise PageError(f"{where}: {line.strip()!r} is not a command: {error}") from None


# ---- Making everything --------------------------------------------------------------------------------------

def write(at: str, text: str):
    path = OUT / at
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def boosted(text: str, boost: float) -> str:
    """A page that the search ranks higher or lower than others (1)."""
    return f"---\nsearch:\n  boost: {boost}\n---\n\n{text}"


def make_page(path: Path, at: str):
    folder = ROOT / "lessons" / SHOWS[at] if at in SHOWS else None
    maker = Site(path, "site", folder, linker(at))
    maker.at = at
    text = path.read_text(encoding="utf-8")
    if re.search(r"^```python$", text, re.MULTILINE):
        raise PageError(f"{path}: has a block of Python that is not run: begin it with ```python run")
    here = Path.cwd()
    try:
        text = maker.page(text)
    finally:
        os.chdir(here)                                       # a hidden block may have gone elsewhere
    check_shell(text, str(path))
    write(at, boosted(text, BOOST.get(at.partition("/")[0], 1)))


def make_lesson(lesson: Lesson):
    at = f"lessons/{lesson.name}.md"
    text, files = pages.lesson_page(lesson, "site", linker(at))
    check_shell(text, str(lesson.folder / "lesson.md"))
    write(at, boosted(text, BOOST["lessons"]))
    for name, content in files.items():
        write(f"lessons/{name}", content)
    if (lesson.folder / "report.py").is_file():               # a live page, made anew: see {{ live }}
        (OUT / "lessons" / lesson.name).mkdir(parents=True, exist_ok=True)
        runpy.run_path(str(lesson.folder / "report.py"))["main"](str(OUT / "lessons" / lesson.name / "report.html"))


def make_code():
    """A page for every file of source, and one that lists them."""
    known = []
    for pattern in CODE:
        for path in sorted(ROOT.glob(pattern)):
            name, text = path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8").rstrip()
            known.append(name)
            language = {".py": "python", ".md": "markdown", ".json": "json", ".c": "c",
                        ".js": "javascript"}[path.suffix]
            write(f"code/{name}.md", f'---\nsearch:\n  exclude: true\nhide:\n  - toc\n---\n\n# {name}\n\n````` {{ .{language} linenums="1" }}\n{text}\n`````\n')
    listed = "\n".join(f"- [{name}]({name}.md)" for name in known)
    write("code/index.md", f"# Source files\n\nEvery file that a page links to, as it was when the site was built.\n\n{listed}\n")


def build():
    shutil.rmtree(OUT, ignore_errors=True)
    shutil.copytree(ROOT / "docs" / "assets", OUT / "assets")
    for name in ("content.css", "noto-sans-math.woff2"):
        shutil.copy(ROOT / "minillm" / "course" / "assets" / name, OUT / "assets" / "stylesheets")
    write("assets/stylesheets/playground.css", in_page.asset("playground.css"))
    make_code()
    for lesson in all_lessons():
        make_lesson(lesson)
    for path in sorted(PAGES.rglob("*.md")):
        make_page(path, path.relative_to(PAGES).as_posix())
    make_page(lessons_folder() / "glossary.md", "glossary.md")
    print(f"{len(list(OUT.rglob('*.md')))} pages in {OUT}")


if __name__ == "__main__":
    try:
        build()
    except UserError as error:
        sys.exit(f"docs/build.py: {error}")
