"""The firmware on emulated boards: answers, traces, faults, hangs, bad lines."""

from __future__ import annotations

import os
import time
from contextlib import closing
from pathlib import Path

import pytest
import tiny
from lossy import LossyPort

from mcucompile.errors import CompileError
from mcucompile.run.build import Firmware, build
from mcucompile.run.device import Device, open_device
from mcucompile.run.limit import RunLimit
from mcucompile.run.protocol import Command
from mcucompile.run.qemu import Qemu
from mcucompile.run.serial import Link, SerialPort
from mcucompile.target.board import Board, list_boards, load_board

SAMPLE = [bytes([1, 2, 3, 255, 5, 128, 7, 8]), bytes([10, 20, 30, 127, 50, 128, 70, 1])]
EMULATED = [name for name in list_boards() if name.startswith("qemu-")]
# The part number, bits 4 to 15 of the CPUID register, from Arm's reference manuals.
PARTS = {"m0": 0xC20, "m3": 0xC23, "m4": 0xC24, "m7": 0xC27, "m33": 0xD21, "m55": 0xD22}


def make(library: Path, board: Board, work: Path) -> Firmware:
    return build(library, tiny.INTERFACE, board, work)


@pytest.mark.parametrize("name", EMULATED)
def test_answers_and_trace(emulator: None, library: Path, tmp_path: Path, name: str) -> None:
    board = load_board(name)
    firmware = make(library, board, tmp_path / "work")
    added, negated, total = tiny.expected(*SAMPLE)
    with open_device(firmware, board) as device:
        assert device.info.cpuid >> 4 & 0xFFF == PARTS[name.removeprefix("qemu-")]
        assert device.run(SAMPLE) == [negated, total]
        assert 0 < device.stack_nbytes < 200
        trace = device.trace(SAMPLE, over_serial=True)
        assert [(s.step, s.output, s.data) for s in trace] == [(0, 0, added), (1, 0, negated), (1, 1, total)]
        assert device.trace(SAMPLE) == trace
        assert device.run(SAMPLE) == [negated, total]


@pytest.mark.parametrize("name", ["netduino-plus-2", "lm3s6965evb", "microbit-v1", "stm32vldiscovery"])
def test_the_firmware_of_real_parts(emulator: None, library: Path, tmp_path: Path, name: str) -> None:
    board = load_board(name)
    added, negated, total = tiny.expected(*SAMPLE)
    with open_device(make(library, board, tmp_path / "work"), board) as device:
        assert device.run(SAMPLE) == [negated, total]
        assert [s.data for s in device.trace(SAMPLE)] == [added, negated, total]
        assert device.info.counter == "timer"
        assert device.time(SAMPLE) > 0
        with pytest.raises(CompileError) as caught:  # it has no way to the files of this machine
            device._link.request(Command.BATCH, bytes(8))
        assert "does not know this command" in caught.value.what


def slow_network(loops: int) -> str:
    """What the network does, after a loop that takes its time."""
    return tiny.NETWORK.replace(
        "tiny_add(arena, ", f"for (volatile int i = 0; i < {loops}; i++) {{}}\n    tiny_add(arena, ", 1
    )


@pytest.mark.parametrize(("name", "is_counted"), [("netduino-plus-2", True), ("microbit-v1", False)])
def test_a_run_that_takes_longer_than_32_bits_count(
    emulator: None, tmp_path: Path, name: str, is_counted: bool
) -> None:
    """An instruction takes 2^10 ns of the emulated board's time. From two short runs it is known what a long one takes.

    The timer of the micro:bit has 32 bits and nothing behind them: then there is no number rather than a wrong one.
    """
    cycles = []
    board = load_board(name)
    with_long = 9_000_000 if is_counted else 50_000_000
    for loops in (100_000, 1_100_000, with_long):
        library = tiny.write(tmp_path / f"library{loops}", network=slow_network(loops))
        firmware = make(library, board, tmp_path / f"work{loops}")
        with open_device(firmware, board, icount=10) as device:
            cycles.append(device.time(SAMPLE))
            if loops < with_long:
                assert sum(device.ticks(SAMPLE).parts) == pytest.approx(cycles[-1], rel=1e-3)
            else:
                with pytest.raises(CompileError, match=r"a layer took 2\^32 cycles or more"):
                    device.ticks(SAMPLE)
    expected = cycles[0] + (cycles[1] - cycles[0]) * (with_long - 100_000) / 1_000_000
    assert expected > 2**32
    assert cycles[2] == pytest.approx(expected, rel=1e-4) if is_counted else cycles[2] == 0


def test_a_burst_is_kept_while_the_network_runs(emulator: None, tmp_path: Path) -> None:
    """A host that repeats itself too early: each request comes twice, the second one while the first is carried out."""
    board = load_board("netduino-plus-2")
    firmware = make(tiny.write(tmp_path / "library", network=slow_network(300000)), board, tmp_path / "work")
    with Qemu(board, firmware.elf) as qemu, closing(SerialPort(qemu.url)) as line:
        qemu.resume()
        line.read(2.0)
        qemu.wake()
        device = Device(Link(TwicePort(line)), tiny.INTERFACE, firmware.program_id)
        for _ in range(3):
            sample = [os.urandom(8), os.urandom(8)]
            assert device.run(sample) == list(tiny.expected(*sample)[1:])


class TwicePort:
    """A line on which everything is sent twice."""

    def __init__(self, line: SerialPort) -> None:
        self._line = line

    def read(self, seconds: float) -> bytes:
        return self._line.read(seconds)

    def write(self, data: bytes) -> None:
        self._line.write(data)
        self._line.write(data)

    def close(self) -> None:
        self._line.close()


