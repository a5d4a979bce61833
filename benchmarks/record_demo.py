"""Runs `minillm demo` in a terminal of 80 columns and keeps what it shows.

    python benchmarks/record_demo.py           (Linux and macOS; a few minutes)

    benchmarks/results/demo.json    summary.json of the run
    benchmarks/results/demo.txt     what it printed, without the bar that moves
    docs/assets/demo.svg            the same as a picture of a terminal, shortened to what fits a screen
"""

import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
COLUMNS = 80
SHOWN = 400                       # characters of a story that the picture shows
THEME = TerminalTheme(
    (29, 39, 51), (228, 233, 240),
    [(69, 77, 89), (255, 157, 115), (124, 207, 143), (230, 189, 90), (127, 178, 238),
     (207, 162, 236), (110, 200, 200), (228, 233, 240)])
# Rich's own template, without the fonts that it fetches from elsewhere.
TEMPLATE = """<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, Menlo, Consolas, monospace;
  font-size: {char_height}px; line-height: {line_height}px; }}
{styles}
</style>
<defs><clipPath id="{unique_id}-clip-terminal"><rect x="0" y="0" width="{terminal_width}"
  height="{terminal_height}"/></clipPath>{lines}</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}<g class="{unique_id}-matrix">{matrix}</g></g></svg>
"""


def run_demo(folder: Path) -> str:
    """What `minillm demo` prints where it is no terminal: without the bar, with the colours."""
    environment = os.environ | {"COLUMNS": str(COLUMNS), "FORCE_COLOR": "1", "TERM": "dumb"}
    command = [sys.executable, "-m", "minillm", "demo", "--out", "runs/demo"]
    done = subprocess.run(command, cwd=folder, env=environment | {"PYTHONPATH": str(ROOT)},
                          capture_output=True, encoding="utf-8")
    if done.returncode:
        sys.exit(done.stderr)
    shutil.copy(folder / "runs" / "demo" / "summary.json", RESULTS / "demo.json")
    return re.sub(r"\x1b\[[0-9;?]*[A-HJKSTfhl]|\r", "", done.stdout)


def picture(text: str) -> str:
    """The chapters as a terminal, as SVG: the first story, every second evaluation, one story it wrote."""
    chapters = re.split(r"\n(?=\x1b\[1m\d\.)", text)
    shown = []
    for chapter in chapters:
        lines = chapter.strip("\n").splitlines()
        if "stories that it wrote" in chapter.lower() or "Three stories" in chapter:
            story = "\n".join(lines[1:]).strip("\n").split("\n   \n")[0]
            lines = [lines[0], "", *cut(story).splitlines()]
        elif " Stories." in chapter:
            lines = [*lines[:3], *cut("\n".join(lines[3:])).splitlines()]
        shown += [*lines, ""]
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    console.print(Text("$ make demo", style="bold"))
    for line in shown:
        console.print(Text.from_ansi(line))
    return console.export_svg(title="minillm demo", theme=THEME, code_format=TEMPLATE,
                              unique_id="demo")


def cut(story: str) -> str:
    plain = story if len(story) <= SHOWN else story[:SHOWN].rsplit(" ", 1)[0] + " ..."
    return plain


def main():
    with tempfile.TemporaryDirectory() as folder:
        text = run_demo(Path(folder))
    plain = Text.from_ansi(text).plain
    (RESULTS / "demo.txt").write_text(plain.rstrip() + "\n", encoding="utf-8")
    (ROOT / "docs" / "assets" / "demo.svg").write_text(picture(text), encoding="utf-8")


if __name__ == "__main__":
    main()
