"""The board files of STM32 boards against modm-devices' form of ST's data, and whether that check can fail."""

from __future__ import annotations

import importlib.util
import sys
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from mcucompile.target.board import Board, Region, load_board

SCRIPT = Path(__file__).parent.parent / "scripts" / "check_parts.py"

# What there is of the Nucleo-G474RE's part, by its data sheet (DS12288), and some of other devices.
G474 = """<modm><device family="g4" name="74|84" pin="c|r" size="b|e">
  <driver name="core" type="cortex-m4">
    <memory device-size="b" name="flash" access="rx" start="0x8000000" size="131072"/>
    <memory device-size="e" name="flash" access="rx" start="0x8000000" size="524288"/>
    <memory name="sram1" access="rwx" start="0x20000000" size="81920"/>
    <memory name="sram2" access="rwx" start="0x20014000" size="16384"/>
    <vector position="37" name="USART1"/><vector position="38" name="USART2"/><vector position="39" name="TIM1"/>
  </driver>
  <driver name="gpio">
    <gpio port="a" pin="2">
      <signal af="7" driver="usart" instance="2" name="tx"/><signal af="12" driver="lpuart" instance="1" name="tx"/>
    </gpio>
    <gpio device-pin="c" port="a" pin="3"><signal af="7" driver="usart" instance="1" name="rx"/></gpio>
    <gpio device-pin="r" port="a" pin="3"><signal af="7" driver="usart" instance="2" name="rx"/></gpio>
  </driver>
</device></modm>"""

F103 = """<modm><device family="f1" name="03" pin="c" size="8">
  <driver name="core" type="cortex-m3">
    <memory name="flash" access="rx" start="0x8000000" size="65536"/>
    <memory name="sram1" access="rwx" start="0x20000000" size="20480"/>
    <vector position="37" name="USART1"/>
  </driver>
  <driver name="gpio">
    <remap driver="usart" instance="1" position="2" mask="1">
      <group id="0"><signal port="a" pin="9" name="tx"/><signal port="a" pin="10" name="rx"/></group>
      <group id="1"><signal port="b" pin="6" name="tx"/><signal port="b" pin="7" name="rx"/></group>
    </remap>
  </driver>
</device></modm>"""


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("check_parts", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["check_parts"] = module
    spec.loader.exec_module(module)
    return module


def found(script: ModuleType, board: Board, text: str) -> list[str]:
    part = script.part_of(board.description)
    device = script.device_of(part, [ET.fromstring(text)])
    return list(script.differences(board, part, device))


def with_region(board: Board, name: str, **changes: int) -> Board:
    return replace(
        board,
        regions=tuple(replace(r, **changes) if r.name == name else r for r in board.regions),  # type: ignore[arg-type]
    )


def with_uart(board: Board, **changes: object) -> Board:
    assert board.uart is not None
    return replace(board, uart=replace(board.uart, **changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(("name", "text"), [("nucleo-g474re", G474), ("blue-pill", F103)])
def test_a_board_as_it_should_be(script: ModuleType, name: str, text: str) -> None:
    assert found(script, load_board(name), text) == []


def test_a_part_of_another_size_is_not_taken(script: ModuleType) -> None:
    part = script.part_of("a board with an STM32G474RC")
    assert script.device_of(part, [ET.fromstring(G474)]) is None
    assert script.part_of("BBC micro:bit: nRF51822") is None


def test_differences_are_found(script: ModuleType) -> None:
    board = load_board("nucleo-g474re")
    assert found(script, board, G474.replace("cortex-m4", "cortex-m7")) == ["the processor is cortex-m7"]
    larger = with_region(board, "ram", nbytes=0x20000)
    assert found(script, larger, G474) == ["ram: 0x20018000 to 0x20020000 is no RAM"]
    moved = with_region(board, "flash", origin=0x0800_0004)
    assert found(script, moved, G474) == ["flash: 0x8080000 to 0x8080004 is no flash"]
    assert found(script, with_uart(board, irq=39), G474) == ["interrupt 39 is TIM1, not a serial port's"]
    assert found(script, with_uart(board, irq=40), G474) == ["interrupt 40 is none, not a serial port's"]
    assert found(script, with_uart(board, irq=37), G474) == [
        "PA2 has no tx of USART1 at 7",
        "PA3 has no rx of USART1 at 7",
    ]
    assert board.uart is not None
    crossed = with_uart(board, tx=board.uart.rx, rx=board.uart.tx)
    assert len(found(script, crossed, G474)) == 2


def test_remapped_pins_of_an_f1_are_found(script: ModuleType) -> None:
    board = load_board("blue-pill")
    assert board.uart is not None and board.uart.tx is not None
    moved = with_uart(board, tx=replace(board.uart.tx, port=1, number=6))
    assert found(script, moved, F103) == ["PB6 has no tx of USART1 at 0"]


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        ([(0x0, 0x40), (0x40, 0x40)], []),
        ([(0x0, 0x40)], ["ram: 0x40 to 0x80 is no RAM"]),
        ([(0x0, 0x20), (0x40, 0x40)], []),  # the hole is as large as the first
        ([(0x0, 0x30), (0x40, 0x40)], ["ram: 0x30 to 0x80 is no RAM"]),
    ],
)
def test_memory_with_holes(script: ModuleType, spans: Sequence[tuple[int, int]], expected: list[str]) -> None:
    region = Region("ram", 0, 0x80, "ram", ("data",))
    memories = [ET.Element("memory", {"access": "rw", "start": hex(s), "size": str(n)}) for s, n in spans]
    assert list(script.beyond(region, memories)) == expected
