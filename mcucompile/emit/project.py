"""The two files of the firmware project that depend on network and board; all others are plain C."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from mcucompile.resources import folder

if TYPE_CHECKING:
    from mcucompile.target.board import Board


def render_program(name: str, ports: Sequence[object], input_count: int, event_count: int, program_id: bytes) -> str:
    """program.c: the table of ports, each an object with `name` and `nbytes`, inputs before outputs."""
    numbers = [f"0x{byte:02x}" for byte in program_id]
    return _template("program.c.j2").render(
        name=name, ports=ports, input_count=input_count, event_count=event_count, program_id=numbers
    )


def render_linker_script(board: Board, stack_nbytes: int) -> str:
    return _template("link.ld.j2").render(board=board, stack_nbytes=stack_nbytes)


def _template(name: str) -> Template:
    environment = Environment(
        loader=FileSystemLoader(folder("templates") / "project"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(name)
