"""Dense of one int8 row with dual multiplications: four outputs at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from ...encodings import MIRRORED
from ...ir import Array, DType, Node, Op
from ...ops.dense import Dense
from ...target.cores import Core, Isa
from ..conv2d.mirrored import STEP, mirrored, mirrored_bias
from ..conv2d.packing import fill_groups, fits_int32, folded_bias
from ..conv2d.requantization import (
    HighWord,
    fits_high_word,
    high_word,
    high_word_constants,
    offsets_of,
    shifts_of,
)
from ..kernel import Kernel, Packed
from ..stream import Stream, whole
from ..trace import Range, Sweep, Trace

OUTPUTS = 4
UNROLLED = 8


@dataclass(frozen=True)
class RowParams:
    """A row of `size` values is `steps` words of four; `unroll` of them are written out, `trips` times, then `rest`.

    `shares_scale`: multiplier, offset and shift are arguments, the same for all outputs.
    """

    size: int
    outputs: int
    expands: bool
    unroll: int
    shares_scale: bool
    requant: HighWord

    @property
    def channel_words(self) -> int:
        """The bias, and what outputs do not share."""
        return 1 + (0 if self.shares_scale else self.requant.words)

    @property
    def steps(self) -> int:
        return -(-self.size // STEP)

    @property
    def tail(self) -> int:
        """Values in the last word, if it is not full."""
        return self.size % STEP

    @property
    def trips(self) -> int:
        return self.whole // self.unroll

    @property
    def rest(self) -> int:
        return self.whole % self.unroll

    @property
    def whole(self) -> int:
        """Steps that the loop over four outputs can take from where the row is."""
        return self.steps if self.expands or not self.tail else self.steps - 1


class Row(Kernel):
    """Expands the row to 16 bits in scratch first."""

    op: ClassVar[type[Op]] = Dense
    variant = "row"
    isa = Isa.DSP
    expands = True
    # Cycles per four outputs and step, per four outputs, and per word of the row.
    costs: ClassVar[Mapping[str, tuple[float, float, float]]] = {
        "cortex-m4": (20.2, 40, 15), "cortex-m7": (12.0, 42, 9), "cortex-m33": (19.3, 43, 12),
    }  # fmt: skip

    def fits(self, node: Node) -> bool:
        x, w, y = node.inputs[0], node.inputs[1], node.output
        if not all(t.dtype is DType.I8 for t in (x, w, y)):
            return False
        return x.size == x.shape[-1] and fits_high_word(node) and fits_int32(row_bias(node))

    def params(self, node: Node) -> RowParams:
        size = node.inputs[0].size
        unroll = min(UNROLLED, -(-size // STEP))
        requant, shares = high_word(node), shares_scale(node)
        if shares:
            requant = replace(requant, offset=None, shift=None)
        return RowParams(size, node.output.size, self.expands, unroll, shares, requant)

    def constants(self, node: Node) -> tuple[Packed, ...]:
        words = mirrored(fill_groups(filled_rows(node), 1, OUTPUTS), OUTPUTS)  # [O/4, steps, 4, 4]
        return Packed("weight", words), Packed("channel", channel_constants(node))

    def weight_stream(self, node: Node) -> Stream:
        return whole(self.constants(node)[0].values, MIRRORED)

    def scratch_nbytes(self, node: Node) -> int:
        return 8 * self.params(node).steps if self.expands else 0

    def trace(self, node: Node) -> Trace:
        return row_trace(node, self.expands)

    def code_nbytes(self, node: Node) -> int:
        p = self.params(node)
        return 330 + 52 * (p.unroll + p.rest)

    def cycles(self, node: Node, core: Core) -> float:
        p = self.params(node)
        per_step, per_group, per_word = self.costs.get(core.cpu, self.costs["cortex-m33"])
        return -(-p.outputs // OUTPUTS) * (p.steps * per_step + per_group) + per_word * p.steps


class RowInPlace(Row):
    """Expands every word again for each four outputs: no scratch."""

    variant = "words"
    expands = False
    costs: ClassVar[Mapping[str, tuple[float, float, float]]] = {
        "cortex-m4": (22.5, 40, 8), "cortex-m7": (12.1, 44, 4), "cortex-m33": (20.4, 45, 6),
    }  # fmt: skip

    @property
    def template(self) -> str:
        return "kernels/dense/row.dsp.c.j2"


def row_trace(node: Node, reads_first: bool) -> Trace:
    """Of one row: read as a whole before anything is written, or once more for each output."""
    row, outputs = Range(0, 0, 0, node.inputs[0].size), node.output.size
    if reads_first:
        return (Sweep(1, (row,), (Range(1, 0, 0, outputs),)),)
    return (Sweep(outputs, (row,), (Range(1, 0, 1, 1),)),)


def shares_scale(node: Node) -> bool:
    multipliers, shifts = shifts_of(node)
    return bool((multipliers == multipliers[0]).all() and (shifts == shifts[0]).all())


def channel_constants(node: Node) -> Array:
    """int32: multiplier, offset, shift and all biases, or each bias with what `high_word_constants` has behind it."""
    bias = fill_groups(row_bias(node).astype(np.int32), 1, OUTPUTS)
    if shares_scale(node):
        multipliers, shifts = shifts_of(node)
        scale = [multipliers[0], offsets_of(node, shifts)[0], shifts[0]]
        return np.concatenate([np.asarray(scale, np.int32), bias])
    scales = fill_groups(high_word_constants(node), 1, OUTPUTS)
    return np.concatenate([bias[:, None], scales], axis=1)


def filled_rows(node: Node) -> Array:
    """The weights [O, K], K filled up to whole words."""
    weight = node.inputs[1].const
    assert weight is not None
    return np.pad(weight, ((0, 0), (0, -weight.shape[1] % STEP)))


def row_bias(node: Node) -> Array:
    """The int64 bias per output, for weights as `mirrored` stores them."""
    return mirrored_bias(folded_bias(node).values, filled_rows(node))
