"""Writes the report of lesson 15: what `minillm inspect` shows of the lesson's model, on the story that the lesson shows.

    python lessons/15_inside/report.py report.html

docs/build.py runs it, so that the page of the site is always made by the code that is there. A few seconds, without JAX's compilation.
"""

import sys
from pathlib import Path

import minillm
from minillm.course.demos import read_results
from minillm.inspection import report

HERE = Path(__file__).resolve().parent


def main(out: str):
    shown = read_results(HERE)["exact"]["shown"]
    name, other = shown["names"]
    clean, corrupt = shown["text"], shown["text"].replace(name, other)
    found = report.contents(minillm.load(HERE / "model"), clean, corrupt, twin="numpy")
    wrong = [check["name"] for check in found["checks"] if check["verdict"] == "fails"]
    if wrong:
        sys.exit(f"lessons/15_inside/report.py: {', '.join(wrong)} no longer holds")
    print(f"{out}: {report.write(out, found) / 1e6:.2f} MB")


if __name__ == "__main__":
    main(sys.argv[1])
