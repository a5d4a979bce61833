"""Imports minillm by every way there is: by name, by path, from the folders where it is installed."""

import importlib
import importlib.util
import sys

sys.path += TARGETS["sites"]
sys.meta_path[:] = [finder for finder in sys.meta_path if type(finder).__name__ != "_Missing"]


def attack(name, arguments):
    for module in (
        "minillm.in_numpy.ops",
        "minillm.text.ngram",
        "solution",
        "test_exercise",
        "minillm.course.exercises",
    ):
        try:
            found = importlib.import_module(module)
            return getattr(found, name)(*arguments)
        except Exception:
            pass
    for path in TARGETS["files"]:
        try:
            spec = importlib.util.spec_from_file_location("s", path)
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            return getattr(module, name)(*arguments)
        except Exception:
            pass
    return 0
