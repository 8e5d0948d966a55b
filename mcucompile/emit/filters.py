"""How Python values are printed as C."""

from __future__ import annotations

import math
import re

import numpy as np

from ..ir import Array, DType

LINE = 118


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
    """Text that is safe inside a C comment: one line, no comment marks."""
    return re.sub(r"\s+", " ", text.replace("/*", "/ *").replace("*/", "* /").replace("\\", "/")).strip()
