"""Instructions per layer on an emulated board: exact, and the same in every run."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .errors import CompileError
from .ir import Array, Graph, Program, Step
from .run.build import Firmware, build
from .run.count import count_instructions
from .run.device import time_limit
from .run.interface import Interface
from .target.board import Board, list_boards, load_board
from .verify import to_bytes


@dataclass(frozen=True, eq=False)
class LayerProfile:
    """One step's share of a run."""

    step: Step
    instructions: int

    @property
    def per_mac(self) -> float | None:
        return self.instructions / self.step.macs if self.step.macs else None


@dataclass(frozen=True, eq=False)
class Profile:
    """`total` is what NAME_run executes without hooks; it exceeds the sum of the layers by the calls."""

    board: str
    layers: tuple[LayerProfile, ...]
    total: int
    firmware: Firmware


def run(
    graph: Graph,
    program: Program,
    library: Path,
    board: Board,
    inputs: Mapping[str, Array],
    *,
    opt: str = "-O2",
    seconds: float | None = None,
) -> Profile:
    """Count one run with the first sample, layer by layer and as a whole. Raises E0303, E0501, E0502, E06xx."""
    refuse_real(board)
    interface, data = Interface.of(program), to_bytes(graph, inputs, 0)
    limit = time_limit(sum(s.macs for s in program.steps)) if seconds is None else seconds
    with tempfile.TemporaryDirectory(prefix="mcucompile-") as work:
        hooked = build(library, interface, board, Path(work) / "hooked", opt=opt, hook=True)
        by_step = count_instructions(hooked, board, data, run_seconds=limit)
        plain = build(library, interface, board, Path(work) / "plain", opt=opt, hook=False)
        whole = count_instructions(plain, board, data, run_seconds=limit)
    layers = tuple(LayerProfile(s, n) for s, n in zip(program.steps, by_step.steps, strict=True))
    return Profile(board.name, layers, whole.total, plain)


def refuse_real(board: Board) -> None:
    """Raises E0303 for a board that is not emulated, naming those that are, with the same core where there are any."""
    if board.emulator is not None:
        return
    emulated = [b for b in map(load_board, list_boards()) if b.emulator]
    alike = [b for b in emulated if b.core == board.core] or [b for b in emulated if b.isa == board.isa] or emulated
    raise CompileError(
        "E0303",
        f"{board.name} is not emulated, and instructions are counted on an emulator",
        fix="profile for an emulated board like it: " + " or ".join(f"--board {b.name}" for b in alike),
    )
