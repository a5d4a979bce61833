"""Promise: lines have at most 100 columns. What was longer before the rule may only get less."""

import subprocess
from collections import Counter

import pytest

from helpers import ROOT

LONGEST = 100
# room -> how many lines are longer; make a number smaller when you can, never larger
STILL = {
    "benchmarks": 425,
    "docs": 60,
    "lessons/01_tokens": 27,
    "lessons/02_counting": 25,
    "lessons/03_attention": 40,
    "lessons/04_positions": 39,
    "lessons/05_transformer": 64,
    "lessons/06_backward": 98,
    "lessons/07_optimizer": 81,
    "lessons/08_pretraining": 155,
    "lessons/09_writing": 76,
    "lessons/10_fast": 86,
    "lessons/11_int8": 72,
    "lessons/12_four_bits": 65,
    "lessons/13_distillation": 101,
    "lessons/14_real_llama": 86,
    "lessons/15_inside": 117,
    "minillm": 88,
    "minillm/architecture": 50,
    "minillm/chat_template": 22,
    "minillm/course": 137,
    "minillm/distillation": 82,
    "minillm/formats": 198,
    "minillm/in_jax": 58,
    "minillm/in_numpy": 34,
    "minillm/inspection": 164,
    "minillm/quantization": 53,
    "minillm/text": 244,
    "minillm/training": 49,
    "tests": 101,
    "tests/architecture": 16,
    "tests/attacks": 11,
    "tests/cli": 119,
    "tests/course": 102,
    "tests/distillation": 89,
    "tests/docs": 52,
    "tests/formats": 175,
    "tests/golden": 74,
    "tests/inspection": 141,
    "tests/parity": 15,
    "tests/quantization": 26,
    "tests/text": 114,
    "tests/training": 78,
    "tests/twins": 73,
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


def test_no_room_gets_more_long_lines():
    more = {room: n for room, n in longer().items() if n > STILL.get(room, 0)}
    assert not more, f"lines above {LONGEST} columns: {more}, allowed: {STILL}"
