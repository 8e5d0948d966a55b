"""Board files: what is known, what a wrong one is told, and the memory maps of the chips' data sheets."""

from __future__ import annotations

from pathlib import Path

import pytest

from mcucompile.errors import CompileError
from mcucompile.target.board import HELD, list_boards, load_board
from mcucompile.target.cores import Isa
from mcucompile.target.flashing import ENGINES, engines_of
from mcucompile.target.setup import Pin

GOOD = """\
description = "a board"
core = "cortex-m4f"
clock_hz = 25_000_000
tested = "nothing"

[memory.flash]
kind = "flash"
origin = 0x0
size = 0x1000
holds = ["vectors", "code", "weights"]

[memory.ram]
kind = "ram"
origin = 0x20000000
size = 0x800
holds = ["data", "arena", "stack"]

[uart]
kind = "cmsdk"
base = 0x40004000
irq = 0
baud = 115200

[run]
via = "qemu"
machine = "mps2-an386"
systick_hz = 25_000_000
"""

EMULATED = ("qemu-m0", "qemu-m3", "qemu-m33", "qemu-m4", "qemu-m55", "qemu-m7")
KIB = 1024
# Data sheets: core, clock (of the first revision), flash and RAM of the chip (for the Nano less its bootloader, for the
# Pico its boot stage, for the i.MX RT its boot header, for the LPC55S69 what pyOCD programs of its 640 KB; for the
# Netduino less CCM, for the LPC55S69 the banks that hold the arena, at the clock that needs no other core voltage).
REAL = {
    "nucleo-f446re": ("cortex-m4f", 180, 512 * KIB, 128 * KIB),
    "nucleo-l4r5zi": ("cortex-m4f", 120, 2048 * KIB, 640 * KIB),
    "nucleo-g0b1re": ("cortex-m0plus", 64, 512 * KIB, 144 * KIB),
    "nucleo-f767zi": ("cortex-m7", 216, 2048 * KIB, 512 * KIB),
    "nucleo-h743zi": ("cortex-m7", 400, 2048 * KIB, (512 + 288) * KIB),
    "nucleo-u575zi-q": ("cortex-m33", 160, 2048 * KIB, 768 * KIB),
    "stm32f4-discovery": ("cortex-m4f", 168, 1024 * KIB, (128 + 64) * KIB),
    "nucleo-f072rb": ("cortex-m0", 48, 128 * KIB, 16 * KIB),
    "nucleo-g474re": ("cortex-m4f", 170, 512 * KIB, 96 * KIB),
    "blue-pill": ("cortex-m3", 72, 64 * KIB, 20 * KIB),
    "microbit-v1": ("cortex-m0", 16, 256 * KIB, 16 * KIB),
    "microbit-v2": ("cortex-m4f", 64, 512 * KIB, 128 * KIB),
    "nrf52840-dk": ("cortex-m4f", 64, 1024 * KIB, 256 * KIB),
    "arduino-nano-33-ble": ("cortex-m4f", 64, 960 * KIB, 256 * KIB),
    "netduino-plus-2": ("cortex-m4f", 168, 1024 * KIB, 128 * KIB),
    "stm32vldiscovery": ("cortex-m3", 24, 128 * KIB, 8 * KIB),
    "lm3s6965evb": ("cortex-m3", 50, 256 * KIB, 64 * KIB),
    "raspberry-pi-pico": ("cortex-m0plus", 125, 2048 * KIB - 256, 264 * KIB),
    "mbed-lpc1768": ("cortex-m3", 100, 512 * KIB, 64 * KIB),
    "lpcxpresso55s69": ("cortex-m33", 96, 608 * KIB, (192 + 16) * KIB),
    "mimxrt1060-evk": ("cortex-m7", 600, (8192 - 8) * KIB, (128 + 768) * KIB),
    "raspberry-pi-pico-2": ("cortex-m33", 150, 4096 * KIB, 520 * KIB),
}


def write(folder: Path, text: str) -> str:
    path = folder / "mine.toml"
    path.write_text(text)
    return str(path)


def test_no_board_is_lost() -> None:
    assert {*EMULATED, *REAL} <= set(list_boards())


@pytest.mark.parametrize(
    ("given", "near"),
    [
        ("nucleo-f446", "nucleo-f446re"), ("nucelo-l4r5zi", "nucleo-l4r5zi"), ("Nucleo_F446RE", "nucleo-f446re"),
        ("microbit", "microbit-v1 or microbit-v2"), ("pico-2", "raspberry-pi-pico-2"), ("qemu-m5", "qemu-m55"),
        ("there/blue-pill.toml", "blue-pill"),
    ],
)  # fmt: skip
def test_a_misspelled_board_is_answered_with_what_comes_near(given: str, near: str) -> None:
    with pytest.raises(CompileError) as e:
        load_board(given)
    first, second = e.value.why.splitlines()
    assert first.startswith(f"did you mean {near}") and second.startswith("known: ")


