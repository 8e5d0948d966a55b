"""Whether a program fits a board, and what would make it fit."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..errors import CompileError
from ..ir import DType, Placement, Program
from ..node_names import cut_middle, nodes_of
from ..target.board import Board
from .picture import used_nbytes

STACK_NBYTES = 1024  # of the board's RAM, kept free for the stack
LARGEST = 3  # constants that a message names
NAME = 80  # letters of a layer's name in a message


def room_nbytes(board: Board) -> int:
    """RAM that the board leaves for an arena."""
    return board.ram_nbytes - STACK_NBYTES


def room_by_region(board: Board, limit: int) -> tuple[int, ...]:
    """The same for each region that may hold a part of the arena, together at most `limit` bytes."""
    regions = board.arena_regions
    with_stack = next((r for r in regions if "stack" in r.holds), regions[0])
    rooms: list[int] = []
    for r in regions:
        kept = STACK_NBYTES if r is with_stack else 0
        rooms.append(max(0, min(r.nbytes - kept, limit - sum(rooms))))
    return tuple(rooms)


def fits(program: Program, room: Sequence[int]) -> bool:
    """Whether every piece of the arena fits the memory that it is for; `room` as `room_by_region` gives it."""
    if program.banks:
        return all(bank.nbytes <= room[bank.region] for bank in program.banks)
    return program.arena_nbytes <= room[0]


def check_ram(program: Program, board: Board, limit: int | None, smallest: Callable[[], Program]) -> None:
    """Raise E0501 for an arena above the board's room, or above `limit`, which can only narrow that.

    `smallest` lowers the same graph for the least memory; it is called only for the advice.
    """
    room, need = room_nbytes(board), program.arena_nbytes
    is_narrowed = limit is not None and limit < room
    allowed = limit if limit is not None and is_narrowed else room
    by_region = room_by_region(board, allowed)
    if fits(program, by_region):
        return
    if need <= allowed:
        raise CompileError(
            "E0501",
            f"the network's {need:,} bytes of RAM cannot be parted so that they fit {board.name}",
            f"peak while {step_text(program, peak(program))}",
            "memories for the arena: " + ", ".join(f"{n:,}" for n in by_region),
            f"take a board with {need + STACK_NBYTES:,} bytes of RAM in one memory, or a smaller network",
        )
    step = peak(program)
    raise CompileError(
        "E0501",
        f"the network needs {need:,} bytes of RAM; "
        + (f"--ram allows {allowed:,}" if is_narrowed else f"{board.name} leaves {allowed:,} for it"),
        f"peak while {step_text(program, step)}",
        live_text(live(program, step)),
        "; or ".join(ram_advice(program, room, smallest().arena_nbytes)),
    )


def peak(program: Program) -> int:
    """The step whose live buffers reach highest, of these the one with the most bytes in use.

    Steps count as in the report and the picture: from 0, with -1 before the first and n after the last of n.
    """

    def height(step: int) -> tuple[int, int]:
        placements = live(program, step)
        top = max((p.offset + p.nbytes for p in placements), default=0)
        return 0 if program.banks else top, used_nbytes(placements)

    return max(range(-1, len(program.steps) + 1), key=height)


def live(program: Program, step: int) -> tuple[Placement, ...]:
    return tuple(p for p in program.placements if p.first <= step <= p.last)


def step_text(program: Program, step: int) -> str:
    if step < 0:
        return "the inputs wait for the first step"
    if step >= len(program.steps):
        return "the outputs wait to be read"
    s, nodes = program.steps[step], nodes_of(s.source for s in program.steps)
    return f"computing {s.op} '{cut_middle(nodes.text(s.source), NAME)}' (step {step} of 0..{len(program.steps) - 1})"


def live_text(placements: tuple[Placement, ...]) -> str:
    """The buffers with their sizes, and what explains that these do not add up to the arena."""
    used, total = used_nbytes(placements), sum(p.nbytes for p in placements)
    gaps = max(p.offset + p.nbytes for p in placements) - used
    lines = [" + ".join(f"{buffer_name(p)} {p.nbytes:,}" for p in placements)]
    lines += [f"input and output share {total - used:,} bytes of these"] if used < total else []
    lines += [f"{gaps:,} bytes between them are not in use"] if gaps else []
    return "\n".join(lines)


def buffer_name(p: Placement) -> str:
    return "scratch" if p.name.endswith(" scratch") else f"%{p.name}"


def ram_advice(program: Program, room: int, smallest: int) -> list[str]:
    """What helps, the nearest first."""
    need = program.arena_nbytes
    advice = [f"-Os needs {smallest:,} bytes"] if smallest < need else []
    advice += narrower_advice(program, need)
    if need <= room:
        return [*advice, f"compile with --ram {need}"]
    return [*advice, f"take a board with {need + STACK_NBYTES:,} bytes of RAM, or a smaller network"]


def narrower_advice(program: Program, nbytes: int) -> list[str]:
    types = {port.dtype for step in program.steps for port in step.outputs}
    if types == {DType.F32}:
        return [f"--dtype int8 needs about a quarter, {nbytes // 4:,} bytes"]
    return [f"--dtype int8 needs about half, {nbytes // 2:,} bytes"] if DType.I16 in types else []


def check_flash_budget(need: int, budget: int | None) -> None:
    """Raise E0502 where not even the smallest kernels keep --flash-budget."""
    if budget is not None and need > budget:
        raise CompileError(
            "E0502",
            f"the network needs about {need:,} bytes of flash; --flash-budget allows {budget:,}",
            why="that is with the smallest choice of kernels found; the size of their code is an estimate",
            fix=f"--flash-budget {need}, or a smaller network",
        )


def check_flash(program: Program, board: Board) -> None:
    """Raise E0502 where the constants alone are more than the flash that holds them."""
    need, room = program.weight_nbytes, board.region("weights").nbytes
    if need <= room:
        return
    largest = sorted(program.constants, key=lambda c: -c.nbytes)[:LARGEST]
    is_float = any(c.dtype is DType.F32 for c in largest)
    advice = [f"--dtype int8 needs about a quarter, {need // 4:,} bytes"] if is_float else []
    raise CompileError(
        "E0502",
        f"the network needs at least {need:,} bytes of flash, for its constants; {board.name} has {room:,}",
        why="the largest: " + ", ".join(f"{c.name} {c.nbytes:,}" for c in largest),
        fix="; or ".join([*advice, "take a board with more flash, or a smaller network"]),
    )
