"""pyOCD's own flash engine on an emulated processor: erase, program, read back, run; and what can be wrong."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import tiny
from gdb_remote import Disconnected, GdbRemote, MemoryFault
from machine import SECTOR_NBYTES, TARGET, EmptyMachine, flash_algorithm, target_class
from pyocd.core.exceptions import ProbeDisconnected, ProbeError
from pyocd.coresight.core_ids import CORE_TYPE_NAME
from pyocd.target import BUILTIN_TARGETS
from pyocd.target import TARGET as TARGETS
from pyocd.target.family.target_nRF52 import NRF52
from qemu_probe import Core, QemuProbe

from mcucompile.errors import CompileError
from mcucompile.run import ports
from mcucompile.run.build import Firmware
from mcucompile.run.device import open_device
from mcucompile.run.flash import How, flash, pyocd
from mcucompile.run.flash.image import read_image
from mcucompile.target.board import Board, list_boards, load_board
from mcucompile.target.cores import CORES
from mcucompile.target.flashing import ChipId, UsbId

SAMPLE = [bytes([1, 2, 3, 255, 5, 128, 7, 8]), bytes([10, 20, 30, 127, 50, 128, 70, 1])]


def with_flashing(board: Board, **changed: Any) -> Board:
    assert board.flashing is not None
    return replace(board, flashing=replace(board.flashing, **changed))


def refused(firmware: Firmware, board: Board, how: How | None = None, port: str | None = None) -> CompileError:
    with pytest.raises(CompileError) as caught:
        flash(firmware, board, how or How(), port)
    assert caught.value.fix
    return caught.value


def content(machine: EmptyMachine, nbytes: int) -> bytes:
    core = QemuProbe("emulated")
    core.open()
    try:
        assert isinstance(core.core, Core)
        return core.core.read_block(0, nbytes)
    finally:
        core.close()


def test_what_was_flashed_runs(machine: EmptyMachine, board: Board, firmware: Firmware) -> None:
    done: list[tuple[int, int]] = []
    image = read_image(firmware.elf, board)
    flashed = flash(firmware, board, How(), progress=lambda *step: done.append(step))
    assert (flashed.sha256, flashed.nbytes, flashed.is_read_back) == (image.sha256, image.nbytes, True)
    assert flashed.erased_nbytes == -(-image.nbytes // SECTOR_NBYTES) * SECTOR_NBYTES
    assert flashed.program_id == firmware.program_id.hex()
    assert done[0] == (0, 0) and done == sorted(done) and done[-1] == (3 * image.nbytes, 3 * image.nbytes)
    with open_device(firmware, board, port=machine.url) as device:
        assert device.run(SAMPLE) == list(tiny.expected(*SAMPLE)[1:])
    assert flash(firmware, board, How()).is_read_back, "a board whose program runs can be programmed"


def test_no_probe(machine: EmptyMachine, board: Board, firmware: Firmware, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(QemuProbe, "connections", {})
    assert refused(firmware, board).code in ("E0802", "E0806")


def test_two_probes(machine: EmptyMachine, board: Board, firmware: Firmware, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(QemuProbe, "connections", {"066AFF01": machine.connect, "066AFF02": machine.connect})
    error = refused(firmware, board)
    assert error.code == "E0803"
    assert "066AFF01" in error.why and "066AFF02" in error.why
    assert flash(firmware, board, How(probe="AFF02")).through.endswith("066AFF02")
    assert flash(firmware, board, How(probe="66aff01")).through.endswith("066AFF01")
    other_one = refused(firmware, board, How(probe="B1"))
    assert other_one.code == "E0802"
    assert "B1" in other_one.what and "066AFF01" in other_one.why
    other = ports.UsbPort("/dev/ttyACM3", UsbId(0x483, 0x374B), "00066aff01", "")
    monkeypatch.setattr(ports, "usb_ports", lambda: [other])
    flashed = flash(firmware, board, How(), "/dev/ttyACM3")
    assert flashed.through.endswith("066AFF01"), "the probe that the serial port is on"


def test_another_core_is_left_alone(machine: EmptyMachine, board: Board, firmware: Firmware) -> None:
    error = refused(firmware, replace(board, core=CORES["cortex-m7"]))
    assert error.code == "E0805"
    assert "0xc24" in error.why and "cortex-m7" in error.why
    assert content(machine, 64) == bytes(64)


def test_cores_are_known_by_the_numbers_that_pyocd_has() -> None:
    theirs = {name.lower().replace("+", "plus"): part for (_, part), name in CORE_TYPE_NAME.items()}
    assert {name: theirs[name] for name in pyocd.PARTS} == pyocd.PARTS
    assert {core.cpu for core in CORES.values()} <= pyocd.PARTS.keys()


def test_another_board_runs_on(machine: EmptyMachine, board: Board, firmware: Firmware) -> None:
    flash(firmware, board, How())
    assert refused(firmware, replace(board, core=CORES["cortex-m7"])).code == "E0805"
    with open_device(firmware, board, port=machine.url) as device:
        assert device.run(SAMPLE) == list(tiny.expected(*SAMPLE)[1:])


def test_a_probe_that_is_gone_is_not_asked_for_more(
    machine: EmptyMachine, board: Board, firmware: Firmware, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def ask(self: Core, address: int, *_: object) -> None:
        asked.append(address)
        raise Disconnected("gone")

    def unplug(job: object, read32: Callable[[int], int]) -> None:
        for name in ("read", "write", "read_block"):
            monkeypatch.setattr(Core, name, ask)
        read32(pyocd.CPUID)

    monkeypatch.setattr(pyocd, "_check_part", unplug)
    assert refused(firmware, board).code == "E0807"
    assert asked == [pyocd.CPUID]


class Attempts:
    """The modes in which pyOCD tried to connect; in `modes` it fails."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, error: Exception, modes: tuple[str, ...]) -> None:
        self.tried: list[str] = []

        def set_clock(probe: Any, frequency: float) -> None:
            self.tried.append(probe.session.options["connect_mode"])
            if self.tried[-1] in modes:
                raise error

        monkeypatch.setattr(QemuProbe, "set_clock", set_clock)  # the first that is asked of an open probe


