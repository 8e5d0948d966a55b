"""How far an integer network's outputs are from the float network's: the figure by which quantization is chosen.

The figure is taken before a final Softmax, which hides the size of an error where one class is sure.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..ir import Array, Graph, Tensor
from ..ops.log_softmax import LogSoftmax
from ..ops.reshape import Reshape
from ..ops.sigmoid import Sigmoid
from ..ops.softmax import Softmax
from ..reference import quantized_inputs
from .calibrate import Runner, Samples, runner

SQUASHING = (Softmax, LogSoftmax, Sigmoid, Reshape)
PERFECT = 200.0  # decibels, for outputs without an error


@dataclass(frozen=True, eq=False)
class Goal:
    """The float network's scores on some samples, by the name of the tensor: what an integer network shall give."""

    samples: Samples
    scores: Mapping[str, Array]

    def decibels(self, integer: Graph) -> float:
        """Signal-to-noise ratio of the integer network's scores; with several outputs of their mean noise."""
        stored = self.stored(integer)
        got = real_scores(runner(integer, stored), stored, list(self.scores))
        noise = float(np.mean([relative_noise(want, got[name]) for name, want in self.scores.items()]))
        return -10 * math.log10(noise) if noise > 10 ** (-PERFECT / 10) else PERFECT

    def stored(self, integer: Graph) -> Samples:
        """The samples as the integer network takes them."""
        return quantized_inputs(integer, self.samples)


def goal(floats: Runner, samples: Samples) -> Goal:
    names = [before_squashing(floats.graph, t).name for t in floats.graph.outputs]
    return Goal(samples, real_scores(floats, samples, names))


def before_squashing(graph: Graph, tensor: Tensor) -> Tensor:
    producer = graph.producer(tensor)
    while producer and isinstance(producer.op, SQUASHING) and producer.inputs[0].const is None:
        tensor = producer.inputs[0]
        producer = graph.producer(tensor)
    return tensor


def real_scores(run: Runner, samples: Samples, names: list[str]) -> dict[str, Array]:
    """The named tensors over all samples as real numbers."""
    tensors = [t for t in run.graph.activations() if t.name in names]
    parts: dict[str, list[Array]] = {name: [] for name in names}
    for values in run.traces(samples):
        for t in tensors:
            parts[t.name].append(t.quant.dequantize(values[t]) if t.quant else values[t])
    return {name: np.concatenate([p.ravel() for p in collected]) for name, collected in parts.items()}


def relative_noise(want: Array, got: Array) -> float:
    """In float64: the square of a large float32 is no float32."""
    signal = want.astype(np.float64)
    noise = float(np.square(signal - got).sum())
    return noise / max(float(np.square(signal - signal.mean()).sum()), 1e-30)
