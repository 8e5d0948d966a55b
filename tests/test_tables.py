"""Tables fit terminals: words and figures stay whole, long names lose their middle, whole columns go if they may."""

from __future__ import annotations

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from mcucompile.node_names import cut_middle
from mcucompile.show import table
from mcucompile.tables import shortened

COLUMNS = ("#", "nodes", "shapes", "kernel", "MACs", "constants")
SHAPES, KERNEL = "int8 1x25x5x64 -> int8 1x25x5x64", "depthwise_conv2d planes.dsp"
ROWS = [(str(i), f"depthwise_conv2d_{i} + Relu", SHAPES, KERNEL, 72_000, 1_088) for i in range(12)]


def printed(width: int, columns: tuple[str, ...], rows: list[tuple[object, ...]], less: tuple[str, ...] = ()) -> str:
    stream = io.StringIO()
    Console(file=stream, width=width, highlight=False).print(table("title", columns, rows, less))
    text = stream.getvalue()
    assert max(map(len, text.split("\n"))) <= width
    return text


@pytest.mark.parametrize("width", [120, 200])
def test_with_room_everything_is_in_one_line(width: int) -> None:
    text = printed(width, COLUMNS, ROWS, ("shapes",))
    for i, *cells, _, _ in ROWS:
        (line,) = [line for line in text.splitlines() if line.split()[:1] == [i]]
        assert all(cell in line for cell in (*cells, "72,000", "1,088"))


def test_in_80_columns_the_least_important_column_goes() -> None:
    text = printed(80, COLUMNS, ROWS, ("shapes",))
    words = " ".join(text.split())
    assert all(f"{row[1]} {row[3]} 72,000 1,088" in words for row in ROWS[:9])
    assert "int8" not in text and "no room for: shapes" in text


def test_without_a_column_that_may_go_words_stay_whole() -> None:
    text = printed(80, COLUMNS, ROWS)
    words = {word for row in ROWS for cell in row[1:4] for word in str(cell).split()}
    assert words <= set(text.split())


def test_names_that_are_too_long_lose_their_middle() -> None:
    name = "StatefulPartitionedCall/functional_1/batch_normalization_12/FusedBatchNormV3"
    text = printed(60, ("name", "bytes"), [(name * 2, 1_234_567)])
    assert "…" in text and "NormV3" in text and "Stateful" in text and "1,234,567" in text


def test_figures_stand_on_the_right() -> None:
    lines = printed(80, ("name", "bytes"), [("a", 5), ("b", 12_345), ("c", None)]).splitlines()
    assert [line.rstrip().rsplit("  ")[-1].strip() for line in lines[-4:-1]] == ["5", "12,345", "–"]
    assert len({len(line.rstrip()) for line in lines[-4:-1]}) == 1


@pytest.mark.parametrize("width", range(56, 120, 7))
def test_a_number_and_its_unit_stay_in_one_line(width: int) -> None:
    cells = ("1,411,200 (−29.3 %)", "22.2 dB", "≈ 42.0 ms", "100.0 %")
    text = printed(width, ("figure", "a", "b", "c", "d"), [("Cycles, estimated, of all layers", *cells)])
    assert all(part in text for part in ("(−29.3 %)", "22.2 dB", "42.0 ms", "100.0 %"))


def test_a_title_is_as_wide_as_the_terminal() -> None:
    stream = io.StringIO()
    Console(file=stream, width=80).print(table("against the labels", ("output", "%"), [("a", 1.0)]))
    assert stream.getvalue().splitlines()[0].rstrip() == "against the labels"


def test_figures_below_zero_have_a_minus() -> None:
    lines = printed(80, ("name", "x"), [("a", -2.5), ("b", 3), ("c", -1_000)]).splitlines()
    assert [line.split()[1] for line in lines[-4:-1]] == ["−2.5", "3", "−1,000"]
    assert len({len(line.rstrip()) for line in lines[-4:-1]}) == 1, "and stand on the right"


@pytest.mark.parametrize(
    ("text", "width", "wanted"),
    [
        ("stem: conv/Conv + bn/BatchNormalization + Relu", 60, "stem: conv/Conv + bn/BatchNormalization + Relu"),
        ("stem: conv/Conv + bn/BatchNormalization + Relu", 40, "stem: conv/Conv + bn/B…malization + Relu"),
        ("a\nb", 9, "a b"),
    ],
)
def test_what_joins_names_is_not_cut_away(text: str, width: int, wanted: str) -> None:
    assert shortened(text, width) == wanted


@given(st.lists(st.text("abc/_", min_size=1, max_size=60), min_size=1, max_size=6), st.integers(10, 80))
def test_shortened_is_no_longer_than_that(words: list[str], width: int) -> None:
    text = " + ".join(words)
    assert len(shortened(text, width)) <= width
    if len(text) <= width:
        assert shortened(text, width) == text
    elif 15 * len(words) <= width:
        assert shortened(text, width).count(" + ") == len(words) - 1


@given(st.text(max_size=60), st.integers(3, 40))
def test_a_cut_has_both_ends(text: str, width: int) -> None:
    cut = cut_middle(text, width)
    assert len(cut) <= width
    if len(text) > width:
        head, tail = cut.split("…", 1) if "…" not in text else ("", "")
        assert text.startswith(head) and text.endswith(tail)
    else:
        assert cut == text


@settings(deadline=None, max_examples=30)
@given(
    st.integers(30, 200),
    st.lists(st.tuples(*[st.text("abc de/_12", max_size=70)] * 6), min_size=1, max_size=4),
    st.sampled_from([(), ("shapes",), ("shapes", "kernel", "MACs")]),
)
def test_any_table_fits(width: int, rows: list[tuple[object, ...]], less: tuple[str, ...]) -> None:
    assert "#" in printed(width, COLUMNS, rows, less), "and no line is wider than the terminal"
