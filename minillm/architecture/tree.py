"""Parameters are a tree: nested dicts and lists of arrays, the same in both twins."""


from typing import Any


def tree_map(function, tree, *others):
    """Apply `function` to every leaf of `tree` (and the leaves at the same place in `others`); the shape stays."""
    if isinstance(tree, dict):
        return {name: tree_map(function, tree[name], *(other[name] for other in others))
                for name in tree}
    if isinstance(tree, list):
        return [tree_map(function, *leaves) for leaves in zip(tree, *others, strict=True)]
    return function(tree, *others)


def flatten(tree, prefix: str = "") -> dict:
    """{"layers.0.q_proj": leaf, ...}: the leaves in the order of the table, named by their path."""
    if isinstance(tree, (dict, list)):
        children = tree.items() if isinstance(tree, dict) else enumerate(tree)
        return {path: leaf for name, child in children
                for path, leaf in flatten(child, f"{prefix}{name}.").items()}
    return {prefix[:-1]: tree}


def unflatten(leaves: dict, tree) -> Any:
    """The inverse of `flatten`: `tree` gives the shape, `leaves` the values by path."""
    values = iter([leaves[path] for path in flatten(tree)])
    return tree_map(lambda _: next(values), tree)
