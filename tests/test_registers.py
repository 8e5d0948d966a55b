"""The drivers' registers against the makers' descriptions of the parts, and whether that check can fail."""

from __future__ import annotations

import importlib.util
import sys
import zipfile
from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from mcucompile.run.tools import find_tool
from mcucompile.target.board import Board, list_boards, load_board

SCRIPT = Path(__file__).parent.parent / "scripts" / "check_registers.py"
# What pyOCD 0.46 and LabWired 0.25 have a description of, and what others have that scripts/check_registers.py names.
COVERED = (
    "blue-pill", "netduino-plus-2", "stm32f4-discovery", "microbit-v1", "microbit-v2", "nrf52840-dk", "mbed-lpc1768",
    "lpcxpresso55s69", "mimxrt1060-evk", "nucleo-g474re", "nucleo-u575zi-q",
    "arduino-nano-33-ble",
)  # fmt: skip
ELSEWHERE = (
    "nucleo-f072rb", "nucleo-f446re", "nucleo-f767zi", "nucleo-h743zi", "nucleo-l4r5zi", "raspberry-pi-pico",
    "raspberry-pi-pico-2", "stm32vldiscovery",
)  # fmt: skip

TINY = b"""<device><peripherals>
<peripheral><name>RCC</name><baseAddress>0x40021000</baseAddress><registers>
  <register><name>CR</name><addressOffset>0</addressOffset><fields>
    <field><name>HSEON</name><bitOffset>16</bitOffset><bitWidth>1</bitWidth></field>
    <field><name>HSERDY</name><bitOffset>18</bitOffset><bitWidth>1</bitWidth></field>
    <field><name>PLLENABLE</name><bitRange>[24:24]</bitRange></field>
  </fields></register>
  <register><name>CFGR3</name><addressOffset>4</addressOffset></register>
</registers></peripheral>
<peripheral><name>USART1</name><baseAddress>0x40013800</baseAddress>
  <interrupt><name>USART1</name><value>36</value></interrupt></peripheral>
</peripherals></device>"""


@pytest.mark.parametrize("name", list_boards())
def test_board_files_claim_no_more_than_is_checked(name: str) -> None:
    """Names, addresses, bits: not which values are written, nor when."""
    board = load_board(name)
    if "registers are as in" in board.tested:
        assert "addresses and bits of its registers are as in" in board.tested
        assert board.setup and board.setup.svd, "the description that it speaks of"
    assert ("addresses and bits" in board.tested) == (name in COVERED + ELSEWHERE)


