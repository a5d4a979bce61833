"""Promise: every demo, run again, gives what was committed: exact numbers equal, measured ones
within the stated band."""

import io
import json
import subprocess
import sys

import pytest
from rich.console import Console

from minillm.course import demos
from minillm.course.lessons import all_lessons, with_package

LESSONS = {lesson.name: lesson for lesson in all_lessons()}
SMOLLM2 = [name for name, lesson in LESSONS.items() if (lesson.folder / "smollm2.py").is_file()]
SCRIPTS = [*((name, "demo") for name in LESSONS), *((name, "smollm2") for name in SMOLLM2)]


@pytest.mark.parametrize("name, script", SCRIPTS)
def test_the_committed_results_are_sealed_and_within_their_own_bands(name, script):
    results = demos.read_results(LESSONS[name].folder, script=script)
    for what, band in results["measured"].items():
        values = list(demos.numbers(band["value"]))
        assert values and all(band["low"] <= value <= band["high"] for value in values), what
    if script == "demo":
        assert results["measured"]["seconds"]["high"] == demos.SLOWEST


@pytest.mark.slow
@pytest.mark.parametrize("name", LESSONS)
def test_a_demo_run_again_gives_the_same(name, tmp_path):
    done = subprocess.run(
        [sys.executable, str(LESSONS[name].folder / "demo.py"), "--out", str(tmp_path)],
        env=with_package(),
        cwd=tmp_path,
        capture_output=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    again = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert demos.compare(demos.read_results(LESSONS[name].folder), again) == []
    assert list(tmp_path.glob("*.svg"))


@pytest.mark.real
@pytest.mark.parametrize("name", SMOLLM2)
def test_smollm2_again_gives_the_same(name, tmp_path):
    from minillm.formats import get
    if not (get.models() / get.SMOLLM2).is_file():
        pytest.skip("SmolLM2 is not here: minillm get smollm2")
    script = [sys.executable, LESSONS[name].folder / "smollm2.py", "--out", tmp_path]
    subprocess.run(script, env=with_package(), cwd=tmp_path, check=True)
    again = json.loads((tmp_path / "results_smollm2.json").read_text(encoding="utf-8"))
    committed = demos.read_results(LESSONS[name].folder, script="smollm2")
    assert demos.compare(committed, again) == []


def test_costs_of_smollm2_are_those_of_the_benchmark():
    """Else run lessons/11_int8/smollm2.py, where the model is, and that of lesson 12."""
    for name, made in (("11_int8", lambda script: {"costs": script.costs()}),
                       ("12_four_bits", lambda script: script.compute(None, False)["exact"])):
        folder = LESSONS[name].folder
        again = demos.rounded(made(demos.beside(folder / "demo.py", "smollm2")))
        shown = demos.read_results(folder, script="smollm2")["exact"]
        assert again == {key: shown[key] for key in again}


@pytest.mark.parametrize("name, script", SCRIPTS)
def test_no_word_of_a_table_is_cut_off_at_80_columns(name, script):
    folder = LESSONS[name].folder
    tables = (demos.load(folder)["tables"] if script == "demo"
              else demos.beside(folder / "demo.py", script).tables)
    for _, table in tables(demos.read_results(folder, script=script)):
        console = Console(width=80, file=io.StringIO(), highlight=False)
        console.print(*demos.narrow(table, 80), sep="\n")
        printed = console.file.getvalue()
        assert max(map(len, printed.splitlines())) <= 80
        words = " ".join(
            [str(text) for column in table.columns for text in (column.header, *column.cells)]
        ).split()
        assert [word for word in words if word not in printed] == []


# The machinery
# ----------------------------------------------------------------------------------------------

DEMO = '''"""A demo."""
from minillm.course.demos import measured
def compute(console, full): return {"exact": {"n": 3, "x": 1 / 3}, "measured": {"loss": measured(2.5, 2.0, 3.0)}}
def tables(results): return []
def figures(results, new):
    figure, axes = new()
    axes.plot([1, 2], [1, 2])
    yield "line", "A line that rises.", figure
'''


@pytest.fixture
def demo(tmp_path):
    """(folder, the demo's names) with a results.json that it wrote."""
    import runpy

    (tmp_path / "demo.py").write_text(DEMO, encoding="utf-8")
    names = runpy.run_path(str(tmp_path / "demo.py"))
    (tmp_path / "results.json").write_text(json.dumps(demos.run(names, None)), encoding="utf-8")
    return tmp_path, names


def test_a_number_changed_by_hand_is_found(demo):
    folder, _ = demo
    assert demos.lookup(demos.read_results(folder), "n") == 3
    for old, new in (('"n": 3', '"n": 4'), ('"value": 2.5', '"value": 2.6')):
        text = (folder / "results.json").read_text(encoding="utf-8")
        (folder / "results.json").write_text(text.replace(old, new), encoding="utf-8")
        with pytest.raises(ValueError, match="is not what demo.py"):
            demos.read_results(folder)
        (folder / "results.json").write_text(text, encoding="utf-8")
    (folder / "demo.py").write_text(DEMO.replace("1 / 3", "1 / 7"), encoding="utf-8")
    with pytest.raises(ValueError, match="is not what demo.py"):
        demos.read_results(folder)


SEALED = '''"""A demo."""
import json
SIZE, SHOWN = 3, {"a": f"{1:.{2}f}"}
def helper(n=SIZE):
    return [f"{i!r}" "x" for i in range(n)]
def compute(console, full): return {"exact": {"rows": helper()}, "measured": {}}
def tables(results): return [SHOWN]
def values(results): return results
'''


@pytest.mark.parametrize("old, new, sealed", [
    ("SIZE, SHOWN = 3", "SIZE, SHOWN = 4", True),
    ("helper(n=SIZE)", "helper(n=2)", True),
    ("!r", "!s", True),
    ("import json", "import math  # another", False),
    ("A demo.", "Another.", False),
    ("return [SHOWN]", "return []", False),
    ("def values(results): return results", "", False),
])
def test_a_seal_covers_the_code_that_makes_the_numbers_and_no_other(old, new, sealed, tmp_path):
    assert SEALED.count(old) == 1
    path, found = tmp_path / "demo.py", {"exact": {"rows": [1]}, "measured": {}}
    path.write_text(SEALED, encoding="utf-8")
    before = demos.seal(path, found)
    assert before == "fb6e72bc8f89b0d1a835a91089929a22"       # under every version of Python
    path.write_text(SEALED.replace(old, new), encoding="utf-8")
    assert (demos.seal(path, found) != before) is sealed


def test_tables_and_figures_may_stand_beside_the_demo(demo):
    folder, _ = demo
    (folder / "shown.py").write_text(
        "from minillm.course.demos import beside, values\n"
        'demo = beside(__file__, "demo")\n'
        "def tables(results): return [values(results), demo.compute]\n"
        "def figures(results, new): return []\n", encoding="utf-8")
    (exact, found), compute = demos.load(folder)["tables"](demos.read_results(folder))
    assert exact["n"] == 3 and found["loss"] == 2.5 and compute.__name__ == "compute"
    assert list(demos.draw(demos.load(folder), {}, "light")) == []


def test_comparing_two_runs_finds_every_difference(demo):
    results = demos.read_results(demo[0])

    def changed(change):
        again = json.loads(json.dumps(results))
        change(again)
        return demos.compare(results, again)

    assert changed(lambda r: r["exact"].update(x=0.3333333334)) == []
    assert changed(lambda r: r["measured"]["loss"].update(value=2.01)) == []
    assert len(changed(lambda r: r["exact"].update(x=0.33334))) == 1
    assert len(changed(lambda r: r["exact"].update(n=4))) == 1
    assert len(changed(lambda r: r["exact"].pop("n"))) == 1
    assert len(changed(lambda r: r["measured"]["loss"].update(value=1.9))) == 1
    assert len(changed(lambda r: r["measured"].pop("loss"))) == 1


def test_figures_come_in_two_colour_schemes_and_are_the_same_each_time(demo):
    folder, names = demo
    drawn = {
        scheme: list(demos.draw(names, demos.read_results(folder), scheme))
        for scheme in ("light", "dark")
    }
    assert drawn["light"] == list(demos.draw(names, demos.read_results(folder), "light"))
    assert drawn["light"] != drawn["dark"]
    for scheme, ink in demos.INK.items():
        assert (
            ink["lines"][0] in drawn[scheme][0][2] and drawn[scheme][0][1] == "A line that rises."
        )
