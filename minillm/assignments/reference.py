"""What a lesson's files say about themselves: what each task needs, which libraries they import."""

import ast


def all_needs(tasks) -> dict[str, list[str]]:
    """For each task, all that it needs, directly or by way of others, in the order of the tasks."""
    found = {}
    for task in tasks:
        direct = set(task.needs)
        found[task.name] = [other.name for other in tasks if other.name in direct or any(other.name in found[name] for name in direct)]
    return found


def libraries(*sources: str | bytes) -> set[str]:
    """The top-level names that files import."""
    found = set()
    for source in sources:
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module.partition(".")[0])
    return found
