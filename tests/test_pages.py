"""Promise: nothing on a page is typed by hand: numbers, source, tables and output are made, and a reference that names nothing
is an error with its file and line."""

import json
import re
from pathlib import Path

import pytest

from minillm.course import demos, pages
from minillm.course.lessons import all_lessons
from minillm.course.pages import Maker, PageError

LESSONS = {lesson.name: lesson for lesson in all_lessons()}
RESULT = r"\{\{\s*results\."


@pytest.fixture(autouse=True, scope="module")
def each_figure_is_drawn_once():
    """Drawing is most of the time here, and the same results give the same figure in every form."""
    drawn, draw = {}, demos.draw

    def once(demo, results, scheme):
        key = demo["__file__"], results["seal"], scheme
        if key not in drawn:
            drawn[key] = list(draw(demo, results, scheme))
        return drawn[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(demos, "draw", once)
        yield


@pytest.fixture
def maker():
    lesson = next(iter(LESSONS.values()))
    return lambda form="html": Maker(Path("page.md"), form, lesson.folder)


@pytest.mark.parametrize("form", ["site", "notebook", "html"])
@pytest.mark.parametrize("name", LESSONS)
def test_every_lesson_becomes_a_page(name, form):
    text, files = pages.lesson_page(LESSONS[name], form)
    assert "{{" not in pages.CODE.sub("", text)
    assert re.search(RESULT, LESSONS[name].text), "a lesson shows what its demo measured"
    assert all(svg.lstrip().startswith("<?xml") for svg in files.values())
    assert len(files) == (0 if form != "site" else 2 * len(set(re.findall(r"\{\{ figure ([\w ]+) \}\}", LESSONS[name].text))))


@pytest.mark.parametrize("name", LESSONS)
def test_a_lesson_is_one_file_of_html_that_fetches_nothing(name):
    page = pages.as_html(LESSONS[name])
    assert not re.search(r'(src|href)="(?!data:|#)[^"]*//', re.sub(r"<a [^>]*>", "", page))
    assert page.count("<img ") == LESSONS[name].text.count("{{ figure ")


def test_a_live_page_is_linked_on_the_site_alone():
    lesson = LESSONS["15_inside"]
    maker = lambda form: Maker(lesson.folder / "lesson.md", form, lesson.folder)
    assert maker("site").page("{{ live the report }}") == "[the report](15_inside/report.html)"
    assert maker("html").page("{{ live the report }}") == "the report"


def test_source_is_what_the_file_holds():
    import inspect
    from minillm import tokenizer
    from minillm.in_numpy import ops
    for name, thing in (("minillm.tokenizer.merge_pair", tokenizer.merge_pair), ("minillm.in_numpy.ops.attend", ops.attend),
                        ("minillm.tokenizer.WrittenBPE", tokenizer.WrittenBPE)):
        path, line, source = pages.source_of(name)
        lines = Path(inspect.getsourcefile(thing)).read_text(encoding="utf-8").splitlines()
        assert source == inspect.getsource(thing).rstrip() == "\n".join(lines[line - 1:][:source.count("\n") + 1])
        assert path.startswith("minillm/")


def test_what_a_block_prints_stands_below_it(maker):
    text = "```python run\nx = 6\nprint(7 * x)\n```\n\nand\n\n```python run\nprint(x)\n```\n"
    assert re.findall(r"```text\n(\d+)\n```", maker().page(text)) == ["42", "6"]
    assert "```text" not in maker("notebook").page(text)


@pytest.mark.parametrize("wrong", ["{{ results.nothing }}", "{{ results.merges }}", "{{ code minillm.tokenizer.no_such }}", "{{ code minillm.nothing.at_all }}",
                                   "{{ twins ops.no_such }}", "{{ table no_such }}", "{{ figure no_such }}", "{{ no_such thing }}", "{{ live a page }}",
                                   "{{ link minillm/nothing.py }}", "```python run\nraise ValueError('x')\n```"])
def test_a_reference_that_names_nothing_is_an_error_with_its_line(wrong, maker):
    with pytest.raises(PageError, match=r"page\.md, line 3: "):
        maker().page(f"first\n\n{wrong}\n")


def test_a_table_survives_the_signs_of_markdown():
    from rich.table import Table
    table = Table("a|b", "n")
    table.add_row("x | *y* _z_ `c` <d> [e]", "1,234.5")
    lines = pages.markdown_table(table).splitlines()
    assert lines[0] == r"| a\|b | n |" and lines[1] == "|---|---:|"
    assert lines[2] == r"| x \| \*y\* \_z\_ \`c\` &lt;d> \[e] | 1,234.5 |"


def test_formulas_become_mathml_and_code_and_prices_stay():
    pytest.importorskip("latex2mathml")
    made = pages.with_math("cost $T(T+1)/2$ and `$x$`, $5 and $6\n\n$$\\sum_x p_x * q$$\n\n```\n$y$\n```\n")
    assert made.count("<math") == 2 and "`$x$`" in made and "$5 and $6" in made and "\n$y$\n" in made
    assert "*" not in re.search(r'<div class="formula">.*?</div>', made, re.DOTALL)[0]


def test_a_stale_lesson_fails(tmp_path):
    """A function renamed, a number gone, a section missing: each stops the page."""
    import shutil
    from minillm.course.lessons import read_lesson
    lesson = next(iter(LESSONS.values()))
    folder = shutil.copytree(lesson.folder, tmp_path / lesson.name)
    whole = (folder / "lesson.md").read_text(encoding="utf-8")
    pages.lesson_page(read_lesson(folder), "html")
    for old, new in (("merge_pair }}", "merge_pairs }}"), ("## The idea", "## Ideas"), ('tests = ["tests/test_tokenizer.py"', 'tests = ["tests/gone.py"'),
                     ("minillm.tokenizer.learn_merges", "minillm.tokenizer.gone"), ("builds_on = []", 'builds_on = ["99_gone"]')):
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
