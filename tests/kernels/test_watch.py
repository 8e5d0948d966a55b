"""The rig notices what a kernel does beside its operands: accesses by the byte, on every board."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rig
import watch
from one_node import activation, case

from mcucompile.ir import Clip
from mcucompile.ops.clamp import Clamp

INPUT, OUTPUT = 0, 1
SIZE = 21
Sabotage = Callable[[str], None]


@pytest.fixture
def sabotage(monkeypatch: pytest.MonkeyPatch) -> Sabotage:
    """Adds C to what calls the kernel; `a` are its operands."""
    if watch.plugin().path is None:
        pytest.skip(f"accesses cannot be watched: {watch.plugin().missing}")
    write_sources = rig.write_sources

    def add(statement: str) -> None:
        def write(runs: list[rig.Run], work_dir: Path) -> None:
            write_sources(runs, work_dir)
            text = (work_dir / "cases.c").read_text().replace("*a) { ", f"*a) {{ {statement} ")
            (work_dir / "cases.c").write_text(text)

        monkeypatch.setattr(rig, "write_sources", write)

    return add


def clamp() -> list[rig.Case]:
    x, y = activation("x", (SIZE,)), activation("y", (SIZE,))
    values = np.arange(SIZE).astype(np.int8)
    return [case("clamp", Clamp(Clip(0.0)), [x], [y], samples=[{"x": values}])]


def findings(board: str) -> str:
    with pytest.raises(AssertionError) as caught:
        rig.check(clamp(), (board,), host=False)
    return str(caught.value)


@pytest.mark.parametrize("board", rig.BOARDS)
@pytest.mark.parametrize(
    ("statement", "finding"),
    [
        (f"(void)*(volatile const uint8_t *)(a[0] + {SIZE});", f"reads 1 bytes at {SIZE} of input 0, which has {SIZE}"),
        ("(void)*(volatile const uint8_t *)(a[0] - 1);", "reads 1 bytes at -1 of input 0"),
        (f"(void)*(volatile const uint16_t *)(const void *)(a[0] + {SIZE - 1});", f"reads 2 bytes at {SIZE - 1} of"),
        ("(void)*(volatile const uint32_t *)(const void *)(a[1] - 4);", "reads 4 bytes at -4 of output 1"),
    ],
)
def test_a_stray_read_is_found(sabotage: Sabotage, board: str, statement: str, finding: str) -> None:
    sabotage(statement)
    found = findings(board)
    assert f"{board}: clamp" in found
    assert f"apart: {finding}" in found
    assert "in call_0 at" in found


def test_a_write_to_an_input_is_found_even_where_it_changes_nothing(sabotage: Sabotage) -> None:
    sabotage("*(volatile uint8_t *)a[0] = *(volatile uint8_t *)a[0];")
    assert "apart: writes 1 bytes at 0 of input 0" in findings("qemu-m4")


def test_a_read_beside_the_arena_is_found(sabotage: Sabotage) -> None:
    sabotage("(void)*(volatile const uint8_t *)((uintptr_t)(a[0] < a[1] ? a[0] : a[1]) - 1u);")
    assert "planned: reads 1 bytes at -1 of arena" in findings("qemu-m4")


def test_nothing_is_found_without_a_fault() -> None:
    rig.check(clamp(), ("qemu-m0", "qemu-m4", "qemu-m55"), host=False)
