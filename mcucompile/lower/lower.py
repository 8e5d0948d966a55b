"""Graph + core -> Program: choose kernels, order and place everything, pack constants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ..ir import (
    Argument,
    CArray,
    Graph,
    KernelInstance,
    Node,
    Placement,
    Port,
    Program,
    Step,
    Tensor,
    constants_by_step,
)
from ..ir import unique_identifier as unique
from ..kernels.kernel import Packed, Part
from ..target.cores import Core, Isa
from .banks import check_banks, plan_banks
from .check_plan import check
from .memory import MemoryPlan, Problem, planning_problem
from .order import best_order
from .ortools_plan import prove_with_ortools
from .plan import plan
from .select import Chooser, fastest
from .steps import Chosen, schedule_of
from .views import View, Views


def lower(
    graph: Graph, core: Core, isa: Isa, choose: Chooser = fastest, prove: bool = False, room: Sequence[int] = ()
) -> Program:
    """The program of a graph whose integer operators have their fixed-point constants.

    `room`: bytes of the memories that may share the arena where the first is too small for it. `prove`: let OR-tools
    try to prove or better the memory plan; raises E0503 where it is not installed.
    """
    views = Views(graph)
    chosen = [Chosen(n, choose(n, core, isa)) for n in graph.nodes if not views.is_free(n)]
    schedule = schedule_of(graph, chosen, views)
    order = best_order(schedule).order
    schedule, chosen = schedule.reordered(order), [chosen[k] for k in order]
    problem = planning_problem(schedule)
    memory = prove_with_ortools(problem, plan(problem)) if prove else plan(problem)
    banked = plan_banks(problem, room) if len(room) > 1 and memory.arena_nbytes > room[0] else None
    if banked:
        check_banks(problem, banked, room)
    memory, banks = (banked.plan, banked.banks) if banked else (memory, ())
    check(schedule, memory.offsets, memory.arena_nbytes)
    return replace(program_of(graph, core, chosen, views, problem, memory), banks=banks)


def program_of(
    graph: Graph, core: Core, chosen: Sequence[Chosen], views: Views, problem: Problem, memory: MemoryPlan
) -> Program:
    ports = {t: port_of(t, views[t], memory.offsets) for t in graph.activations()}
    taken = {f"{graph.name}_{t.name}" for t in (*graph.inputs, *graph.outputs)}
    flash = Flash(graph.name, taken)
    functions = Functions(graph.name, taken)
    steps = [step_of(i, c, core, ports, flash, functions, memory.offsets) for i, c in enumerate(chosen)]
    constants = constants_by_step(steps, flash.arrays)
    return Program(
        name=graph.name,
        inputs=tuple(ports[t] for t in graph.inputs),
        outputs=tuple(ports[t] for t in graph.outputs),
        steps=tuple(replace(s, weight_nbytes=nbytes) for s, nbytes in zip(steps, constants, strict=True)),
        constants=tuple(flash.arrays),
        placements=tuple(Placement(b.name, memory.offsets[b.name], b.nbytes, b.first, b.last) for b in problem.buffers),
        arena_nbytes=memory.arena_nbytes,
        arena_lower_bound=memory.lower_bound,
    )


def port_of(t: Tensor, view: View, offsets: Mapping[str, int]) -> Port:
    return Port(t.name, t.dtype, t.shape, offsets[view.root.name] + view.offset, t.quant)


@dataclass
class Flash:
    """Constant arrays so far; equal ones are kept once. `taken` are the C names in use."""

    program: str
    taken: set[str]
    arrays: list[CArray] = field(default_factory=list)
    by_content: dict[tuple[str, bytes], str] = field(default_factory=dict)

    def place(self, owner: Node, packed: Packed) -> str:
        values = np.ascontiguousarray(packed.values)
        key = (packed.dtype.value, values.tobytes())
        if key not in self.by_content:
            name = unique(f"{self.program}_{owner.outputs[0].name}_{packed.role}", self.taken)
            self.taken.add(name)
            self.by_content[key] = name
            self.arrays.append(CArray(name, packed.dtype, values, f"{packed.role} of {owner.where}"))
        return self.by_content[key]


@dataclass
class Functions:
    """Kernel instances so far; steps with equal template, parameters and parts share one. `taken`: C names in use."""

    program: str
    taken: set[str]
    known: dict[tuple[str, object, tuple[str, ...]], KernelInstance] = field(default_factory=dict)

    def instance(self, c: Chosen) -> KernelInstance:
        kernel, node = c.kernel, c.node
        name = f"{node.op.name}_{kernel.variant}"
        function = Part(name, kernel.template, kernel.params(node), kernel.code_nbytes(node), node)
        return self.of(function, tuple(map(self.of, kernel.parts(node))))

    def of(self, part: Part, parts: tuple[KernelInstance, ...] = ()) -> KernelInstance:
        key = (part.template, part.params, tuple(p.function for p in parts))
        if key not in self.known:
            function = unique(f"{self.program}_{part.name}_{len(self.known)}", self.taken)
            self.taken.add(function)
            text = shapes_text(part.node) if part.node else ""
            is_static = part.node is None
            self.known[key] = KernelInstance(
                function, part.template, part.params, text, parts, is_static, part.code_nbytes
            )
        return self.known[key]


def step_of(
    index: int,
    c: Chosen,
    core: Core,
    ports: Mapping[Tensor, Port],
    flash: Flash,
    functions: Functions,
    offsets: Mapping[str, int],
) -> Step:
    node = c.node
    constants = c.kernel.constants(node)
    arguments = [Argument(f"const {t.dtype.c}", offset=ports[t].offset) for t in node.activations()]
    arguments += [Argument(t.dtype.c, offset=ports[t].offset) for t in node.outputs]
    arguments += [Argument(f"const {p.dtype.c}", constant=flash.place(node, p)) for p in constants]
    scratch = c.kernel.scratch_nbytes(node)
    if scratch:
        arguments.append(Argument("uint8_t", offset=offsets[c.scratch_name]))
    return Step(
        index=index,
        kernel=functions.instance(c),
        arguments=tuple(arguments),
        outputs=tuple(ports[t] for t in node.outputs),
        source=node.source,
        comment=shapes_text(node),
        op=node.op.name,
        variant=f"{c.kernel.variant}.{c.kernel.isa.name.lower()}",
        macs=node.op.macs(node),
        weight_nbytes=sum(p.values.nbytes for p in constants),  # until it is known what is shared
        scratch_nbytes=scratch,
        cycles=round(c.kernel.cycles(node, core)),
    )


def shapes_text(node: Node) -> str:
    """E.g. conv2d 3x3 pad 1,1,1,1: int8 1x16x16x64 -> int8 1x16x16x64."""
    window = getattr(node.op, "window", None)
    head = f"{node.op.name} {window}" if window else node.op.name
    sides = (
        ", ".join(f"{t.dtype.value} {'x'.join(map(str, t.shape))}" for t in tensors)
        for tensors in (node.activations(), node.outputs)
    )
    return f"{head}: {' -> '.join(sides)}"
