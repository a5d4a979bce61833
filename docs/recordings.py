"""Recordings of the terminal as SVG, for pages: what commands print, run again when asked.

    python docs/recordings.py check grade       some seconds each
    python docs/recordings.py demo              trains for a minute or two

They go to docs/assets/recordings/NAME.svg, each with a text for those who cannot see it.
"""

import argparse
import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
from html import escape
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import DIMMED_MONOKAI
from rich.text import Text

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / "docs" / "assets" / "recordings"
COLUMNS = 80
STEER = re.compile(r"\x1b\[(\d*)([A-KST])|\x1b\[\?\d+[hl]|\r|\n")
# without rich's web font: a page fetches nothing
FORMAT = """<svg class="rich-terminal" viewBox="0 0 {width} {height}" \
xmlns="http://www.w3.org/2000/svg"><style>
.{unique_id}-matrix {{ font: {char_height}px ui-monospace, "DejaVu Sans Mono", Consolas, \
monospace; line-height: {line_height}px }}
{styles}
</style><defs>{lines}</defs>
<rect fill="#191c21" x="1" y="1" width="{width}" height="{height}" rx="8"/>
<g transform="translate({terminal_x}, 14)">{backgrounds}
<g class="{unique_id}-matrix">{matrix}</g></g></svg>
"""


def check(folder: Path):
    """A wrong answer to lesson 03, and its hint."""
    lesson = ROOT / "lessons" / "03_attention"
    wrong = (lesson / "mistakes.py").read_text(encoding="utf-8")
    wrong = wrong.split("# ---- masked_by_zero ----")[1].split("# ---- ")[0]
    solved = (lesson / "solution.py").read_text(encoding="utf-8")
    copy = folder / "course" / lesson.name / "exercise.py"
    copy.parent.mkdir(parents=True)
    copy.write_text(solved + wrong, encoding="utf-8")
    yield "minillm lesson check 3 --seed 1", ["--folder", "course"]


def grade(folder: Path):
    """A class of three: all right, one mistake, nothing done."""
    yield "minillm assignment new --lessons 03 --out hw1", []
    made = folder / "submissions"
    made.mkdir()
    lesson = ROOT / "lessons" / "03_attention"
    solved = (lesson / "solution.py").read_text(encoding="utf-8")
    wrong = (lesson / "mistakes.py").read_text(encoding="utf-8")
    wrong = wrong.split("# ---- masked_by_zero ----")[1].split("# ---- ")[0]
    for name, text in (("ada", solved), ("ben", solved + wrong)):
        (made / f"{name}.py").write_text(text, encoding="utf-8")
    shutil.copyfile(lesson / "exercise.py", made / "chen.py")
    yield "minillm assignment grade submissions --key hw1/key --out grades", []


def demo(folder: Path):
    """minillm demo."""
    yield "minillm demo", []


SCENES = {"check": check, "grade": grade, "demo": demo}
CUT = {"demo": ("3. Training", "5. Three stories")}  # a long one: from this line to before that one


def ran(command: str, more: list[str], folder: Path) -> str:
    """What a command prints on a terminal of 80 columns."""
    environment = os.environ | {"FORCE_COLOR": "1", "COLUMNS": str(COLUMNS),
                                "PYTHONPATH": str(ROOT)}
    words = [sys.executable, "-m", *command.split(), *more]
    done = subprocess.run(words, cwd=folder, env=environment, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, encoding="utf-8")
    if done.returncode not in (0, 1):
        sys.exit(f"docs/recordings.py: {command}: {done.stdout}")
    return done.stdout


def screen(printed: str) -> str:
    """What stands on the screen in the end, where a program went back up to write a bar again."""
    lines, row, end = [""], 0, 0
    for found in (*STEER.finditer(printed), None):
        text = printed[end:found.start() if found else None]
        lines[row] += text
        if not found:
            break
        end = found.end()
        if found[0] == "\n":
            row += 1
            lines += [""] * (row == len(lines))
        elif found[0] == "\r" or found[2] == "K":
            following = printed[end:end + 4]
            if found[2] == "K" or (found[0] == "\r" and not following.startswith(("\n", "\x1b"))):
                lines[row] = ""
        elif found[2] == "A":
            row = max(0, row - int(found[1] or 1))
    return "\n".join(lines)


def recording(name: str) -> str:
    """The SVG of a scene."""
    with tempfile.TemporaryDirectory() as folder:
        parts = []
        for command, more in SCENES[name](Path(folder)):
            printed = screen(ran(command, more, Path(folder))).rstrip()
            parts.append(f"\x1b[1m$ {command}\x1b[0m\n{shortened(printed, *CUT.get(name, ()))}")
    return drawn("\n\n".join(parts), name)


def shortened(printed: str, first: str = "", last: str = "") -> str:
    """The lines from the one that has `first` to the one before `last`, with marks of the cuts."""
    if not last:
        return printed
    lines = printed.split("\n")
    begin, end = (next(i for i, line in enumerate(lines) if words in line)
                  for words in (first, last))
    return "\n".join(["[...]", "", *lines[begin:end], "[...]"])


def drawn(printed: str, name: str) -> str:
    """A screen as SVG: a picture with its text as the description."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    text = Text.from_ansi(printed)
    for line in text.split("\n"):
        line.rstrip()
        console.print(line, soft_wrap=True)
    svg = console.export_svg(title="", theme=DIMMED_MONOKAI, code_format=FORMAT,
                             unique_id=f"recording-{name}")
    plain = "\n".join(line.rstrip() for line in text.plain.splitlines())
    return svg.replace("<style>", f'<title>{escape(plain)}</title><style>', 1).replace(
        "<svg ", '<svg role="img" ', 1)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="+", choices=SCENES)
    for name in parser.parse_args().names:
        OUT.mkdir(exist_ok=True)
        (OUT / f"{name}.svg").write_text(recording(name), encoding="utf-8")
        print(OUT / f"{name}.svg")
