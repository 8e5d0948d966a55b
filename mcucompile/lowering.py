"""From the graph that is compiled to the program for a board."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from .ir import Graph, Program
from .lower.choose import choose, least_arena
from .lower.fit import check_flash, check_flash_budget, check_ram, fits, room_by_region, room_nbytes
from .lower.goal import SIZE, SPEED
from .lower.lower import lower
from .lower.tiling import Fitted, fit_by_tiling
from .options import Effort, Options
from .target.board import Board
from .target.cores import Isa

MOST_RAM = 1 << 32


def lower_for(graph: Graph, board: Board, options: Options) -> Fitted:
    """The program for a board, where that is needed with stretches of the graph in bands of rows.

    Raises E0502 when it needs more flash than --flash-budget or the board allows, E0501 for RAM.
    """
    effort, limit = options.effort, min(room_nbytes(board), options.ram if options.ram is not None else MOST_RAM)
    limits = {"ram_limit": limit, "flash_limit": options.flash_budget}
    fitted = Fitted(graph, lowered(graph, board, effort, options.prove, **limits))
    enough = partial(fits, room=room_by_region(board, limit))
    if not enough(fitted.program):
        if fitted.program.weight_nbytes > board.region("weights").nbytes:
            check_flash(lowered(graph, board, effort), board)  # bands are searched for long, and save no flash
        fitted = fit_by_tiling(
            fitted, limit, enough, partial(least_arena, isa=isa_of(board, effort)),
            lambda tiled: lowered(tiled, board, effort, options.prove, **limits),
        )  # fmt: skip
    check_ram(fitted.program, board, options.ram, lambda: lowered(graph, board, Effort.OS))
    check_flash(fitted.program, board)
    return fitted


def lowered(
    graph: Graph, board: Board, effort: Effort, prove: bool = False,
    ram_limit: int | None = None, flash_limit: int | None = None,
) -> Program:  # fmt: skip
    """The program, whether its arena keeps the limit or not, and its constants the board's flash.

    Raises E0502 when a limit of flash cannot be kept.
    """
    isa, flash = isa_of(board, effort), board.region("weights").nbytes
    flash = flash if flash_limit is None else min(flash, flash_limit)
    goal = replace(SIZE if effort is Effort.OS else SPEED, ram_limit=ram_limit, flash_limit=flash)
    choice = choose(graph, board.core, isa, goal)
    check_flash_budget(choice.flash_nbytes, flash_limit)
    room = room_by_region(board, ram_limit if ram_limit is not None else MOST_RAM)
    return lower(graph, board.core, isa, choice.kernel_of, prove, room)


def isa_of(board: Board, effort: Effort) -> Isa:
    return Isa.SCALAR if effort is Effort.O0 else board.isa
