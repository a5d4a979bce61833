"""The command line."""

from minillm.cli.arguments import DEMO_STEPS, main, parser

__all__ = ["DEMO_STEPS", "main", "parser"]
