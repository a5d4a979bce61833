"""How large the repository is, folder by folder: `python tests/counts.py [ANOTHER CLONE]`."""

import ast
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MANY = 300                                            # lines of a file that is counted as long


def tracked(root: Path) -> list[Path]:
    """The files that git tracks, relative to `root`."""
    done = subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True, check=True)
    names = done.stdout.decode().split("\0")
    return [Path(name) for name in names if name and (root / name).is_file()]


def longest_function(source: str) -> tuple[int, str]:
    """(lines, name) of the longest function of a file, a test's included."""
    return max(((node.end_lineno - node.lineno + 1, node.name)
                for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)),
               default=(0, "-"))


def folder_of(path: Path) -> str:
    """The room of a module of the package, the folder of a test, else the top folder."""
    depth = 2 if path.parts[0] in ("minillm", "tests") else 1
    return "/".join(path.parts[:-1][:depth]) or "."


def main(root: Path):
    rows, files = {}, tracked(root)
    for path in files:
        row = rows.setdefault(folder_of(path), {"tracked": 0, "lines": 0, "long": 0, "line": 0,
                                                "function": (0, "-")})
        row["tracked"] += 1
        if path.suffix == ".py":
            source = (root / path).read_text(encoding="utf-8")
            lines = source.splitlines()
            row["lines"] += len(lines)
            row["long"] += len(lines) > MANY
            row["line"] = max(row["line"], max(map(len, lines), default=0))
            row["function"] = max(row["function"], longest_function(source))
    total = sum(row["lines"] for row in rows.values())
    print(f"{len(files)} tracked files, {total:,} lines of Python")
    print(f"{'folder':24} tracked   lines  files > {MANY}  longest line  longest function")
    for name, row in sorted(rows.items()):
        lines, function = row["function"]
        print(f"{name:24} {row['tracked']:7,} {row['lines']:7,} {row['long']:12} {row['line']:13}  "
              f"{lines} {function}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else ROOT)