@pytest.fixture(scope="module")
def script() -> ModuleType:
    if not find_tool("arm-none-eabi-gcc"):
        pytest.skip("arm-none-eabi-gcc is not installed")
    spec = importlib.util.spec_from_file_location("check_registers", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(SCRIPT.parent))
    sys.modules["check_registers"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def descriptions(script: ModuleType) -> dict[str, Callable[[], Any]]:
    for package in ("pyocd", "labwired"):
        pytest.importorskip(package, reason=f"{package}, which brings descriptions of parts, is not installed")
    found: dict[str, Callable[[], Any]] = script.descriptions([*script.installed(), *script.installed_labwired()])
    return found


def description(board: Board, descriptions: Collection[str]) -> str:
    assert board.setup is not None
    return next(name for name in board.setup.svd if name.lower() in descriptions)


# What parts got after these descriptions were written, and what one for the whole family leaves out.
NOT_DESCRIBED = {
    f"nrf{part}": [f"APPROTECT_DISABLE at 0x40000558: nrf{part} has nothing there"] for part in (52833, 52840)
} | {
    "lpc176x5x_v0.2": ["SYSCON_MEMMAP at 0x400fc040: LPC176x5x_v0.2 has nothing there"],
    "lpc55s69_cm33_core0": ["SYSCON_FMCCR_PREFEN: SYSCON.FMCCR is described without it"],  # as in that of the LPC55S16
}


@pytest.mark.parametrize("name", COVERED)
def test_registers_are_where_the_maker_says(
    script: ModuleType, descriptions: dict[str, Callable[[], Any]], name: str
) -> None:
    board = load_board(name)
    svd = description(board, descriptions)
    # Taken for the part itself, so that differences count even where the description is of a close relative.
    assert board.setup is not None
    board = replace(board, setup=replace(board.setup, svd=(svd,)))
    findings = script.check(board, replace(descriptions[svd.lower()](), name=svd))
    assert findings.wrong == []
    assert findings.unchecked == NOT_DESCRIBED.get(svd.lower(), [])
    assert findings.checked > 20


def test_a_difference_is_found(script: ModuleType) -> None:
    board = load_board("blue-pill")
    assert board.setup is not None
    board = replace(board, setup=replace(board.setup, svd=("TINY",)))
    findings = script.check(board, script.read_svd("TINY", TINY))
    wrong = "\n".join(findings.wrong)
    assert "interrupt is 37; TINY has [36]" in wrong
    assert "RCC_CFGR is at 0x40021004, where TINY has RCC.CFGR3" in wrong
    assert "RCC_CR_HSERDY is (17, 1); it should be (18, 1)" in wrong
    assert "RCC_CR_PLLON: these bits are called PLLENABLE" in wrong
    assert any("RCC_APB2ENR" in line for line in findings.unchecked)
    assert findings.checked == 2  # RCC_CR and its HSEON


# As LabWired has it: a file for the part, one for each peripheral's registers, and models that have none.
PART_YAML = """
peripherals:
  - {id: rcc, base_address: 0x40021000, config: {debug_schema: ../peripherals/stm32f103/rcc.yaml}}
  - {id: usart1, base_address: 0x40013800, irq: 37, config: {profile: stm32v1}}
"""
RCC_YAML = """
peripheral: RCC
registers:
- {id: CR, address_offset: 0, fields: [{name: HSEON, bit_range: [16, 16]}, {name: HSITRIM, bit_range: [7, 3]}]}
- {id: CFGR, address_offset: 4, fields: []}
"""


@pytest.mark.parametrize("package", ["", "c8"])
def test_a_part_is_read_from_labwireds_wheel(script: ModuleType, tmp_path: Path, package: str) -> None:
    pytest.importorskip("yaml", reason="PyYAML, which reads LabWired's files, is not installed")
    with zipfile.ZipFile(tmp_path / "labwired.whl", "w") as wheel:
        wheel.writestr(f"labwired/configs/chips/stm32f103{package}.yaml", PART_YAML)
        wheel.writestr("labwired/configs/chips/rp2350.yaml", PART_YAML)
        wheel.writestr("labwired/configs/peripherals/stm32f103/rcc.yaml", RCC_YAML)
    found = script.descriptions([tmp_path / "labwired.whl"])
    assert list(found) == ["stm32f103"]
    svd = found["stm32f103"]()
    assert svd.interrupts[0x40013800] == {37}
    assert list(svd.registers) == [0x40021000, 0x40021004]
    assert svd.registers[0x40021000][0].fields == {"HSEON": (16, 1), "HSITRIM": (3, 5)}
    findings = script.check(load_board("blue-pill"), svd)
    assert findings.checked == 4  # RCC_CR with its HSEON, RCC_CFGR, the port's interrupt


def test_only_descriptions_are_read_of_a_packages_xml_files(script: ModuleType, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "parts.whl", "w") as wheel:
        wheel.writestr("parts/STM32F103.xml", TINY)
        wheel.writestr("parts/rp2040.xml", "<device><driver name='uart'/></device>")
    assert list(script.descriptions([tmp_path / "parts.whl"])) == ["stm32f103"]


def test_a_makers_own_file_goes_before_a_copy(script: ModuleType, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "labwired.whl", "w") as wheel:
        wheel.writestr("labwired/configs/chips/stm32f103.yaml", PART_YAML)
    (tmp_path / "STM32F103.svd").write_bytes(TINY)
    svd = script.descriptions([tmp_path / "labwired.whl", tmp_path / "STM32F103.svd"])["stm32f103"]()
    assert svd.interrupts[0x40013800] == {36}


@pytest.mark.parametrize(
    ("ours", "peripheral", "theirs"),
    [
        ("USART_CR1", "USART1", "CR1_enabled"),
        ("USART_CR1", "LPUART1", "CR1_DISABLED"),
        ("GPIOA_MODER", "GPIOA", "GPIO_MODER"),
        ("RESETS_RESET_DONE", "RESETS", "RESET_DONE"),
        ("UART_DR", "UART0", "UARTDR"),
    ],
)
def test_makers_spellings_of_a_register(script: ModuleType, ours: str, peripheral: str, theirs: str) -> None:
    assert script.same_register(ours, script.SvdRegister(peripheral, theirs, 0, {}))
    assert not script.same_register(ours + "2", script.SvdRegister(peripheral, theirs, 0, {}))


@pytest.mark.parametrize("name", [n for n in list_boards() if load_board(n).setup])
def test_every_macro_of_the_drivers_can_be_evaluated(script: ModuleType, name: str) -> None:
    findings = script.check(load_board(name), script.Svd("nothing"))
    registers = [line for line in findings.unchecked if "nothing has nothing there" in line]
    assert len(registers) > 8
    assert findings.checked == 0


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--board", "lm3s6965evb"], 4),  # of which there is no description
        (["--board", "qemu-m4"], 4),  # nor a driver
        (["--board", "nobody"], 2),
        (["absent.whl"], 2),
        (["--board", "blue-pill"], 0),
    ],
)
def test_nothing_compared_is_no_success(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch, words: list[str], code: int
) -> None:
    pytest.importorskip("pyocd", reason="pyocd, which brings descriptions of parts, is not installed")
    monkeypatch.setattr(sys, "argv", ["check_registers.py", *words])
    try:
        found = script.main()
    except SystemExit as e:
        found = e.code
    assert found == code