def test_nothing_comes_near_a_toaster() -> None:
    with pytest.raises(CompileError) as e:
        load_board("toaster")
    assert e.value.why == f"known: {', '.join(list_boards())}"


@pytest.mark.parametrize("name", list_boards())
def test_board_holds_everything_somewhere(name: str) -> None:
    board = load_board(name)
    assert [board.region(held).kind for held in HELD[3:]] == ["ram"] * 3
    assert board.description
    assert board.tested


@pytest.mark.parametrize("name", EMULATED)
def test_emulated_boards_are_roomy(name: str) -> None:
    board = load_board(name)
    assert board.emulator is not None
    assert board.uart is not None
    assert board.ram_nbytes >= 512 * KIB
    assert board.flash_nbytes >= 2048 * KIB


@pytest.mark.parametrize("name", REAL)
def test_real_boards_are_as_in_the_data_sheet(name: str) -> None:
    board = load_board(name)
    assert (board.core.name, board.clock_hz // 10**6, board.flash_nbytes, board.ram_nbytes) == REAL[name]
    assert not board.is_virtual
    assert board.flashing is not None


def test_a_path_is_a_board_too(tmp_path: Path) -> None:
    board = load_board(write(tmp_path, GOOD))
    assert (board.name, board.isa, board.region("arena").nbytes) == ("mine", Isa.DSP, 0x800)


def test_instruction_set_can_be_lowered(tmp_path: Path) -> None:
    assert load_board(write(tmp_path, 'isa = "scalar"\n' + GOOD)).isa is Isa.SCALAR


def test_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(CompileError) as caught:
        load_board("qemu-m5")
    assert caught.value.code == "E0301"
    assert "qemu-m55" in caught.value.why


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ('core = "cortex-m4f"\n', "", "core"),
        ('"cortex-m4f"', '"cortex-a9"', "core"),
        ("25_000_000", '"fast"', "clock_hz"),
        ("25_000_000", "0", "clock_hz"),
        ("25_000_000", "true", "clock_hz"),
        ("0x20000000", "-4", "memory.ram.origin"),
        ("0x20000000", "0x100000000", "memory.ram.origin"),
        ('kind = "ram"', 'kind = "disk"', "memory.ram.kind"),
        ("size = 0x800\n", "", "memory.ram.size"),
        ('"data", "arena"', '"data"', "memory.*.holds"),
        ('"vectors", "code"', '"vectors", "code", "code2"', "memory.flash.holds"),
        ('"vectors", "code"', '"vectors", "code", "stack"', "memory.flash.holds"),
        ('"vectors", "code"', '"boot", "vectors", "code"', "memory.*.holds"),
        ("0x20000000", "0xfff", "memory.ram"),
        ('"cmsdk"', '"usb"', "uart.kind"),
        ("baud = 115200", "speed = 9600", "uart.baud"),
        ('via = "qemu"', 'via = "magic"', "run.via"),
        ("systick_hz = 25_000_000", "systick_hz = 25_000_000\noptions = [1]", "run.options"),
        ("tested = ", "tasted = ", "tested"),
        ("clock_hz", 'colour = "red"\nclock_hz', "colour"),
        ("clock_hz", 'isa = "mve"\nclock_hz', "isa"),
        ("clock_hz", 'uart = "yes"\nclock_hz', ""),
        ("[memory.ram]", "[memory.ram", ""),
    ],
)
def test_a_wrong_field_is_named(tmp_path: Path, old: str, new: str, field: str) -> None:
    assert old in GOOD
    with pytest.raises(CompileError) as caught:
        load_board(write(tmp_path, GOOD.replace(old, new, 1)))
    assert caught.value.code == "E0302"
    assert field in caught.value.what
    assert "mine.toml" in caught.value.where


SETUP = """
[setup]
family = "stm32f4"
svd = ["STM32F446x"]
oscillator = "crystal"
oscillator_hz = 8_000_000
m = 4
n = 100
p = 8
apb1_divider = 4
apb2_divider = 2
wait_states = 0
overdrive = 0
"""
PINS = 'irq = 0\ntx = "PA2"\nrx = "PD13"\nalternate = 7\nclock_hz = 6_000_000\n'


def set_up() -> str:
    return GOOD.replace("irq = 0\n", PINS) + SETUP


def test_how_a_part_is_set_up(tmp_path: Path) -> None:
    board = load_board(write(tmp_path, set_up()))
    assert board.setup is not None and board.uart is not None
    assert board.setup.clock_hz == board.clock_hz == 25_000_000  # 8 MHz / 4 * 100 / 8
    assert {"-DFAMILY_STM32F4", "-DFALLBACK_HZ=16000000u", "-DSETUP_N=100"} <= set(board.setup.defines)
    assert (board.uart.tx, board.uart.rx) == (Pin(0, 2), Pin(3, 13))
    assert "-DUART_CLOCK_HZ=0x5b8d80u" in board.uart.defines
    assert not board.is_virtual
    assert load_board(write(tmp_path, GOOD)).is_virtual


