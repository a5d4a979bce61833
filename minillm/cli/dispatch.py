"""Every command in one parser, and the exit status of each. Commands do not import this file."""

import argparse
import os
import sys

from minillm import __version__
from minillm.cli import (
    assignment,
    bench,
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
from minillm.errors import UserError

JOURNEYS = (demo, train, tune, write, measure, bench, cost, inspect, playground, quantize, get,
            text, lesson, assignment)


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    for stream in (sys.stdout, sys.stderr):
        # a character that the console lacks becomes a ?; files and pipes get UTF-8, on Windows too
        encoding = None if stream.isatty() else "utf-8"
        stream.reconfigure(encoding=encoding, errors="replace")
    try:
        return run(arguments)
    except UserError as error:
        print(f"minillm: {' '.join(str(error).split())}", file=sys.stderr)
    except BrokenPipeError:  # the reader of our output left: nothing more to say
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (OSError, MemoryError) as error:
        print(f"minillm: {' '.join(str(error).split()) or 'out of memory'}", file=sys.stderr)
    except RuntimeError as error:  # those of JAX and PyTorch where memory runs out
        if not any(word in str(error) for word in ("RESOURCE_EXHAUSTED", "t allocate memory")):
            raise
        print("minillm: out of memory: give fewer tokens, rows or a smaller batch", file=sys.stderr)
    except KeyboardInterrupt:
        print("minillm: interrupted", file=sys.stderr)
        return 130
    return 2


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
