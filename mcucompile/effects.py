"""What each pass of a recipe costs and gains: the network as it was after every one of them, compiled in the same way.

Compression rate alpha and speed-up delta are those of Cheng et al. 2017 ("A Survey of Model Compression and
Acceleration for Deep Neural Networks"): size and time before, divided by size and time after. Both are against the
network without the recipe, compiled for the same board with the same options, with all that is in flash counted:
constants with their codebooks, indices and tables, and the code. Code and cycles are the cost model's estimates, which
`verify` and `profile` measure. The last one is the program that is compiled; those before it are compiled without
limits of RAM and flash, which they need not keep.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from .ir import Array, Graph, Program
from .layer_effects import Layer, LayerEffect, layer_effects, layers_of
from .lowering import lowered
from .metrics import accuracy
from .network_type import is_quantized, network_type, quantize_options
from .options import Options, Ranges, Switch
from .passes.base import Tell
from .passes.calibrate import runner
from .passes.compress import Change, Stage
from .passes.quantize import spread_samples, tried_out
from .passes.tensor_errors import Gains, gains_of, scores_decibels, tensor_noises
from .pipeline import Prepared, fixed
from .recipe import Applied
from .reference import quantized_inputs
from .target.board import Board

BROKEN = 10.0  # dB, below which noise is a third of the signal and more
ERROR_SAMPLES = 100  # on which signal-to-noise ratios are taken, at most
GAIN_SAMPLES = 8  # that show by what channels are stretched


@dataclass(frozen=True)
class Effect:
    """The network after a request of the recipe; the first one, without a request, is the network before.

    `constants`, `flash` (constants and code) and `arena` are in bytes; `macs` and `cycles` are of one run; `alpha` and
    `delta` as in the module's text. `decibels` is the signal-to-noise ratio of the outputs, before a final Softmax,
    against the float network's, None where there is no float network; `accuracy` the share of the calibration samples
    whose largest output is the label, None without labels. `layers` are the same ones in every effect.
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
    layers: tuple[LayerEffect, ...] = ()


@dataclass(frozen=True)
class Quality:
    """Of the network that is compiled: `decibels` and `accuracy` as an effect has them."""

    decibels: float | None
    accuracy: float | None


@dataclass(frozen=True, eq=False)
class State:
    """The network after a request, in the form that is compiled, and its program without limits of RAM and flash.

    `gains`: by what equalization stretched each channel of a tensor, which is to be undone to compare it.
    """

    request: str
    graph: Graph
    program: Program
    gains: Gains = field(default_factory=dict)
    changes: tuple[Change, ...] = ()

    @property
    def cycles(self) -> float:
        return sum(s.cycles for s in self.program.steps)


@dataclass(frozen=True, eq=False)
class Errors:
    """Signal-to-noise ratios against the float network: of the outputs, None without one, and by tensor."""

    scores: float | None
    tensors: Mapping[str, float]


def effects(prepared: Prepared, program: Program, board: Board, options: Options, tell: Tell) -> tuple[Effect, ...]:
    """One entry for the network before, and one for each request, of which the last is of the compiled `program`; ()
    without a recipe.
    """
    if not prepared.applied:
        return ()
    found = list(states(prepared, board, options, tell))
    last = found[-1].graph
    found = [replace(s, program=program) if s.graph is last else s for s in found]
    tell("comparing with the float network")
    errors, layers = errors_of(found, prepared), layers_of([s.program for s in found])
    result = [effect(found[0], found[0], errors[0], prepared, layers)]
    for s, e in zip(found[1:], errors[1:], strict=True):
        result.append(effect(s, found[0], e, prepared, layers, result[0].layers))
    return tuple(result)


def states(prepared: Prepared, board: Board, options: Options, tell: Tell) -> Iterator[State]:
    """A request that changed nothing leaves the state as it was."""
    tell("measuring the network without the recipe")
    last = state(prepared, prepared.given, {}, board, options)
    yield last
    for applied in prepared.applied:
        request = str(applied.request)
        if applied.changes:
            tell(f"measuring {request}")
            last = after(last, applied, prepared, board, options)
        last = replace(last, request=request, changes=applied.changes)
        yield last


