"""Python source as text, read and never run: where a function stands, and what it needs."""

import ast
import symtable
import textwrap
from collections.abc import Iterable

from minillm.course.lessons import PACKAGE


def source_of(name: str) -> tuple[str, int, str]:
    """(file, first line, source) of a function, class or method by its dotted name; the file
    relative to the package's parent.

    Raises KeyError where there is no such file, or nothing of that name in it.
    """
    words = name.split(".")
    for n in range(len(words), 0, -1):
        path = PACKAGE.parent.joinpath(*words[:n]).with_suffix(".py")
        if path.is_file():
            break
    else:
        raise KeyError(f"there is no file for {name}")
    file, text = path.relative_to(PACKAGE.parent).as_posix(), path.read_text(encoding="utf-8")
    if n == len(words):
        return file, 1, text.rstrip()
    node = ast.parse(text)
    for word in words[n:]:
        node = next((part for part in node.body if getattr(part, "name", None) == word), None)
        if node is None:
            raise KeyError(f"{path.name} has no {'.'.join(words[n:])}")
    first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
    return file, first, textwrap.dedent("\n".join(text.splitlines()[first - 1 : node.end_lineno]))


def reached(body: list[ast.stmt], names: Iterable[str]) -> list[ast.stmt]:
    """The statements of a module that define these names, and all that those may use."""
    scopes = {part: _scopes(part) for part in body}
    used, parts = set(names), set()
    while new := {part for part in body if part not in parts and any(
            symbol.is_assigned() and symbol.get_name() in used
            for symbol in scopes[part][0].get_symbols())}:
        parts |= new
        used |= {symbol.get_name() for part in new for scope in scopes[part]
                 for symbol in scope.get_symbols() if symbol.is_global()}
    return [part for part in body if part in parts]


def _scopes(part: ast.stmt) -> list[symtable.SymbolTable]:
    """The scope of a statement, and those inside it."""
    scopes = [symtable.symtable(ast.unparse(part), "", "exec")]
    for scope in scopes:
        scopes += scope.get_children()
    return scopes
