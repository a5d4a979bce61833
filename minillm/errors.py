"""The one exception that means "the user asked for something impossible", and the checks of settings that raise it."""

import re
import shutil
import sys
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path


class UserError(ValueError):
    """One line: which file or option, what was wrong, what to do. The command line prints it and exits with status 2."""


def require(condition: bool, name: str, value, rule: str):
    """Raise UserError naming a setting, its value and the rule that it broke, unless `condition`."""
    if not condition:
        raise UserError(f"{name} is {printable(value)}: it must be {rule}")


def missing(what: str, package: str, extra: str) -> UserError:
    """The error for a package that comes with an extra: what needs it, and the command that installs it."""
    return UserError(f"{what} needs {package}, which is not installed: {pip()} install {packages(package, extra)}")


def pip() -> str:
    """The command that is pip of the Python that runs this."""
    program = shutil.which("pip")
    here = program and Path(program).parent == Path(sys.executable).parent
    return "pip" if here else f"{sys.executable} -m pip"


def packages(package: str, extra: str) -> str:
    """What pip is to install: the extra in a clone of the source, elsewhere the packages that it stands for."""
    if (Path(__file__).parents[1] / "pyproject.toml").is_file():
        return f'-e ".[{extra}]" (in the clone)'
    try:
        named = [line for line in requires("minillm-course") or [] if f"extra == '{extra}'" in line]
    except PackageNotFoundError:
        named = [package]
    return " ".join(re.match(r"[\w.\[\]-]+", line)[0] for line in named)


def printable(value, limit: int = 160, quoted: bool = True) -> str:
    """`value` on one line of at most `limit` visible characters, whatever a stranger put into it.

    Of an exception it is the message; a text stands in quotes if it is to be `quoted`.
    """
    if isinstance(value, BaseException):
        text = str(getattr(value, "strerror", None) or value)
    else:
        text = value if isinstance(value, str) and not quoted else repr(value)
    text = " ".join(line.strip() for line in text.splitlines())
    text = text if text.isprintable() else ascii(text)[1:-1]
    return text if len(text) <= limit else text[: limit - 3] + "..."


def is_count(value) -> bool:
    """A whole number from 1 to 2^31 - 1 (true and false are none)."""
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value < 2**31


def is_number(value) -> bool:
    """A finite number (true and false are none)."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= 1e300
