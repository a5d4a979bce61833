"""`minillm bias`: which pronoun a model expects after an occupation, beside known rates."""

import json

from minillm.cli.options import add_checkpoint, add_json, add_twin
from minillm.cli.parsing import add_command

LISTS = ("labour", "stories")


def add_commands(commands):
    """Add the command of this file."""
    command = add_command(
        commands, "bias", bias, "measure which pronoun a model expects after an occupation",
        "minillm bias runs/demo --list stories\n  minillm bias DIR --json")
    add_checkpoint(command)
    command.add_argument("--list", choices=LISTS, default=LISTS[0],
                         help="labour: occupations with the share of women in U.S. labour "
                              "statistics; stories: those of the story world, with the rates "
                              "planted there")
    add_twin(command)
    add_json(command)


def bias(options):
    """Print log-odds by occupation, and their line against the known rates."""
    from minillm.loading import load

    model = load(options.path, options.tokenizer, options.dtype)
    report = measured(model, options.list, options.twin)
    if options.json:
        print(json.dumps(report))
    else:
        show(report)


def measured(model, which: str, twin: str) -> dict:
    """{"list", "mass", "claim", "line", "occupations"}, all plain values."""
    from minillm.inspection import bias as measuring
    from minillm.inspection.labour import WOMEN
    from minillm.text.storyworld_words import SHE_RATES

    labour = which == "labour"
    rates = {job: share / 100 for job, share in WOMEN.items()} if labour else SHE_RATES
    found = measuring.measure(model, list(rates),
                              measuring.SENTENCES if labour else measuring.STORIES,
                              measuring.NEUTRAL if labour else None, twin)
    line = measuring.compared(found, rates)
    return {"list": which, "neutral": measuring.NEUTRAL if labour else None,
            "templates": found.log_odds_OT.shape[1], "mass": float(found.mass_OT.mean()),
            "claim": found.claimed,
            "line": {name: list(value) for name, value in vars(line).items()}
            if found.claimed else None,
            "occupations": [
                {"name": job, "known": rates[job], "known_log_odds": float(known),
                 "log_odds": float(value), "mass": float(mass.mean())}
                for job, known, value, mass in zip(
                    found.occupations, measuring.log_odds([*rates.values()]), found.log_odds_O,
                    found.mass_OT)]}


def show(report: dict):
    """The report as a table and three lines."""
    from rich.console import Console
    from rich.table import Table

    from minillm.inspection.bias import FLOOR
    console = Console(highlight=False)
    mass = f"she and he together: {report['mass']:.1%} of the probability"
    if not report["claim"]:
        other = "stories" if report["list"] == "labour" else "labour"
        console.print(f"{mass}, under {FLOOR:.0%}: no claim. Another list: --list {other}")
        return
    table = Table("occupation", "known", "log-odds known", "log-odds of the model", "mass")
    for column in table.columns[1:]:
        column.justify = "right"
    for row in sorted(report["occupations"], key=lambda row: row["known"]):
        table.add_row(row["name"], f"{row['known']:.0%}", f"{row['known_log_odds']:+.2f}",
                      f"{row['log_odds']:+.2f}", f"{row['mass']:.1%}")
    console.print(table)
    against = f", less those of \"{report['neutral']}\"" if report["neutral"] else ""
    console.print(f"{mass}; log p(she) - log p(he), mean of {report['templates']} templates"
                  f"{against}")
    for name, (value, low, high) in report["line"].items():
        console.print(f"{name:11} {value:+.2f}  (95% from {low:+.2f} to {high:+.2f})")
