"""What the layers see and give on calibration samples: moments of inputs, errors of chains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ....ir import NO_CLIP, Array, Graph, Node
from ....ops.weighted import Weighted
from ....ops.window import Window
from ...calibrate import Samples, count_of, observe, runner
from ...equalize import equalize
from ...fuse_clip import with_clip
from ...quantize import spread_samples
from .chain import Part, plain_graph
from .matrices import patches

MOST_SAMPLES = 256
MOST_NBYTES = 48 << 20  # of the inputs of one layer that are kept
MOST_ROWS = 16384  # of which a moment is computed
MOST_COLUMNS = 2048  # of the side of a moment
TEST_MACS = 200_000_000  # of a layer on the samples on which effects are measured
FEWEST_SAMPLES = 8


class Covariances(Protocol):
    """Knows what layers read."""

    def moment(self, node: Node, window: Window | None) -> Array | None:
        """The covariance [n, n] of what the window reads of the layer's input; None where it is too large to say."""


@dataclass(frozen=True, eq=False)
class Seen:
    """The inputs of some layers, samples along the first axis."""

    inputs: dict[Node, Array]

    def moment(self, node: Node, window: Window | None) -> Array | None:
        """The covariance of what the window reads, shrunk as far as there are few samples; None where it is too large.

        Without the mean, which the bias takes up.
        """
        rows = patches(self.inputs[node], window)
        if rows.shape[1] > MOST_COLUMNS:
            return None
        chosen = np.linspace(0, len(rows) - 1, min(len(rows), MOST_ROWS)).round().astype(int)
        return shrunk(
            np.cov(rows[chosen].astype(np.float64), rowvar=False, bias=True).reshape(rows.shape[1], -1), len(chosen)
        )

    def corrected_bias(self, node: Node, parts: Sequence[Part]) -> Array:
        """The layer's bias less the chain's mean error; `parts` have bias zero and no clip.

        Both are linear, so that their mean outputs are their outputs for the mean input.
        """
        bias = node.inputs[2].const
        assert bias is not None
        mean = self.samples_of(node).mean(axis=0, dtype=np.float64).astype(np.float32)
        error = outputs_of(parts, node, mean) - sums_of(node, mean)
        return np.asarray(bias - error.reshape(-1, bias.size).mean(axis=0, dtype=np.float64))

    def balanced(self, node: Node, parts: Sequence[Part]) -> tuple[Part, ...]:
        """The same chain, with channels between its parts of such ranges that one scale serves all (equalize.py)."""
        graph = plain_graph(parts, node.inputs[0], node.output)
        samples = {"x": self.test_inputs(node).reshape(-1, *node.inputs[0].shape)}
        reach = {t: o.reach for t, o in observe(runner(graph, samples), samples).items() if o.reach is not None}
        equalized = equalize(graph, reach) or graph
        return tuple(Part(n.op, tuple(t.const for t in n.inputs[1:] if t.const is not None)) for n in equalized.nodes)

    def effect(self, node: Node, parts: Sequence[Part]) -> float:
        """The squared error of the chain's output relative to the square of the layer's."""
        x = self.test_inputs(node)
        weights = [t.const for t in node.inputs[1:] if t.const is not None]
        want = node.op.reference(x, *weights)[0].astype(np.float64)
        error = np.square(outputs_of(parts, node, x) - want).sum()
        return float(error / max(float(np.square(want).sum()), 1e-30))

    def samples_of(self, node: Node) -> Array:
        """[samples, *shape of the input]"""
        return self.inputs[node].reshape(-1, *node.inputs[0].shape)

    def test_inputs(self, node: Node) -> Array:
        """A few samples, one after the other along the first axis."""
        x = self.samples_of(node)
        most = max(TEST_MACS // max(node.op.macs(node), 1), FEWEST_SAMPLES)
        chosen = np.linspace(0, len(x) - 1, min(len(x), most)).round().astype(int)
        picked: Array = x[chosen]
        return picked.reshape(-1, *x.shape[2:])


def see(graph: Graph, layers: Sequence[Node], samples: Samples) -> Seen:
    """Run the network on some of the samples and keep what the layers read."""
    samples = {t.name: samples[t.name].reshape(-1, *t.shape) for t in graph.inputs}
    chosen = spread_samples(samples, MOST_SAMPLES)
    total = count_of(chosen)
    kept: dict[Node, list[Array]] = {n: [] for n in layers}
    step = {n: 1 + total * n.inputs[0].nbytes // MOST_NBYTES for n in layers}
    for values in runner(graph, chosen).traces(chosen):
        for node, parts in kept.items():
            x = node.inputs[0]
            parts.append(values[x].reshape(-1, *x.shape)[:: step[node]].reshape(-1, *x.shape[1:]))
    return Seen({n: np.concatenate(parts) for n, parts in kept.items()})


def sums_of(node: Node, x: Array) -> Array:
    """The layer without bias and activation."""
    weight, bias = node.inputs[1].const, node.inputs[2].const
    assert isinstance(node.op, Weighted) and weight is not None and bias is not None
    return with_clip(node.op, NO_CLIP).reference(x, weight, np.zeros_like(bias))[0]


def outputs_of(parts: Sequence[Part], node: Node, x: Array) -> Array:
    """The chain on inputs with the samples along the first axis."""
    graph = plain_graph(parts, node.inputs[0], node.output)
    samples = {"x": x.reshape(-1, *node.inputs[0].shape)}
    result: Array = runner(graph, samples).outputs(samples)[graph.outputs[0]]
    return result.reshape(-1, *node.output.shape[1:])


def shrunk(covariance: Array, count: int) -> Array:
    """Oracle approximating shrinkage towards a multiple of the identity (Chen, Wiesel, Eldar, Hero 2010, eq. 23)."""
    size = len(covariance)
    trace, squares = float(np.trace(covariance)), float(np.square(covariance).sum())
    below = (count + 1 - 2 / size) * (squares - trace**2 / size)
    share = 1.0 if below <= 0 else min(1.0, ((1 - 2 / size) * squares + trace**2) / below)
    result: Array = (1 - share) * covariance + share * trace / size * np.eye(size)
    return result