STLINK_WITHOUT_ANSWER = ProbeError("STLink error (9): Get IDCODE error")


def test_a_part_that_sleeps_is_reached_under_reset(
    machine: EmptyMachine, board: Board, firmware: Firmware, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempts = Attempts(monkeypatch, STLINK_WITHOUT_ANSWER, ("halt",))
    assert flash(firmware, board, How()).is_read_back
    assert attempts.tried == ["halt", "under-reset"]


@pytest.mark.parametrize(
    ("error", "tried", "told"),
    [
        (STLINK_WITHOUT_ANSWER, ["halt", "under-reset"], "the chip does not answer"),
        (ProbeDisconnected("gone"), ["halt"], "the connection to the probe was lost"),
    ],
)
def test_no_connection(
    machine: EmptyMachine, board: Board, firmware: Firmware, monkeypatch: pytest.MonkeyPatch,
    error: Exception, tried: list[str], told: str,
) -> None:  # fmt: skip
    attempts = Attempts(monkeypatch, error, ("halt", "under-reset"))
    found = refused(firmware, board)
    assert found.code == "E0807"
    assert attempts.tried == tried
    hints = [hint for hint in ("the chip does not answer", "the connection to the probe was lost") if hint in found.why]
    assert hints == [told]
    assert "nothing was erased" in found.why


def test_a_probe_that_does_not_open_is_told_as_it_is(
    machine: EmptyMachine, board: Board, firmware: Firmware, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(probe: QemuProbe) -> None:
        raise ProbeError("older firmware version. Please update it.")

    monkeypatch.setattr(QemuProbe, "open", refuse)
    why = refused(firmware, board).why
    assert "Please update it" in why
    assert "does not answer" not in why and "lost" not in why


class Nordic(NRF52):  # type: ignore[misc]
    """As far as the word of UICR goes: it takes writes while NVMC's CONFIG allows them, and bits only go to 0."""

    def __init__(self, word: int, is_hardened: bool) -> None:
        self.hardened_approtect, self.is_writable = is_hardened, False
        self.word = word

    def read32(self, address: int) -> int:
        return {pyocd.UICR_APPROTECT: self.word, 0x4001E400: 1}[address]

    def write32(self, address: int, value: int) -> None:
        if address == 0x4001E504:
            self.is_writable = value == 1
        elif address == pyocd.UICR_APPROTECT and self.is_writable:
            self.word &= value


@pytest.mark.parametrize(
    ("is_hardened", "before", "after"),
    [
        (True, 0xFFFFFFFF, 0x5A),
        (True, 0xFFFFFF5A, 0xFFFFFF5A),
        (True, 0xFFFFFF00, 0xFFFFFF00),
        (False, 0xFFFFFFFF, 0xFFFFFFFF),
    ],
)
def test_a_part_that_locks_itself_stays_open(is_hardened: bool, before: int, after: int) -> None:
    part = Nordic(before, is_hardened)
    pyocd.keep_unlocked(part)
    assert part.word == after
    assert not part.is_writable


def test_another_chip_is_left_alone(machine: EmptyMachine, board: Board, firmware: Firmware) -> None:
    """The word at CPUID stands in for a chip's id: 0x410fc241 on this core, r0p1."""
    right = ChipId(pyocd.CPUID, 0xFFF0, (0xC240,))
    error = refused(firmware, with_flashing(board, chip=replace(right, ids=(0xC230, 0xC200))))
    assert error.code == "E0805"
    assert "0xc240, not 0xc230 or 0xc200" in error.why
    assert content(machine, 64) == bytes(64)
    assert flash(firmware, with_flashing(board, chip=right), How()).is_read_back


@pytest.mark.parametrize("address", [0x20000000, 0xE0042000])
def test_an_id_that_reads_as_nothing_says_nothing(
    machine: EmptyMachine, board: Board, firmware: Firmware, address: int
) -> None:
    assert flash(firmware, with_flashing(board, chip=ChipId(address, 0xFFF, (0x421,))), How()).is_read_back


def test_a_locked_chip(machine: EmptyMachine, board: Board, firmware: Firmware, tmp_path: Path) -> None:
    TARGETS[TARGET].is_locked = lambda self: True
    error = refused(firmware, board)
    assert error.code == "E0804"
    assert "erases it" in error.fix
    assert content(machine, 64) == bytes(64)


class ErasedIsFault:
    """Flash of which a word cannot be read before it was programmed: that of an LPC55, or after a cut."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, is_protected: bool) -> None:
        self.read, self.is_protected = GdbRemote.read, is_protected
        monkeypatch.setattr(GdbRemote, "read", lambda remote, address, nbytes: self.answer(remote, address, nbytes))

    def answer(self, remote: GdbRemote, address: int, nbytes: int) -> bytes:
        data = self.read(remote, address, nbytes)
        if address < 0x400000 and (self.is_protected or not any(data)):
            raise MemoryFault("cannot be read")
        return data


def test_flash_that_cannot_be_read_before_it_was_programmed(
    machine: EmptyMachine, board: Board, firmware: Firmware, monkeypatch: pytest.MonkeyPatch
) -> None:
    ErasedIsFault(monkeypatch, is_protected=False)
    assert flash(firmware, board, How()).is_read_back


def test_flash_that_can_neither_be_read_nor_programmed(
    machine: EmptyMachine, board: Board, firmware: Firmware, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As an STM32's with readout protection, as soon as a debugger is there."""
    erased = "word[i] = 0xFFFFFFFFu;\n    }\n    return"
    algorithm = flash_algorithm(tmp_path, **{f"{erased} OK;": f"{erased} NOT_ERASED;"})
    monkeypatch.setitem(TARGETS, TARGET, target_class(algorithm))
    ErasedIsFault(monkeypatch, is_protected=True)
    error = refused(firmware, board)
    assert error.code == "E0804"
    assert "neither be read nor programmed" in error.why


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("word[i] = data[i];", "word[i] = i == 20u ? 0u : data[i];", "E0808"),
        ("word[i] = 0xFFFFFFFFu;", "word[i] = 0x0FFFFFFFu;", "E0807"),
    ],
)
def test_flash_that_does_not_do_what_it_should(
    machine: EmptyMachine, board: Board, firmware: Firmware, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    old: str, new: str, code: str,
) -> None:  # fmt: skip
    """Words that do not come, with an algorithm that says they do; and sectors that are not erased."""
    monkeypatch.setitem(TARGETS, TARGET, target_class(flash_algorithm(tmp_path, **{old: new})))
    assert refused(firmware, board).code == code


