"""What students install: a wheel of this minillm in the handout, or what the teacher names.

The wheel is made without a network or a build tool, from a clone or an installed minillm. It holds
what `pip wheel` builds from the clone, but for the lessons' solutions.
"""

import base64
import hashlib
import io
import re
import zipfile
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import minillm
from minillm.course.lessons import lessons_folder
from minillm.errors import UserError, require

PACKAGE = Path(minillm.__file__).parent
DISTRIBUTION = "minillm-course"
NAME = f"minillm_course-{minillm.__version__}-py3-none-any.whl"
TIME = (2026, 1, 1, 0, 0, 0)  # of every file: the same source, the same wheel
NOT_INSTALLED = {"__pycache__", "mistakes.py", "alternatives.py", "solution.py"}
WHEEL = "Wheel-Version: 1.0\nGenerator: minillm\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def pip_install(install: str) -> str:
    """The command that installs it, for any shell. Raises UserError for what is not one
    requirement of pip.
    """
    require(
        install.isprintable()
        and install.strip() == install != ""
        and not install.startswith("-")
        and not set(install) & set("'\"`$!%\\"),
        "--install",
        install,
        "one requirement of pip on one line, without quotes, ` $ ! % or \\",
    )
    return "pip install " + (install if re.fullmatch(r"[\w./=:-]+", install) else f'"{install}"')


def wheel(assigned=()) -> bytes:
    """The wheel, byte for byte the same from a clone and from an installed minillm. Raises
    UserError.

    assigned: lessons whose checks, which are functions, are left out: the handout has them as data.
    """
    info = f"minillm_course-{minillm.__version__}.dist-info"
    files = {
        f"minillm/{name}": data
        for name, data in tree(PACKAGE).items()
        if not name.startswith("_lessons/")
    }
    checks = {f"{lesson}/test_exercise.py" for lesson in assigned}
    files |= {
        f"minillm/_lessons/{name}": data
        for name, data in tree(lessons_folder()).items()
        if name not in checks
    }
    files |= {
        f"{info}/{name}": data for name, data in (metadata() | {"WHEEL": WHEEL.encode()}).items()
    }
    record = "".join(f"{name},sha256={digest(data)},{len(data)}\n" for name, data in files.items())
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            member = zipfile.ZipInfo(name, TIME)
            member.compress_type, member.external_attr = zipfile.ZIP_DEFLATED, 0o100644 << 16
            archive.writestr(member, data)
    return made.getvalue()


def tree(folder: Path) -> dict[str, bytes]:
    """The files of a folder that are installed, in the order of their names."""
    paths = {
        path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()
    }
    return {
        name: path.read_bytes()
        for name, path in sorted(paths.items())
        if not NOT_INSTALLED & set(name.split("/")) and path.suffix not in (".pyc", ".svg")
    }


def metadata() -> dict[str, bytes]:
    """What the installation knows about itself: requirements, the command, the licence. Raises
    UserError.
    """
    try:
        known = distribution(DISTRIBUTION)
        texts = {
            name: known.read_text(name)
            for name in ("METADATA", "entry_points.txt", "licenses/LICENSE")
        }
        return {name: text.encode() for name, text in texts.items()}
    except (PackageNotFoundError, AttributeError):
        raise UserError(
            f"{PACKAGE}: is not installed, so no wheel can be made of it for the handout: run "
            "`pip install -e .` in the clone, or name what students install with --install"
        ) from None


def digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
