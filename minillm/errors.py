"""The one exception that means "the user asked for something impossible"."""


class UserError(ValueError):
    """One line: which file or option, what was wrong, what to do. The command line prints it and exits with status 2."""
