"""What several engines hold a part at."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from jobs import job

from mcucompile.errors import CompileError
from mcucompile.run import flash as flashing
from mcucompile.run.build import Firmware
from mcucompile.run.flash import How, check_how, engine_of, ensure_programmed
from mcucompile.run.flash.engine import check_chip_id, locked
from mcucompile.target.board import load_board

THIS, OTHER = b"this one", b"another1"
CLOSED = CompileError("E0609", "the serial port cannot be opened")


@pytest.mark.parametrize("board", ["stm32f4-discovery", "netduino-plus-2"])
def test_ids_of_all_revisions(tmp_path: Path, board: str) -> None:
    """0x413 by ST's RM0090; parts of revision A read 0x411 by the errata sheet ES0182, with 0x2000 as the revision."""
    made = job(tmp_path, board)
    for word in (0x10076413, 0x20006411):
        check_chip_id(made, word)
    with pytest.raises(CompileError) as caught:
        check_chip_id(made, 0x10006421)
    assert caught.value.code == "E0805"


@pytest.mark.parametrize(
    ("board", "tool"),
    [
        ("nucleo-g474re", "with STM32CubeProgrammer"),
        ("nucleo-h743zi", "with STM32CubeProgrammer, or `pyocd erase --mass -t stm32h743xx`"),
        ("microbit-v1", "with nrfutil"),
        ("nrf52840-dk", "with nrfutil, or `pyocd erase --mass -t nrf52840`"),
        ("mbed-lpc1768", "with Flash Magic, through the bootloader in its ROM"),
        ("lpcxpresso55s69", "with nxpdebugmbox of NXP's SPSDK"),
        ("mimxrt1060-evk", "with its vendor's tool (as STM32CubeProgrammer is ST's, and nrfutil Nordic's)"),
    ],
)
def test_what_unlocks_a_part_is_made_for_it(tmp_path: Path, board: str, tool: str) -> None:
    error = locked(job(tmp_path, board), "it says so")
    assert error.code == "E0804"
    assert error.fix.endswith(tool)


def programmed(monkeypatch: pytest.MonkeyPatch, *answers: bytes | CompileError | None, seconds: float = 10.0) -> object:
    """What ensure_programmed gives for a board that answers so, time after time; the last answer is for good."""
    left = iter(answers)

    def answer() -> bytes | None:
        found = next(left, answers[-1])
        if isinstance(found, CompileError):
            raise found
        return found

    monkeypatch.setattr(flashing, "running_program", lambda *_: answer())
    monkeypatch.setattr(flashing, "flash", lambda *_: "flashed")
    monkeypatch.setattr(flashing, "START_SECONDS", seconds)
    fields: dict[str, Any] = {field.name: None for field in dataclasses.fields(Firmware)}
    firmware = Firmware(**{**fields, "program_id": THIS})
    return ensure_programmed(firmware, load_board("nucleo-f446re"), How(), "port")


def test_a_program_that_takes_its_time_to_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    assert programmed(monkeypatch, THIS) is None
    assert programmed(monkeypatch, OTHER, THIS) == "flashed"
    assert programmed(monkeypatch, OTHER, CLOSED, None, None, THIS) == "flashed"


@pytest.mark.parametrize(("answer", "code"), [(OTHER, "E0607"), (None, "E0607"), (CLOSED, "E0609")])
def test_a_program_that_does_not_start(
    monkeypatch: pytest.MonkeyPatch, answer: bytes | CompileError | None, code: str
) -> None:
    with pytest.raises(CompileError) as caught:
        programmed(monkeypatch, OTHER, answer, seconds=0.5)
    assert caught.value.code == code
    assert ("TX and RX" in caught.value.why) == (answer is None), "nothing answers"
    assert ("wires" in caught.value.fix) == (answer is None)


def test_a_board_that_may_or_can_not_be_programmed_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("running_program", "flash"):
        monkeypatch.setattr(flashing, name, lambda *_: pytest.fail("it was touched"))
    firmware: Any = None
    board = load_board("nucleo-f446re")
    assert ensure_programmed(firmware, board, None, "port") is None
    assert ensure_programmed(firmware, dataclasses.replace(board, flashing=None), How(), "port") is None


@pytest.mark.parametrize(
    ("board", "how", "engine"),
    [
        ("nucleo-f446re", How(), "pyocd"),
        ("nucleo-f446re", How(probe="066A"), "pyocd"),
        ("nucleo-f446re", How(engine="openocd", probe="066A"), "openocd"),
        ("nucleo-f446re", How(command="tool {elf}"), "command"),
        ("raspberry-pi-pico", How(drive=Path("/media/RPI-RP2")), "uf2"),
        ("raspberry-pi-pico", How(engine="pyocd", probe="E661"), "pyocd"),
        ("arduino-nano-33-ble", How(), "command"),
        ("blue-pill", How(engine="stm32-uart"), "stm32-uart"),
    ],
)
def test_what_the_user_names_chooses_the_engine(board: str, how: How, engine: str) -> None:
    assert engine_of(check_how(load_board(board), how), how) == engine


@pytest.mark.parametrize(
    ("board", "how", "option", "engine"),
    [
        ("nucleo-f446re", How(engine="pyocd", command="tool {elf}"), "--command", "pyocd"),
        ("nucleo-f446re", How(engine="pyocd", drive=Path("d")), "--drive", "pyocd"),
        ("nucleo-f446re", How(engine="openocd", drive=Path("d"), command="tool {elf}"), "--drive", "openocd"),
        ("nucleo-f446re", How(engine="openocd", command="tool {elf}"), "--command", "openocd"),
        ("nucleo-f446re", How(drive=Path("d"), command="tool {elf}"), "--drive", "command"),
        ("nucleo-f446re", How(probe="066A", command="tool {elf}"), "--probe", "command"),
        ("blue-pill", How(engine="stm32-uart", probe="066A"), "--probe", "stm32-uart"),
        ("raspberry-pi-pico-2", How(probe="xyz"), "--probe", "uf2"),
        ("raspberry-pi-pico-2", How(probe="xyz", drive=Path("d")), "--probe", "uf2"),
    ],
)
def test_options_that_the_engine_does_not_use(board: str, how: How, option: str, engine: str) -> None:
    with pytest.raises(CompileError) as caught:
        check_how(load_board(board), how)
    assert caught.value.code == "E0701"
    assert caught.value.what.startswith(f"{option} is not for the engine {engine}")
    is_chosen = how.engine is None and (how.command or how.drive)
    assert ("unless --engine names another" in caught.value.what) == (how.engine is None and not is_chosen)
    assert ("chooses" in caught.value.what) == bool(is_chosen)
    assert not (is_chosen and "--engine" in caught.value.fix), "which would refuse the other option"


def test_engines_that_would_use_the_option_are_named() -> None:
    """Only those that the board's file knows."""
    with pytest.raises(CompileError) as caught:
        check_how(load_board("raspberry-pi-pico-2"), How(probe="xyz"))
    assert "--engine pyocd" in caught.value.fix
    with pytest.raises(CompileError) as caught:
        check_how(load_board("nucleo-f446re"), How(engine="pyocd", drive=Path("d")))
    assert caught.value.fix == "leave it out"


def test_a_command_without_the_program_is_refused_before_anything_is_built() -> None:
    with pytest.raises(CompileError, match="names none of") as caught:
        check_how(load_board("nucleo-f446re"), How(command="echo hi"))
    assert caught.value.code == "E0701"
