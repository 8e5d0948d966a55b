"""How Python values are printed as C."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import numpy as np

from ..ir import Array, DType

LINE = 118
WIDTH = 120
WORD = re.compile(r" +(?!\*/)")  # the end of a comment does not stand alone
ARGUMENT = re.compile("[,;] ")
TERM = re.compile(r"\((?=\w)| (?=[?:+*] )|\] |\) (?=const )")


def c_float(value: float) -> str:
    """A float32 literal that reads back as the same float."""
    value = float(np.float32(value))
    assert math.isfinite(value), "C99 without libm has no literal for infinity"
    text = f"{value:.9g}"
    return f"{text}f" if re.search(r"[.e]", text) else f"{text}.0f"


def c_literal(value: int | float, dtype: DType) -> str:
    if dtype is DType.F32:
        return c_float(float(value))
    if dtype is DType.I64:
        return f"INT64_C({int(value)})"
    if dtype is DType.U32:
        return f"0x{int(value):08X}u"
    if dtype is DType.I32 and int(value) == -(1 << 31):
        return "(-2147483647 - 1)"
    return str(int(value))


def c_values(values: Array, dtype: DType) -> str:
    """The initializer of an array, a fixed number of values a line."""
    texts = [c_literal(v, dtype) for v in values.ravel().tolist()]
    per_line = max(1, LINE // (2 + max(map(len, texts), default=1)))
    lines = (", ".join(texts[i : i + per_line]) for i in range(0, len(texts), per_line))
    return ",\n".join(f"    {line}" for line in lines)


def c_comment(text: str) -> str:
    """Text that is safe inside a C comment: one line, no comment marks, nothing that reorders what an editor shows."""
    line = re.sub(r"\s+", " ", text.replace("/*", "/ *").replace("*/", "* /").replace("\\", "/")).strip()
    return "".join(c if c.isprintable() else "?" for c in line)


def times(factor: str, number: int) -> str:
    """factor * number, without a factor of one."""
    return factor if number == 1 else f"{factor} * {number}"


def plus(term: str, number: int) -> str:
    """term + number, without a term of zero."""
    return term if number == 0 else f"{term} - {-number}" if number < 0 else f"{term} + {number}"


def position(index: str, count: int, stride: int, pad: int) -> str:
    """Where window number `index` of `count` starts on an axis."""
    return str(-pad) if count == 1 else plus(times(index, stride), -pad)


def wrapped(line: str) -> str:
    """A line of C or of a comment in lines of at most WIDTH columns, broken between words or arguments."""
    if len(line) <= WIDTH or line.lstrip().startswith(("#", "//")):
        return line
    code = line.lstrip()
    indent = line[: len(line) - len(code)]
    if code.startswith(("/*", "* ")):
        margin = indent + (" * " if code.startswith("/*") else "* ")
        return _broken(line, (WORD,), margin)
    return _broken(line, (ARGUMENT, TERM), indent + "    ")


def _broken(line: str, places: Sequence[re.Pattern[str]], margin: str) -> str:
    """The line in pieces that begin with the margin, except the first; broken at the first kind of place there is."""
    pieces = []
    while len(line) > WIDTH:
        ends = [[m.end() for m in place.finditer(line, len(margin)) if m.end() <= WIDTH + 1] for place in places]
        found = next((e[-1] for e in ends if e), None)
        if found is None:
            break
        pieces.append(line[:found].rstrip())
        line = margin + line[found:]
    return "\n".join([*pieces, line])
