"""How values are printed as C."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcucompile.emit.filters import c_comment, c_float, c_literal, c_values
from mcucompile.ir import DType


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_a_float_literal_reads_back_as_the_same_float(value: float) -> None:
    text = c_float(value)
    assert text.endswith("f")
    assert any(mark in text for mark in ".e"), "1f is not C"
    assert np.float32(text[:-1]) == np.float32(value)


def test_the_smallest_int32_is_an_expression() -> None:
    """-2147483648 would be the negation of a constant that does not fit."""
    assert c_literal(-(1 << 31), DType.I32) == "(-2147483647 - 1)"


def test_long_integers_carry_their_type() -> None:
    assert c_literal(1 << 40, DType.I64) == "INT64_C(1099511627776)"


@pytest.mark.parametrize("size", [1, 2, 63, 1000])
def test_arrays_keep_order_and_line_length(size: int) -> None:
    values = np.arange(size, dtype=np.int32) * -3
    text = c_values(values, DType.I32)
    assert max(map(len, text.split("\n"))) <= 122
    assert [int(v) for v in text.replace("\n", " ").split(",")] == values.tolist()


@pytest.mark.parametrize("text", ["a */ b", "/* a", "line\nbreak", "trigraph \\"])
def test_comments_cannot_end_early(text: str) -> None:
    shown = c_comment(text)
    assert "*/" not in shown
    assert "/*" not in shown
    assert "\n" not in shown
    assert not shown.endswith("\\")
