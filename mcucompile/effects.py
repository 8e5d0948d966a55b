"""What each pass of a recipe costs and gains: the network as it was after every one of them, compiled in the same way.

Compression rate alpha and speed-up delta are those of Cheng et al. 2017 ("A Survey of Model Compression and
Acceleration for Deep Neural Networks"): size and time before, divided by size and time after. Both are against the
network without the recipe, compiled for the same board with the same options, with all that is in flash counted:
constants with their codebooks, indices and tables, and the code. Code and cycles are the cost model's estimates, which
`verify` and `profile` measure.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass, replace

from .ir import Graph, Program
from .metrics import accuracy
from .options import Options, Ranges, Switch
from .passes.calibrate import runner
from .passes.compress import Stage
from .passes.output_error import Goal, goal
from .passes.quantize import quantize, spread_samples
from .pipeline import Prepared, fixed, lowered, network_type, quantize_options
from .reference import quantized_inputs
from .target.board import Board

ERROR_SAMPLES = 100  # on which the signal-to-noise ratio is taken, at most


@dataclass(frozen=True)
class Effect:
    """The network after a request of the recipe; the first one, without a request, is the network before.

    `constants`, `flash` (constants and code) and `arena` are in bytes; `macs` and `cycles` are of one run; `alpha` and
    `delta` as in the module's text. `decibels` is the signal-to-noise ratio of the outputs, before a final Softmax,
    against the float network's, None where there is no float network; `accuracy` the share of the calibration samples
    whose largest output is the label, None without labels.
    """

    request: str
    constants: int
    flash: int
    arena: int
    macs: int
    cycles: float
    alpha: float
    delta: float
    decibels: float | None
    accuracy: float | None


@dataclass(frozen=True, eq=False)
class State:
    """The network after a request, in the form that is compiled, and its program without limits of RAM and flash."""

    request: str
    graph: Graph
    program: Program

    @property
    def cycles(self) -> float:
        return sum(s.cycles for s in self.program.steps)


def effects(prepared: Prepared, board: Board, options: Options) -> tuple[Effect, ...]:
    """One entry for the network before, and one for each request; () without a recipe."""
    if not prepared.applied:
        return ()
    found = list(states(prepared, board, options))
    target = float_goal(prepared)
    return tuple(effect(s, found[0], prepared, target) for s in found)


def states(prepared: Prepared, board: Board, options: Options) -> Iterator[State]:
    yield state("", completed(prepared, prepared.given, options), board, options)
    for applied in prepared.applied:
        is_coded = applied.request.compression.stage is Stage.CODE
        graph = applied.graph if is_coded else completed(prepared, applied.graph, options)
        yield state(str(applied.request), graph, board, options)


def state(request: str, graph: Graph, board: Board, options: Options) -> State:
    return State(request, graph, lowered(graph, board, options.effort))


def completed(prepared: Prepared, graph: Graph, options: Options) -> Graph:
    """A copy in the form that is compiled, quantized in the way that was best for the compressed network."""
    result = copy.deepcopy(graph)
    if prepared.quantization and prepared.samples and not any(t.quant for t in result.activations()):
        chosen = prepared.quantization.chosen
        asked = replace(
            options, ranges=Ranges(chosen.ranges), equalize=switch(chosen.equalized),
            correct_bias=switch(chosen.bias_corrected),
        )  # fmt: skip
        quantize(result, prepared.samples.inputs, quantize_options(network_type(prepared.graph), asked))
    fixed(result, options)
    return result


def switch(value: bool) -> Switch:
    return Switch.ON if value else Switch.OFF


def float_goal(prepared: Prepared) -> Goal | None:
    """The outputs of the float network before the recipe."""
    if prepared.real is None or prepared.samples is None:
        return None
    samples = spread_samples(prepared.samples.inputs, ERROR_SAMPLES)
    return goal(runner(prepared.real, samples), samples)


def effect(after: State, before: State, prepared: Prepared, target: Goal | None) -> Effect:
    program = after.program
    return Effect(
        request=after.request,
        constants=program.weight_nbytes,
        flash=program.flash_nbytes,
        arena=program.arena_nbytes,
        macs=sum(s.macs for s in program.steps),
        cycles=after.cycles,
        alpha=before.program.flash_nbytes / max(program.flash_nbytes, 1),
        delta=before.cycles / max(after.cycles, 1.0),
        decibels=target.decibels(after.graph) if target else None,
        accuracy=accuracy_of(after.graph, prepared),
    )


def accuracy_of(graph: Graph, prepared: Prepared) -> float | None:
    """On the calibration samples, by the first output."""
    samples = prepared.samples
    if samples is None or samples.labels is None:
        return None
    stored = quantized_inputs(graph, samples.inputs)
    return accuracy(runner(graph, stored).outputs(stored)[graph.outputs[0]], samples.labels)
