"""A matrix in fewer bits: integers and the scales that turn them back into numbers. Both twins use this record.

    w[o, i] ~ scale * (integer[o, i] - zero)      o counts outputs (a row of the record), i inputs
    w[o, i] ~ scale * (integer[o, i] - lowest) + low     with the smallest number of each group, as
                                                         in llama.cpp's Q4_1

Rows are outputs, as in Hugging Face's files, so that a scale per output channel is a scale per row and a group of 32 lies
side by side in memory. The model says `x @ w` with w (in, out): such a record is `transposed`. `record.T` is free, which
lets a head be tied to an embedding. Only `linear` and `embedding` know this class; how numbers become integers and back is
written in in_numpy/quantize.py and in_jax/quantize.py.
"""

from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

from minillm.architecture.tree import flatten
from minillm.errors import UserError, printable

GROUP = 32  # numbers that share a scale where scales are per group, as in llama.cpp's Q8_0 and Q4_0
METHOD = "minillm"  # our quant_method in config.json
NAMES = ("int8-tensor", "int8-channel", "int8-group32",
         "int4-tensor", "int4-channel", "int4-group32", "int4-group32-min")


@dataclass(frozen=True)
class Scheme:
    """How numbers become integers: how many bits, how many numbers share a scale, and what else becomes integers.

    zero_point    scale and zero fit the smallest and the largest number; otherwise the scale alone fits the largest |number|
    activations   the inputs of a product become int8 too, one scale a token, so that the product is of integers
    minimum       of groups: the smallest number is kept in float16 beside the scale, so that
                  nothing is spent on a range around 0
    """

    bits: int = 8
    scale_per: str = "channel"
    zero_point: bool = False
    activations: bool = False
    minimum: bool = False

    @property
    def name(self) -> str:
        """As in NAMES: "int8-channel" and so on."""
        return f"int{self.bits}-{self.scale_per}" + "-min" * self.minimum

    @property
    def lowest(self) -> int:
        """The smallest integer: -128 or -8; with a scale alone one more: a symmetric range."""
        return -(2 ** (self.bits - 1)) + (not (self.zero_point or self.minimum))

    @property
    def highest(self) -> int:
        """The largest integer: 127 or 7."""
        return 2 ** (self.bits - 1) - 1

    @property
    def scale_dtype(self) -> str:
        """Scales of groups are many, so each has 16 bits, as in llama.cpp; the others are few and have 32."""
        return "float16" if self.scale_per == "group32" else "float32"

    @property
    def smallest_scale(self) -> float:
        """No scale is smaller, or the numbers that it stands for would be: some processors take those for zero."""
        return 2.0**-24 if self.scale_per == "group32" else 2.0**-100

    def __str__(self):
        return self.name + "-zero" * self.zero_point + "-a8" * self.activations


@dataclass(frozen=True, eq=False)
class Quantized:
    """One matrix. Axes: O outputs, I inputs, G groups of a row (1 where a row has one scale), n outlier inputs.

    integers   int8 (O, I); of 4 bits: uint8 (O, ceil(I / 2)), two integers in a byte
    scales     float32 or float16 (O, G), or (1, 1) for one scale in all
    zeros      int8 like scales, or None
    columns    int32 (n,): inputs that stay out of the integers, or None; kept (O, n): their numbers in float32
    lows       float16 like scales: the smallest number of each group, or None
    """

    integers: Any
    scales: Any
    zeros: Any
    columns: Any
    kept: Any
    scheme: Scheme
    width: int
    transposed: bool
    lows: Any = None

    @property
    def T(self) -> "Quantized":  # noqa: N802 (as an array's)
        """The same numbers, seen with the axes the other way round."""
        return replace(self, transposed=not self.transposed)

    @property
    def shape(self) -> tuple[int, int]:
        """As an array's: (in, out) of a matrix that is multiplied with, (V, D) of an embedding."""
        rows = self.integers.shape[0]
        return (self.width, rows) if self.transposed else (rows, self.width)

    @property
    def ndim(self) -> int:
        """Always 2."""
        return 2

    @property
    def size(self) -> int:
        """How many numbers it stands for."""
        return self.shape[0] * self.shape[1]

    @property
    def dtype(self):
        """What `scales` are held in: the numbers of a float matrix in its place could be no finer."""
        return self.scales.dtype

    @property
    def nbytes(self) -> int:
        """Bytes of everything that it holds."""
        return sum(part.nbytes for part in self.parts().values())

    def parts(self) -> dict:
        """Its arrays by name, those that are there."""
        found = {name: getattr(self, name) for name in PARTS}
        return {name: part for name, part in found.items() if part is not None}


