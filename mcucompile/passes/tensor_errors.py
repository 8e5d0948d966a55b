"""How far the tensors of integer networks are from those of one float network, which runs once for all of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..ir import Array, Graph, Tensor
from ..reference import quantized_inputs
from .calibrate import Runner, Samples, runner
from .error_report import real_of
from .output_error import PERFECT, before_squashing

Gains = Mapping[str, Array]  # by tensor: a factor per channel, of those that the tensor once had


@dataclass
class Noise:
    """Sums over a tensor's values in a float network, and over the squares of what another network's differ by."""

    count: int = 0
    total: float = 0.0
    squares: float = 0.0
    noise: float = 0.0

    def add(self, want: Array, got: Array) -> None:
        """In float64: the square of a large float32 is no float32."""
        wide = want.astype(np.float64)
        self.count += wide.size
        self.total += float(wide.sum())
        self.squares += float(np.square(wide).sum())
        self.noise += float(np.square(wide - got).sum())

    @property
    def signal(self) -> float:
        """The variance of the float network's values, times their number."""
        return self.squares - self.total**2 / max(self.count, 1)

    @property
    def relative(self) -> float:
        return self.noise / max(self.signal, 1e-30)

    @property
    def decibels(self) -> float:
        return in_decibels(self.relative)


def in_decibels(relative: float) -> float:
    return -10 * math.log10(relative) if relative > 10 ** (-PERFECT / 10) else PERFECT


def tensor_noises(real: Graph, others: Sequence[tuple[Graph, Gains]], samples: Samples) -> list[dict[str, Noise]]:
    """For each of the other networks, the noise of its tensors that `real` has, too, in the channels that are left.

    `samples` are real values for the inputs of `real`. Gains are by what the other network stretched a channel.
    """
    graphs = [graph for graph, _ in others]
    chunk = min([runner(real, samples).chunk, *(runner(g, quantized_inputs(g, samples)).chunk for g in graphs)])
    floats, runners = Runner(real, chunk), [Runner(g, chunk) for g in graphs]
    result: list[dict[str, Noise]] = [{} for _ in others]
    for part in floats.parts(samples):
        wanted = {t.name: v for t, v in floats.trace(part).items()}
        for (graph, gains), run, noises in zip(others, runners, result, strict=True):
            for t, stored in run.trace(quantized_inputs(graph, part)).items():
                want, got = left_of(wanted.get(t.name), t), real_of(t, stored)
                if want is not None and want.shape == got.shape:
                    noises.setdefault(t.name, Noise()).add(want, got / gain_of(t, gains))
    return result


def left_of(want: Array | None, tensor: Tensor) -> Array | None:
    """The channels that the tensor still has."""
    return want if want is None or tensor.kept is None else want[..., tensor.kept]


def gain_of(tensor: Tensor, gains: Gains) -> Array | float:
    """Of the channels that the tensor still has, fewer perhaps than when its gain was measured."""
    gain = gains.get(tensor.name, 1.0)
    return gain if isinstance(gain, float) or tensor.kept is None else gain[np.asarray(tensor.kept)]


def scores_decibels(real: Graph, noises: Mapping[str, Noise]) -> float:
    """Of the outputs, before a final Softmax; with several of their mean noise, as `output_error.Goal` has it."""
    names = [before_squashing(real, t).name for t in real.outputs]
    return in_decibels(float(np.mean([noises[name].relative for name in names])))


def gains_of(graph: Graph, equalized: Graph, samples: Samples) -> dict[str, Array]:
    """By what the tensors of an equalized float network are stretched, channel by channel."""
    plain, stretched = magnitudes(graph, samples), magnitudes(equalized, samples)
    tensors = {t.name: t for t in graph.activations()}
    return {n: in_place(gain(plain[n], s), tensors[n].kept) for n, s in stretched.items() if n in plain}


def in_place(gain: Array, kept: Sequence[int] | None) -> Array:
    """At the channels that the tensor once had; 1 for those that are gone."""
    if kept is None:
        return gain
    places = np.ones(max(kept, default=-1) + 1)
    places[list(kept)] = gain
    return places


def magnitudes(graph: Graph, samples: Samples) -> dict[str, Array]:
    """Per tensor and channel, summed over the samples."""
    found: dict[str, Array] = {}
    for values in runner(graph, samples).traces(samples):
        for t, v in values.items():
            channels = t.shape[-1] if t.shape else 1
            sums = np.abs(v.astype(np.float64)).reshape(-1, channels).sum(axis=0)
            found[t.name] = found.get(t.name, 0.0) + sums
    return found


def gain(plain: Array, stretched: Array) -> Array:
    """1 for a channel that is always zero."""
    live = (plain > 0) & (stretched > 0)
    return np.where(live, stretched / np.where(live, plain, 1.0), 1.0)
