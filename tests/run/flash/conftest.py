"""An emulated board with empty flash that pyOCD finds like one on USB."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import tiny
from machine import TARGET, EmptyMachine, flash_algorithm, target_class
from qemu_probe import QemuProbe

from mcucompile.run.build import Firmware, build
from mcucompile.target.board import Board, load_board

FLASH = f"""
[flash]
engine = "pyocd"
target = "{TARGET}"
"""


@pytest.fixture
def board(tmp_path: Path) -> Board:
    """qemu-m4, as a board that is flashed."""
    import mcucompile.resources

    text = (mcucompile.resources.folder("boards") / "qemu-m4.toml").read_text()
    path = tmp_path / "board.toml"
    path.write_text(text + FLASH)
    return load_board(str(path))


@pytest.fixture
def firmware(arm_compiler: None, board: Board, library: Path, tmp_path: Path) -> Firmware:
    return build(library, tiny.INTERFACE, board, tmp_path / "firmware")


@pytest.fixture
def machine(emulator: None, board: Board, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[EmptyMachine]:
    from pyocd.probe.aggregator import PROBE_CLASSES
    from pyocd.target import TARGET as TARGETS

    with EmptyMachine(board, tmp_path / "gdb") as machine:
        monkeypatch.setattr(QemuProbe, "connections", {"emulated": machine.connect})
        monkeypatch.setitem(TARGETS, TARGET, target_class(flash_algorithm(tmp_path)))
        for name in list(PROBE_CLASSES):
            monkeypatch.delitem(PROBE_CLASSES, name)  # what is plugged into this machine stays out of it
        monkeypatch.setitem(PROBE_CLASSES, "emulated", QemuProbe)
        yield machine
