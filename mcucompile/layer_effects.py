"""What a recipe does to each layer: its part of flash, of the cycles and of the RAM after every pass, and its error.

A layer is what the network without the recipe computes in one step, or in the several that stand for one ONNX node.
Steps of a compressed network belong to the layer with which they share ONNX nodes: all parts of a chain that a
decomposition puts there, and none where the layer was removed. What no layer had before is one of its own.

Decided: a constant that several steps read, and a function that several steps call, is counted once, and each of these
steps bears the same part of it. So the layers' bytes, and their cycles and MACs, add up to the network's. RAM does not
add up: a layer's is what of the arena is in use while it runs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from .ir import Program, Step, code_by_step, constants_by_step
from .passes.compress import Change


@dataclass(frozen=True)
class Layer:
    """The ONNX nodes of a layer; where there are none, the tensor that it computes."""

    name: str
    sources: frozenset[str]


@dataclass(frozen=True)
class LayerEffect:
    """A layer after a request of the recipe. `steps`: how many kernels compute it, 0 where it is gone.

    `constants`, `code`, `flash` (both), `scratch` and `arena` are in bytes; `code` and `cycles` are the cost model's
    estimates. `alpha` and `delta` are those of the network, for the layer alone: None where nothing of it is left.
    `decibels` is the signal-to-noise ratio of its output, in the channels that are left, against the float network's,
    with all that arrived from layers before; None where there is no such tensor. `changes` counts what the request
    changed in it, by which `criteria`.
    """

    layer: str
    steps: int
    constants: int
    code: int
    flash: int
    scratch: int
    arena: int
    macs: int
    cycles: float
    alpha: float | None
    delta: float | None
    decibels: float | None
    changes: int
    criteria: tuple[str, ...]


def layers_of(programs: Sequence[Program]) -> tuple[Layer, ...]:
    """Those of the first program, and what the others add to them, in order."""
    found: list[Layer] = []
    for i, program in enumerate(programs):
        for step in program.steps:
            sources = frozenset(step.source)
            layer = layer_of(step, found)
            if layer is None:
                found.append(Layer(" + ".join(step.source) or step.outputs[0].name, sources))
            elif i == 0 and not sources <= layer.sources:
                names = [*layer.name.split(" + "), *(s for s in step.source if s not in layer.sources)]
                found[found.index(layer)] = Layer(" + ".join(names), layer.sources | sources)
    return tuple(found)


def layer_of(step: Step, layers: Iterable[Layer]) -> Layer | None:
    """The layer with which it shares most."""
    if not step.source:
        return next((x for x in layers if not x.sources and x.name == step.outputs[0].name), None)
    best = max(layers, key=lambda x: len(x.sources.intersection(step.source)), default=None)
    return best if best and best.sources.intersection(step.source) else None


def steps_by_layer(program: Program, layers: Sequence[Layer]) -> dict[Layer, list[Step]]:
    """The steps of every layer, in order."""
    result: dict[Layer, list[Step]] = {x: [] for x in layers}
    for step in program.steps:
        layer = layer_of(step, layers)
        assert layer is not None, f"step {step.index} belongs to no layer"
        result[layer].append(step)
    return result


def occupied(program: Program, step: Step) -> int:
    """Bytes of the arena in use while the step runs; buffers may share some of them."""
    live = sorted((p.offset, p.offset + p.nbytes) for p in program.placements if p.first <= step.index <= p.last)
    total = end = 0
    for first, last in live:
        total += max(0, last - max(first, end))
        end = max(end, last)
    return total


def layer_effects(
    program: Program,
    layers: Sequence[Layer],
    decibels: Mapping[str, float],
    changes: Sequence[Change],
    before: Sequence[LayerEffect] = (),
) -> tuple[LayerEffect, ...]:
    """One entry per layer. `decibels` by tensor; `before` are the entries without the recipe, () for these."""
    of = steps_by_layer(program, layers)
    constants, code = constants_by_step(program.steps, program.constants), code_by_step(program.steps)
    return tuple(
        layer_effect(
            layer, program, of[layer], sum(constants[s.index] for s in of[layer]),
            sum(code[s.index] for s in of[layer]), decibels, changes_of(layer, changes), before[i] if before else None,
        )
        for i, layer in enumerate(layers)
    )  # fmt: skip


def layer_effect(
    layer: Layer,
    program: Program,
    steps: Sequence[Step],
    constants: int,
    code: int,
    decibels: Mapping[str, float],
    changes: Sequence[Change],
    before: LayerEffect | None,
) -> LayerEffect:
    flash, cycles = constants + code, sum(s.cycles for s in steps)
    return LayerEffect(
        layer=layer.name,
        steps=len(steps),
        constants=constants,
        code=code,
        flash=flash,
        scratch=max((s.scratch_nbytes for s in steps), default=0),
        arena=max((occupied(program, s) for s in steps), default=0),
        macs=sum(s.macs for s in steps),
        cycles=cycles,
        alpha=ratio(before.flash if before else flash, flash),
        delta=ratio(before.cycles if before else cycles, cycles),
        decibels=decibels.get(steps[-1].outputs[0].name) if steps else None,
        changes=len(changes),
        criteria=tuple(Counter(c.criterion for c in changes)),
    )


def ratio(before: float, after: float) -> float | None:
    return before / after if after else None


def changes_of(layer: Layer, changes: Sequence[Change]) -> list[Change]:
    """Those that did change it."""
    own = [c for c in changes if layer.sources.intersection(c.source) or c.layer == layer.name]
    return [c for c in own if not c.is_kept]
