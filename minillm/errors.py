"""The one exception that means "the user asked for something impossible", and the checks of settings that raise it."""


class UserError(ValueError):
    """One line: which file or option, what was wrong, what to do. The command line prints it and exits with status 2."""


def require(condition: bool, name: str, value, rule: str):
    """Raise UserError naming a setting, its value and the rule that it broke, unless `condition`."""
    if not condition:
        raise UserError(f"{name} is {short(value)}: it must be {rule}")


def short(value) -> str:
    """`value` on one line of at most 80 characters of plain ASCII, whatever a stranger put into it."""
    text = ascii(value)
    return text if len(text) <= 80 else text[:77] + "..."


def is_count(value) -> bool:
    """A whole number from 1 to 2^31 - 1 (true and false are none)."""
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value < 2**31


def is_number(value) -> bool:
    """A finite number (true and false are none)."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= 1e300