@pytest.mark.parametrize(
    ("text", "pin"),
    [("PA2", Pin(0, 2)), ("PG7", Pin(6, 7)), ("P0.06", Pin(0, 6)), ("P1.08", Pin(1, 8)), ("GPIO1", Pin(0, 1))],
)
def test_pins_are_written_as_their_makers_do(tmp_path: Path, text: str, pin: Pin) -> None:
    board = load_board(write(tmp_path, set_up().replace('"PA2"', f'"{text}"')))
    assert board.uart is not None and board.uart.tx == pin


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ('"stm32f4"', '"stm32q9"', "setup.family"),
        ('"crystal"', '"quartz"', "setup.oscillator"),
        ("n = 100\n", "", "setup.n"),
        ("n = 100\n", "n = 101\n", "clock_hz"),
        ("wait_states = 0", "wait_states = -1", "setup.wait_states"),
        ("overdrive = 0", "overdrive = 0\nspeed = 1", "setup.speed"),
        ('tx = "PA2"\n', "", "uart.tx"),
        ('"PA2"', '"A2"', "uart.tx"),
    ],
)
def test_a_wrong_field_of_a_setup_is_named(tmp_path: Path, old: str, new: str, field: str) -> None:
    assert old in set_up()
    with pytest.raises(CompileError) as caught:
        load_board(write(tmp_path, set_up().replace(old, new, 1)))
    assert caught.value.code == "E0302"
    assert field in caught.value.what


# By hand from the factors in the board files and the clock trees in the reference manuals: what drives the serial port.
UART_HZ = {
    "nucleo-f446re": 180_000_000 // 4,
    "nucleo-f767zi": 216_000_000 // 4,
    "stm32f4-discovery": 168_000_000 // 4,
    "netduino-plus-2": 168_000_000 // 2,  # USART6 is on the faster bus
    "nucleo-h743zi": 400_000_000 // 2 // 2,
    "raspberry-pi-pico": 12_000_000,
    "raspberry-pi-pico-2": 12_000_000,
    "lpcxpresso55s69": 12_000_000,
    "mimxrt1060-evk": 24_000_000,
}


@pytest.mark.parametrize("name", REAL)
def test_the_serial_port_is_driven_by(name: str) -> None:
    board = load_board(name)
    assert board.uart is not None and board.setup is not None
    assert board.uart.clock_hz == UART_HZ.get(name, board.clock_hz)
    assert board.uart.baud == 115200


FLASH = """
[flash]
engine = "pyocd"
target = "stm32f446retx"
openocd = ["interface/stlink.cfg"]
sectors = ["2x16K", "1x64K"]
chip = { address = 0xe0042000, mask = 0xfff, ids = [0x421, 0x422] }
uf2 = { family = 0xe48bff56, board_id = "RPI-RP2" }
command = "tool {bin}"

[usb]
ids = ["0483:374b"]
"""


def test_how_a_board_is_flashed_and_found(tmp_path: Path) -> None:
    board = load_board(write(tmp_path, GOOD + FLASH))
    assert board.flashing is not None
    assert board.flashing.sectors == (16 * KIB, 16 * KIB, 64 * KIB)
    assert board.flashing.chip is not None and board.flashing.chip.ids == (0x421, 0x422)
    assert engines_of(board.flashing) == ENGINES
    assert [str(i) for i in board.usb] == ["0483:374b"]


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ('engine = "pyocd"', 'engine = "magic"', "flash.engine"),
        ('target = "stm32f446retx"\n', "", "flash.engine"),
        ('"2x16K"', '"2x16"', "flash.sectors"),
        ('"2x16K"', '"0x16K"', "flash.sectors"),
        ("mask = 0xfff", "mask = 0", "flash.chip.mask"),
        ("[0x421, 0x422]", "[]", "flash.chip.ids"),
        ("[0x421, 0x422]", '["0x421"]', "flash.chip.ids"),
        ("family", "familiar", "flash.uf2.family"),
        ("0483:374b", "0483-374b", "usb.ids"),
        ("[usb]", "[usb]\nport = 1", "usb.port"),
    ],
)
def test_a_wrong_field_of_flashing_is_named(tmp_path: Path, old: str, new: str, field: str) -> None:
    assert old in FLASH
    with pytest.raises(CompileError) as caught:
        load_board(write(tmp_path, GOOD + FLASH.replace(old, new, 1)))
    assert caught.value.code == "E0302"
    assert field in caught.value.what


@pytest.mark.parametrize("name", [n for n in REAL if "stm32" in str(load_board(n).flashing)])
def test_sectors_fill_the_flash(name: str) -> None:
    board = load_board(name)
    assert board.flashing is not None
    assert sum(board.flashing.sectors) == board.flash_nbytes
