"""How values are printed as C."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcucompile.emit.filters import c_comment, c_float, c_literal, c_values, plus, position, times, wrapped
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


def test_comments_show_what_compilers_read() -> None:
    """No directional marks (Boucher, Anderson 2021, "Trojan Source"), and nothing that moves a terminal's cursor."""
    assert c_comment("a\u202eb\u2066c\x1b[31m\u2028d") == "a?b?c?[31m d"
    assert c_comment("\u00e9\u05d0") == "\u00e9\u05d0"


def test_neutral_operands_are_not_printed() -> None:
    assert [times("x", 1), times("x", 3)] == ["x", "x * 3"]
    assert [plus("x", 0), plus("x", 3), plus("x", -3)] == ["x", "x + 3", "x - 3"]


def test_positions_of_windows() -> None:
    assert position("oy", 5, 1, 0) == "oy"
    assert position("oy", 5, 2, 1) == "oy * 2 - 1"
    assert position("oy", 1, 2, 1) == "-1"
    assert position("oy", 1, 2, 0) == "0"


def test_long_lines_are_broken_between_arguments() -> None:
    names = ", ".join(f"argument_{i:02}" for i in range(20))
    lines = wrapped(f"    call({names});").split("\n")
    assert max(map(len, lines)) <= 120
    assert all(line.endswith(",") for line in lines[:-1]) and all(line.startswith("        a") for line in lines[1:])
    assert " ".join(line.strip() for line in lines) == f"call({names});"


@pytest.mark.parametrize(("first", "margin"), [("/* ", " * "), (" * ", " * ")])
def test_long_comments_stay_comments(first: str, margin: str) -> None:
    words = " ".join(["word"] * 60)
    lines = wrapped(f"{first}{words} */").split("\n")
    assert max(map(len, lines)) <= 120
    assert all(line.startswith(f"{margin}word") for line in lines[1:])
    assert "".join(lines).replace(" ", "").count("word") == 60


def test_what_has_no_place_to_break_stays() -> None:
    for line in ("x" * 130, "#error " + "x, " * 60):
        assert wrapped(line) == line
