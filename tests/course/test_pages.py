"""Promise: nothing on a page is typed by hand: numbers, source, tables and output are made, and a reference that names nothing
is an error with its file and line."""

import json
import re
from pathlib import Path

import markdown
import pytest

from helpers import ROOT
from minillm.course import demos, pages
from minillm.course.lessons import all_lessons, load_module
from minillm.course.opened import EXTENSIONS, Pages
from minillm.course.pages import PageError, PageRenderer
from minillm.errors import UserError

LESSONS = {lesson.name: lesson for lesson in all_lessons()}
RESULT = r"\{\{\s*results\."
DOT = '<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>'
check_site = load_module(ROOT / "docs" / "check_site.py", "check_site")
DRAWN = re.compile(r"\{\{ figure ([\w ]+) \}\}")


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    """The folder of pages that `minillm lesson open` writes, with dots for figures: drawing is most of the time."""
    def dots(demo, results, scheme):
        path = Path(demo["__file__"]).parent / "lesson.md"
        for name in DRAWN.findall(path.read_text(encoding="utf-8")):
            yield name.removeprefix("full "), f"figure {name} of {path.parent.name}, which shows something", DOT

    folder = tmp_path_factory.mktemp("pages")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(demos, "draw", dots)
        made = Pages(folder)
        made.write(LESSONS["03_attention"])
        promised = (folder / "lessons" / "04_positions.html").read_text(encoding="utf-8")
        assert "is being written" in promised and 'http-equiv="refresh"' in promised
        made.write_missing()
        assert made.missing() == []
    return folder


@pytest.fixture
def renderer():
    lesson = next(iter(LESSONS.values()))
    return lambda target="html": PageRenderer(Path("page.md"), target, lesson.folder)


def test_the_pages_of_lesson_open_are_whole(opened):
    """Links and anchors are there, formulas are drawn in their paragraphs, nothing is fetched, code is 100 columns."""
    assert check_site.problems(opened) == []
    pages_of = {name: (opened / "lessons" / f"{name}.html").read_text(encoding="utf-8") for name in LESSONS}
    for name, page in pages_of.items():
        assert "{{" not in re.sub(r"<code.*?</code>", "", page, flags=re.DOTALL) and "<math" in page or name == "01_tokens"
        assert page.count("<img ") == 2 * LESSONS[name].text.count("{{ figure ")
        assert f"code/lessons/{name}/exercise.py.html" in page and 'class="k' in page, "the exercise, colours of code"
        assert re.search(RESULT, LESSONS[name].text), "a lesson shows what its demo measured"
        assert page.index('id="the-exercise"') < page.index('id="what-people-get-wrong"') < page.index("misconceptions that")
    assert 'href="05_transformer.html"' in pages_of["03_attention"] and "glossary.html#story-world" in pages_of["03_attention"]


@pytest.mark.parametrize("what, wrong", [("<p>a</p><math><mi>x</mi></math>", "outside a paragraph"), ("<p>so $x_i$ is</p>", "shows TeX"),
                                         ("<p>so \\frac12</p>", "shows TeX"), ("<pre><code>" + "x" * 101 + "\n</code></pre>", "101 columns"),
                                         ("<a href='no.html'>x</a>", "not there"), ("<img src='https://a.b/c.png'>", "fetches"),
                                         ("<div class='tabbed-set'>" + "<label>NumPy</label><label>JAX</label>" * 2 + "</div>", "one set for each")])
def test_the_check_of_pages_sees_what_a_reader_would(what, wrong, tmp_path):
    (tmp_path / "index.html").write_text(f"<body>{what}</body>", encoding="utf-8")
    assert [found for found in check_site.problems(tmp_path) if wrong in found]
    (tmp_path / "index.html").write_text("<body><p><math></math>, $5 and $6 <code>$x$ \\frac</code></p></body>", encoding="utf-8")
    assert check_site.problems(tmp_path) == []


def test_code_of_a_written_page_fits_without_scrolling(tmp_path):
    (tmp_path / "how-to").mkdir()
    wide = "how-to/x.html: has 119 columns of code: " + repr("x" * 50)
    for columns, found in ((118, []), (119, [wide])):
        (tmp_path / "how-to" / "x.html").write_text(
            "<pre><code>" + "x" * columns + "\n</code></pre>", encoding="utf-8")
        assert check_site.problems(tmp_path) == found


