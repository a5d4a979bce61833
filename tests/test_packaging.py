"""Promise: what people install is this project, whole, and nothing tells them to install another; a machine that lacks a program
is told which one."""

import io
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

import needs
from helpers import ROOT
from minillm import errors
from minillm.assignments import wheel
from minillm.course.lessons import all_lessons
from minillm.errors import UserError

NOT_OURS = {".git", ".venv", "site", "runs", "build", "dist", "__pycache__", ".pytest_cache", ".hypothesis"}
# the package of that name on the index is another author's; ours is not there
STRANGER = re.compile(r"""pip3? install(?: [^\s"'`&|;]+)*? ["'`]?minillm(?:[-_]course)?(?=$|[\s"'`)\[,;.=<>~])|minillm(?:[-_]course)?\[[a-z]""")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The wheel that the build backend makes of the clone."""
    return Path(next(WheelBuilder(str(ROOT)).build(directory=str(tmp_path_factory.mktemp("dist")))))


@pytest.fixture(scope="module")
def installed(built, tmp_path_factory):
    """A folder with that wheel unpacked, as pip does, away from the clone."""
    folder = tmp_path_factory.mktemp("installed")
    with zipfile.ZipFile(built) as archive:
        archive.extractall(folder)
    return folder


def python(installed, *arguments):
    """Run the installed minillm, from outside the clone."""
    return subprocess.run([sys.executable, *map(str, arguments)], cwd=installed.parent, capture_output=True,
                          encoding="utf-8", env=os.environ | {"PYTHONPATH": str(installed), "PYTHONUTF8": "1"})


def files_of(data) -> dict[str, bytes]:
    with zipfile.ZipFile(data) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_the_wheel_holds_the_package_and_the_lessons_and_no_test_material(built):
    names = set(files_of(built))
    for path in [*ROOT.glob("minillm/**/*.py"), *ROOT.glob("minillm/**/*.json")]:
        assert path.relative_to(ROOT).as_posix() in names
    for lesson in all_lessons():
        assert {f"minillm/_lessons/{lesson.name}/{file}" for file in
                ("lesson.md", "exercise.py", "solution.py", "test_exercise.py", "demo.py", "results.json")} <= names
    assert not [name for name in names if re.search(r"__pycache__|/mistakes\.py|/alternatives\.py|\.svg$", name)]
    assert {name.partition("/")[0] for name in names} == {"minillm", f"{wheel.NAME.partition('-py3')[0]}.dist-info"}
    assert built.name == wheel.NAME


def test_an_installed_package_brings_its_lessons(installed):
    """Checked outside the clone; nothing is written into what is installed."""
    before = {path for path in installed.rglob("*") if path.is_file()}
    run = python(installed, "-m", "minillm", "lesson", "check", "1", "--folder", installed.parent / "course")
    assert run.returncode == 1 and "0 of 8 points" in run.stdout, run.stderr
    after = {path for path in installed.rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    assert after == before


def test_an_installed_package_opens_a_lesson_that_names_files_of_the_clone(installed):
    lesson = next(each for each in all_lessons() if "{{ link benchmarks/" in each.text)
    run = python(installed, "-m", "minillm", "lesson", "open", lesson.name, "--no-browser", "--folder", installed.parent / "pages")
    assert run.returncode == 0, run.stderr


def test_a_handout_gets_the_wheel_that_is_built_without_its_solutions(built):
    made, expected = files_of(io.BytesIO(wheel.wheel())), files_of(built)
    assert {name for name in expected if name not in made} == {name for name in expected if name.endswith("/solution.py")}
    assert all("solution.py" not in name for name in made)
    for name, data in made.items():
        if name.endswith("METADATA"):                           # the readme may have changed since it was installed
            data, expected[name] = (text.partition(b"\n\n")[0] for text in (data, expected[name]))
            assert data == expected[name], "pyproject.toml has changed since this was installed: install it again"
        assert name.endswith((".dist-info/RECORD", ".dist-info/WHEEL")) or data == expected[name], name


def test_an_installed_package_makes_the_same_wheel(installed):
    run = python(installed, "-c", "from minillm.assignments import wheel; open('again.whl', 'wb').write(wheel.wheel())")
    assert run.returncode == 0, run.stderr
    mine, again = files_of(io.BytesIO(wheel.wheel())), files_of(installed.parent / "again.whl")
    for files in (mine, again):                                 # as above
        for name in [name for name in files if name.endswith(("METADATA", "RECORD"))]:
            del files[name]
    assert again == mine


def test_pip_takes_the_wheel(tmp_path):
    """Every file is in RECORD with its digest, or pip would refuse it."""
    (tmp_path / wheel.NAME).write_bytes(wheel.wheel())
    done = subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-compile", "--target", tmp_path / "there",
                           tmp_path / wheel.NAME], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "there" / "minillm" / "_lessons" / "01_tokens" / "lesson.md").is_file()
    files = files_of(io.BytesIO(wheel.wheel()))
    record = next(data for name, data in files.items() if name.endswith("RECORD")).decode().splitlines()
    for name, data in files.items():
        line = next(line for line in record if line.rpartition(",")[0].rpartition(",")[0] == name)
        assert line.endswith(",,") or line == f"{name},sha256={wheel.digest(data)},{len(data)}"


def test_without_an_installation_no_wheel_is_made(monkeypatch):
    def gone(name):
        raise wheel.PackageNotFoundError(name)
    monkeypatch.setattr(wheel, "distribution", gone)
    with pytest.raises(UserError, match="--install"):
        wheel.metadata()


@pytest.mark.parametrize("install", ["", "-r x", "a\nb", "it's", 'say "x"', "$HOME", " a"])
def test_what_a_shell_would_take_otherwise_is_refused(install):
    with pytest.raises(UserError, match="--install"):
        wheel.pip_install(install)
    assert wheel.pip_install(f"./{wheel.NAME}") == f"pip install ./{wheel.NAME}"
    assert wheel.pip_install("ours[x]>=1") == 'pip install "ours[x]>=1"'


def test_no_text_installs_a_stranger_s_package():
    for text in ("pip install minillm", 'pip install "minillm[gguf]"', "pip install --quiet 'minillm'", "pip install gguf (or minillm[gguf])",
                 "`pip install minillm`", "pip install minillm==1", "pip install minillm-course"):
        assert STRANGER.search(text), text
    for text in ('pip install -e ".[notebook]"', f"pip install ./{wheel.NAME}", "pip install -e . && minillm demo"):
        assert not STRANGER.search(text), text
    read = 0
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [name for name in folders if name not in NOT_OURS]
        for path in (Path(folder) / name for name in names if Path(folder, name) != Path(__file__)):
            try:
                text = path.read_text(encoding="utf-8")
            except ValueError:                                  # not text
                continue
            read += 1
            assert not (found := STRANGER.search(text)), f"{path.relative_to(ROOT)}: {found[0]}"
    assert read > 300


def test_a_missing_package_is_named_with_what_installs_it(installed):
    assert str(errors.missing("GGUF", "gguf", "gguf")).endswith('install -e ".[gguf]" (in the clone)')
    code = "from minillm.errors import missing; print(missing('a notebook', 'jupytext', 'notebook'), missing('x', 'torch', 'cuda'))"
    said = python(installed, "-c", code).stdout
    assert "needs jupytext, which is not installed: " in said and "pip install jupyterlab jupytext" in said
    assert said.strip().endswith("pip install jax[cuda12]")


def test_the_run_ends_with_what_to_install(tmp_path):
    """Also where other processes run the tests."""
    (tmp_path / "test_it.py").write_text("""
