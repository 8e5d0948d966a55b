"""An emulated board with empty flash that pyOCD finds like one on USB."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tiny
from machine import TARGET, EmptyMachine, flash_algorithm, target_class
from pyocd.probe.aggregator import PROBE_CLASSES
from pyocd.target import TARGET as TARGETS
from qemu_probe import QemuProbe

from mcucompile.resources import folder
from mcucompile.run.build import Firmware, build
from mcucompile.run.tools import find_tool
from mcucompile.target.board import Board, load_board

FLASH = f"""
[flash]
engine = "pyocd"
target = "{TARGET}"
"""


@pytest.fixture(scope="session")
def board(tmp_path_factory: pytest.TempPathFactory) -> Board:
    """qemu-m4, as a board that is flashed."""
    path = tmp_path_factory.mktemp("board") / "board.toml"
    path.write_text((folder("boards") / "qemu-m4.toml").read_text() + FLASH)
    return load_board(str(path))


@pytest.fixture(scope="session")
def compiler() -> None:
    if not find_tool("arm-none-eabi-gcc"):
        pytest.skip("arm-none-eabi-gcc is not installed")


@pytest.fixture(scope="session")
def firmware(compiler: None, board: Board, tmp_path_factory: pytest.TempPathFactory) -> Firmware:
    work = tmp_path_factory.mktemp("firmware")
    return build(tiny.write(work / "library"), tiny.INTERFACE, board, work / "built")


@pytest.fixture(scope="session")
def algorithm(compiler: None, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return flash_algorithm(tmp_path_factory.mktemp("algorithm"))


@pytest.fixture
def machine(
    emulator: None, board: Board, algorithm: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[EmptyMachine]:
    with EmptyMachine(board, tmp_path / "gdb") as machine:
        monkeypatch.setattr(QemuProbe, "connections", {"emulated": machine.connect})
        monkeypatch.setitem(TARGETS, TARGET, target_class(algorithm))
        for name in list(PROBE_CLASSES):
            monkeypatch.delitem(PROBE_CLASSES, name)  # what is plugged into this machine stays out of it
        monkeypatch.setitem(PROBE_CLASSES, "emulated", QemuProbe)
        yield machine