def test_minutes_are_the_same_on_every_page(opened):
    minutes = {name: pages.reading_minutes(lesson) for name, lesson in LESSONS.items()}
    listed = (opened / "lessons" / "index.html").read_text(encoding="utf-8")
    for name, number in minutes.items():
        assert f"Reading: {number} min." in (opened / "lessons" / f"{name}.html").read_text(encoding="utf-8")
        assert re.search(rf'href="{name}.html">.*?</a></td>\s*<td>.*?</td>\s*<td[^>]*>{number} min</td>', listed, re.DOTALL)
        assert LESSONS[name].front["pencil"] > number


def test_a_page_is_written_once(opened):
    """A second opening takes what is there; a change of the package makes the pages anew."""
    made = Pages(opened)
    path = made.path(LESSONS["03_attention"])
    before = path.stat().st_mtime_ns
    assert made.write(LESSONS["03_attention"]) == path and path.stat().st_mtime_ns == before
    made.stamp = "another"
    assert len(made.missing()) == len(LESSONS) + 2


def test_the_site_and_lesson_open_read_markdown_alike():
    """mkdocs.yml cannot import the list, so it repeats it."""
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    block = text[text.index("markdown_extensions:"):text.index("\nnav:")]
    assert set(re.findall(r"^  - ([\w.]+)", block, re.MULTILINE)) == set(EXTENSIONS)


def test_a_function_has_tabs_of_its_own_below_its_name(renderer):
    made = markdown.markdown(renderer().page("{{ twins ops.causal }}\n\n{{ twins ops.attend }}"), extensions=list(EXTENSIONS), extension_configs=EXTENSIONS)
    assert re.findall(r'<code>(\w+)</code></strong></p>\s*<div class="tabbed-set', made) == ["causal", "attend"]


def test_a_dark_figure_has_every_colour_of_the_dark_page():
    light, dark = (" ".join([ink["text"], ink["grid"], *ink["lines"]]) for ink in (demos.INK["light"], demos.INK["dark"]))
    assert demos.darkened(light) == dark and not set(light.split()) & set(dark.split())


def test_a_notebook_has_the_same_order_and_no_links(monkeypatch):
    monkeypatch.setattr(demos, "draw", lambda *_: ((name, "a figure", DOT) for name in DRAWN.findall(LESSONS["03_attention"].text)))
    text, files = pages.lesson_page(LESSONS["03_attention"], "notebook")
    assert files == {} and "05_transformer.md" not in text and "=== " not in text and "{{" not in text
    assert text.index("## The exercise") < text.index("## What people get wrong\n\n<details>")


def test_a_live_page_is_linked_on_the_site_alone():
    lesson = LESSONS["15_inside"]
    renderer = lambda target: PageRenderer(lesson.folder / "lesson.md", target, lesson.folder)
    assert renderer("site").page("{{ live the report }}") == "[the report](15_inside/report.html)"
    assert renderer("html").page("{{ live the report }}") == "the report"


def test_a_title_is_text_and_a_body_is_html(tmp_path):
    folder = Pages(tmp_path)
    folder.page(tmp_path / "a.html", "a < b & c", "<p>said</p>")
    text = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert "<title>a &lt; b &amp; c - minillm</title>" in text and "\n<p>said</p>\n" in text


def test_source_is_what_the_file_holds():
    import inspect

    from minillm.in_numpy import ops
    from minillm.text import tokenizer
    for name, thing in (("minillm.text.tokenizer.merge_pair", tokenizer.merge_pair), ("minillm.in_numpy.ops.attend", ops.attend),
                        ("minillm.text.tokenizer.WrittenBPE", tokenizer.WrittenBPE)):
        path, line, source = pages.source_of(name)
        lines = Path(inspect.getsourcefile(thing)).read_text(encoding="utf-8").splitlines()
        assert source == inspect.getsource(thing).rstrip() == "\n".join(lines[line - 1:][:source.count("\n") + 1])
        assert path.startswith("minillm/")


