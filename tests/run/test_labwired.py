"""The clocks of parts that QEMU has no model of, on LabWired's models: the firmware's set-up reaches the PLL.

What those models lack (0.25) is the receive interrupt of the serial port, so that no request can be answered there.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
import tiny

from mcucompile.run.build import build
from mcucompile.target.board import load_board

labwired = pytest.importorskip("labwired", reason="needs `pip install labwired`")


@dataclass(frozen=True)
class Model:
    """Registers of the reference manuals (RM0440, RM0456); the field of the clock that runs is at bits 2 and 3."""

    board: str
    chip: str
    uart: str
    clock_register: int
    baud_register: int
    wait_states: int

    FLASH_ACR = 0x40022000
    PLL = 3


MODELS = (
    Model("nucleo-g474re", "stm32g474re", "usart2", 0x40021008, 0x4000440C, 4),
    Model("nucleo-u575zi-q", "stm32u575", "usart1", 0x46020C1C, 0x4001380C, 4),
)


@pytest.mark.parametrize("model", MODELS, ids=lambda m: m.board)
def test_the_clock_comes_up(arm_compiler: None, library: Path, tmp_path: Path, model: Model) -> None:
    board = load_board(model.board)
    assert board.uart is not None
    firmware = build(library, tiny.INTERFACE, board, tmp_path / "work")
    with labwired.Sim(firmware.elf, chip=model.chip, uart=model.uart) as part:
        part.run_for("1ms")
        assert part.read_u32(model.clock_register) >> 2 & 3 == Model.PLL
        assert part.read_u32(Model.FLASH_ACR) & 15 == model.wait_states
        assert part.read_u32(model.baud_register) == round(board.clock_hz / board.uart.baud)
        assert part.read_uart_bytes() == b"\0"  # the end of whatever was on the line before
