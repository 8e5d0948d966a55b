"""Giving a layer other weights: what pruning and quantization of weights have in common."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from ...errors import CompileError
from ...ir import Array, DType, Graph, Node, QuantParams, constant
from ...ops.weighted import Weighted
from ..calibrate import Samples
from .base import Change
from .hessian import Moments, Reals, has_rows, moments_in_order, weight_rows, weights_from_rows

LEAST_DAMPING = 1e-4


def has_real_weights(node: Node) -> bool:
    return has_rows(node) and node.inputs[1].dtype is DType.F32


def is_real_layer(node: Node) -> bool:
    """A layer with real weights that are not bound to a grid."""
    return has_real_weights(node) and node.inputs[1].grid is None


def in_order(graph: Graph, layers: Sequence[Node], samples: Samples | None) -> Iterator[tuple[Node, Moments | None]]:
    """Layers in the order of execution, with what they read where there are samples."""
    if samples is not None:
        yield from moments_in_order(graph, layers, samples)
        return
    for node in graph.nodes:
        if node in layers:
            yield node, None


def rewrite(
    graph: Graph, node: Node, rows: Reals, moments: Moments | None, scales: Sequence[float] | None = None
) -> None:
    """Give the layer the weights `rows` [groups, outputs, inputs].

    Where there are samples, the bias takes over the mean of what the sums lose. With scales, one for each output
    channel, the weights promise to lie on that grid.
    """
    before, after = weight_rows(node), rows.astype(np.float32)
    if moments is not None:
        bias = node.inputs[2].const
        assert bias is not None
        replace_constant(graph, node, 2, bias + moments.bias_change(before, after.astype(np.float64)))
    replace_constant(graph, node, 1, weights_from_rows(node, after))
    if scales is not None:
        assert isinstance(node.op, Weighted)
        node.inputs[1].grid = QuantParams(tuple(map(float, scales)), 0, DType.I8, node.op.weight_axis)


def replace_constant(graph: Graph, node: Node, index: int, values: Array) -> None:
    """A new constant under the old one's name, unless somebody else reads that."""
    old = node.inputs[index]
    name = old.name if len(graph.readers(old)) == 1 else graph.fresh_name(old.name)
    node.inputs[index] = constant(name, values.astype(np.float32))


def change_of(node: Node, rows: Reals, aim: Reals, moments: Moments | None, criterion: str, score: float) -> Change:
    """The record of what `rewrite` is about to do; non-zero weights are counted.

    The effect is that of `rows` against `aim`: the layer's weights or, where rows make up for what earlier layers lost,
    the weights that would do so best.
    """
    effect = None if moments is None else moments.relative_error(aim, rows)
    counts = [int(np.count_nonzero(r)) for r in (weight_rows(node), rows)]
    return Change(node.output.name, node.source, "weights", criterion, score, effect, *counts)


def check_damping(name: str, value: float) -> None:
    """Raises E0701 for damping that does not make a Hessian of float32 products positive definite."""
    if not LEAST_DAMPING <= value < np.inf:
        fix = f"give a number from {LEAST_DAMPING} on; 0.01 is usual"
        raise CompileError("E0701", f"{name}: damping cannot be {value}", fix=fix)


def check_share(name: str, option: str, value: float) -> None:
    """Raises E0701 for what is no share of a whole."""
    if not 0 <= value < 1:
        raise CompileError("E0701", f"{name}: {option} cannot be {value}", fix="give a number from 0 to below 1")
