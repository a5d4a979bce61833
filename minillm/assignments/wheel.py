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
from minillm.course.lessons import PACKAGE, lessons_folder
from minillm.errors import UserError, require

NAME = f"minillm_course-{minillm.__version__}-py3-none-any.whl"
INFO = f"minillm_course-{minillm.__version__}.dist-info"
NOT_INSTALLED = {"__pycache__", "mistakes.py", "alternatives.py", "solution.py"}
WHEEL = b"Wheel-Version: 1.0\nGenerator: minillm\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def pip_install(install: str) -> str:
    """The command that installs it, for any shell. Raises UserError for what is not one
    requirement of pip.
    """
    whole = install.isprintable() and install.strip() == install != ""
    require(whole and not install.startswith("-") and not set(install) & set("'\"`$!%\\"),
            "--install", install,
            "one requirement of pip on one line, without quotes, ` $ ! % or \\")
    return "pip install " + (install if re.fullmatch(r"[\w./=:-]+", install) else f'"{install}"')


def wheel(assigned=()) -> bytes:
    """The wheel, byte for byte the same from a clone and from an installed minillm. Raises
    UserError.

    assigned: lessons whose checks, which are functions, are left out: the handout has them as data.
    """
    files = {f"minillm/{name}": data for name, data in tree(PACKAGE).items()
             if not name.startswith("_lessons/")}
    checks = {f"{lesson}/test_exercise.py" for lesson in assigned}
    files |= {f"minillm/_lessons/{name}": data for name, data in tree(lessons_folder()).items()
              if name not in checks}
    files |= {f"{INFO}/{name}": data for name, data in metadata().items()}
    record = "".join(f"{name},sha256={digest(data)},{len(data)}\n" for name, data in files.items())
    return zipped(files | {f"{INFO}/RECORD": f"{record}{INFO}/RECORD,,\n".encode()})


def zipped(files: dict[str, bytes], programs=()) -> bytes:
    """A zip of these files, of which `programs` can be executed. The same files, the same bytes."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, data in files.items():
            member = zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0))
            member.external_attr = (0o100755 if name in programs else 0o100644) << 16
            archive.writestr(member, data, zipfile.ZIP_DEFLATED)
    return made.getvalue()


def tree(folder: Path) -> dict[str, bytes]:
    """The files of a folder that are installed, in the order of their names."""
    paths = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*")}
    return {name: path.read_bytes() for name, path in sorted(paths.items()) if path.is_file()
            and not NOT_INSTALLED & set(name.split("/")) and path.suffix not in (".pyc", ".svg")}


def metadata() -> dict[str, bytes]:
    """What the installation knows about itself: requirements, the command, the licence. Raises
    UserError.
    """
    try:
        read = distribution("minillm-course").read_text
        return {name: read(name).encode() for name in ("METADATA", "entry_points.txt",
                                                       "licenses/LICENSE")} | {"WHEEL": WHEEL}
    except (PackageNotFoundError, AttributeError):
        raise UserError(f"{PACKAGE}: is not installed, so no wheel can be made of it for the "
                        "handout: run `pip install -e .` in the clone, or name what students "
                        "install with --install") from None


def digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
