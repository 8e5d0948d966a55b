"""Arguments of the Python API: what cannot be used is an E0701 that says what can."""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar

from .data import Samples
from .errors import CompileError
from .ir import Shape
from .ir.c_names import is_library_name, library_identifier
from .target.board import Board, load_board

E = TypeVar("E", bound=Enum)


def of_type(value: object, kinds: tuple[type, ...], option: str, wanted: str) -> None:
    """Raises E0701."""
    if not isinstance(value, kinds):
        raise CompileError("E0701", f"{option} cannot be {value!r}", fix=f"give {wanted}")


def data_source(data: Path | str | Samples, option: str) -> Path | Samples:
    of_type(data, (str, Path, Samples), option, "the path of an .npz file, or Samples")
    return Path(data) if isinstance(data, str) else data


def checked_nbytes(value: int | None, name: str) -> int | None:
    if isinstance(value, bool) or (value is not None and (not isinstance(value, int) or value < 0)):
        raise CompileError("E0701", f"{name} cannot be {value!r}", fix="give bytes as an integer")
    return value


def checked_shapes(shapes: Mapping[str, Shape] | None) -> dict[str, Shape]:
    of_type(shapes, (Mapping, type(None)), "shapes", "a mapping of input names to tuples of integers")
    for shape in (shapes or {}).values():
        of_type(shape, (tuple, list), "a shape", "a tuple of integers")
        for size in shape:
            of_type(size, (int,), "a dimension", "an integer")
    return {name: tuple(shape) for name, shape in (shapes or {}).items()}


def checked_timeout(timeout: float | None) -> float | None:
    """Raises E0701 for what is no number of seconds."""
    of_type(timeout, (int, float, type(None)), "timeout", "seconds")
    if timeout is not None and not 0 < timeout < math.inf:
        raise CompileError("E0701", f"timeout cannot be {timeout!r}", fix="give seconds, more than 0")
    return timeout


def choice(kind: type[E], value: Any, option: str) -> E:
    """The member of an enum. Raises E0701 naming what is allowed."""
    try:
        return kind(value)
    except ValueError:
        allowed = ", ".join(str(member.value) for member in kind)
        raise CompileError("E0701", f"{option} cannot be {value!r}", fix=f"one of: {allowed}") from None


def board_of(board: str | Board) -> Board:
    return board if isinstance(board, Board) else load_board(board)


def program_name(model: Path | None, name: str | None) -> str:
    """The C prefix: --name, or the file's stem. Raises E0701 for a name that gives no sound library."""
    if name is not None:
        if not is_library_name(name):
            raise CompileError(
                "E0701", f"--name {name!r} cannot be a library's name",
                why="it must be a C identifier of at most 100 characters with a lower-case letter, unlike standard "
                "headers and CMake's targets",
                fix=f"e.g. --name {library_identifier(name)}",
            )  # fmt: skip
        return name
    return library_identifier(model.stem) if model else "network"
