"""Every command in one parser, and the exit status of each. Commands do not import this file."""

import argparse

from minillm import __version__
from minillm.cli import (
    assignment,
    bench,
    bias,
    card,
    cost,
    demo,
    get,
    inspect,
    lesson,
    measure,
    playground,
    quantize,
    text,
    train,
    tune,
    write,
)
from minillm.cli.parsing import HelpFormatter, Parser
from minillm.cli.status import status_of

JOURNEYS = (demo, train, tune, write, measure, bench, cost, card, inspect, bias, playground,
            quantize, get, text, lesson, assignment)


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    return status_of(lambda: run(arguments))


def run(arguments: list[str] | None) -> int:
    """Run one command; with --resume, the options with which its run was started are defaults, and
    with --from, those that suit a trained model."""
    options = parser().parse_args(arguments)
    defaults = train.defaults_of(options)
    if defaults:
        options = parser({options.command: defaults}).parse_args(arguments)
    return options.run(options) or 0


def parser(defaults: dict[str, dict] | None = None) -> argparse.ArgumentParser:
    """All commands and their options; `defaults` gives other defaults to some commands."""
    top = Parser(
        prog="minillm", formatter_class=HelpFormatter, allow_abbrev=False,
        description="A small LLaMA that you can read in an afternoon and train on a laptop,\n"
        "with a course and automatically checked exercises.",
        epilog="start here:\n  minillm demo\n\nhelp of a command:\n  minillm pretrain --help")
    top.add_argument("--version", action="version", version=f"minillm {__version__}")
    top.set_defaults(run=lambda options: top.print_help(), parser=top)
    commands = top.add_subparsers(title="commands", metavar="COMMAND")
    for journey in JOURNEYS:
        journey.add_commands(commands)
    for name, values in (defaults or {}).items():
        commands.choices[name].set_defaults(**values)
    return top
