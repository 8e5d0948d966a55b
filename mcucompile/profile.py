"""What each layer costs: on an emulated board instructions, exactly, and estimated cycles; on a real one cycles."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .errors import CompileError
from .ir import Array, Graph, Program, Step, code_by_function, code_by_step
from .run.build import Firmware, build
from .run.count import by_step, count_instructions
from .run.cycles import cycle_plugin, function_symbols, measure
from .run.device import Device, Latency, open_device
from .run.flash import How, ensure_programmed, no_progress
from .run.interface import Interface
from .run.limit import RunLimit
from .run.ran_on import RanOn, at_port, clock_note, emulated
from .target.board import Board, list_boards, load_board
from .verify import Progress, to_bytes

RUNS = 11  # on a real board; an odd number has a median


@dataclass(frozen=True, eq=False)
class LayerProfile:
    """One step's share of a run. `code_nbytes` is of its C functions, of which those that several steps call are
    divided among them, as their constants are.

    `cycles` are estimated by simulating the instructions that ran; None where the emulator could only count. On a real
    board they were measured, and nobody counted `instructions`.
    """

    step: Step
    instructions: int | None
    cycles: int | None
    code_nbytes: int

    @property
    def flash_nbytes(self) -> int:
        """Constants and code."""
        return self.step.weight_nbytes + self.code_nbytes

    @property
    def per_mac(self) -> float | None:
        return self.instructions / self.step.macs if self.step.macs and self.instructions is not None else None

    @property
    def prediction_error(self) -> float | None:
        """By how much the cost model, by which kernels are chosen, is above the estimated cycles, relative to them."""
        return self.step.cycles / self.cycles - 1 if self.cycles else None

    def figures(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "index": self.step.index,
            "source": list(self.step.source),
            "op": self.step.op,
            "kernel": self.step.variant,
            "macs": self.step.macs,
            "instructions": self.instructions,
            "cycles": self.cycles,
            "predicted_cycles": round(self.step.cycles),
            "constants": self.step.weight_nbytes,
            "code": self.code_nbytes,
            "scratch": self.step.scratch_nbytes,
        }


@dataclass(frozen=True, eq=False)
class Profile:
    """What NAME_run executes, without hooks: the layers, and the calls between them.

    `total` are instructions, unknown on a real board, and `latency` what was measured there: then `cycles` is its
    median, and those of the layers are medians of runs that were measured layer by layer. `note` says why there are no
    cycles where there are none, and where a board has another clock than it should.
    """

    board: str
    layers: tuple[LayerProfile, ...]
    total: int | None
    cycles: int | None
    firmware: Firmware
    ran_on: RanOn
    note: str = ""
    latency: Latency | None = None

    @property
    def overhead(self) -> int:
        """Instructions that belong to no layer; measured cycles on a real board."""
        if self.total is None:
            return max(0, (self.cycles or 0) - sum(layer.cycles or 0 for layer in self.layers))
        return self.total - sum(layer.instructions or 0 for layer in self.layers)

    @property
    def predicted_cycles(self) -> float:
        """The sum of what the kernels were chosen by."""
        return sum(layer.step.cycles for layer in self.layers)

    @property
    def prediction_error(self) -> float | None:
        return self.predicted_cycles / self.cycles - 1 if self.cycles else None

    def figures(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "board": self.board,
            "ran_on": asdict(self.ran_on),
            "instructions": self.total,
            "overhead": self.overhead,
            "cycles": self.cycles,
            "predicted_cycles": round(self.predicted_cycles),
            "prediction_error": self.prediction_error,
            "macs": sum(layer.step.macs for layer in self.layers),
            "code": self.firmware.library_code_nbytes,
            "library_flash": self.firmware.library_flash_nbytes,
            "latency": asdict(self.latency) if self.latency else None,
            "note": self.note,
            "layers": [layer.figures() for layer in self.layers],
        }


def run(
    graph: Graph,
    program: Program,
    library: Path,
    board: Board,
    inputs: Mapping[str, Array],
    *,
    opt: str = "-O2",
    seconds: float | None = None,
    port: str | None = None,
    how: How | None = None,
    programming: Progress | None = None,
) -> Profile:
    """Measure one run with the first sample; at a real board's `port` several, after programming it as `how` says.

    Raises E0303, E0501, E0502, E06xx, E08xx.
    """
    interface, data = Interface.of(program), to_bytes(graph, inputs, 0)
    limit = RunLimit.of(program, seconds)
    if port is not None:
        with tempfile.TemporaryDirectory(prefix="mcucompile-") as work:
            hooked = build(library, interface, board, Path(work), opt=opt, hook=True)
            return _timed(program, board, data, hooked, limit, port, how, programming or no_progress)
    if board.emulator is None:
        raise not_emulated(board)
    with tempfile.TemporaryDirectory(prefix="mcucompile-") as work:
        plain = build(library, interface, board, Path(work) / "plain", opt=opt, hook=False)
        missing = cycle_plugin().missing
        if cycle_plugin().path is not None:
            try:
                return _measured(program, board, data, plain, limit)
            except CompileError as e:
                if e.code != "E0608":
                    raise
                missing = e.what  # an interrupt, say; instructions can be counted nevertheless
        hooked = build(library, interface, board, Path(work) / "hooked", opt=opt, hook=True)
        return _counted(program, board, data, hooked, plain, limit, missing)


def _measured(program: Program, board: Board, data: Sequence[bytes], firmware: Firmware, limit: RunLimit) -> Profile:
    costs = measure(firmware, board, [s.kernel.function for s in program.steps], data, limit=limit)
    counted = [(cost.instructions, cost.cycles) for cost in costs.steps]
    layers, total = _layers(program, counted, firmware), costs.total
    return Profile(board.name, layers, total.instructions, total.cycles, firmware, emulated(board))


def _counted(
    program: Program, board: Board, data: Sequence[bytes], hooked: Firmware, plain: Firmware, limit: RunLimit,
    missing: str,
) -> Profile:  # fmt: skip
    """Without cycles, for the reason `missing`: by the emulator's clock, at the calls of the hook after each step."""
    by_step = count_instructions(hooked, board, data, limit=limit)
    whole = count_instructions(plain, board, data, limit=limit)
    layers = _layers(program, [(n, None) for n in by_step.steps], plain)
    note = f"cycles are not estimated, and layers are counted to a few instructions: {missing}"
    return Profile(board.name, layers, whole.total, None, plain, emulated(board), note)


