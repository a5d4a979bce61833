"""Checks an exercise in a process of its own, with a time limit for each task; results are plain data.

    check(lesson, file) -> {"lesson", "file", "seed", "tasks": [{"name", "status", "points", "earned", "hint", "message",
                            "seconds"}], "points", "of", "printed"}

The process protects against endless loops, `exit()` and crashes, not against malice: it may read and write what the reader
may. It is given the folder of the lesson, the file, a seed, and what was judged before; it writes one JSON line a task.
"""

import json
import os
import secrets
import subprocess
import sys
import tempfile
from pathlib import Path

import minillm
from minillm.errors import UserError

SECONDS = 20             # for one task, on a slow machine; a right answer needs a tenth of a second
PRINTED = 2000           # characters of what the exercise prints that are kept


def check(folder: Path, file: Path, seed: int | None = None, seconds: float = SECONDS) -> dict:
    """Judge every task of `file` by the test_exercise.py of the lesson in `folder`. Raises UserError for a file that is not there."""
    file = Path(file).resolve()
    if not file.is_file():
        raise UserError(f"{file}: there is no such file")
    seed = secrets.randbelow(2**31) if seed is None else seed
    done, printed, outline = {}, "", None
    with tempfile.TemporaryDirectory(prefix="minillm-") as place:
        report = Path(place) / "report.jsonl"
        while outline is None or len(done) < len(outline):
            report.write_text("", encoding="utf-8")
            before = {name: result["status"] for name, result in done.items()}
            out, reason = run_child(folder, file, seed, before, report, seconds, len(outline or [1] * 20), place)
            printed += out
            lines = [json.loads(line) for line in report.read_text(encoding="utf-8").splitlines()]
            refused = next((line["refused"] for line in lines if "refused" in line), None)
            if refused is not None:
                raise UserError(refused)
            outline = outline or next((line["outline"] for line in lines if "outline" in line), None)
            if outline is None:
                raise UserError(f"{folder}: its test_exercise.py did not start: {reason[-300:]}")
            done |= {line["name"]: line for line in lines if "status" in line}
            running = [line["started"] for line in lines if "started" in line]
            if running and running[-1] not in done:          # the process ended in the middle of this task
                done[running[-1]] = stopped(outline, running[-1], reason, seconds)
            elif len(done) < len(outline):                    # it ended before any task: while the file was read
                done |= {task["name"]: stopped(outline, task["name"], reason, seconds) for task in outline if task["name"] not in done}
    tasks = [done[task["name"]] for task in outline]
    return {"lesson": Path(folder).name, "file": str(file), "seed": seed, "tasks": tasks, "points": sum(t["earned"] for t in tasks),
            "of": sum(t["points"] for t in tasks), "printed": printed[:PRINTED]}


def run_child(folder, file, seed, before, report, seconds, tasks, place) -> tuple[str, str]:
    """One process: (what it printed, why it ended)."""
    job = {"folder": str(Path(folder).resolve()), "file": str(file), "seed": seed, "before": before, "report": str(report),
           "seconds": seconds}
    root = str(Path(minillm.__file__).parents[1])
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")])),
                                "PYTHONUTF8": "1", "JAX_PLATFORMS": "cpu"}
    limit = seconds * (tasks + 1) + 60
    try:
        ended = subprocess.run([sys.executable, "-m", "minillm.course.checking_child"], input=json.dumps(job), encoding="utf-8",
                               errors="replace", stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=limit, cwd=place, env=environment)
    except subprocess.TimeoutExpired:
        return "", "timeout"
    if ended.returncode == 97:
        return ended.stdout, "timeout"
    said = ended.stderr.strip()[-1500:]
    return ended.stdout, f"ended (status {ended.returncode})" + (f": {said}" if said else "")


def stopped(outline, name: str, reason: str, seconds: float) -> dict:
    """The result of a task that took its process down."""
    points = next(task["points"] for task in outline if task["name"] == name)
    late = reason == "timeout"
    message = (f"took longer than the {seconds:g} seconds that a task has: look for a loop that never ends, on the smallest input that you can think of"
               if late else f"it ended the whole program: a function returns its answer and ends nothing. Look for exit(), quit() or sys.exit(). "
               f"The process {reason.splitlines()[0]}")
    return {"name": name, "status": "timeout" if late else "error", "points": points, "earned": 0, "hint": None,
            "message": message, "seconds": 0.0}