def test_an_algorithm_that_hangs(
    machine: EmptyMachine, board: Board, firmware: Firmware, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hanging = flash_algorithm(tmp_path, **{"if ((word[i] & data[i]) != data[i]) {": 'for (;;) { __asm__ volatile("");'})
    monkeypatch.setitem(TARGETS, TARGET, target_class(hanging))
    monkeypatch.setitem(pyocd.OPTIONS, "flash.timeout.program", 0.5)
    assert refused(firmware, board).code == "E0807"


@pytest.mark.parametrize("is_connected", [True, False])
def test_a_part_that_pyocd_does_not_know(
    machine: EmptyMachine, board: Board, firmware: Firmware, monkeypatch: pytest.MonkeyPatch, is_connected: bool
) -> None:
    """It is told also as long as there is no probe: a pack can be loaded before."""
    if not is_connected:
        monkeypatch.setattr(QemuProbe, "connections", {})
    error = refused(firmware, with_flashing(board, target="stm32z999"))
    assert error.code == "E0810"
    assert "pyocd pack install stm32z999" in error.fix
    if not is_connected:
        assert refused(firmware, board).code == "E0802"


ROOT = Path(__file__).parents[3]
PACKS = {
    "blue-pill": "stm32f103c8", "netduino-plus-2": "stm32f405rgtx", "nucleo-f072rb": "stm32f072rbtx",
    "nucleo-f446re": "stm32f446retx", "nucleo-g0b1re": "stm32g0b1retx", "nucleo-g474re": "stm32g474retx",
    "nucleo-l4r5zi": "stm32l4r5zitx", "nucleo-u575zi-q": "stm32u575zitx", "stm32f4-discovery": "stm32f407vgtx",
    "stm32vldiscovery": "stm32f100rb",
}  # fmt: skip


def test_the_readme_names_the_packs_that_pyocd_needs() -> None:
    """All boards that no pack is listed for are built into pyOCD, of which no pack installed here makes others."""
    readme = (ROOT / "README.md").read_text()
    flashed = {name: found.target for name in list_boards() if (found := load_board(name).flashing) and found.target}
    assert {name: target for name, target in flashed.items() if target not in BUILTIN_TARGETS} == PACKS
    assert "pyocd pack install" in readme
    headline = re.search(r"mcucompile verify (examples/\S+) --board (\S+) --calibration (examples/\S+)\n", readme)
    assert headline, "a command that can be pasted"
    assert headline[2] in flashed.keys() - PACKS.keys(), "and works the first time"
    assert all((ROOT / headline[k]).is_file() for k in (1, 3))
    for name, target in PACKS.items():
        assert f"`{name}` ({target})" in " ".join(readme.split())


def test_a_part_without_flash_there(
    machine: EmptyMachine, board: Board, firmware: Firmware, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = refused(firmware, with_flashing(board, target="cortex_m"))
    assert error.code == "E0810"
    assert "0x00000000" in error.what


def test_pyocd_is_not_installed(board: Board, firmware: Firmware, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    error = refused(firmware, board)
    assert (error.code, error.exit_code) == ("E0801", 3)
    assert "mcucompile[boards]" in error.fix


def test_engines_that_the_board_file_does_not_know(board: Board, firmware: Firmware) -> None:
    for engine in ("openocd", "stm32-uart", "uf2", "command"):
        error = refused(firmware, board, How(engine=engine))
        assert error.code == "E0810"
        assert "pyocd" in error.why
    assert "uf2" in refused(firmware, board, How(drive=Path("/media/PICO"))).what
    assert refused(firmware, replace(board, flashing=None)).code == "E0810"


def test_a_command_of_the_users(board: Board, firmware: Firmware) -> None:
    flashed = flash(firmware, board, How(command="test -s {elf}"))
    assert (flashed.engine, flashed.is_read_back, flashed.erased_nbytes) == ("command", False, None)
