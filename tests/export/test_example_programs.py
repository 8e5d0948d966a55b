"""The examples of networks of other kinds: several inputs and outputs, floats, an arena in several memories."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from building import WARNINGS, run

import mcucompile
from mcucompile.api import Compiled
from mcucompile.ir import Array
from mcucompile.target.board import Board, load_board

MODELS = Path(__file__).parents[1] / "models"
CORE = Path(__file__).parent / "arduino" / "own" / "native" / "cores" / "own"


def printed(folder: Path, tmp_path: Path, tool: Callable[[str], str], kind: str) -> dict[str, Array]:
    """What the C example or the sketch prints, by output."""
    objects = tmp_path / kind
    objects.mkdir()
    run(tool("gcc"), *WARNINGS.split(), "-c", *sorted(folder.glob("*.c")), cwd=objects)
    if kind == "c":
        (example,) = folder.rglob("main.c")
        run(tool("gcc"), *WARNINGS.split(), f"-I{folder}", example, *objects.glob("*.o"), "-o", objects / "program")
    else:
        (sketch,) = folder.rglob("*.ino")
        (tmp_path / "sketch.cpp").write_text("#include <Arduino.h>\n" + sketch.read_text())
        sources = (tmp_path / "sketch.cpp", CORE / "main.cpp", *objects.glob("*.o"))
        run(tool("g++"), "-Wall", "-Wextra", "-Werror", f"-I{folder}", f"-I{CORE}", *sources, "-o", objects / "program")
    rows = re.findall(r"^(\w+)\[\d+\] = (\S+)$", run(objects / "program"), re.MULTILINE)
    names = dict.fromkeys(name for name, _ in rows)
    return {name: np.array([float(value) for other, value in rows if other == name]) for name in names}


def expected(compiled: Compiled) -> dict[str, Array]:
    """The reference's outputs for the inputs that the examples fill in."""
    inputs = {}
    for port in compiled.program.inputs:
        ramp = np.arange(port.size) % 100
        values = (0.01 * ramp).astype(np.float32) if port.dtype.value == "float32" else ramp.astype(port.dtype.numpy)
        inputs[port.name] = values.reshape(1, *port.shape)
    return {name: values.ravel() for name, values in compiled.expected(inputs).items()}


@pytest.mark.parametrize(("kind", "tolerance"), [("c", 1e-6), ("sketch", 2e-6)])
def test_many_floats(kind: str, tolerance: float, tmp_path: Path, tool: Callable[[str], str]) -> None:
    """A sketch prints six decimals."""
    compiled = mcucompile.compile(
        MODELS / "activations.onnx", "qemu-m0", name="net", dtype="float32", effort="-O0", export="makefile,arduino"
    )
    assert len(compiled.program.inputs) == 2
    compiled.write(tmp_path / "out")
    found, wanted = printed(tmp_path / "out", tmp_path, tool, kind), expected(compiled)
    assert found.keys() == wanted.keys()
    for name, values in wanted.items():
        np.testing.assert_allclose(found[name], values, rtol=tolerance, atol=tolerance, err_msg=name)


def divided(board: Board, first: int) -> Board:
    """The board with an arena of so many bytes, and the rest of its RAM as a second memory for it."""
    (ram,) = (r for r in board.regions if "arena" in r.holds)
    small = replace(ram, name="small", nbytes=first, holds=("arena",))
    holds = ("more_arena", *(held for held in ram.holds if held != "arena"))
    more = replace(ram, name="more", origin=ram.origin + first, nbytes=ram.nbytes - first, holds=holds)
    return replace(board, regions=(*(r for r in board.regions if r is not ram), small, more))


@pytest.mark.parametrize("kind", ["c", "sketch"])
def test_arena_in_several_memories(kind: str, compiled: Compiled, tmp_path: Path, tool: Callable[[str], str]) -> None:
    parted = compiled.for_board(divided(load_board("qemu-m0"), compiled.program.arena_nbytes - 100))
    assert len(parted.program.banks) == 2
    parted.write(tmp_path / "out")
    assert printed(tmp_path / "out", tmp_path, tool, kind)["scores"].tolist() == expected(compiled)["scores"].tolist()
