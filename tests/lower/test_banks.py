"""An arena in several memories."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile
from hypothesis import given, settings
from hypothesis import strategies as st
from needs import needs_emulator
from rules import may_coexist
from schedules import schedules

from mcucompile.api import compile
from mcucompile.errors import CompileError
from mcucompile.lower.banks import plan_banks
from mcucompile.lower.check_plan import check
from mcucompile.lower.fit import room_by_region, room_nbytes
from mcucompile.lower.memory import Buffer, Problem, Schedule, planning_problem
from mcucompile.lower.plan import plan
from mcucompile.run.build import build
from mcucompile.run.interface import Interface
from mcucompile.target.board import Board, load_board

DIGITS = Path(__file__).parents[2] / "examples" / "digits"


@given(schedules(max_steps=8, max_nbytes=12), st.lists(st.integers(1, 40), min_size=2, max_size=3))
@settings(deadline=None)
def test_banked_plans_pass_the_checker(schedule: Schedule, capacities: list[int]) -> None:
    problem = planning_problem(schedule)
    found = plan_banks(problem, capacities)
    if found is None:
        assert plan(problem).arena_nbytes > min(capacities)  # it does not give up what fits anywhere
        return
    check(schedule, found.plan.offsets, found.plan.arena_nbytes)
    for bank in found.banks:
        assert bank.nbytes <= capacities[bank.region]
    for b in problem.buffers:
        at = found.plan.offsets[b.name]
        inside = [bank for bank in found.banks if bank.base <= at <= bank.base + bank.nbytes - b.nbytes]
        assert len(inside) == 1, "in one bank, not across two"
        assert (at - inside[0].base) % b.alignment == 0
    for a, b in combinations(problem.buffers, 2):
        assert may_coexist(problem, a, found.plan.offsets[a.name], b, found.plan.offsets[b.name])


def test_what_only_a_search_fits_into_a_memory_is_not_given_up() -> None:
    """The two aligned bytes, born last, need every second place, which greedy placements take."""
    alignments = {"t0": 1, "t1": 1, "t2": 1, "t3": 2, "t4": 2}
    problem = Problem(tuple(Buffer(n, 1, a, k - 1, 4) for k, (n, a) in enumerate(alignments.items())), {})
    assert plan(problem, effort=0).arena_nbytes > 5
    found = plan_banks(problem, [5, 5])
    assert found and [bank.nbytes for bank in found.banks] == [5]


def divided(board: Board, first: int, second: int) -> Board:
    """The board with its RAM cut: two regions for the arena of so many bytes, the rest for everything else."""
    (ram,) = (r for r in board.regions if "arena" in r.holds)
    others = tuple(r for r in board.regions if r is not ram)
    small = replace(ram, name="small", nbytes=first, holds=("arena",))
    more = replace(ram, name="more", origin=ram.origin + first, nbytes=second, holds=("more_arena",))
    used = first + second
    rest = replace(ram, name="rest", origin=ram.origin + used, nbytes=ram.nbytes - used, holds=("data", "stack"))
    return replace(board, regions=(*others, small, more, rest))


def test_room_is_counted_by_region() -> None:
    board = divided(load_board("qemu-m4"), 4096, 8192)
    assert room_by_region(board, 1 << 32) == (3072, 8192)
    assert sum(room_by_region(board, 1 << 32)) == room_nbytes(board)
    assert room_by_region(board, 4000) == (3072, 928)


@needs_emulator
def test_a_network_in_two_memories_computes_the_same() -> None:
    whole = compile(DIGITS / "digits.onnx", "qemu-m4", calibration=DIGITS / "calibration.npz")
    need = whole.program.arena_nbytes
    board = divided(load_board("qemu-m4"), need // 2 // 8 * 8 + 1024 + 800, need)
    parted = compile(DIGITS / "digits.onnx", board, calibration=DIGITS / "calibration.npz")
    assert len(parted.program.banks) == 2
    assert "DIGITS_ARENA1_SIZE" in parted.files["digits.h"].decode()
    found = parted.verify()
    assert found.ok


@needs_emulator
def test_every_piece_lies_in_its_memory(tmp_path: Path) -> None:
    whole = compile(DIGITS / "digits.onnx", "qemu-m4", calibration=DIGITS / "calibration.npz")
    need = whole.program.arena_nbytes
    board = divided(load_board("qemu-m4"), need // 2 // 8 * 8 + 1024 + 800, need)
    parted = compile(DIGITS / "digits.onnx", board, calibration=DIGITS / "calibration.npz")
    library = parted.write_library(tmp_path / "library")
    firmware = build(library, Interface.of(parted.program), board, tmp_path / "build")
    with firmware.elf.open("rb") as file:
        sections = {s.name: s["sh_addr"] for s in ELFFile(file).iter_sections()}
    for k, region in enumerate(board.arena_regions):
        assert region.origin <= sections[f".network_arena{k}"] < region.origin + region.nbytes


def test_a_network_that_fits_no_memory_is_refused() -> None:
    whole = compile(DIGITS / "digits.onnx", "qemu-m4", calibration=DIGITS / "calibration.npz")
    tensor = max(p.nbytes for p in whole.program.placements)
    board = divided(load_board("qemu-m4"), 1024 + tensor // 8, tensor // 8)
    with pytest.raises(CompileError) as e:
        compile(DIGITS / "digits.onnx", board, calibration=DIGITS / "calibration.npz")
    assert e.value.code == "E0501"
