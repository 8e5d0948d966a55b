"""The device that runs a network: an emulated board or a real one, behind the same serial protocol."""

from __future__ import annotations

import struct
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..errors import CompileError
from ..target.board import Board
from .build import Firmware
from .interface import Interface, StepOutput
from .limit import DEFAULT_LIMIT, RunLimit
from .protocol import Command, Mode
from .qemu import Qemu
from .serial import REPROGRAM, Link, SerialPort

BOOT_SECONDS = 2.0
_FINISHED = 0
COUNTER_RANGE = 2**32  # of what is counted for each layer
COUNTERS = {0: "", 1: "timer", 2: "DWT"}


@dataclass(frozen=True)
class DeviceInfo:
    """What the device says of itself; `cpuid` is the register of that name, `clock_hz` what the processor runs with.

    `counter` is what measures cycles there: "DWT" the processor's cycle counter, "timer" one that counts like it, ""
    where there is none.
    """

    program_id: bytes
    cpuid: int
    payload_nbytes: int
    arena_nbytes: int
    clock_hz: int
    counter: str


@contextmanager
def open_device(
    firmware: Firmware,
    board: Board,
    *,
    port: str | None = None,
    icount: int | None = None,
    options: Sequence[str] = (),
    limit: RunLimit = DEFAULT_LIMIT,
) -> Iterator[Device]:
    """The emulated board with the firmware in it, or the real one at the serial port `port`, already programmed.

    `icount` and `options` as Qemu takes them. `limit` is for one run of the network, on a real board by its clock.
    Raises E0303 when the board is not emulated and no port was given, E0602, E0604, E0605, E0607, E0609.
    """
    if port is not None:
        with closing(SerialPort(port, board.uart.baud if board.uart else 115200)) as line:
            link = Link(line, reprogram=_reprogram(board))
            yield Device(link, firmware.interface, firmware.program_id, limit=limit, timed=True)
        return
    with Qemu(board, firmware.elf, icount=icount, options=options) as qemu, closing(SerialPort(qemu.url)) as line:
        qemu.resume()
        line.read(BOOT_SECONDS)  # the firmware's sign of life
        qemu.wake()
        link = Link(line, lossless=True, check_alive=qemu.check_alive)
        files = board.is_virtual
        yield Device(link, firmware.interface, firmware.program_id, limit=limit, emulated=files)


def _reprogram(board: Board) -> str:
    if board.flashing is not None:
        return REPROGRAM
    return (
        f"add a [flash] table to the file of {board.name}, so that mcucompile can program it; with"
        ' engine = "command" any tool does that'
    )


