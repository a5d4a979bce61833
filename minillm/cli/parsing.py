"""The parser behind every command: mistakes in one line, help that shows every default."""

import argparse
import difflib
import re
import textwrap
from collections.abc import Callable

from minillm.errors import UserError


class Parser(argparse.ArgumentParser):
    """Raises UserError, one line, for a wrong option, and suggests the nearest one."""

    def parse_args(self, args=None, namespace=None):
        options, unknown = self.parse_known_args(args, namespace)
        # argparse before 3.13 takes an optional word as missing if an option stands before it
        for action in options.parser._actions if unknown else ():
            if (not action.option_strings and action.nargs == "?" and unknown
                    and getattr(options, action.dest) is action.default
                    and not unknown[0].startswith("-")):
                setattr(options, action.dest, options.parser._get_value(action, unknown.pop(0)))
        if unknown:
            options.parser.error(f"unrecognized arguments: {' '.join(unknown)}")
        return options

    def error(self, message):
        if message.startswith("the following arguments are required") and "PATH" in message:
            message += ": put PATH first, before options that take several values"
        wrong = re.search(r"invalid choice: '(.*?)' \(choose from (.*)\)$", message)
        if wrong:
            word, known = wrong[1], re.findall(r"[\w.-]+", wrong[2])
        else:
            word = (re.search(r"unrecognized arguments: (--[\w-]+)", message) or ("", ""))[1]
            known = [name for action in self._actions for name in action.option_strings]
        bare = {name.lstrip("-"): name for name in known}
        near = difflib.get_close_matches(word.lstrip("-"), bare, 1, 0.7) if word else []
        if near:
            message = f"{message.partition(' (choose from')[0]}: did you mean {bare[near[0]]}?"
        raise UserError(f"{message} (see {self.prog} --help)")


class HelpFormatter(argparse.RawDescriptionHelpFormatter, argparse.ArgumentDefaultsHelpFormatter):
    """Keeps the lines of examples, and shows the default of every option that takes a value."""

    def _get_help_string(self, action):
        if not action.option_strings or action.nargs == 0:
            return action.help
        if action.required:
            return f"{action.help} (required)"
        if action.default is None or action.default in ([], [""]):
            return action.help if "default" in action.help else f"{action.help} (default: none)"
        return super()._get_help_string(action)


def add_command(commands, name: str, run: Callable, help: str,
                example: str) -> argparse.ArgumentParser:
    """A new command, or an action of one, among `commands` (what add_subparsers returns).

    `run(options)` does it and returns the exit status; None is 0.
    """
    command = commands.add_parser(name, help=help, formatter_class=HelpFormatter,
                                  allow_abbrev=False, description=sentence(help),
                                  epilog=f"example:\n  {example}")
    command.set_defaults(run=run, parser=command, command=name)
    return command


def sentence(text: str) -> str:
    """A help text as a sentence, in lines of at most 79 characters."""
    return textwrap.fill(f"{text[0].upper()}{text[1:]}" + "." * (text[-1] != "?"), 79)
