"""Instruction counts against loops written in assembly, whose instructions can be counted by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
import tiny

from mcucompile.run.build import build
from mcucompile.run.count import Counts, count_instructions
from mcucompile.target.board import list_boards, load_board

SAMPLE = [bytes(8), bytes(8)]
EMULATED = [name for name in list_boards() if name.startswith("qemu-")]
LOOP = """
    uint32_t n = {passes}u;
    __asm__ volatile(".syntax unified\\n1: subs %0, %0, #1\\n bne 1b" : "+l"(n) : : "cc");
    for (int i = 0"""


def count(tmp_path: Path, name: str, passes: int, hook: bool = True) -> Counts:
    """Step 1 of the tiny library with a loop of two instructions, `passes` times."""
    first, second = tiny.KERNELS.split("int8_t running = 0;")
    loop = LOOP.format(passes=passes)
    kernels = f"{first}int8_t running = 0;{second.replace('for (int i = 0', loop, 1)}"
    library = tiny.write(tmp_path / f"library{passes}", kernels=kernels)
    board = load_board(name)
    firmware = build(library, tiny.INTERFACE, board, tmp_path / f"work{passes}{hook}", hook=hook)
    return count_instructions(firmware, board, SAMPLE)


@pytest.mark.parametrize("name", EMULATED)
def test_a_loop_is_counted_exactly(emulator: None, tmp_path: Path, name: str) -> None:
    short, long = count(tmp_path, name, 100_000), count(tmp_path, name, 40_100_000)
    assert long.steps[0] == short.steps[0]
    assert long.steps[1] - short.steps[1] == 2 * 40_000_000
    assert long.total - short.total == 2 * 40_000_000


def test_counting_twice_gives_the_same(emulator: None, tmp_path: Path) -> None:
    assert count(tmp_path, "qemu-m33", 1000) == count(tmp_path, "qemu-m33", 1000)


@pytest.mark.parametrize("name", ["qemu-m0", "qemu-m4"])
def test_hooks_cost_nothing_in_the_count(emulator: None, tmp_path: Path, name: str) -> None:
    hooked, bare = count(tmp_path, name, 1000), count(tmp_path, name, 1000, hook=False)
    assert bare.steps == ()
    # With calls after each step the compiler needs a few instructions more around them.
    assert 0 <= hooked.total - bare.total <= 8
    assert sum(hooked.steps) <= hooked.total <= sum(hooked.steps) + 20
