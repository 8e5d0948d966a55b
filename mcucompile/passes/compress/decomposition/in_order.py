"""Chains one after another, each made for what the chains before it deliver (Zhang et al. 2016, section 3.3).

A chain that stands for the layer's weights W on inputs x is fitted to the weights that on the changed network's inputs
y come nearest to W x, under the covariance of y (hessian.py). During the walk each layer stays one layer, with the
weights that its chain multiplies out to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ....ir import Array, Graph, Node, constant
from ....ops.window import Window
from ...calibrate import Samples
from ...equalize import copy_nodes
from ..hessian import Moments, moments_in_order, weight_rows, weights_from_rows
from .family import Family, Level
from .seen import MOST_COLUMNS, Covariances

DAMPING = 0.05
Families = Callable[[Node, Covariances], Sequence[Family]]


@dataclass(frozen=True, eq=False)
class Fit:
    """A chain, and the layer's bias behind it."""

    level: Level
    bias: Array


@dataclass(frozen=True)
class OfWindow:
    """The covariance of what a window of the layer reads, by that of the whole window."""

    moments: Moments

    def moment(self, node: Node, window: Window | None) -> Array:
        """Of a part of the window: the mean over where the part can be."""
        (whole,) = self.moments.hessian(DAMPING)
        if window is None:
            return np.asarray(whole)
        _, kh, kw, channels = node.inputs[1].shape
        rows, columns = window.kernel
        both = whole.reshape(kh, kw, channels, kh, kw, channels)
        if rows < kh:
            both = np.einsum("awcaxd->wcxd", both)[None, :, :, None] / kh
        if columns < kw:
            both = np.einsum("awcbwd->acbd", both)[:, None, :, :, None] / kw
        size = rows * columns * channels
        return np.asarray(both.reshape(size, size))


def fits_in_order(
    graph: Graph, chosen: Mapping[Node, tuple[int, Level]], samples: Samples, families: Families
) -> dict[Node, Fit]:
    """The chains of the chosen ranks anew, in the order of execution; `chosen` says which of the families it is, too.

    Layers that read too much for a covariance are not in the result.
    """
    trial = copy_nodes(graph)
    originals = {copy: node for copy, node in zip(trial.nodes, graph.nodes, strict=True) if node in chosen}
    small = [copy for copy in originals if weight_rows(copy).shape[2] <= MOST_COLUMNS]
    fits: dict[Node, Fit] = {}
    for copy, moments in moments_in_order(trial, small, samples):
        node = originals[copy]
        number, level = chosen[node]
        weights = weight_rows(node)
        aim = with_weights(node, weights_from_rows(node, moments.target(weights, DAMPING)))
        again = families(aim, OfWindow(moments))[number].level(level.ranks, level.lost)
        if again.family.objection(again.ranks):
            fits[node] = Fit(again, bias_of(node))
            continue
        changed = with_weights(node, again.family.composed(again.factors))
        bias = bias_of(node) + moments.bias_change(weights, weight_rows(changed))
        copy.inputs = [copy.inputs[0], changed.inputs[1], constant(node.inputs[2].name, bias.astype(np.float32))]
        fits[node] = Fit(again, bias)
    return fits


def bias_of(node: Node) -> Array:
    bias = node.inputs[2].const
    assert bias is not None
    return bias


def with_weights(node: Node, weights: Array) -> Node:
    """A layer like this one, under the same names."""
    x, old, bias = node.inputs
    return replace(node, inputs=[x, constant(old.name, weights.astype(np.float32)), bias])