PARTS = ("integers", "scales", "zeros", "columns", "kept", "lows")
STATIC = ("scheme", "width", "transposed")


def scheme_named(name: str, zero_point: bool = False, activations: bool = False) -> Scheme:
    """"int8-channel" and so on as a Scheme. Raises UserError."""
    if name not in NAMES:
        raise UserError(f"scheme {printable(name)} does not exist: choose {', '.join(NAMES)}")
    bits, per, *minimum = name.split("-")
    if minimum and zero_point:
        raise UserError(f"scheme {name} has a smallest number in each group: it takes no zero "
                        "point beside it")
    return Scheme(int(bits.removeprefix("int")), per, zero_point, activations, bool(minimum))


def is_ours(values: dict) -> bool:
    """Does a config.json describe a quantized model that minillm wrote?"""
    about = values.get("quantization_config")
    return isinstance(about, dict) and about.get("quant_method") == METHOD


def without_ours(values: dict) -> dict:
    """A config.json without our quantization_config; that of others stays, and is refused where the model is read."""
    return {name: value for name, value in values.items()
            if name != "quantization_config"} if is_ours(values) else values


def write_schemes(params, method: str) -> dict:
    """quantization_config of config.json: the scheme, the matrices that have another one, and by
    which method the integers were chosen."""
    scheme = scheme_of(params)
    others = {path: leaf.scheme.name for path, leaf in flatten(params).items()
              if isinstance(leaf, Quantized) and leaf.scheme != scheme}
    about = {"quant_method": METHOD, "scheme": scheme.name, "zero_point": scheme.zero_point,
             "activations": scheme.activations, "method": method}
    return about | ({"others": others} if others else {})


def read_schemes(values: dict) -> tuple[Scheme, dict[str, Scheme]]:
    """The Scheme of a config.json's quantization_config, and those of the parameters that have
    another. Raises UserError."""
    about = values["quantization_config"]
    known = {"quant_method", "scheme", "zero_point", "activations", "method", "others"}
    for name in sorted(set(about) - known):
        raise UserError(
            f"quantization_config has {printable(name)}: only {', '.join(sorted(known))} are known")
    for name in ("zero_point", "activations"):
        if not isinstance(about.get(name), bool):
            raise UserError(f"quantization_config: {name} is {printable(about.get(name))}: it must be true or false")
    others = about.get("others", {})
    if not isinstance(others, dict):
        raise UserError(f"quantization_config: others is {printable(others)}: it must give schemes "
                        "by the names of parameters")
    for name in (about.get("scheme"), *others.values()):
        if not isinstance(name, str):
            raise UserError(f"quantization_config: scheme is {printable(name)}: choose "
                            f"{', '.join(NAMES)}")
    activations = about["activations"]
    return (scheme_named(about["scheme"], about["zero_point"], activations),
            {path: scheme_named(name, False, activations) for path, name in others.items()})


def scheme_of(params) -> Scheme | None:
    """The scheme of most matrices of a tree of parameters, None where they are float."""
    schemes = Counter(leaf.scheme for leaf in flatten(params).values()
                      if isinstance(leaf, Quantized))
    return schemes.most_common(1)[0][0] if schemes else None