def _timed(
    program: Program, board: Board, data: Sequence[bytes], firmware: Firmware, limit: RunLimit, port: str,
    how: How | None, programming: Progress,
) -> Profile:  # fmt: skip
    """On a real board, by its cycle counter: runs as a whole, then layer by layer with hooks between them."""
    ensure_programmed(firmware, board, how, port, programming)
    with open_device(firmware, board, port=port, limit=limit) as device:
        return measured(program, board, data, firmware, device, at_port(board, port, device.info.clock_hz))


def measured(
    program: Program, board: Board, data: Sequence[bytes], firmware: Firmware, device: Device, ran_on: RanOn
) -> Profile:
    """What a board's cycle counter says. The firmware must have hooks, which cost some tens of cycles a layer; that is
    in the latency, but not in the layers. Raises E0608 where there is no counter.
    """
    if not device.info.counter:
        raise CompileError("E0608", f"{board.name} has no cycle counter that counts")
    for _ in range(RUNS):
        device.time(data)
    latency = device.latency
    runs = [by_step(firmware, device.ticks(data).costs[:-1]) for _ in range(RUNS)]
    medians = [sorted(steps)[RUNS // 2] for steps in zip(*runs, strict=True)]
    layers = _layers(program, [(None, cycles) for cycles in medians], firmware)
    cycles = latency.median if latency else None
    return Profile(board.name, layers, None, cycles, firmware, ran_on, clock_note(board, ran_on), latency)


def _layers(
    program: Program, counted: Sequence[tuple[int | None, int | None]], firmware: Firmware
) -> tuple[LayerProfile, ...]:
    symbols = {name: nbytes for name, (_, nbytes) in function_symbols(firmware.elf).items()}
    code = code_by_step(program.steps, code_by_function(symbols, [k.function for k in program.kernels]))
    steps = zip(program.steps, counted, code, strict=True)
    return tuple(LayerProfile(s, n, cycles, nbytes) for s, (n, cycles), nbytes in steps)


def not_emulated(board: Board, looked: str = "") -> CompileError:
    """E0303, naming boards that are emulated, with the same core where there are any.

    `looked` says where a real one was looked for.
    """
    emulated = [b for b in map(load_board, list_boards()) if b.emulator]
    alike = [b for b in emulated if b.core == board.core] or [b for b in emulated if b.isa == board.isa] or emulated
    return CompileError(
        "E0303",
        f"{board.name} is not emulated, and instructions are counted on an emulator",
        why="a real board's cycle counter is read at its serial port" + (f"; {looked}" if looked else ""),
        fix="give that (--port), or profile for an emulated board like it: "
        + " or ".join(f"--board {b.name}" for b in alike),
    )
