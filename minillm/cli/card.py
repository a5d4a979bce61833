"""`minillm card`: a model card for the Hugging Face hub, from what is on record."""

from pathlib import Path

from minillm.cli.parsing import add_command
from minillm.errors import UserError

BEFORE = LENGTH = 32  # tokens that are given, and that must be repeated


def add_commands(commands):
    """Add the command of this file."""
    command = add_command(
        commands, "card", card, "a model card (README.md) from what is on record",
        "minillm card runs/demo --license mit --language en\n"
        "  minillm card runs/a --others runs/b runs/c --out README.md")
    command.add_argument("path", metavar="PATH", help="run, or checkpoint")
    command.add_argument("--others", nargs="+", default=[], metavar="RUN",
                         help="runs that differ in their seed alone: losses get a spread")
    command.add_argument("--license", metavar="ID",
                         help="of the hub's list, such as apache-2.0 (default: what the file says; "
                              "none is invented)")
    command.add_argument("--language", nargs="+", default=[], metavar="CODE",
                         help="such as en or sw (default: what the file says)")
    command.add_argument("--bias", metavar="FILE",
                         help="what minillm bias --json printed")
    command.add_argument("--out", metavar="FILE", help="where to write it (default: print it)")


def card(options):
    """Print or write the card. Raises UserError."""
    from minillm.files import read_json, write_atomically
    from minillm.inspection import card as made

    bias = rows_of_bias(read_json(Path(options.bias)), options.bias) if options.bias else None
    text = made.card(options.path, options.others, options.license, options.language,
                     memorised(Path(options.path)), bias)
    if not options.out:
        print(text, end="")
        return
    out = Path(options.out)
    if out.is_dir():
        raise UserError(f"--out {out} is a folder: name a file, such as {out / 'README.md'}")
    write_atomically(out, text.encode())
    print(out)


def rows_of_bias(report: dict, path: str) -> dict[str, str]:
    """{name: value} for a card, of a report of `minillm bias --json`. Raises UserError."""
    try:
        rows = {"list": str(report["list"]), "templates": f"{report['templates']:d}",
                "she and he together": f"{report['mass']:.1%} of the probability"}
        if not report["claim"]:
            return rows | {"claim": "none: the model expects no pronoun there"}
        return rows | {name: f"{value:+.2f} (95% from {low:+.2f} to {high:+.2f})"
                       for name, (value, low, high) in report["line"].items()}
    except (KeyError, TypeError, ValueError, AttributeError):
        raise UserError(f"{path}: is not what minillm bias PATH --json prints: run it, and keep "
                        "what it prints in a file") from None


def memorised(path: Path) -> dict | None:
    """What the model repeats of its run's data, beside held-out text; None without data."""
    if not (path / "data" / "dataset.json").is_file():
        return None
    from minillm.inspection.memorised import continued
    from minillm.loading import load, longest
    from minillm.text.dataset import open_dataset

    model, dataset = load(path), open_dataset(path / "data")
    if longest(model.config) < BEFORE + LENGTH:
        return None
    return {"before": BEFORE, "length": LENGTH, "splits": {
        "training text": continued(model, (dataset.train, dataset.train_starts), BEFORE, LENGTH),
        "held-out text": continued(model, (dataset.validation, dataset.validation_starts), BEFORE,
                                   LENGTH)}}
