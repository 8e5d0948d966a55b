"""The files of the firmware project that depend on network and board; all others are plain C."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .c import render

if TYPE_CHECKING:
    from ..ir.program import Port
    from ..target.board import Board


def render_program(name: str, ports: Sequence[object], input_count: int, event_count: int, program_id: bytes) -> str:
    """program.c: the table of ports, each an object with `name` and `nbytes`, inputs before outputs."""
    return render(
        "project/program.c.j2",
        name=name,
        ports=ports,
        input_count=input_count,
        event_count=event_count,
        program_id=[f"0x{byte:02x}" for byte in program_id],
    )


def render_linker_script(board: Board, stack_nbytes: int, boot_checksum: int | None = None) -> str:
    """link.ld: every section in the region of the board that holds it, and a checksum behind what is to boot."""
    return render("project/link.ld.j2", board=board, stack_nbytes=stack_nbytes, boot_checksum=boot_checksum)


def render_mlperf_network(model: str, loads: str, scores: str, inputs: Port, outputs: Port) -> str:
    """mlperf_network.h: the network as the runner of MLPerf Tiny sees it; the words are those of run/mlperf.py."""
    return render("project/mlperf_network.h.j2", model=model, loads=loads, scores=scores, input=inputs, output=outputs)
