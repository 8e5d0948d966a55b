"""Operators that only move values, as loops around copies of contiguous runs: one template prints them all.

Outputs are written from their first element to their last, so that nothing but the position of the input has to be
computed. Axes that stay together are merged before anything is printed.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod

from ..ir import Node, Shape
from ..target.cores import Isa
from .counted import Costs, Counted
from .kernel import Packed
from .trace import Range, Sweep, Trace

COSTS: Costs = {  # per single element, byte of a run of words, byte of another, run
    "cortex-m0": (11.2, 2.56, 8.33, 0.0),
    "cortex-m3": (6.58, 1.95, 6.93, 0.0),
    "cortex-m4": (6.59, 1.95, 6.53, 0.0),
    "cortex-m7": (2.42, 0.896, 2.63, 0.0),
    "cortex-m33": (5.38, 1.58, 5.38, 0.0),
    "cortex-m55": (3.25, 0.934, 3.86, 0.0),
}

MOST_SWEEPS = 2048


@dataclass(frozen=True)
class Copy:
    """The next `run` elements of the output are those of input `source` from `offset` on, plus what the loops add."""

    source: int
    offset: int
    run: int


@dataclass(frozen=True)
class Fill:
    """The next `run` elements of the output are `value`."""

    value: int | float
    run: int


@dataclass(frozen=True)
class Loop:
    """`body`, `count` times; every input moves `stride` elements further each time."""

    count: int
    strides: tuple[int, ...]
    body: tuple[Statement, ...]


Statement = Copy | Fill | Loop
Statements = tuple[Statement, ...]


@dataclass(frozen=True)
class MoveParams:
    """`outputs` has the statements that write each output. The first `activations` of the inputs come before the
    outputs among the function's parameters, the constant ones after them.
    """

    type: str
    nbytes: int
    inputs: int
    activations: tuple[int, ...]
    constants: tuple[int, ...]
    outputs: tuple[Statements, ...]

    @cached_property
    def is_float(self) -> bool:
        return self.type == "float"


class Move(Counted):
    """Base of the kernels that move values; subclasses say what is moved where."""

    variant = "move"
    isa = Isa.SCALAR
    costs = COSTS

    @property
    def template(self) -> str:
        return "kernels/move.scalar.c.j2"

    def fits(self, node: Node) -> bool:
        return all(t.dtype is node.outputs[0].dtype for t in (*node.inputs, *node.outputs))

    @abstractmethod
    def statements(self, node: Node) -> tuple[Statements, ...]:
        """What writes each output."""

    def params(self, node: Node) -> MoveParams:
        dtype = node.outputs[0].dtype
        is_constant = [t.const is not None for t in node.inputs]
        activations = tuple(i for i, constant in enumerate(is_constant) if not constant)
        constants = tuple(i for i, constant in enumerate(is_constant) if constant)
        return MoveParams(dtype.c, dtype.nbytes, len(is_constant), activations, constants, self.statements(node))

    def constants(self, node: Node) -> tuple[Packed, ...]:
        return tuple(Packed(f"part{i}", t.const) for i, t in enumerate(node.inputs) if t.const is not None)

    def trace(self, node: Node) -> Trace:
        return move_trace(self.params(node))

    def counts(self, node: Node) -> tuple[float, ...]:
        """Elements that are moved one by one, bytes of runs of words, bytes of other runs, and runs."""
        unit = node.outputs[0].dtype.nbytes
        parts = [part for statements in self.statements(node) for part in runs(statements)]
        single = sum(count for count, run in parts if run == 1)
        nbytes = [(count, run * unit) for count, run in parts if run > 1]
        words = sum(count * n for count, n in nbytes if n % 4 == 0)
        return single, words, sum(count * n for count, n in nbytes) - words, sum(count for count, _ in nbytes)


def strides_of(shape: Shape) -> tuple[int, ...]:
    """Elements from one entry of each axis to the next."""
    return tuple(prod(shape[i + 1 :]) for i in range(len(shape)))


def nest(sizes: Sequence[int], strides: Sequence[int], offset: int = 0) -> Statements:
    """The output of shape `sizes`, axis i of which walks through the only input in steps of strides[i] elements."""
    merged = merged_axes(sizes, strides)
    run = merged.pop()[0] if merged and merged[-1][1] == 1 else 1
    body: Statement = Copy(0, offset, run)
    for size, stride in reversed(merged):
        body = Loop(size, (stride,), (body,))
    return (body,)


def merged_axes(sizes: Sequence[int], strides: Sequence[int]) -> list[tuple[int, int]]:
    """(size, stride) without axes of size 1, adjacent ones as one where one stride reaches over both."""
    merged: list[tuple[int, int]] = []
    for size, stride in zip(sizes, strides, strict=True):
        if size == 1:
            continue
        if merged and merged[-1][1] == size * stride:
            merged[-1] = (merged[-1][0] * size, stride)
        else:
            merged.append((size, stride))
    return merged


def runs(statements: Statements, repeated: int = 1) -> Iterator[tuple[int, int]]:
    """How often the statements copy or fill runs of which length."""
    for s in statements:
        if isinstance(s, Loop):
            yield from runs(s.body, repeated * s.count)
        else:
            yield repeated, s.run


# --- trace


def move_trace(params: MoveParams) -> Trace:
    """Exact for single runs; in loops a byte that was read counts as read once more, in the next iteration.

    Without that an iteration would promise that all of its reads come before its writes. Many loops: no promise.
    """
    if sum(loops(s) for s in params.outputs) > MOST_SWEEPS:
        return None
    return tuple(sweep for k, s in enumerate(params.outputs) for sweep in Walk(params, k).sweeps(s))


def loops(statements: Statements) -> int:
    """How many sweeps the statements need, roughly."""
    return sum(1 if not isinstance(s, Loop) or is_innermost(s) else s.count * loops(s.body) for s in statements)


def is_innermost(loop: Loop) -> bool:
    return not any(isinstance(s, Loop) for s in loop.body)


def length(statements: Statements) -> int:
    """Elements that the statements write."""
    return sum(s.count * length(s.body) if isinstance(s, Loop) else s.run for s in statements)


@dataclass
class Walk:
    """The walk through one output: `at` is the byte that is written next."""

    params: MoveParams
    output: int
    at: int = 0

    def sweeps(self, statements: Statements, offsets: tuple[int, ...] | None = None) -> Iterator[Sweep]:
        """`offsets`: elements that the loops outside have added, per input."""
        offsets = offsets or (0,) * self.params.inputs
        for s in statements:
            if not isinstance(s, Loop):
                yield from self.single(s, offsets)
            elif is_innermost(s):
                yield from self.repeated(s, offsets)
            else:
                for i in range(s.count):
                    moved = tuple(o + i * stride for o, stride in zip(offsets, s.strides, strict=True))
                    yield from self.sweeps(s.body, moved)

    def single(self, s: Copy | Fill, offsets: tuple[int, ...]) -> Iterator[Sweep]:
        """One run, cut in two: that says all that element by element would say."""
        unit = self.params.nbytes
        for first, run in ((0, s.run - 1), (s.run - 1, 1)):
            if run:
                moved = Copy(s.source, s.offset + first, run) if isinstance(s, Copy) else s
                write = Range(len(self.params.activations) + self.output, self.at, 0, run * unit)
                yield Sweep(1, self.reads((moved,), offsets), (write,))
                self.at += run * unit

    def repeated(self, loop: Loop, offsets: tuple[int, ...]) -> Iterator[Sweep]:
        """All iterations of a loop around runs."""
        step = length(loop.body) * self.params.nbytes
        write = Range(len(self.params.activations) + self.output, self.at, step, step)
        reads = self.reads(loop.body, offsets, loop.strides)
        again = tuple(tail(r) for r in reads) if len(loop.body) == 1 else reads
        yield Sweep(1, reads, (write,))
        if loop.count > 1:
            yield Sweep(loop.count - 1, (*(moved(r, 1) for r in reads), *again), (moved(write, 1),))
        if again:
            yield Sweep(1, tuple(moved(r, loop.count - 1) for r in again), ())
        self.at += loop.count * step

    def reads(
        self, statements: Statements, offsets: tuple[int, ...], strides: tuple[int, ...] | None = None
    ) -> tuple[Range, ...]:
        """Of the copies from activations among the statements."""
        unit, place = self.params.nbytes, {i: k for k, i in enumerate(self.params.activations)}
        strides = strides or (0,) * self.params.inputs
        return tuple(
            Range(place[s.source], (offsets[s.source] + s.offset) * unit, strides[s.source] * unit, s.run * unit)
            for s in statements
            if isinstance(s, Copy) and s.source in place
        )


def moved(r: Range, iterations: int) -> Range:
    return Range(r.operand, r.offset + iterations * r.stride, r.stride, r.nbytes)


def tail(r: Range) -> Range:
    """The last byte of a range."""
    return Range(r.operand, r.offset + r.nbytes - 1, r.stride, 1)