class Device:
    """The other end of `link`, which must run the program `program_id`; another one is E0607.

    `emulated`: it may read and write files of this machine. `timed`: its cycles are worth measuring, and so its clock
    says how long a run may take.

    All methods raise E0605, E0606 and E0608 as Link.request does, and E0202 for inputs of the wrong size.
    """

    def __init__(
        self,
        link: Link,
        interface: Interface,
        program_id: bytes,
        *,
        limit: RunLimit = DEFAULT_LIMIT,
        emulated: bool = False,
        timed: bool = False,
    ) -> None:
        self._link, self._interface = link, interface
        self._emulated, self._timed = emulated, timed
        self.info = _info(link.request(Command.HELLO))
        self._run_seconds = limit.at(self.info.clock_hz) if timed else limit.seconds
        if self.info.program_id != program_id:
            raise CompileError(
                "E0607",
                "the device runs another program than the one just built",
                why=f"built {program_id.hex()}, found {self.info.program_id.hex()}; `mcucompile profile` and "
                "`verify --per-layer` each leave a program of their own on a board",
                fix=link.reprogram,
            )
        self.stack_nbytes = 0
        """The most stack that the last run used."""
        self._cycles = 0  # of the last run, where they were counted
        self.run_cycles: list[int] = []
        """What each timed run took, with the call and the return."""

    @property
    def latency(self) -> Latency | None:
        return Latency.of(self.run_cycles, self.info)

    def time(self, inputs: Sequence[bytes]) -> int:
        """The cycles of one run; 0 where nothing counts them, or not so many."""
        self._write_inputs(inputs)
        return self._time()

    def run(self, inputs: Sequence[bytes]) -> list[bytes]:
        """The outputs for one sample, inputs and outputs over the serial line."""
        self._write_inputs(inputs)
        if self._timed:
            self._time()
        else:
            self._run(Mode.PLAIN)
        return self._read_outputs()

    def run_batch(self, samples: Sequence[Sequence[bytes]]) -> list[list[bytes]]:
        """The outputs of each sample; on an emulator the data goes through files, which is faster."""
        if not self._emulated:
            return [self.run(inputs) for inputs in samples]
        return [outputs for _, outputs in self._batch(samples, Mode.PLAIN)]

    def trace(self, inputs: Sequence[bytes], *, over_serial: bool = False) -> list[StepOutput]:
        """What every step wrote, in order. Needs firmware with hooks. `over_serial`: also on an emulator."""
        if self._emulated and not over_serial:
            return self._batch([inputs], Mode.TRACE)[0][0]
        self._write_inputs(inputs)
        return list(self._steps())

    def ticks(self, inputs: Sequence[bytes]) -> Ticks:
        """The processor clock's ticks in each step of one run; modulo 2^24 where the firmware is for an emulator only.

        Raises E0608 where a step took 2^32 or more.
        """
        if self._emulated:
            self._batch([inputs], Mode.TICKS)
        else:
            self._write_inputs(inputs)
            self._run(Mode.TICKS)
        # Whole reply: one per call of the hook, what follows the last one, two spare, cost of a call, cost of nothing.
        count = len(self._interface.events) + 5
        values = self._read_ticks(count)
        ticks = Ticks(tuple(values[: self._events + 1]), values[-2], values[-1])
        if self.info.counter and not self._emulated:
            self._check_range(ticks)
        return ticks

    def _check_range(self, ticks: Ticks) -> None:
        """The whole is counted further than the parts, or it is told that it went beyond."""
        if self._cycles == 0 or self._cycles - sum(ticks.parts) >= COUNTER_RANGE // 2:
            whole = f", of {self._cycles:,} in all" if self._cycles else ""
            what = f"a layer took 2^32 cycles or more{whole}: the device does not count so many"
            raise CompileError("E0608", what, fix="measure a smaller network; `mcucompile verify` runs this one, too")

    def _time(self) -> int:
        self._run(Mode.TIMED)
        self.run_cycles += [self._cycles] if self._cycles else []
        return self._cycles

    def _write_inputs(self, inputs: Sequence[bytes]) -> None:
        self._interface.check_inputs(inputs)
        for port, data in enumerate(inputs):
            for offset, nbytes in self._chunks(len(data)):
                head = struct.pack("<HI", port, offset)
                self._link.request(Command.WRITE, head + data[offset : offset + nbytes])

    def _read_outputs(self) -> list[bytes]:
        first = len(self._interface.inputs)
        return [
            b"".join(
                self._link.request(Command.READ, struct.pack("<HII", port, *chunk))
                for chunk in self._chunks(block.nbytes)
            )
            for port, block in enumerate(self._interface.outputs, first)
        ]

    def _chunks(self, nbytes: int) -> list[tuple[int, int]]:
        most = self.info.payload_nbytes
        return [(offset, min(most, nbytes - offset)) for offset in range(0, nbytes, most)]

    def _run(self, mode: Mode) -> bytes:
        return self._advance(self._link.request(Command.RUN, bytes([mode]), patience=self._run_seconds))

    def _advance(self, reply: bytes) -> bytes:
        if reply[0] == _FINISHED:
            _, self.stack_nbytes, self._events, self._cycles = struct.unpack("<BIIQ", reply)
        return reply

    def _steps(self) -> Iterator[StepOutput]:
        reply, last, output = self._run(Mode.STEPWISE), -1, 0
        while reply[0] != _FINISHED:
            _, step, nbytes = struct.unpack("<BII", reply)
            last, output = step, output + 1 if step == last else 0
            chunks = self._chunks(nbytes)
            data = [self._link.request(Command.READ_STEP, struct.pack("<II", *chunk)) for chunk in chunks]
            yield StepOutput(step, output, b"".join(data))
            reply = self._advance(self._link.request(Command.CONTINUE, patience=self._run_seconds))

    def _read_ticks(self, count: int) -> list[int]:
        values: list[int] = []
        for offset, nbytes in self._chunks(4 * count):
            data = self._link.request(Command.READ_TICKS, struct.pack("<II", offset // 4, nbytes // 4))
            values += struct.unpack(f"<{nbytes // 4}I", data)
        return values

    def _batch(self, samples: Sequence[Sequence[bytes]], mode: Mode) -> list[tuple[list[StepOutput], list[bytes]]]:
        for inputs in samples:
            self._interface.check_inputs(inputs)
        with tempfile.TemporaryDirectory(prefix="mcucompile-batch-") as folder:
            inputs_path, outputs_path = Path(folder) / "inputs", Path(folder) / "outputs"
            inputs_path.write_bytes(b"".join(data for inputs in samples for data in inputs))
            outputs_path.write_bytes(b"")
            names = b"".join(str(path).encode() + b"\0" for path in (inputs_path, outputs_path))
            reply = self._link.request(
                Command.BATCH,
                struct.pack("<BI", mode, len(samples)) + names,
                patience=self._run_seconds,
                progress=lambda: outputs_path.stat().st_size,
            )
            self.stack_nbytes, self._events = struct.unpack("<II", reply)
            return self._interface.decode_batch(outputs_path.read_bytes())


@dataclass(frozen=True)
class Latency:
    """Cycles of whole runs, which the processor's `counter` measured at `clock_hz`."""

    runs: int
    least: int
    median: int
    most: int
    clock_hz: int
    counter: str

    @classmethod
    def of(cls, cycles: Sequence[int], info: DeviceInfo) -> Latency | None:
        """None where nothing was, or could be, measured."""
        if not cycles or not info.counter:
            return None
        ordered = sorted(cycles)
        least, median, most = ordered[0], ordered[len(cycles) // 2], ordered[-1]
        return cls(len(cycles), least, median, most, info.clock_hz, info.counter)

    def milliseconds(self, cycles: int) -> float:
        return 1000 * cycles / self.clock_hz


@dataclass(frozen=True)
class Ticks:
    """`parts`: up to each call of the hook, and after the last. `hook` is in each but the last, `empty` in the last."""

    parts: tuple[int, ...]
    hook: int
    empty: int

    @property
    def costs(self) -> list[int]:
        """The parts without what measuring them cost; a real counter does not wrap, but may be off by some cycles."""
        return [max(0, p - self.hook) for p in self.parts[:-1]] + [max(0, self.parts[-1] - self.empty)]


def _info(data: bytes) -> DeviceInfo:
    program_id, cpuid, payload_nbytes, _, arena_nbytes, init, clock_hz, kind = struct.unpack("<8s4Ii2I", data)
    if init != 0:
        raise CompileError("E0608", "the device could not initialize the network", why=f"code {init}")
    return DeviceInfo(program_id, cpuid, payload_nbytes, arena_nbytes, clock_hz, COUNTERS[kind])