def test_what_a_block_prints_stands_below_it(renderer):
    text = "```python run\nx = 6\nprint(7 * x)\n```\n\nand\n\n```python run\nprint(x)\n```\n"
    assert re.findall(r"```\{ \.text \.output \}\n(\d+)\n```", renderer().page(text)) == ["42", "6"]
    assert "```{" not in renderer("notebook").page(text)


@pytest.mark.parametrize("wrong", ["{{ results.nothing }}", "{{ results.merges }}", "{{ code minillm.text.tokenizer.no_such }}", "{{ code minillm.nothing.at_all }}",
                                   "{{ twins ops.no_such }}", "{{ table no_such }}", "{{ figure no_such }}", "{{ no_such thing }}", "{{ live a page }}",
                                   "{{ link minillm/nothing.py }}", "```python run\nraise ValueError('x')\n```"])
def test_a_reference_that_names_nothing_is_an_error_with_its_line(wrong, renderer):
    with pytest.raises(PageError, match=r"page\.md, line 3: "):
        renderer().page(f"first\n\n{wrong}\n")


def test_a_table_survives_the_signs_of_markdown():
    from rich.table import Table
    table = Table("a|b", "n")
    table.add_row("x | *y* _z_ `c` <d> [e]", "1,234.5")
    lines = pages.markdown_table(table).splitlines()
    assert lines[0] == r"| a\|b | n |" and lines[1] == "|---|---:|"
    assert lines[2] == r"| x \| \*y\* \_z\_ \`c\` &lt;d> \[e] | 1,234.5 |"


def test_formulas_become_mathml_in_their_paragraph_and_code_and_prices_stay():
    made = markdown.markdown("Each has\n$E_i * x_i$ numbers, ($M$).\n\n`$x$`, $5 and $6\n\n$$\\sum_x p_x * q$$\n\n    $y$\n",
                             extensions=["minillm.course.formulas"])
    assert made.count("<math") == 3 and made.count("<p>") == 3 and "<em>" not in made
    assert re.search(r"<p>Each has\n<span[^>]*><math.*</math></span> numbers, <span[^>]*>\(<math.*</math>\)\.</span></p>", made)
    assert "<code>$x$</code>, $5 and $6" in made and "<code>$y$" in made
    with pytest.raises(UserError, match="the formula"):
        markdown.markdown("$\\left( x$", extensions=["minillm.course.formulas"])


def test_a_stale_lesson_fails(tmp_path):
    """A function renamed, a number gone, a section missing: each stops the page."""
    import shutil

    from minillm.course.lessons import read_lesson
    lesson = next(iter(LESSONS.values()))
    folder = shutil.copytree(lesson.folder, tmp_path / lesson.name)
    whole = (folder / "lesson.md").read_text(encoding="utf-8")
    pages.lesson_page(read_lesson(folder), "html", lambda kind, target: "x")
    for old, new in (("merge_pair }}", "merge_pairs }}"), ("## The idea", "## Ideas"), ('tests = ["tests/text/test_tokenizer.py"', 'tests = ["tests/gone.py"'),
                     ("minillm.text.tokenizer.learn_merges", "minillm.text.tokenizer.gone"), ("builds_on = []", 'builds_on = ["99_gone"]')):
        assert old in whole
        (folder / "lesson.md").write_text(whole.replace(old, new), encoding="utf-8")
        with pytest.raises((PageError, KeyError)):
            pages.lesson_page(read_lesson(folder), "html")
    (folder / "lesson.md").write_text(whole, encoding="utf-8")
    results = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    results["exact"]["stories"] += 1
    (folder / "results.json").write_text(json.dumps(results), encoding="utf-8")
    with pytest.raises(PageError, match="is not what demo.py"):
        pages.lesson_page(read_lesson(folder), "html")


def test_the_menu_of_the_site_has_every_lesson():
    """mkdocs.yml lists them by hand, so that the site needs no plugin: a new lesson is a new line there."""
    menu = (pages.PACKAGE.parent / "mkdocs.yml").read_text(encoding="utf-8")
    for lesson in LESSONS.values():
        assert f"      - {lesson.number} {lesson.title}: lessons/{lesson.name}.md\n" in menu
