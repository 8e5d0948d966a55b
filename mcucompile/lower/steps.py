"""What the steps of a graph do to memory, given the kernels that compute them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..ir import Graph, Node, Tensor
from ..kernels.kernel import Kernel
from ..kernels.trace import Range, Sweep, Trace
from .memory import MemoryStep, Schedule
from .views import ALIGNMENT, View, Views

SCRATCH_ALIGNMENT = 8


@dataclass(frozen=True)
class Chosen:
    """A node with the kernel that computes it."""

    node: Node
    kernel: Kernel

    @property
    def scratch_name(self) -> str:
        return f"{self.node.outputs[0].name} scratch"


def schedule_of(graph: Graph, chosen: Sequence[Chosen], views: Views) -> Schedule:
    """The steps in the graph's order."""
    roots = {views[t].root for t in graph.activations()}
    nbytes = {t.name: max(t.nbytes, 1) for t in roots}
    alignment = dict.fromkeys(nbytes, ALIGNMENT)
    steps = []
    for c in chosen:
        scratch = c.kernel.scratch_nbytes(c.node)
        if scratch:
            nbytes[c.scratch_name], alignment[c.scratch_name] = scratch, SCRATCH_ALIGNMENT
        steps.append(memory_step(c, views, (c.scratch_name,) if scratch else ()))
    inputs = tuple(t.name for t in graph.inputs)
    outputs = tuple(dict.fromkeys(views[t].root.name for t in graph.outputs))
    return Schedule(tuple(steps), nbytes, alignment, inputs, outputs)


def memory_step(c: Chosen, views: Views, scratch: tuple[str, ...] = ()) -> MemoryStep:
    operands = [*c.node.activations(), *c.node.outputs]
    inputs = len(operands) - len(c.node.outputs)
    trace = c.kernel.trace(c.node)
    if any(views[t] != View(t) for t in operands):
        trace = trace or unordered(operands, inputs)
        assert stays_inside(trace, operands), f"{c.node.where}: the trace of {c.kernel.variant} leaves its operands"
        trace = shifted(trace, [views[t].offset for t in operands])
    names = tuple(views[t].root.name for t in operands)
    return MemoryStep(c.node.where, names[:inputs], names[inputs:], scratch, trace)


def unordered(operands: Sequence[Tensor], inputs: int) -> tuple[Sweep, ...]:
    """The trace of a kernel that promises nothing but to stay inside its operands."""
    ranges = [Range(k, 0, 0, t.nbytes) for k, t in enumerate(operands) if t.nbytes]
    reads = tuple(r for r in ranges if r.operand < inputs)
    return (Sweep(1, reads, tuple(r for r in ranges if r.operand >= inputs)), Sweep(1, reads, ()))


def stays_inside(trace: tuple[Sweep, ...], operands: Sequence[Tensor]) -> bool:
    """What `check_plan` cannot see where several operands are parts of one buffer."""
    nbytes = [t.nbytes for t in operands]
    walks = ((s.count - 1, r) for s in trace for r in (*s.reads, *s.writes))
    return all(
        start >= 0 and start + r.nbytes <= nbytes[r.operand]
        for last, r in walks
        for start in (r.offset, r.offset + last * r.stride)
    )


def shifted(trace: tuple[Sweep, ...], offsets: Sequence[int]) -> Trace:
    """The trace with the ranges of operand k `offsets[k]` bytes further on."""

    def moved(ranges: tuple[Range, ...]) -> tuple[Range, ...]:
        return tuple(replace(r, offset=r.offset + offsets[r.operand]) for r in ranges)

    return tuple(Sweep(s.count, moved(s.reads), moved(s.writes)) for s in trace)
