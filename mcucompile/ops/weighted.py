"""What layers with constant weights have in common: Conv2d, DepthwiseConv2d and Dense."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from typing import ClassVar, Self

from ..ir import Array, Clip, Node, Numerics, Op, Requant, ScaleRule, Shape
from .fixed_point import TFLITE_TYPES
from .sums import channel_requant, weighted_bounds


class Weighted(Op):
    """Inputs x, w, b; output channels are the last axis of y, b has one entry for each, w has them on `weight_axis`.

    Subclasses are dataclasses with the fields `clip` and `requant`.
    """

    scales = ScaleRule.WEIGHTED
    tflite_types = TFLITE_TYPES
    weight_axis: ClassVar[int] = 0

    clip: Clip
    requant: Requant | None

    @abstractmethod
    def per_input(self, weight: Shape, values: Array) -> Array:
        """One value per input channel, in a shape that broadcasts against weights of shape `weight`."""

    def input_reach(self, magnitude: Array) -> Array | None:
        """The largest of the weights' magnitudes per input channel; None where no output channel reads two of them."""
        reach: Array = magnitude.reshape(-1, magnitude.shape[-1]).max(axis=0)
        return reach

    @property
    def pads(self) -> bool:
        """Whether zeros that are not in x are summed up too."""
        return False

    def fix(self, node: Node, numerics: Numerics) -> Self:
        requant = channel_requant(node, numerics, node.output.shape[-1], self.weight_axis)
        return replace(self, requant=requant)  # type: ignore[type-var]

    def sum_bounds(self, node: Node) -> tuple[int, ...]:
        return weighted_bounds(node, self.weight_axis)

    def other_axes(self, weight: Shape) -> tuple[int, ...]:
        """The axes of the weights over which one output channel's sum runs."""
        return tuple(i for i in range(len(weight)) if i != self.weight_axis)

    def along_outputs(self, weight: Shape, values: Array) -> Array:
        """One value per output channel, in a shape that broadcasts against weights of shape `weight`."""
        return values.reshape([-1 if i == self.weight_axis else 1 for i in range(len(weight))])
