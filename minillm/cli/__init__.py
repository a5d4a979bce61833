"""The command line. A file for each journey holds its commands: their options, and what they do.

Exit status: 0 done, 1 a check failed, 2 the user's input was wrong (one line on standard error).
"""

from minillm.cli.demo import DEMO_STEPS
from minillm.cli.dispatch import main, parser

__all__ = ["DEMO_STEPS", "main", "parser"]
