"""Run a compiled network on a board, emulated or real, and compare every byte with the reference.

A board that is neither emulated nor on a serial port is built for only, and the fit is told.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from . import reference
from .ir import Array, Graph, Program, Tensor
from .mismatch import Mismatch, first_mismatch, float_tolerance, ulp_distance
from .run.build import Firmware, build, stack_nbytes
from .run.device import Device, Latency, open_device
from .run.flash import Flashed, How, elf_sha256, ensure_programmed, no_progress
from .run.interface import Interface
from .run.limit import RunLimit
from .run.ran_on import RanOn, at_port, clock_note, emulated
from .target.board import Board

SERIAL_SAMPLES = 10  # at least so many inputs and outputs go over the serial line; more may take a faster way

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Fit:
    """Bytes of the linked firmware (the network and what runs it) and of the board; RAM includes the stack's."""

    flash_nbytes: int
    board_flash_nbytes: int
    ram_nbytes: int
    board_ram_nbytes: int
    stack_nbytes: int


@dataclass(frozen=True, eq=False)
class Verification:
    """`outputs` by name are what the device answered, [samples, ...] as stored; float networks compare within `ulp`.

    Where nothing could be run `ran_on` is None, and there is only the firmware and its fit. `layer_samples` is for how
    many samples the `layers_compared` intermediate tensors were compared. `elf_sha256` is of the program that ran; with
    `hooks` after each layer it is another one than `mcucompile flash` writes. `flashed` is how it came onto a real
    board; None where the board had it already. `latency` was measured on a real board. `note` says what is odd about
    the run.
    """

    board: str
    samples: int
    over_serial: int
    mismatch: Mismatch | None
    layers_compared: int
    layer_samples: int
    outputs: Mapping[str, Array]
    firmware: Firmware
    fit: Fit
    stack_nbytes: int
    ulp: int = 0
    max_ulp: float = 0.0
    ran_on: RanOn | None = None
    note: str = ""
    elf_sha256: str = ""
    hooks: bool = False
    flashed: Flashed | None = None
    latency: Latency | None = None

    @property
    def ran(self) -> bool:
        return self.ran_on is not None

    @property
    def ok(self) -> bool:
        """The device ran, and nothing differs."""
        return self.ran and self.mismatch is None


def fit_of(firmware: Firmware, board: Board) -> Fit:
    rooms = {
        kind: sum(r.nbytes for r in board.regions if r.kind == kind and (kind == "ram" or r.holds))
        for kind in ("flash", "ram")
    }
    return Fit(firmware.flash_nbytes, rooms["flash"], firmware.ram_nbytes, rooms["ram"], stack_nbytes(board))


def to_bytes(graph: Graph, inputs: Mapping[str, Array], index: int) -> list[bytes]:
    return [np.ascontiguousarray(inputs[t.name][index], t.dtype.numpy).tobytes() for t in graph.inputs]


def from_bytes(tensors: Sequence[Tensor], data: Sequence[bytes]) -> list[Array]:
    return [np.frombuffer(d, t.dtype.numpy).reshape(t.shape) for t, d in zip(tensors, data, strict=True)]


def source_of(graph: Graph, tensor: Tensor) -> str:
    producer = graph.producer(tensor)
    return " + ".join(producer.source) if producer else "graph input"


@dataclass(eq=False)
class Comparison:
    """Outputs as they arrive, held against the reference and, where there are any, against the outputs `saved`."""

    graph: Graph
    inputs: Mapping[str, Array]
    saved: Mapping[str, Array] | None
    ulp: int
    mismatch: Mismatch | None = None
    worst: float = 0.0
    collected: dict[str, list[Array]] = field(default_factory=dict)

    @property
    def outputs(self) -> dict[str, Array]:
        return {name: np.stack(values) for name, values in self.collected.items()}

    def add(self, index: int, outputs: Sequence[Array]) -> None:
        wanted = reference.evaluate(self.graph, {n: v[index] for n, v in self.inputs.items()})
        for t, found in zip(self.graph.outputs, outputs, strict=True):
            self.collected.setdefault(t.name, []).append(found)
            self.compare(t, index, found, wanted[t.name])
            if self.saved is not None:
                self.compare(t, index, found, self.saved[t.name][index])

    def compare(self, tensor: Tensor, index: int, found: Array, expected: Array) -> None:
        if found.dtype == np.float32:
            self.worst = max(self.worst, ulp_distance(found, expected))
        source = source_of(self.graph, tensor)
        self.mismatch = self.mismatch or first_mismatch(tensor, source, index, found, expected, self.ulp)


def compare_outputs(comparison: Comparison, device: Device, progress: Progress | None) -> None:
    count = len(next(iter(comparison.inputs.values())))
    for index, outputs in device_outputs(comparison.graph, device, comparison.inputs, count):
        comparison.add(index, outputs)
        if progress:
            progress(index + 1, count)


def device_outputs(
    graph: Graph, device: Device, inputs: Mapping[str, Array], count: int
) -> Iterator[tuple[int, list[Array]]]:
    """The first samples over the serial line, the rest by the fastest way the device has."""
    serial = min(count, SERIAL_SAMPLES)
    for i in range(serial):
        yield i, from_bytes(graph.outputs, device.run(to_bytes(graph, inputs, i)))
    if count > serial:
        rest = device.run_batch([to_bytes(graph, inputs, i) for i in range(serial, count)])
        for i, data in enumerate(rest, serial):
            yield i, from_bytes(graph.outputs, data)


