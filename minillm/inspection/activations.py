"""The activations of a model: names, axes, shapes, and the memory that recording them takes."""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from math import prod

from minillm.architecture.family import family
from minillm.errors import UserError

# The taps of a block, in the order of the computation. A family may have fewer: see architecture/family.py.
LAYER_AXES = {"resid_pre": "BTD", "attn_in": "BTD", "q": "BKGTE", "k": "BKTE", "v": "BKTE",
              "rot_q": "BKGTE", "rot_k": "BKTE", "scores": "BKGTS", "pattern": "BKGTS",
              "z": "BKGTE", "attn_out": "BTD", "resid_mid": "BTD", "mlp_in": "BTD",
              "mlp_pre": "BTF", "mlp_up": "BTF", "mlp_post": "BTF", "mlp_out": "BTD",
              "resid_post": "BTD"}
OUTER_AXES = {"embed": "BTD", "embed_norm": "BTD", "final_norm": "BTD", "logits": "BTV"}


def tap_names(config) -> list[str]:
    """Every activation of a model by name, in the order of the computation."""
    about = family(config)
    inner = [name for name in LAYER_AXES if name not in about.missing_taps]
    return ([*about.embedding_taps] + [f"layers.{i}.{name}" for i in range(config.num_hidden_layers)
                                       for name in inner] + ["final_norm", "logits"])


def axes_of(name: str) -> str:
    """The axes of an activation as letters: axes_of("layers.3.pattern") is "BKGTS". Raises UserError."""
    short = name.rsplit(".", 1)[-1]
    axes = LAYER_AXES.get(short) if name.startswith("layers.") else OUTER_AXES.get(name)
    if axes is None:
        raise UserError(
            f"no activation is called {name!r}: see minillm.inspection.tap_names(config)")
    return axes


def matching(patterns: str | Sequence[str], config) -> tuple[str, ...]:
    """The names that match one of the globs ("layers.3.*", "*.pattern"), in order.

    Raises UserError if a glob matches none.
    """
    names = tap_names(config)
    chosen = {patterns} if isinstance(patterns, str) else set(patterns)
    patterns = sorted(chosen.difference(names))                    # exact names need no matching
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise UserError(f"no activation matches {pattern!r}: names are embed, final_norm, logits and layers.0.{{"
                            f"{','.join(name.removeprefix('layers.0.') for name in names if name.startswith('layers.0.'))}}} "
                            f"to layers.{config.num_hidden_layers - 1}")
    return tuple(name for name in names if name in chosen
                 or any(fnmatchcase(name, pattern) for pattern in patterns))


def sizes(config, batch: int, length: int) -> dict[str, int]:
    """The length of each axis."""
    K, D = config.num_key_value_heads, config.hidden_size
    return {"B": batch, "T": length, "S": length, "K": K, "G": config.num_attention_heads // K,
            "E": config.head_dim, "D": D, "F": config.intermediate_size, "V": config.vocab_size}


def shape_of(name: str, config, batch: int, length: int) -> tuple[int, ...]:
    """The shape of an activation of `batch` texts of `length` tokens."""
    size = sizes(config, batch, length)
    return tuple(size[axis] for axis in axes_of(name))


def estimate(config, length: int, batch: int = 1, names: str | Sequence[str] = "*",
             bytes_per_number: int = 4) -> int:
    """The exact size in bytes of the arrays that `record` returns, known before anything runs."""
    return bytes_per_number * sum(prod(shape_of(name, config, batch, length))
                                  for name in matching(names, config))
