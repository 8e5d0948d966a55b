"""Whether a program fits a board: whose limit counts, and a message whose figures add up."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mcucompile.errors import CompileError
from mcucompile.ir import CArray, DType, KernelInstance, Placement, Port, Program, Step
from mcucompile.lower.fit import STACK_NBYTES, check_flash, check_ram, peak
from mcucompile.lower.picture import memory_map_svg
from mcucompile.target.board import Board, load_board

# One step, conv: %y is written over the end of %x, and the scratch lies above a gap.
PLACEMENTS = (Placement("x", 0, 100, -1, 0), Placement("y", 60, 100, 0, 1), Placement("y scratch", 200, 24, 0, 0))


def step(index: int, name: str, dtype: DType) -> Step:
    kernel = KernelInstance(f"net_{name}", "", None, "")
    ports = (Port("y", dtype, (25,), 60),)
    return Step(index, kernel, (), ports, (f"layers/{name}",), "", "conv2d", "direct.scalar", 0, 0, 24)


def program(
    placements: tuple[Placement, ...] = PLACEMENTS, dtype: DType = DType.I8, constants: tuple[int, ...] = ()
) -> Program:
    last = max(p.last for p in placements)
    arrays = tuple(CArray(f"net_w{i}", dtype, np.zeros(n)) for i, n in enumerate(constants))
    arena = max(p.offset + p.nbytes for p in placements)
    steps = tuple(step(i, f"conv{i}", dtype) for i in range(last))
    return Program("net", (), (), steps, arrays, placements, arena, arena)


def board(room: int, flash: int = 1 << 20) -> Board:
    """A board that leaves `room` bytes for an arena."""
    given = load_board("qemu-m4")
    sizes = {"flash": flash, "ram": room + STACK_NBYTES}
    return replace(given, name="small", regions=tuple(replace(r, nbytes=sizes[r.kind]) for r in given.regions))


def refusal(p: Program, room: int, limit: int | None = None, smallest: Program | None = None) -> CompileError:
    with pytest.raises(CompileError) as e:
        check_ram(p, board(room), limit, lambda: smallest or p)
    assert e.value.code == "E0501"
    return e.value


@pytest.mark.parametrize(("room", "limit"), [(224, None), (224, 224), (224, 9999), (9999, 224)])
def test_what_fits(room: int, limit: int | None) -> None:
    def never() -> Program:
        raise AssertionError("nothing to advise")

    check_ram(program(), board(room), limit, never)


def test_the_option_narrows_and_is_named() -> None:
    error = refusal(program(), 9999, 0)
    assert error.what == "the network needs 224 bytes of RAM; --ram allows 0"
    assert error.fix == "compile with --ram 224"


@pytest.mark.parametrize("limit", [None, 9999, 223])
def test_the_board_limits_whatever_the_option_says(limit: int | None) -> None:
    error = refusal(program(), 223, limit)
    assert error.what == "the network needs 224 bytes of RAM; small leaves 223 for it"
    assert f"a board with {224 + STACK_NBYTES:,} bytes of RAM" in error.fix
    assert "--ram" not in error.fix


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("m/relu/Relu;m/conv2d/BiasAdd/ReadVariableOp/resource;m/conv2d/Conv2D1_prequant", "conv2d"),
        ("long" * 60, f"{'long' * 6}lo…{'g'}{'long' * 13}"),
    ],
)
def test_names_of_layers_are_short(name: str, text: str) -> None:
    long = replace(program(), steps=(replace(program().steps[0], source=(name,)),))
    assert refusal(long, 100).where == f"peak while computing conv2d '{text}' (step 0 of 0..0)"


def test_the_figures_add_up() -> None:
    """100 + 100 + 24 bytes of buffers, 40 of them shared, and a gap of 40: 224 - 40 + 40."""
    error = refusal(program(), 100)
    assert error.where == "peak while computing conv2d 'layers/conv0' (step 0 of 0..0)"
    assert error.why.splitlines() == [
        "%x 100 + %y 100 + scratch 24",
        "input and output share 40 bytes of these",
        "40 bytes between them are not in use",
    ]


def test_the_peak_is_where_the_arena_ends_and_where_the_picture_shows_it() -> None:
    """Step 0 sums up to more, but shares; step 1 reaches the end of the arena, and fills it."""
    p = program((Placement("x", 0, 100, -1, 0), Placement("y", 0, 90, 0, 1), Placement("z", 90, 60, 1, 2)))
    assert peak(p) == 1
    svg = memory_map_svg(p.placements, [s.op for s in p.steps], p.arena_nbytes, p.name)
    assert "busiest: 1 conv2d" in svg
    assert "(step 1 of 0..1)" in refusal(p, 100).where


@pytest.mark.parametrize(
    ("placements", "said"),
    [
        ((Placement("x", 0, 300, -1, 0), Placement("y", 0, 8, 1, 1)), "the inputs wait"),
        ((Placement("x", 0, 8, -1, 0), Placement("y", 8, 300, 1, 1)), "the outputs wait"),
    ],
)
def test_a_peak_outside_the_steps(placements: tuple[Placement, ...], said: str) -> None:
    assert said in refusal(program(placements), 100).where


@pytest.mark.parametrize(
    ("dtype", "said"), [(DType.F32, "a quarter, 56 bytes"), (DType.I16, "half, 112 bytes"), (DType.I8, "")]
)
def test_advice_of_a_smaller_type(dtype: DType, said: str) -> None:
    fix = refusal(program(dtype=dtype), 100).fix
    assert (f"--dtype int8 needs about {said}" in fix) if said else ("--dtype" not in fix)


def test_advice_of_size_only_where_it_lowers_the_arena() -> None:
    smaller = program((Placement("x", 0, 180, -1, 0),))
    assert "-Os needs 180 bytes; or" in refusal(program(), 190, smallest=smaller).fix
    assert "-Os" not in refusal(program(), 190).fix


def test_constants_beyond_the_flash() -> None:
    p = program(dtype=DType.F32, constants=(5, 500, 50, 100))
    check_flash(p, board(1000, 2620))
    with pytest.raises(CompileError) as e:
        check_flash(p, board(1000, 2619))
    assert e.value.code == "E0502"
    assert "at least 2,620 bytes of flash" in e.value.what
    assert "small has 2,619" in e.value.what
    assert e.value.why == "the largest: net_w1 2,000, net_w3 400, net_w2 200"
    assert "--dtype int8 needs about a quarter, 655 bytes" in e.value.fix