import pytest
@pytest.mark.needs("chromium")
def test_a(): raise AssertionError
@pytest.mark.needs("chromium", "chromedriver")
def test_b(): raise AssertionError
@pytest.mark.needs("latex_not_there")
def test_c(): raise AssertionError
@pytest.mark.skip(reason="for another reason")
def test_d(): raise AssertionError
def test_e(): pass
""", encoding="utf-8")
    plugin = "import needs\nneeds.EXTRAS['latex_not_there'] = 'docs'\nfrom needs import *\nfrom needs import pytest_terminal_summary\n"
    (tmp_path / "conftest.py").write_text(plugin, encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    environment |= {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(ROOT / "tests"), "PATH": str(tmp_path)}
    done = subprocess.run([sys.executable, "-m", "pytest", "-q", "--strict-markers", "-p", "xdist", "-n", "1"],
                          cwd=tmp_path, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    *_, line, last = done.stdout.strip().splitlines()
    assert line == ("skipped: 2 need chromium, which is not installed; 1 needs latex_not_there, which is not installed "
                    '(to run them: apt install chromium; pip install -e ".[docs]")')
    assert last.startswith("1 passed, 4 skipped")


def test_what_is_there_and_does_not_work_is_not_to_be_installed():
    line = needs.summary(["Skipped: needs bubblewrap, which does not work here: no namespaces"] * 2 + ["Skipped: needs nothing of this kind"])
    assert line == "skipped: 2 need bubblewrap, which does not work here: no namespaces"
    assert needs.summary(["Skipped: kill -9 is of Unix"]) == ""


def test_without_pyseccomp_a_sandbox_does_not_work_and_says_why(monkeypatch):
    """A wheel is installed without the extra `grade`, also where the system has bubblewrap."""
    from minillm.assignments import sandbox

    monkeypatch.setitem(sys.modules, "pyseccomp", None)
    monkeypatch.setattr(sandbox, "find_bubblewrap", lambda: "/usr/bin/bwrap")
    monkeypatch.setattr(sandbox, "filter_program", sandbox.filter_program.__wrapped__)
    monkeypatch.setattr(sys, "platform", "linux")
    assert "pip install pyseccomp" in sandbox.works("bubblewrap")
