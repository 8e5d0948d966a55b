"""Replay a memory plan over a shadow arena in which every byte knows whose it is.

Decided: the checker knows nothing of lifetimes, distances or how a plan was found. It runs the steps over the shadow
and looks whether each byte that a step reads still belongs to the buffer that it reads. Instead of: checking the
planner's own constraints, which would share the planner's mistakes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import combinations

from .memory import MemoryStep, Range, Schedule, Sweep

OWNER_NBYTES = 4


class PlanError(AssertionError):
    """A memory plan would corrupt data: a bug in the planner or in a kernel's trace, never the user's fault."""


def check(schedule: Schedule, offsets: Mapping[str, int], arena_nbytes: int) -> None:
    """Raise PlanError, naming step, buffers and bytes, unless the plan computes what separate buffers would.

    Checked: every buffer is aligned and inside the arena; graph inputs are apart, and so are all operands and scratch
    of an opaque step and the scratch of any step; traces stay inside their operands and write only outputs; whatever
    is read, or returned as graph output, was written and not overwritten since.
    """
    _check_places(schedule, offsets, arena_nbytes)
    shadow = _Shadow(schedule, offsets, arena_nbytes)
    _require_disjoint("the graph inputs", schedule.inputs, shadow)
    for name in schedule.inputs:
        shadow.write("the graph inputs", name, 0, shadow.nbytes[name])
    for k, step in enumerate(schedule.steps):
        _replay_step(f"step {k} ({step.name})", step, shadow)
    for name in schedule.outputs:
        shadow.read("the graph outputs", name, 0, shadow.nbytes[name])


def _check_places(schedule: Schedule, offsets: Mapping[str, int], arena_nbytes: int) -> None:
    touched = (step.touched for step in schedule.steps)
    for name in dict.fromkeys([*schedule.inputs, *(n for names in touched for n in names), *schedule.outputs]):
        if name not in offsets:
            raise PlanError(f"{name} has no place in the arena")
        offset, end = offsets[name], offsets[name] + schedule.nbytes[name]
        if offset < 0 or end > arena_nbytes:
            raise PlanError(f"{name} at bytes [{offset}, {end}) is outside the arena of {arena_nbytes} bytes")
        if offset % schedule.alignment[name]:
            raise PlanError(f"{name} at byte {offset} is not aligned to {schedule.alignment[name]}")


class _Shadow:
    """The arena with an owner per byte: a number of OWNER_NBYTES bytes, so that plain bytes can be compared fast."""

    def __init__(self, schedule: Schedule, offsets: Mapping[str, int], arena_nbytes: int) -> None:
        self.offsets, self.nbytes = offsets, schedule.nbytes
        self.names = list(offsets)
        self.owner = {name: (i + 1).to_bytes(OWNER_NBYTES, "little") for i, name in enumerate(self.names)}
        self.bytes = bytearray(arena_nbytes * OWNER_NBYTES)
        self.written: set[str] = set()

    def write(self, where: str, name: str, start: int, stop: int) -> None:
        """Bytes [start, stop) of a buffer become its own."""
        begin, end = self._slice(where, name, start, stop)
        self.bytes[begin:end] = self.owner[name] * (stop - start)
        self.written.add(name)

    def read(self, where: str, name: str, start: int, stop: int) -> None:
        """Bytes [start, stop) of a buffer must be its own."""
        begin, end = self._slice(where, name, start, stop)
        if self.bytes[begin:end] != self.owner[name] * (stop - start):
            raise PlanError(f"{where}: {self._first_foreign(name, start, stop)}")

    def _slice(self, where: str, name: str, start: int, stop: int) -> tuple[int, int]:
        if start < 0 or stop > self.nbytes[name]:
            raise PlanError(f"{where}: touches bytes [{start}, {stop}) of {name}, which has {self.nbytes[name]}")
        return (self.offsets[name] + start) * OWNER_NBYTES, (self.offsets[name] + stop) * OWNER_NBYTES

    def _first_foreign(self, name: str, start: int, stop: int) -> str:
        for at in range(self.offsets[name] + start, self.offsets[name] + stop):
            owner = self.bytes[at * OWNER_NBYTES : (at + 1) * OWNER_NBYTES]
            if owner != self.owner[name]:
                break
        number = int.from_bytes(owner, "little")
        holds = f"holds {self.names[number - 1]}" if number else "was never written"
        return f"reads bytes [{start}, {stop}) of {name}, but its byte {at - self.offsets[name]} (arena {at}) {holds}"


def _replay_step(where: str, step: MemoryStep, shadow: _Shadow) -> None:
    for name in step.scratch:
        others = [n for n in step.touched if n != name]
        for other in others:
            _require_disjoint(where, (name, other), shadow)
        shadow.write(where, name, 0, shadow.nbytes[name])
    if step.trace is None:
        _replay_opaque(where, step, shadow)
        return
    for sweep in step.trace:
        _replay_sweep(where, step, sweep, shadow)


def _replay_opaque(where: str, step: MemoryStep, shadow: _Shadow) -> None:
    _require_disjoint(where, step.touched, shadow)
    for name in step.inputs:
        shadow.read(where, name, 0, shadow.nbytes[name])
    for name in step.outputs:
        if name in shadow.written:
            raise PlanError(f"{where}: {name} was written before, and without a trace nobody knows which part is new")
        shadow.write(where, name, 0, shadow.nbytes[name])


def _replay_sweep(where: str, step: MemoryStep, sweep: Sweep, shadow: _Shadow) -> None:
    reads = [(_operand(where, step, r), r.offset, r.stride, r.nbytes) for r in sweep.reads]
    writes = [(_operand(where, step, r), r.offset, r.stride, r.nbytes) for r in sweep.writes]
    for name, *_ in writes:
        if name not in step.outputs:
            raise PlanError(f"{where}: the trace writes to {name}, which is not an output")
    for i in range(sweep.count):
        for name, offset, stride, nbytes in reads:
            shadow.read(where, name, offset + i * stride, offset + i * stride + nbytes)
        for name, offset, stride, nbytes in writes:
            shadow.write(where, name, offset + i * stride, offset + i * stride + nbytes)


def _operand(where: str, step: MemoryStep, r: Range) -> str:
    if r.operand >= len(step.operands):
        raise PlanError(f"{where}: the trace names operand {r.operand}, but the step has {len(step.operands)}")
    return step.operands[r.operand]


def _require_disjoint(where: str, names: Iterable[str], shadow: _Shadow) -> None:
    for a, b in combinations(dict.fromkeys(names), 2):
        begin = max(shadow.offsets[a], shadow.offsets[b])
        end = min(shadow.offsets[a] + shadow.nbytes[a], shadow.offsets[b] + shadow.nbytes[b])
        if begin < end:
            raise PlanError(f"{where}: {a} and {b} share bytes [{begin}, {end}) of the arena")
