"""Judges the tasks of one exercise: run as a process by checking.py, never imported.

In: JSON {"folder", "file", "seed", "before", "report", "seconds"} on standard input. Out: JSON lines in the file `report`:
{"outline": [...]}, then {"started": name} and the result of each task, or {"refused": text}. What the exercise prints goes
where it always goes. A task that takes longer than `seconds` ends the process with status 97.
"""

import json
import os
import sys
import threading

from minillm.course import exercises
from minillm.course.lessons import load_module
from minillm.errors import UserError


def main():
    job = json.load(sys.stdin)
    with open(job["report"], "a", encoding="utf-8") as report:
        def write(record):
            report.write(json.dumps(record) + "\n")
            report.flush()
            os.fsync(report.fileno())

        try:
            tests = load_module(f"{job['folder']}/test_exercise.py", "test_exercise")
            exercises.check_tasks(tests.TASKS, tests.HINTS)
        except UserError as error:
            return write({"refused": f"{job['folder']}: {error}"})
        write({"outline": [{"name": task.name, "points": task.points} for task in tests.TASKS]})
        watch = Watch(job["seconds"])
        watch.start("")
        try:
            student = load_module(job["file"], exercises.STUDENT)
        except SyntaxError as error:
            return write({"refused": f"{job['file']}: line {error.lineno}: not Python yet ({error.msg})"})
        except Exception as error:
            return write({"refused": f"{job['file']}: reading it raises {type(error).__name__}: {error}{place(error)}"})

        def started(name):
            write({"started": name})
            watch.start(name)

        for result in exercises.run(tests.TASKS, tests.HINTS, student, job["seed"], job["before"], started):
            write(result)
        watch.stop()


def place(error) -> str:
    line = exercises.line_of_file(error)
    return f" (line {line} of your file)" if line else ""


class Watch:
    """Ends the process when what was started last takes longer than `seconds`."""

    def __init__(self, seconds: float):
        self.seconds, self.timer = seconds, None

    def start(self, name: str):
        self.stop()
        self.timer = threading.Timer(self.seconds, lambda: os._exit(97))
        self.timer.daemon = True
        self.timer.start()

    def stop(self):
        if self.timer is not None:
            self.timer.cancel()


if __name__ == "__main__":
    main()