def verify_layers(
    graph: Graph, program: Program, device: Device, inputs: Mapping[str, Array], samples: Sequence[int], ulp: int
) -> Mismatch | None:
    """Compare what every step wrote for these samples: the first mismatch in execution order of the first sample."""
    by_name = {t.name: t for t in graph.activations()}
    tensors = [by_name[port.name] for step in program.steps for port in step.outputs]
    for index in samples:
        values = reference.trace(graph, {n: v[index] for n, v in inputs.items()})
        written = device.trace(to_bytes(graph, inputs, index))
        for t, item in zip(tensors, written, strict=True):
            (found,) = from_bytes([t], [item.data])
            mismatch = first_mismatch(t, source_of(graph, t), index, found, values[t], ulp)
            if mismatch:
                return mismatch
    return None


@dataclass(frozen=True, eq=False)
class Run:
    """A network, its program and its library's folder, to be built for a board and run there.

    `port` is a real board's serial port, `how` it is programmed when it runs another program (None: never), which
    `programming` is told of, `limit` the time of one run of the network.
    """

    graph: Graph
    program: Program
    library: Path
    board: Board
    inputs: Mapping[str, Array]
    port: str | None
    how: How | None
    opt: str
    limit: RunLimit
    programming: Progress

    @property
    def ulp(self) -> int:
        return float_tolerance(self.graph)

    @property
    def can_run(self) -> bool:
        return self.port is not None or self.board.emulator is not None

    @property
    def has_files(self) -> bool:
        """The device takes samples from files of this machine, too."""
        return self.port is None and self.board.is_virtual

    @property
    def serial_samples(self) -> range:
        return range(min(len(next(iter(self.inputs.values()))), SERIAL_SAMPLES))

    def build(self, folder: Path, hook: bool) -> Firmware:
        return build(self.library, Interface.of(self.program), self.board, folder, opt=self.opt, hook=hook)

    def layers(self, device: Device, samples: Sequence[int]) -> Mismatch | None:
        return verify_layers(self.graph, self.program, device, self.inputs, samples, self.ulp)

    def verify(
        self, work: Path, saved: Mapping[str, Array] | None, per_layer: bool, progress: Progress | None
    ) -> Verification:
        firmware = self.build(work / "firmware", per_layer)
        count = len(next(iter(self.inputs.values())))
        result = Verification(
            self.board.name, count, 0, None, 0, 0, {}, firmware, fit_of(firmware, self.board), 0, self.ulp,
            elf_sha256=elf_sha256(firmware.elf), hooks=per_layer,
        )  # fmt: skip
        if not self.can_run:
            return replace(result, samples=0)
        comparison = Comparison(self.graph, self.inputs, saved, self.ulp)
        flashed = self.program_board(firmware)
        if progress:
            progress(0, count)
        with open_device(firmware, self.board, port=self.port, limit=self.limit) as device:
            first = self.layers(device, self.serial_samples) if per_layer else None
            compare_outputs(comparison, device, progress)
            stack, latency = device.stack_nbytes, None if per_layer else device.latency  # hooks cost time
            ran_on = at_port(self.board, self.port, device.info.clock_hz) if self.port else emulated(self.board)
        if comparison.mismatch and not per_layer:
            first = self.locate(work, comparison.mismatch)
        return replace(
            result, ran_on=ran_on, note=clock_note(self.board, ran_on), flashed=flashed,
            over_serial=len(self.serial_samples) if self.has_files else count,
            mismatch=first or comparison.mismatch,
            layers_compared=sum(len(s.outputs) for s in self.program.steps) if per_layer else 0,
            layer_samples=len(self.serial_samples) if per_layer else 0,
            outputs=comparison.outputs, stack_nbytes=stack, max_ulp=comparison.worst, latency=latency,
        )  # fmt: skip

    def program_board(self, firmware: Firmware) -> Flashed | None:
        """A real board gets the program, unless it has it or may not be touched."""
        if self.port is None:
            return None
        return ensure_programmed(firmware, self.board, self.how, self.port, self.programming)

    def locate(self, work: Path, mismatch: Mismatch) -> Mismatch | None:
        """The first differing layer of a sample whose outputs differ. A real board would have to be flashed again."""
        if self.port is not None:
            return None
        firmware = self.build(work / "hooked", True)
        with open_device(firmware, self.board, limit=self.limit) as device:
            return self.layers(device, [mismatch.sample])


def run(
    graph: Graph,
    program: Program,
    library: Path,
    board: Board,
    inputs: Mapping[str, Array],
    *,
    saved: Mapping[str, Array] | None = None,
    per_layer: bool = False,
    port: str | None = None,
    how: How | None = None,
    opt: str = "-O2",
    seconds: float | None = None,
    progress: Progress | None = None,
    programming: Progress | None = None,
) -> Verification:
    """Build the library in folder `library`, run it on the board, compare with the reference, and with `saved` outputs.

    `programming` is told how far a real board is programmed, `progress` how many samples were compared. Raises E0501,
    E0502, E06xx, E08xx.
    """
    limit = RunLimit.of(program, seconds)
    job = Run(graph, program, library, board, inputs, port, how, opt, limit, programming or no_progress)
    with tempfile.TemporaryDirectory(prefix="mcucompile-") as work:
        return job.verify(Path(work), saved, per_layer, progress)
