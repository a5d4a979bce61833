"""Promise: lines have at most 100 columns. What was longer before the rule may only get less."""

import subprocess
from collections import Counter

import pytest

from helpers import ROOT

LONGEST = 100
# room -> how many lines are longer; make a number smaller when you can, never larger
STILL = {
    "benchmarks": 424,
    "docs": 59,
    "lessons/01_tokens": 27,
    "lessons/02_counting": 25,
    "lessons/03_attention": 38,
    "lessons/04_positions": 36,
    "lessons/05_transformer": 62,
    "lessons/06_backward": 96,
    "lessons/07_optimizer": 75,
    "lessons/08_pretraining": 152,
    "lessons/09_writing": 73,
    "lessons/10_fast": 83,
    "lessons/11_int8": 70,
    "lessons/12_four_bits": 62,
    "lessons/13_distillation": 97,
    "lessons/14_real_llama": 86,
    "lessons/15_inside": 117,
    "minillm": 42,
    "minillm/architecture": 30,
    "minillm/chat_template": 10,
    "minillm/course": 81,
    "minillm/distillation": 49,
    "minillm/formats": 107,
    "minillm/in_jax": 55,
    "minillm/in_numpy": 34,
    "minillm/inspection": 69,
    "minillm/quantization": 27,
    "minillm/text": 151,
    "minillm/training": 25,
    "tests": 93,
    "tests/architecture": 16,
    "tests/attacks": 11,
    "tests/cli": 119,
    "tests/course": 102,
    "tests/distillation": 89,
    "tests/docs": 23,
    "tests/formats": 110,
    "tests/golden": 36,
    "tests/inspection": 137,
    "tests/parity": 15,
    "tests/quantization": 26,
    "tests/text": 114,
    "tests/training": 78,
    "tests/twins": 72,
}


def longer() -> Counter:
    """{folder of a tracked Python file: its lines above 100 columns}; sections of lessons are free."""
    listed = subprocess.run(["git", "ls-files", "*.py"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a clone")
    count = Counter()
    for name in listed.stdout.splitlines():
        if name.endswith(("/mistakes.py", "/alternatives.py")) or not (ROOT / name).is_file():
            continue
        lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
        top, *below = name.split("/")[:-1]
        count["/".join([top, *below[:1]])] += sum(len(line) > LONGEST for line in lines)
    return +count


@pytest.mark.needs("git")
def test_no_room_gets_more_long_lines():
    more = {room: n for room, n in longer().items() if n > STILL.get(room, 0)}
    assert not more, f"lines above {LONGEST} columns: {more}, allowed: {STILL}"
