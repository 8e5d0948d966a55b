"""A layer's weights rounded to few bits: how many, by which method."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from ...ir import Array, Graph, Node
from .hessian import Moments, Reals, weight_rows
from .layer_weights import rewrite
from .low_bits import BINARY, TERNARY, Levels, Rounded, binary, compensated, nearest, ternary

Bits = Literal[2, 3, 4, 5, 6, "ternary", "binary"]
Rounding = Literal["compensated", "nearest"]


@dataclass(frozen=True)
class Rounder:
    """How to round. Inputs of large variance come first where it is `ordered`; `damping` is that of the Hessian."""

    rounding: Rounding
    ordered: bool
    damping: float

    def target(self, node: Node, moments: Moments | None) -> Reals:
        """What is rounded: the weights or, with compensation, those that would make up for what earlier layers lost."""
        weights = weight_rows(node)
        if self.rounding == "nearest" or moments is None:
            return weights
        return np.asarray(moments.target(weights, self.damping) * (weights != 0))

    def rounded(self, node: Node, bits: Bits, moments: Moments | None) -> Rounded:
        """The layer's weights as integers and scales; weights that are zero stay zero."""
        kept, target = weight_rows(node) != 0, self.target(node, moments)
        if self.rounding == "nearest" or moments is None:
            return closed_form(target, bits, kept)
        hessian = moments.hessian(self.damping)
        start = closed_form(target, bits, kept)
        if not isinstance(bits, str):
            start = nearest(target, hessian, levels(bits), kept)
        return compensated(target, hessian, levels(bits), kept, start, self.ordered)


def closed_form(target: Reals, bits: Bits, kept: Array) -> Rounded:
    """What needs no samples."""
    if bits == "binary":
        return binary(target, kept)
    return ternary(target, kept) if bits == "ternary" else nearest(target, None, levels(bits), kept)


def levels(bits: Bits) -> Levels:
    if bits == "binary":
        return BINARY
    return TERNARY if bits == "ternary" else Levels((1 << (bits - 1)) - 1)


def put_on_grid(graph: Graph, node: Node, rounded: Rounded, moments: Moments | None) -> None:
    rewrite(graph, node, rounded.values, moments, rounded.scales.ravel().tolist())


def bits_text(bits: Bits) -> str:
    return bits if isinstance(bits, str) else f"{bits} bits"


def weight_error(node: Node, rounded: Rounded) -> float:
    """The squared error of the weights themselves, relative to their square."""
    weights = weight_rows(node)
    return float(np.square(weights - rounded.values).sum() / max(float(np.square(weights).sum()), 1e-30))
