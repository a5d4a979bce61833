"""What several files of tests share."""

import re
from pathlib import Path

HEADING = re.compile(r"^# ---- ([\w-]+) ----$\n", re.MULTILINE)


def sections(path: Path) -> dict[str, str]:
    """{name: code} of the sections of a lesson's mistakes.py or alternatives.py, as they stand."""
    _, *parts = HEADING.split(path.read_text(encoding="utf-8"))
    return dict(zip(parts[::2], parts[1::2], strict=True))


def answers(folder: Path) -> dict[str, str]:
    """{"mistakes/NAME": code} and {"alternatives/NAME": code} of the lesson in `folder`."""
    return {f"{kind}/{name}": code for kind in ("mistakes", "alternatives")
            for name, code in sections(folder / f"{kind}.py").items()}


def hint_of(name: str) -> str:
    """The hint that a section is named after: `ties-largest` is another way to `ties`."""
    return name.rpartition("/")[2].partition("-")[0]