def after(last: State, applied: Applied, prepared: Prepared, board: Board, options: Options) -> State:
    """Integers keep the scales, and so the gains, that quantization gave them."""
    if applied.request.compression.stage is Stage.CODE:
        return replace(last, graph=applied.graph, program=lowered(applied.graph, board, options.effort))
    return state(prepared, applied.graph, last.gains, board, options)


def state(prepared: Prepared, graph: Graph, gains: Gains, board: Board, options: Options) -> State:
    """Of a copy in the form that is compiled, quantized in the way that was best for the compressed network."""
    result = copy.deepcopy(graph)
    if prepared.quantization and prepared.samples and not is_quantized(result):
        gains = quantize_alike(result, prepared, options)
    fixed(result, options)
    return State("", result, lowered(result, board, options.effort), gains)


def quantize_alike(graph: Graph, prepared: Prepared, options: Options) -> Gains:
    """Quantize in place, as the compressed network was; the gains of its tensors."""
    assert prepared.quantization and prepared.samples
    chosen, samples = prepared.quantization.chosen, prepared.samples.inputs
    asked = replace(
        options, ranges=Ranges(chosen.ranges), equalize=switch(chosen.equalized),
        correct_bias=switch(chosen.bias_corrected),
    )  # fmt: skip
    best = tried_out(graph, samples, quantize_options(network_type(prepared.graph), asked))[0]
    few = spread_samples(samples, GAIN_SAMPLES)
    gains = gains_of(graph, best.original, few) if best.trial.equalized else {}
    graph.inputs, graph.outputs, graph.nodes = best.integer.inputs, best.integer.outputs, best.integer.nodes
    return gains


def switch(value: bool) -> Switch:
    return Switch.ON if value else Switch.OFF


def errors_of(found: Sequence[State], prepared: Prepared) -> list[Errors]:
    """Against the float network before the recipe."""
    if prepared.real is None or prepared.samples is None:
        return [Errors(None, {}) for _ in found]
    samples = spread_samples(prepared.samples.inputs, ERROR_SAMPLES)
    noises = tensor_noises(prepared.real, [(s.graph, s.gains) for s in found], samples)
    return [
        Errors(
            scores_decibels(prepared.real, by_name), {name: n.decibels for name, n in by_name.items() if n.signal > 0}
        )
        for by_name in noises
    ]


def effect(
    now: State,
    before: State,
    errors: Errors,
    prepared: Prepared,
    layers: Sequence[Layer],
    layers_before: Sequence[LayerEffect] = (),
) -> Effect:
    program = now.program
    return Effect(
        request=now.request,
        constants=program.weight_nbytes,
        flash=program.flash_nbytes,
        arena=program.arena_nbytes,
        macs=sum(s.macs for s in program.steps),
        cycles=now.cycles,
        alpha=before.program.flash_nbytes / max(program.flash_nbytes, 1),
        delta=before.cycles / max(now.cycles, 1.0),
        decibels=errors.scores,
        accuracy=accuracy_of(now.graph, prepared),
        layers=layer_effects(program, layers, errors.tensors, now.changes, layers_before),
    )


def quality(prepared: Prepared, found: Sequence[Effect]) -> Quality:
    """What the last of the effects says; without a recipe, what quantization cost."""
    if found:
        return Quality(found[-1].decibels, found[-1].accuracy)
    chosen = prepared.quantization.chosen if prepared.quantization else None
    return Quality(chosen.decibels if chosen else None, accuracy_of(prepared.graph, prepared))


def accuracy_of(graph: Graph, prepared: Prepared) -> float | None:
    """On the calibration samples, by the first output."""
    samples = prepared.samples
    if samples is None or samples.labels is None:
        return None
    return accuracy_on(graph, quantized_inputs(graph, samples.inputs), samples.labels)


def accuracy_on(graph: Graph, stored: dict[str, Array], labels: Array | None) -> float | None:
    """Of the first output; `stored` inputs are [samples, ...]."""
    return accuracy(runner(graph, stored).outputs(stored)[graph.outputs[0]], labels)
