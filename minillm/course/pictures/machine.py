"""Drawings of lessons 10 and 14: what a compiler saves, and what lies in a checkpoint's file."""

import struct

from minillm.course.demos import values
from minillm.course.pictures.drawing import Drawing


def fused(results) -> Drawing:
    """max(a x + b, 0): three operations with their trips to memory, or one program."""
    found = values(results)[1]
    starts, kernels = found["small_operations"][0], found["small_kernels"]
    d = Drawing(380, 372,
                "max(a x + b, 0) in two ways. One by one: three operations are "
                "started, and between "
                "them results go to memory and come back, eight arrays in all. Compiled: one "
                "program is started, it reads a, x and b and writes y, four arrays. In this "
                f"lesson's small training step NumPy starts {starts:,.0f} operations; compiled, "
                f"one program of {kernels:,.0f} kernels is started.")
    d.text(8, 20, "one by one: 3 starts, 8 arrays moved", "strong", "start")
    operations = (("×", "a x", "→ p"), ("+", "p b", "→ q"), ("max", "q 0", "→ y"))
    for i, (name, reads, writes) in enumerate(operations):
        x = 22 + 122 * i
        d.box(x, 36, 92, 40, name, kind="second")
        d.text(x - 2, 60, "▸", "second", "end")
        moved = reads.replace(" 0", "").split()
        for j, array in enumerate(moved):
            at = x + 14 + 26 * j
            d.arrow((at, 132), (at, 80)).text(at, 150, array, "strong")
        d.arrow((x + 78, 80), (x + 78, 132)).text(x + 78, 150, writes[-1], "first")
    d.box(8, 134, 364, 24, kind="frame").text(190, 178, "memory")
    d.text(8, 214, "compiled: 1 start, 4 arrays moved", "strong", "start")
    d.box(22, 230, 336, 40, "× + max in one pass", kind="first")
    d.text(20, 254, "▸", "second", "end")
    for at, name in ((60, "a"), (120, "x"), (180, "b")):
        d.arrow((at, 310), (at, 274)).text(at, 328, name, "strong")
    d.arrow((320, 274), (320, 310)).text(320, 328, "y", "first")
    d.box(8, 312, 364, 24, kind="frame")
    return d.text(190, 362, f"this lesson's small step: {starts:,.0f} starts in NumPy, 1 compiled")


def file_bytes(results) -> Drawing:
    """The bytes of the checkpoint that lesson 14 saves: length, header, then the numbers."""
    exact = values(results)[0]
    header, size = exact["header"], exact["files"]["model.safetensors"]
    begin = 8 + header["bytes"]
    tensors = list(header["first"].items())[:3]
    d = Drawing(380, 292,
                f"The file of {size:,} bytes. Bytes 0 to 7: the length of the header, "
                f"{header['bytes']:,}. Then the header, which names {header['tensors']} tensors. "
                f"From byte {begin:,} on the numbers, one tensor after the other: " + "; ".join(
                    f"{name} from byte {begin + offsets[0]:,} to {begin + offsets[1]:,}"
                    for name, (_, _, offsets) in tensors) + ".")
    d.box(8, 22, 56, 46, "8", kind="second").box(66, 22, 106, 46, f"{header['bytes']:,}",
                                               kind="first")
    d.box(174, 22, 198, 46, f"{size - begin:,}")
    for x, words in ((36, "length"), (119, "header, JSON"), (273, "numbers, nothing between")):
        d.text(x, 14, words)
    d.line((66, 68), (8, 104)).line((172, 68), (372, 104))
    d.box(8, 104, 364, 108, kind="first")
    for i, (name, (kind, shape, offsets)) in enumerate(tensors):
        y = 124 + 32 * i
        short = name.removeprefix("model.").replace("layers.0.", "0.")
        d.text(18, y + 4, short, "strong", "start")
        d.text(18, y + 19, f"{kind} {shape}", anchor="start")
        d.text(362, y + 19, f"{offsets[0]:,} to {offsets[1]:,}", "first", "end")
    first, offsets = tensors[1][0].removeprefix("model."), tensors[1][1][2]
    d.text(190, 238, f"{first} begins at byte", "strong")
    d.text(190, 260, f"8 + {header['bytes']:,} + {offsets[0]:,} = {begin + offsets[0]:,}", "strong")
    return d.text(190, 282, "offsets count from the end of the header")


def read_as() -> Drawing:
    """The 16 bits of 0.5 as bfloat16, read as what they are and as float16 (lesson 14)."""
    bits = struct.unpack(">I", struct.pack(">f", 0.5))[0] >> 16
    wrong = struct.unpack(">e", bits.to_bytes(2, "big"))[0]
    digits = f"{bits:016b}"
    d = Drawing(380, 206,
                f"The sixteen bits of 0.5 as bfloat16, {digits}. Read as bfloat16, one sign bit, "
                f"eight exponent bits and seven of fraction, they are 0.5. Read as float16, one, "
                f"five and ten, the same bits are {wrong:g}, and nothing complains.")
    for row, (name, exponent, value) in enumerate((("bfloat16", 8, 0.5), ("float16", 5, wrong))):
        y = 30 + 100 * row
        d.text(8, y - 10, f"read as {name}: {value:g}", "strong" if row == 0 else "second", "start")
        for i, digit in enumerate(digits):
            x = 8 + 23 * i
            kind = "plain" if i == 0 else "first" if i <= exponent else "second"
            d.box(x, y, 20, 28, digit, kind=kind)
        middle = 8 + 23 * (1 + exponent / 2)
        d.text(18, y + 45, "sign")
        d.text(middle, y + 45, f"exponent {int(digits[1:1 + exponent], 2)}", "first")
        d.text(8 + 23 * (8.5 + exponent / 2), y + 45, "fraction", "second")
    return d
