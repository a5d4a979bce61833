"""The rooms of the package, their floors, and the imports between them: `python tests/rooms.py`."""

import ast
import sys
from collections import Counter
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1] / "minillm"
# Bottom floor first. A room imports only rooms on lower floors.
FLOORS = (
    ("errors",),
    ("config", "files"),
    ("text",),
    ("architecture", "chat_template"),
    ("in_numpy", "in_jax"),
    ("formats",),
    ("loading",),
    ("training", "quantization", "in_page"),
    ("inspection", "distillation", "tuning", "course"),
    ("assignments",),
    ("cli",),
    ("__main__",),
)
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
FRONT_DOOR = "minillm"                                # minillm/__init__.py: `minillm.load`, imported when asked for


def modules(package: Path = PACKAGE) -> dict[str, Path]:
    """{dotted name: file} of every module of the package."""
    found = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(package: Path = PACKAGE) -> set[tuple[str, str]]:
    """(importer, imported) for every import between modules, those inside functions included."""
    known, found = modules(package), set()
    for name, path in known.items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            targets = []
            if isinstance(node, ast.Import):
                targets = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                inner = [f"{node.module}.{alias.name}" for alias in node.names]
                targets = [full if full in known else node.module for full in inner]
            found |= {(name, target) for target in targets if target in known and target != name}
    return found


def room_of(module: str) -> str:
    return module.split(".")[1] if "." in module else FRONT_DOOR


def arrows(package: Path = PACKAGE) -> Counter:
    """{(room, room that it imports): how many imports}; the front door is everyone's."""
    pairs = ((room_of(a), room_of(b)) for a, b in imports(package))
    return Counter(pair for pair in pairs if pair[0] != pair[1] and FRONT_DOOR not in pair)


def upward(package: Path = PACKAGE) -> list[tuple[str, str]]:
    """The imports from a room to one on the same floor or above."""
    return sorted((a, b) for a, b in imports(package)
                  if FRONT_DOOR not in (room_of(a), room_of(b)) and room_of(a) != room_of(b)
                  and FLOOR[room_of(a)] <= FLOOR[room_of(b)])


def circle(package: Path = PACKAGE) -> list[str]:
    """A circle of modules that import each other, or nothing.

    A package's __init__ is its face: a module of the package that imports a neighbour does not import the face.
    """
    graph = {}
    for a, b in imports(package):
        graph.setdefault(a, set()).add(b)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return []


def main():
    found = arrows()
    lines = {room: sum(path.read_text(encoding="utf-8").count("\n") for name, path in modules().items() if room_of(name) == room)
             for room in FLOOR}
    print(f"{len(FLOOR)} rooms, {len(FLOORS)} floors, {len(found)} arrows, {len(upward())} up, "
          f"{'a circle' if circle() else 'no circle'}, {sum(lines.values()):,} lines")
    for floor in reversed(range(len(FLOORS))):
        for room in FLOORS[floor]:
            below = sorted((b for a, b in found if a == room), key=lambda b: -FLOOR[b])
            print(f"{floor:3}  {room:15} {lines[room]:6,}  {' '.join(below)}")
    for a, b in upward():
        print(f"up: {a} imports {b}")
    if circle():
        print("circle:", " > ".join(circle()))
    return bool(upward() or circle())


if __name__ == "__main__":
    sys.exit(main())
