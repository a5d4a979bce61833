"""What a test may need and a machine may lack: `@pytest.mark.needs("bubblewrap")`, or `needs.require(...)` in a fixture.

The test is then skipped with that reason, and the run ends with one line that says what to install.
"""

import functools
import re
import shutil
from collections import Counter
from importlib import import_module
from importlib.util import find_spec

import pytest

# name -> how the system calls the program, and Debian's package of it
PROGRAMS = {"bubblewrap": (("bwrap",), "bubblewrap"),
            "chromium": (("chromium", "chromium-browser", "google-chrome"), "chromium"),
            "chromedriver": (("chromedriver",), "chromium-driver"), "git": (("git",), "git")}
EXTRAS = {"torch": "parity", "transformers": "parity", "accelerate": "parity", "xllamacpp": "parity",
          "peft": "parity", "mkdocs": "docs", "material": "docs", "mkdocstrings": "docs"}
MISSING = "is not installed"
REASON = re.compile(r"Skipped: needs ([\w-]+), which (.*)")


def program(name: str) -> str | None:
    """The path of a program, or None."""
    return next(filter(None, map(shutil.which, PROGRAMS[name][0])), None)


@functools.cache
def lacking(name: str) -> str:
    """Why a program or a Python package cannot be used here, or ""."""
    if not (program(name) if name in PROGRAMS else find_spec(name)):
        return MISSING
    if name == "bubblewrap":                                 # a container may forbid what it does
        from minillm.assignments import sandbox
        why = sandbox.works(name)
        return f"does not work here: {why}" if why else ""
    return ""


def require(*names: str):
    """Skip the test that runs unless all of these programs and packages can be used."""
    for name in names:
        if why := lacking(name):
            pytest.skip(f"needs {name}, which {why}")


def optional(name: str):
    """A package that may be missing, for tests that are marked as needing it."""
    return import_module(name) if find_spec(name) else None


def summary(reasons: list[str]) -> str:
    """One line on the tests that were skipped for want of something, or ""."""
    count = Counter(found.groups() for found in map(REASON.match, reasons) if found)
    told = [f"{n} need{'s' * (n == 1)} {name}, which {why}" for (name, why), n in sorted(count.items())]
    wanted = sorted(name for name, why in count if why == MISSING)
    packages = [PROGRAMS[name][1] for name in wanted if name in PROGRAMS]
    extras = sorted({EXTRAS[name] for name in wanted if name not in PROGRAMS})
    remedies = [f"apt install {' '.join(packages)}"] * bool(packages)
    remedies += [f'pip install -e ".[{",".join(extras)}]"'] * bool(extras)
    return f"skipped: {'; '.join(told)}" + f" (to run them: {'; '.join(remedies)})" * bool(remedies) if told else ""


def pytest_configure(config):
    config.addinivalue_line("markers", "needs(*names): skipped where one of these programs or packages is missing")


def pytest_runtest_setup(item):
    for mark in item.iter_markers("needs"):
        require(*mark.args)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter):
    result = yield
    skipped = terminalreporter.stats.get("skipped", [])
    if line := summary([report.longrepr[2] for report in skipped if isinstance(report.longrepr, tuple)]):
        terminalreporter.write_line(line)
    return result
