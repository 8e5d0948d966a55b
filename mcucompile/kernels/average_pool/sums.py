"""Kernels that sum several channels at once: every window has all of its taps in the image."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass
from math import prod
from typing import ClassVar

from ...ir import DType, Node, Op
from ...ops.average_pool import AveragePool
from ...ops.reduce_mean import ReduceMean
from ...ops.window import Window
from ..counted import Counted
from ..limits import Limits, limits
from ..pooling import PoolWalk, pool_trace, pool_walk
from ..scaling import Scaling, scaling
from ..trace import Trace


@dataclass(frozen=True)
class SumParams:
    """`offset` is what the input's zero point adds to a window's sum; then `scaling`, or a division by `divisor`."""

    walk: PoolWalk
    offset: int
    scaling: Scaling | None
    divisor: int
    limits: Limits


class Sums(Counted):
    """Base: subclasses say how many taps their sums have room for."""

    op: ClassVar[type[Op]] = AveragePool
    most_taps: ClassVar[float] = math.inf
    least_channels: ClassVar[int] = 1

    @property
    def template(self) -> str:
        return f"kernels/average_pool/{self.variant}.{self.isa.name.lower()}.c.j2"

    def fits(self, node: Node) -> bool:
        walk = walk_of(node)
        return walk is not None and walk.window.taps <= self.most_taps and walk.channels >= self.least_channels

    def params(self, node: Node) -> SumParams:
        return sum_params(node)

    def trace(self, node: Node) -> Trace:
        return pool_trace(node)

    def counts(self, node: Node) -> tuple[float, ...]:
        walk = walk_of(node)
        assert walk is not None
        alone = 0 if self.scales_together(self.params(node).scaling) else node.output.size
        return (*self.walk_counts(walk), alone)

    @abstractmethod
    def walk_counts(self, walk: PoolWalk) -> tuple[float, ...]:
        """How often the parts of the loops run."""

    @abstractmethod
    def scales_together(self, scaling: Scaling | None) -> bool:
        """Whether results take no more than is counted per group; None is a division."""


def sum_params(node: Node) -> SumParams:
    walk, x = walk_of(node), node.inputs[0]
    assert walk is not None
    taps = walk.window.taps
    if getattr(node.op, "requant", None) is None:
        return SumParams(walk, 0, None, taps, limits(node))
    zero = x.quant.zero if x.quant else 0
    return SumParams(walk, -zero * taps, scaling(node), taps, limits(node))


def walk_of(node: Node) -> PoolWalk | None:
    """The walk of a pool without padding, or of a mean over axes before the last ones; None for all other nodes."""
    if not all(t.dtype is DType.I8 for t in (node.inputs[0], node.output)):
        return None
    if isinstance(node.op, AveragePool):
        walk = pool_walk(node)
        return None if any(walk.overhangs) or any(node.op.window.pads) else walk
    return mean_walk(node)


def mean_walk(node: Node) -> PoolWalk | None:
    """A mean over neighbouring axes is a pool whose window is the whole column."""
    assert isinstance(node.op, ReduceMean)
    shape, axes = node.inputs[0].shape, node.op.axes
    first, end = axes[0], axes[-1] + 1
    if axes != tuple(range(first, end)):
        return None
    taps, channels = prod(shape[first:end]), prod(shape[end:])
    return PoolWalk(prod(shape[:first]), taps, 1, channels, 1, 1, Window((taps, 1)))