def test_a_large_batch(emulator: None, library: Path, tmp_path: Path) -> None:
    board = load_board("qemu-m4")
    samples = [[os.urandom(8), os.urandom(8)] for _ in range(2000)]
    with open_device(make(library, board, tmp_path / "work"), board) as device:
        assert device.run_batch(samples) == [list(tiny.expected(*sample)[1:]) for sample in samples]


@pytest.mark.parametrize("seed", range(4))
def test_a_bad_line(emulator: None, library: Path, tmp_path: Path, seed: int) -> None:
    board = load_board("qemu-m3")
    firmware = make(library, board, tmp_path / "work")
    added, negated, total = tiny.expected(*SAMPLE)
    with Qemu(board, firmware.elf) as qemu, closing(SerialPort(qemu.url)) as line:
        qemu.resume()
        line.read(2.0)
        qemu.wake()
        bad = LossyPort(line, seed, rate=0.1)
        device = Device(Link(bad, retry_seconds=0.1), tiny.INTERFACE, firmware.program_id)
        for _ in range(5):
            assert device.run(SAMPLE) == [negated, total]
        assert [s.data for s in device.trace(SAMPLE, over_serial=True)] == [added, negated, total]
        assert bad.harmed > 0


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_hang_is_an_error_in_time(emulator: None, tmp_path: Path) -> None:
    hanging = tiny.NETWORK.replace("tiny_add(arena, ", "for (volatile int i = 0; i == 0;) {}\n    tiny_add(arena, ", 1)
    board = load_board("qemu-m4")
    firmware = make(tiny.write(tmp_path / "library", network=hanging), board, tmp_path / "work")
    for run in (lambda d: d.run(SAMPLE), lambda d: d.run_batch([SAMPLE])):
        start = time.monotonic()
        with pytest.raises(CompileError) as caught, open_device(firmware, board, limit=RunLimit(1.0)) as device:
            run(device)
        assert caught.value.code == "E0605"
        assert time.monotonic() - start < 8


@pytest.mark.parametrize("name", EMULATED)
def test_a_fault_is_reported(emulator: None, tmp_path: Path, name: str) -> None:
    faulty = tiny.KERNELS.replace("int8_t running = 0;", 'int8_t running = 0;\n    __asm__ volatile("udf #0");')
    board = load_board(name)
    firmware = make(tiny.write(tmp_path / "library", kernels=faulty), board, tmp_path / "work")
    with open_device(firmware, board) as device:
        for _ in range(2):
            with pytest.raises(CompileError) as caught:
                device.run(SAMPLE)
            assert caught.value.code == "E0608"
            assert "Fault" in caught.value.what
    assert "pc 0x" in caught.value.where


def test_a_stack_overflow_is_reported(emulator: None, tmp_path: Path) -> None:
    greedy = "int8_t big[40000]; for (int i = 0; i < 40000; i++) { ((volatile int8_t *)big)[i] = 1; }"
    kernels = tiny.KERNELS.replace("int8_t running = 0;", f"int8_t running = 0;\n    {greedy}")
    board = load_board("qemu-m4")
    firmware = make(tiny.write(tmp_path / "library", kernels=kernels), board, tmp_path / "work")
    with pytest.raises(CompileError) as caught, open_device(firmware, board) as device:
        device.run(SAMPLE)
    assert caught.value.code == "E0608"
    assert "stack" in caught.value.what or "Fault" in caught.value.what


@pytest.mark.parametrize(
    ("old", "new", "message", "code"),
    [
        ("tiny_add(arena, ", "return -5;\n    tiny_add(arena, ", "could not run", "code -5"),
        ("arena = a != NULL", "if (size == 0) { return 3; }\n    arena = a != NULL", "could not initialize", "code 3"),
    ],
)
def test_a_refusing_network(emulator: None, tmp_path: Path, old: str, new: str, message: str, code: str) -> None:
    board = load_board("qemu-m4")
    library = tiny.write(tmp_path / "library", network=tiny.NETWORK.replace(old, new, 1))
    firmware = build(library, tiny.INTERFACE, board, tmp_path / "work", opt="-O1")
    with pytest.raises(CompileError) as caught, open_device(firmware, board) as device:
        device.run(SAMPLE)
    assert caught.value.code == "E0608"
    assert message in caught.value.what
    assert code in caught.value.why


def test_another_program(emulator: None, library: Path, tmp_path: Path) -> None:
    board = load_board("qemu-m4")
    one = make(library, board, tmp_path / "one")
    two = build(library, tiny.INTERFACE, board, tmp_path / "two", opt="-Os")
    two.elf.write_bytes(one.elf.read_bytes())
    with pytest.raises(CompileError) as caught, open_device(two, board):
        pass
    assert caught.value.code == "E0607"
    assert "`mcucompile profile`" in caught.value.why and "`mcucompile flash`" in caught.value.fix


def test_wrong_inputs_are_refused(emulator: None, library: Path, tmp_path: Path) -> None:
    board = load_board("qemu-m4")
    with open_device(make(library, board, tmp_path / "work"), board) as device:
        for call in (device.run, device.trace, device.ticks, lambda inputs: device.run_batch([inputs])):
            with pytest.raises(CompileError) as caught:
                call([bytes(8)])
            assert caught.value.code == "E0202"


def test_the_firmware_can_end_the_emulator(emulator: None, library: Path, tmp_path: Path) -> None:
    board = load_board("qemu-m4")
    with open_device(make(library, board, tmp_path / "work"), board) as device:
        device._link.request(Command.EXIT, bytes([7]))
        with pytest.raises(CompileError) as caught:
            device.run(SAMPLE)
    assert caught.value.code == "E0604"
    assert "exit code 7" in caught.value.what
