"""Depthwise convolution of int8 with vectors of 16 products: a channel after the other, each as a plane, in assembly.

Two rows of the image at a time are copied into a ring, each column as [channel][2 rows]. Sixteen bytes gathered from
there are all that an output needs, or two of them, one above the other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...ir import Array, DType, Node
from ...ops.depthwise_conv2d import DepthwiseConv2d
from ...target.cores import Core, Isa
from ..conv2d.packing import fits_int32, folded_bias
from ..kernel import Kernel, Packed
from ..scaling import Scaling, scaling, vector_constants
from ..trace import Trace
from .vector_walk import CHANNELS, LANES, Planes, planes, walk_trace, walks

MOST_VECTORS = 2


@dataclass(frozen=True)
class Registers:
    """The Q registers of an inner loop; empty ones are loaded when they are needed, into the temporary one.

    `offsets` are those of neighbouring columns or, where a window fills several vectors, of its parts. `weights` are
    those of the upper output, then those of the lower one, each in as many parts as the window has.
    """

    weights: tuple[str, ...]
    offsets: tuple[str, ...]
    multiplier: str
    places: str
    temporary: str


@dataclass(frozen=True)
class VectorPlanesParams:
    planes: Planes
    registers: Registers
    channel_words: int
    scaling: Scaling

    @property
    def shifts_weights(self) -> bool:
        return shifted_rows(self.planes)

    @property
    def ring_steps(self) -> int:
        """Columns by which the pointer into the ring moves on for a channel."""
        p, half, step = self.planes, 4 // self.planes.rows, len(self.registers.offsets)
        parts = (min(p.rest, half), max(p.rest - half, 0))
        return p.blocks * p.block + sum(n if p.vectors == 2 else n // step * step for n in parts)


class VectorPlanes(Kernel):
    op = DepthwiseConv2d
    variant = "vector_planes"
    isa = Isa.MVE

    def fits(self, node: Node) -> bool:
        int8 = all(t.dtype is DType.I8 for t in (node.inputs[0], node.inputs[1], node.output))
        if not int8 or not scaling(node).high_word or not fits_int32(folded_bias(node).values):
            return False
        p = planes(node)
        near = max(p.offsets(0).max(), p.offsets(p.pairs - 1).max()) + p.line.stride * p.column // 2 < 1 << 15
        near = near and 2 * p.line.stride * p.column < 1 << 12
        return walks(node) and p.vectors <= MOST_VECTORS and near and max(p.places) < 1 << 15

    def params(self, node: Node) -> VectorPlanesParams:
        p, s = planes(node), scaling(node)
        return VectorPlanesParams(p, registers(p, s), channel_stream(node).shape[1], s)

    def constants(self, node: Node) -> tuple[Packed, ...]:
        p = planes(node)
        by_phase = [[*p.places, *p.offsets(phase)] for phase in range(p.pairs)]
        return Packed("channel", channel_stream(node)), Packed("offset", np.asarray(by_phase, np.int16))

    def scratch_nbytes(self, node: Node) -> int:
        p = planes(node)
        return p.ring + CHANNELS

    def trace(self, node: Node) -> Trace:
        return walk_trace(planes(node))

    def code_nbytes(self, node: Node) -> int:
        p = planes(node)
        rest = 4 * (6 + p.rest * (2 + 2 * p.rows)) if p.rest else 0
        return 480 + rest

    def cycles(self, node: Node, core: Core) -> float:
        p, gemmlowp = planes(node), scaling(node).gemmlowp
        per_output = 5.0 + 0.5 * (p.rows == 1) + 4.7 * (p.vectors - 1) + 1.5 * gemmlowp
        rest = 7 + per_output * p.rest * p.rows if p.rest else 0
        per_channel = 12 + per_output * p.blocks * p.block * p.rows + rest
        per_strip = p.passes * (70 + 9 * p.line.size)
        return p.batch * (p.strips * (p.out_channels * per_channel + per_strip) + per_strip)


def registers(p: Planes, s: Scaling) -> Registers:
    if p.vectors == 2 and p.rows == 2:
        return Registers(("q2", "q3", "q4", "q5"), ("q6", "q7"), "", "", "q1")
    if p.vectors == 2:
        return Registers(("q2", "q3"), ("q4", "q5"), "q6", "" if s.gemmlowp else "q7", "q7" if s.gemmlowp else "q1")
    if p.rows == 1:
        return Registers(("q2",), ("q4", "q5"), "q6", "q7", "q3")
    if s.gemmlowp:
        return Registers(("q2", "q3"), ("q4",), "q6", "q7", "q5")
    return Registers(("q2", "q3"), ("q4", "q5"), "q6", "q7", "q1")


def shifted_rows(p: Planes) -> bool:
    """Whether the weights of the lower output are those of the upper one, moved on by a byte in each column."""
    return p.rows == 2 and p.vectors == 1 and p.pairs in (1, 2)


def window_vectors(node: Node, p: Planes) -> Array:
    """int8 [O, outputs, vectors * 16]: the weights as the window is gathered, for the upper and the lower output."""
    weight = node.inputs[1].const
    assert weight is not None
    taps = weight.transpose(2, 0, 1) if p.is_upright else weight.transpose(2, 1, 0)  # [O, columns, rows]
    outputs = 1 if shifted_rows(p) else p.rows
    columns = p.vectors * LANES // p.pairs + 1
    padded = np.zeros((len(taps), outputs, columns, 2 * p.pairs), np.int8)
    for row in range(outputs):
        padded[:, row, : p.line.kernel, row : row + p.across.kernel] = taps
    return padded.reshape(len(taps), outputs, -1)[:, :, : p.vectors * 2 * LANES]


def channel_stream(node: Node) -> Array:
    """int32 [O, words]: of each channel the weights, bias, multiplier, and where they are needed the shift and the way
    to the next channel's plane."""
    p = planes(node)
    weights = window_vectors(node, p).reshape(p.out_channels, -1)
    columns = [np.ascontiguousarray(weights).view(np.int32), vector_constants(node, folded_bias(node).values)]
    if p.multiplier > 1:
        following = np.arange(1, p.out_channels + 1) // p.multiplier
        columns.append(2 * (following - np.arange(p.out_channels) // p.multiplier)[:, None])
    return np.concatenate(columns, axis=1).astype(np.int32)
