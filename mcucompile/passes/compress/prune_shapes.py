"""Remove the same kernel positions from all filters of a convolution (structured sparsity learning, Wen et al. 2016).

    %y = conv2d<3x3, pad 1>(%x, %w [8, 3, 3, 4], %b)
    -->   %w with zeros at the same (row, column, channel) of every filter, the others fitted to the same sums
    -->   %y = conv2d<2x3, pad 0,1,1,1>(%x, %w [8, 2, 3, 4], %b), where a whole row went
    -->   a channel all of whose positions went, also from the layer before, and everywhere that it goes through

What is neither a row or column at the kernel's edge nor a whole channel stays as zeros, for sparse kernels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...errors import CompileError
from ...ir import Array, Graph, Node, Tensor
from ...ops.conv2d import Conv2d
from ...ops.window import Window
from ..calibrate import Samples
from ..channels.cut import cut
from .base import Change, Compression, Stage
from .hessian import Moments, moments_in_order, weight_rows
from .pruning.dependencies import Family, families, is_sum, masks
from .pruning.evidence import Reals, unit_columns
from .pruning.refit import RIDGE, closest, with_rows


@dataclass(frozen=True)
class PruneShapes(Compression):
    """amount: share of the positions (row, column, input channel) that go, those with the smallest weights over all
    filters, each times what the samples put there. reconstruct: fit the others by least squares. Both need samples;
    without them weights alone decide, and the others stay.
    """

    amount: float = 0.25
    reconstruct: bool = True

    name = "prune_shapes"
    stage = Stage.PRUNE

    def __post_init__(self) -> None:
        if not 0 <= self.amount < 1:
            raise CompileError("E0701", f"{self.name}: amount is a share from 0 to 1, not {self.amount:g}")

    @classmethod
    def takes(cls, node: Node) -> bool:
        return isinstance(node.op, Conv2d) and is_sum(node) and node.inputs[1].grid is None

    def apply(self, graph: Graph, layers: Sequence[Node], samples: Samples | None) -> tuple[Change, ...]:
        if not layers:
            raise CompileError(
                "E0206", f"{self.name}: the network has no convolution over all channels that it could change",
                fix="leave the pass away",
            )  # fmt: skip
        found = [(n, None) for n in layers] if samples is None else moments_in_order(graph, layers, samples)
        changes = [c for node, moments in found for c in self.prune(node, moments)]
        removed = [(f, unread(f)) for f in families(graph)]
        cut(graph, masks(graph, removed))
        for node in layers:
            trim(node)
        return tuple(changes)

    def prune(self, node: Node, moments: Moments | None) -> Iterator[Change]:
        """Put zeros into one layer."""
        weights = weight_rows(node)[0]
        energy = np.square(weights).sum(axis=0)
        if moments:
            energy = energy * np.diag(moments.covariance[0])
        gone = np.argsort(energy, kind="stable")[: int(self.amount * len(energy))]
        stays = np.ones(len(energy), bool)
        stays[gone] = False
        kernel = node.inputs[1].shape[1:]
        renew(node, stays, moments, self.reconstruct)
        total = signal(weights, moments)
        for position in map(int, gone):
            place = ", ".join(map(str, np.unravel_index(position, kernel)))
            effect = float(energy[position]) / total if moments else None
            yield Change(
                node.output.name, node.source, f"position ({place})", "energy" if moments else "l2",
                float(energy[position]), effect, len(weights), 0,
            )  # fmt: skip


def signal(weights: Reals, moments: Moments | None) -> float:
    """The variance of all sums."""
    if moments is None:
        return 1.0
    return max(float(((weights @ moments.covariance[0]) * weights).sum()), 1e-30)


def renew(node: Node, stays: Array, moments: Moments | None, refits: bool) -> None:
    """New constants with zeros where a position went."""
    weights = weight_rows(node)[0]
    if moments is None or not refits:
        node.inputs[1:] = with_rows(node, np.where(stays, weights, 0.0), np.zeros(len(weights)))
        return
    covariance = moments.covariance[0]
    wanted = moments.target(weights[None])[0]
    fitted = closest(wanted, stays, covariance, RIDGE * len(covariance) / moments.rows)
    node.inputs[1:] = with_rows(node, fitted, moments.bias_change(weights[None], fitted[None]))


def unread(family: Family) -> list[int]:
    """Units that every layer reads with zero weights; one is left."""
    columns = np.hstack([unit_columns(family, n) for n in family.consumers])
    found = [int(u) for u in np.flatnonzero(~columns.any(axis=1))]
    return found[1:] if len(found) == family.units else found


def trim(node: Node) -> None:
    """Take rows and columns of zeros off the edges of a kernel, as far as padding makes that possible."""
    weight, op = node.inputs[1], node.op
    assert isinstance(op, Conv2d) and weight.const is not None
    for axis in (0, 1):
        for at_end in (False, True):
            while (smaller := trimmed(op.window, node.inputs[1], node.inputs[0], axis, at_end)) is not None:
                window, values = smaller
                op = replace(op, window=window)
                node.op, node.inputs[1] = op, replace(weight, shape=values.shape, const=values)


def trimmed(window: Window, weight: Tensor, x: Tensor, axis: int, at_end: bool) -> tuple[Window, Array] | None:
    """The window without its first or last row (axis 0) or column (1), which is zero; None where that cannot be."""
    assert weight.const is not None
    size = window.kernel[axis]
    edge = np.take(weight.const, size - 1 if at_end else 0, axis + 1)
    side = axis + 2 * at_end  # pads are top, left, bottom, right
    left = window.pads[side] - window.dilations[axis]
    if size == 1 or edge.any() or (left < 0 and not at_end):
        return None
    kernel, pads = list(window.kernel), list(window.pads)
    kernel[axis], pads[side] = size - 1, max(left, 0)
    result = replace(window, kernel=(kernel[0], kernel[1]), pads=(pads[0], pads[1], pads[2], pads[3]))
    if result.output_size(*x.shape[1:3]) != window.output_size(*x.shape[1:3]):
        return None
    return result, np.ascontiguousarray(np.delete(weight.const, size - 1 if at_end else 0, axis + 1))
