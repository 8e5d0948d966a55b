"""A layer of integer weights, and giving it others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ....errors import CompileError
from ....ir import Array, DType, Graph, Node, constant, saturate
from ....reference import quantized_inputs
from ...calibrate import Samples
from ...correct_bias import sum_scales
from ...equalize import copy_nodes
from ...fix_multipliers import FixMultipliers
from ..base import Change
from ..hessian import Moments, Reals, has_rows, moments_in_order, quadratic, weight_rows, weights_from_rows

LIMIT = 127  # symmetric: -128 is not used
DAMPING = 0.05  # more than for rounding: weights that share values move further from what they were


@dataclass(frozen=True, eq=False)
class IntegerLayer:
    """`codes` [groups, outputs, inputs] are the stored weights, one of them stands for `scales` [groups, outputs].

    `moments` of what the layer reads, None without samples; `damping` of their Hessian, as in hessian.py.
    """

    node: Node
    codes: Reals
    scales: Reals
    moments: Moments | None
    damping: float

    @property
    def real(self) -> Reals:
        return self.codes * self.scales[..., None]

    @cached_property
    def target(self) -> Reals:
        """The codes, not rounded, that would make up for what earlier layers lost."""
        return (
            self.codes
            if self.moments is None
            else self.moments.target(self.real, self.damping) / self.scales[..., None]
        )

    @cached_property
    def hessian(self) -> Reals:
        """Of the squared error of the sums, [groups, inputs, inputs]; all weights alike without samples."""
        groups, _, inputs = self.codes.shape
        if self.moments is not None:
            return self.moments.hessian(self.damping)
        return np.broadcast_to(np.eye(inputs), (groups, inputs, inputs))

    def importance(self, by_inputs: bool) -> Reals:
        """How much the squared error of a code counts by itself: its scale's square times its input's variance."""
        squares = np.square(self.scales)[..., None]
        variances = np.diagonal(self.hessian, axis1=1, axis2=2)[:, None] if by_inputs else 1.0
        return np.broadcast_to(squares * variances, self.codes.shape)

    def error(self, codes: Reals, target: Reals) -> float:
        """The mean squared error of all sums."""
        return float(quadratic((codes - target) * self.scales[..., None], self.hessian).sum())


def check_damping(name: str, damping: float) -> None:
    """Raises E0701."""
    if not damping > 0:
        raise CompileError("E0701", f"{name}: damping cannot be {damping:g}", fix="give a number above 0")


def is_integer_layer(node: Node) -> bool:
    if not has_rows(node) or node.inputs[1].dtype is not DType.I8 or node.inputs[2].const is None:
        return False
    return node.inputs[0].quant is not None and node.inputs[1].quant is not None


def integer_layers(
    graph: Graph, layers: Sequence[Node], samples: Samples | None, damping: float
) -> Iterator[IntegerLayer]:
    """Layers in the order of execution; each sees what the layers before it deliver once they were changed.

    What runs is a copy with fixed-point constants: a network that arrived quantized has none before FixMultipliers.
    """
    if samples is None:
        yield from (integer_layer(n, None, damping) for n in graph.nodes if n in layers)
        return
    runs = copy_nodes(graph)
    FixMultipliers().run(runs)
    originals = {r: n for r, n in zip(runs.nodes, graph.nodes, strict=True) if n in layers}
    shaped = {t.name: samples[t.name].reshape(-1, *t.shape) for t in runs.inputs}
    for running, moments in moments_in_order(runs, originals, quantized_inputs(runs, shaped)):
        yield integer_layer(originals[running], moments, damping)
        running.inputs = list(originals[running].inputs)  # with the constants that the caller gave it


def integer_layer(node: Node, moments: Moments | None, damping: float) -> IntegerLayer:
    codes, quant = weight_rows(node), node.inputs[1].quant
    assert quant
    scales = np.broadcast_to(np.asarray(quant.scales), codes.shape[0] * codes.shape[1]).reshape(codes.shape[:2])
    return IntegerLayer(node, codes, scales, moments, damping)


def share(
    graph: Graph, layer: IntegerLayer, codes: Reals, criterion: str, unit: str, compensated: bool = True
) -> Change:
    """Give the layer these codes, and a bias that takes over the mean of what its sums lose.

    The effect is that of `codes` against the layer's `target`; against its own codes where they are not `compensated`.
    """
    node, moments = layer.node, layer.moments
    changed = codes * layer.scales[..., None]
    lost = float(np.square(changed - layer.real).sum() / max(float(np.square(layer.real).sum()), 1e-30))
    aim = (layer.target if compensated else layer.codes) * layer.scales[..., None]
    effect = moments.relative_error(aim, changed) if moments else None
    counts = [int(np.count_nonzero(c)) for c in (layer.codes, codes)]
    if moments:
        replace_constant(graph, node, 2, moved_bias(node, moments.bias_change(layer.real, changed)))
    replace_constant(graph, node, 1, weights_from_rows(node, codes.astype(np.int8)))
    return Change(node.output.name, node.source, unit, criterion, lost, effect, *counts)


def moved_bias(node: Node, change: Array) -> Array:
    bias = node.inputs[2]
    assert bias.const is not None
    return saturate(bias.const.astype(np.int64) + np.rint(change / sum_scales(node)).astype(np.int64), bias.dtype)


def replace_constant(graph: Graph, node: Node, index: int, values: Array) -> None:
    """A new constant under the old one's name, unless somebody else reads that."""
    old = node.inputs[index]
    name = old.name if len(graph.readers(old)) == 1 else graph.fresh_name(old.name)
    node.inputs[index] = constant(name, values, old.quant)
