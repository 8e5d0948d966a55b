"""Boards with real networks: all link, and those with an emulator run the very program that a board would get."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import mcucompile
from mcucompile import profile as profiling
from mcucompile.api import Compiled
from mcucompile.data import Samples
from mcucompile.errors import CompileError
from mcucompile.ir import Program
from mcucompile.lower.fit import room_by_region
from mcucompile.run.build import Firmware, build
from mcucompile.run.cycles import function_symbols
from mcucompile.run.device import open_device
from mcucompile.run.flash import How
from mcucompile.run.flash.image import read_image
from mcucompile.run.interface import Interface
from mcucompile.run.qemu import Qemu
from mcucompile.run.serial import SerialPort
from mcucompile.run.tools import find_tool
from mcucompile.target.board import Board, list_boards, load_board
from mcucompile.verify import to_bytes

ROOT = Path(__file__).parent.parent
DIGITS = ROOT / "examples" / "digits"
QUANTIZED = Path(__file__).parent / "models" / "classifier_qdq_int8.onnx"
REAL = [name for name in list_boards() if not load_board(name).is_virtual]
# Parts that QEMU models, with what they have by their data sheets (the Netduino less its CCM).
EMULATED_PARTS = {
    "netduino-plus-2": (1024 * 1024, 128 * 1024),
    "stm32vldiscovery": (128 * 1024, 8 * 1024),
    "microbit-v1": (256 * 1024, 16 * 1024),
    "lm3s6965evb": (256 * 1024, 64 * 1024),
}
ROOMIEST = "mimxrt1060-evk", "nucleo-h743zi"  # by all memory, and by the largest piece of RAM
HARNESS_RAM_NBYTES = 8 * 1024  # stack, frames, variables of the C library
HARNESS_FLASH_NBYTES = 16 * 1024
ALL_MODELS = sorted(Path(os.environ.get("MCUCOMPILE_MODELS", ROOT.parent / "shared" / "models")).glob("*.onnx"))


@pytest.fixture(autouse=True)
def tools() -> None:
    for name in ("arm-none-eabi-gcc", "qemu-system-arm"):
        if not find_tool(name):
            pytest.skip(f"{name} is not installed")


@pytest.fixture(scope="module")
def digits() -> Compiled:
    return mcucompile.compile(
        DIGITS / "digits.onnx", board="microbit-v1", calibration=DIGITS / "calibration.npz", effort="-Os"
    )


@pytest.fixture(scope="module")
def classifier() -> Compiled:
    return mcucompile.compile(QUANTIZED, board="netduino-plus-2")


def firmware_of(c: Compiled, work: Path, hook: bool = False) -> Firmware:
    work.mkdir(exist_ok=True)
    library = c.write_library(work / "library")
    return build(library, Interface.of(c.program), c.board, work / "work", opt=c.options.effort.value, hook=hook)


def test_the_emulated_parts_are_all_here() -> None:
    assert {name for name in REAL if load_board(name).emulator} == set(EMULATED_PARTS)
    assert len(REAL) >= 16 + 1


@pytest.fixture(scope="module")
def lowered_digits(digits: Compiled) -> Callable[[str], Compiled]:
    """The network for a board; boards of the same core that keep the arena in one memory share the program."""
    known: dict[str, Compiled] = {}

    def get(name: str) -> Compiled:
        board = load_board(name)
        key = board.core.name if len(board.arena_regions) == 1 else name
        if key not in known:
            known[key] = digits.for_board(board)
        return replace(known[key], board=board)

    return get


@pytest.mark.parametrize("name", REAL)
def test_digits_link_for_every_board(lowered_digits: Callable[[str], Compiled], tmp_path: Path, name: str) -> None:
    c = lowered_digits(name)
    firmware = firmware_of(c, tmp_path)
    assert c.program.arena_nbytes < firmware.ram_nbytes <= c.board.ram_nbytes + 128 * 1024  # H7: a stack of its own
    assert c.program.weight_nbytes < firmware.flash_nbytes < c.program.weight_nbytes + 32 * 1024


WFI, ISB, NOPS = 0xBF30, [0xF3BF, 0x8F6F], {0xBF00, 0x46C0}  # Armv6-M has none, but mov r8, r8


@pytest.mark.parametrize("name", ["nucleo-g474re", "stm32f4-discovery", "nucleo-h743zi", "nucleo-f072rb"])
def test_a_part_wakes_well_while_a_debugger_looks_on(
    lowered_digits: Callable[[str], Compiled], tmp_path: Path, name: str
) -> None:
    """What ST's errata ask for: the wfi at a multiple of 8 bytes, then an isb, and no branch among the next words."""
    c = lowered_digits(name)
    firmware = firmware_of(c, tmp_path)
    image = read_image(firmware.elf, c.board)
    start, nbytes = function_symbols(firmware.elf)["cpu_sleep"]
    code = np.frombuffer(image.binary(), np.uint16)[(start - image.origin) // 2 :][: nbytes // 2]
    at = code.tolist().index(WFI)
    assert (start // 2 * 2 + 2 * at) % 8 == 0
    assert code[at:].tolist()[1:3] == ISB
    assert set(code[at:].tolist()[3:6]) <= NOPS


@pytest.mark.parametrize("name", EMULATED_PARTS)
def test_digits_run_on_the_emulated_parts(digits: Compiled, name: str) -> None:
    found = digits.for_board(name).verify()
    assert found.ok
    assert found.over_serial == found.samples >= 10
    assert (found.fit.board_flash_nbytes, found.fit.board_ram_nbytes) == EMULATED_PARTS[name]
    assert found.fit.flash_nbytes < found.fit.board_flash_nbytes
    assert found.fit.ram_nbytes <= found.fit.board_ram_nbytes
    assert 0 < found.stack_nbytes < found.fit.stack_nbytes
    assert found.latency is None and not found.note  # an emulator's clock says nothing of the part's
    assert found.ran_on is not None and (found.ran_on.port, found.ran_on.emulator) == (None, "qemu")


def test_what_runs_there_is_what_flash_programs(classifier: Compiled, tmp_path: Path) -> None:
    copied = tmp_path / "copied.elf"
    flashed = classifier.flash(How(engine="command", command=f"cp {{elf}} {copied}"))
    verified = classifier.verify()
    assert verified.ok
    assert verified.elf_sha256 == flashed.sha256
    assert verified.fit.flash_nbytes == flashed.nbytes
    assert b"semihost" not in copied.read_bytes()


def test_all_samples_go_over_the_serial_line(classifier: Compiled) -> None:
    (stored,) = classifier.default_inputs().values()
    samples = {t.name: np.concatenate([stored, stored])[:12] for t in classifier.graph.inputs}
    found = classifier.verify(Samples(samples))
    assert found.ok
    assert found.over_serial == found.samples == 12


def test_each_layer_is_compared_over_the_serial_line(classifier: Compiled) -> None:
    found = classifier.for_board("stm32vldiscovery").verify(per_layer=True)
    assert found.ok
    assert found.layers_compared == sum(len(s.outputs) for s in classifier.program.steps)


@contextmanager
def at_a_port(firmware: Firmware, c: Compiled) -> Iterator[str]:
    """The emulated part behind a TCP port, which is all that a real one's serial line is to the host."""
    with Qemu(c.board, firmware.elf) as qemu:
        with closing(SerialPort(qemu.url)) as line:
            qemu.resume()
            line.read(2.0)
        qemu.wake()
        yield qemu.url


@pytest.mark.parametrize("name", ["netduino-plus-2", "microbit-v1"])
def test_layers_are_timed_at_a_port(classifier: Compiled, tmp_path: Path, name: str) -> None:
    c = classifier.for_board(name)
    with at_a_port(firmware_of(c, tmp_path, hook=True), c) as port:
        found = c.profile(port=port)
    assert found.total is None
    assert found.latency is not None
    assert found.latency.runs == profiling.RUNS
    assert 0 < found.latency.least <= found.latency.median <= found.latency.most
    assert found.latency.counter == "timer"  # QEMU has no DWT
    assert [layer.step for layer in found.layers] == list(c.program.steps)
    assert all(layer.cycles is not None and layer.instructions is None for layer in found.layers)
    assert sum(layer.cycles or 0 for layer in found.layers) > 0
    assert ("not at the 168 MHz of its file" in found.note) == (found.latency.clock_hz != c.board.clock_hz)


def test_a_verified_board_tells_its_latency(classifier: Compiled, tmp_path: Path) -> None:
    with at_a_port(firmware_of(classifier, tmp_path), classifier) as port:
        found = classifier.verify(port=port)
    assert found.ok
    assert found.latency is not None
    assert found.latency.runs == found.samples
    # QEMU's model has no clock tree: the firmware waited for it in vain, and stayed on the internal oscillator.
    assert found.latency.clock_hz == 16_000_000
    assert "runs at 16 MHz, not at the 168 MHz of its file" in found.note
    assert found.ran_on is not None and (found.ran_on.port, found.ran_on.emulator) == (port, None)


def test_a_timer_of_24_bits_goes_on(tmp_path: Path, digits: Compiled) -> None:
    """The same run, slow enough to wrap the timer and fast enough not to."""
    c = digits.for_board("stm32vldiscovery")
    firmware = firmware_of(c, tmp_path)
    data = to_bytes(c.graph, c.default_inputs(), 0)
    with open_device(firmware, c.board, icount=10) as device:  # an instruction takes 2^10 ns, or 24.6 ticks of 24 MHz
        ticks = device.time(data)
    with open_device(firmware, c.board, icount=3) as device:  # 2^3 ns
        fine = device.time(data)
    assert ticks > 2**24
    assert ticks / fine == pytest.approx(128, rel=0.01)


def linked(c: Compiled, name: str, work: Path) -> str:
    """That the network links for the board, or the code of the error that says that it does not fit.

    With the harness it needs a little more than alone: that may be what does not fit, and nothing else.
    """
    try:
        there = c.for_board(name)
    except CompileError as e:
        return e.code
    try:
        firmware_of(there, work)
    except CompileError as e:
        refusal = e
    else:
        return "links"
    assert is_tight(there.program, there.board)[refusal.code], f"{name}: {refusal}"
    return f"{refusal.code} with the harness"


def is_tight(program: Program, board: Board) -> dict[str, bool]:
    """Whether the network leaves too little RAM (E0501), and too little flash (E0502), for the harness."""
    rooms = room_by_region(board, board.ram_nbytes)
    pieces = [(bank.nbytes, rooms[bank.region]) for bank in program.banks] or [(program.arena_nbytes, rooms[0])]
    return {
        "E0501": any(nbytes + HARNESS_RAM_NBYTES > room for nbytes, room in pieces),
        "E0502": program.flash_nbytes + HARNESS_FLASH_NBYTES > board.region("weights").nbytes,
    }


def compiled_for_the_roomiest(model: Path) -> Compiled:
    """Float networks as floats. What fits none of these boards fits nowhere."""
    dtype = "auto" if "int8" in model.stem else "float32"
    for name in ROOMIEST:
        try:
            return mcucompile.compile(model, board=name, effort="-Os", dtype=dtype)
        except CompileError as e:
            reason = f"{e.code}: {e.what}"
    pytest.skip(reason)


@pytest.mark.long
@pytest.mark.parametrize("model", ALL_MODELS or [QUANTIZED], ids=lambda m: m.stem)
def test_every_board_links_every_network_that_fits(model: Path, tmp_path: Path) -> None:
    c = compiled_for_the_roomiest(model)
    found = {name: linked(c, name, tmp_path / name) for name in REAL}
    print(json.dumps(found, indent=1))
    refused = {"E0501", "E0502", "E0501 with the harness", "E0502 with the harness"}
    assert set(found.values()) <= {"links", *refused}
    assert "links" in found.values()
