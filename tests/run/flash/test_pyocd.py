"""pyOCD's own flash engine on an emulated processor: erase, program, read back, run."""

from __future__ import annotations

import tiny
from machine import EmptyMachine

from mcucompile.run.build import Firmware
from mcucompile.run.device import open_device
from mcucompile.run.flash import How, flash
from mcucompile.target.board import Board

SAMPLE = [bytes([1, 2, 3, 255, 5, 128, 7, 8]), bytes([10, 20, 30, 127, 50, 128, 70, 1])]


def test_what_was_flashed_runs(machine: EmptyMachine, board: Board, firmware: Firmware) -> None:
    flashed = flash(firmware, board, How())
    print(flashed)
    with open_device(firmware, board, port=machine.url) as device:
        assert device.run(SAMPLE) == list(tiny.expected(*SAMPLE)[1:])
