"""Dense of one int8 row with dual multiplications: four outputs at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...ir import Array, DType, Node
from ...ops.dense import Dense
from ...target.cores import Core, Isa
from ..conv2d.mirrored import STEP, mirrored, mirrored_bias
from ..conv2d.packing import fill_groups, fits_int32, folded_bias
from ..kernel import Kernel, Packed
from ..scaling import Scaling, channel_constants, scaling
from ..trace import Range, Sweep, Trace

OUTPUTS = 4
CHUNK_STEPS = 32


@dataclass(frozen=True)
class RowParams:
    """A row of `size` values is expanded in chunks of `steps` words; `filled` outputs are computed, `outputs` kept."""

    size: int
    outputs: int
    filled: int
    chunks: int
    steps: int
    unroll: int
    expanded_nbytes: int
    channel_words: int
    scaling: Scaling

    @property
    def tail(self) -> int:
        """Values in the last word, if it is not full."""
        return self.size % STEP


class Row(Kernel):
    op = Dense
    variant = "row"
    isa = Isa.DSP

    def fits(self, node: Node) -> bool:
        x, w, y = node.inputs[0], node.inputs[1], node.output
        if not all(t.dtype is DType.I8 for t in (x, w, y)):
            return False
        return x.size == x.shape[-1] and fits_int32(row_bias(node))

    def params(self, node: Node) -> RowParams:
        k, outputs, s = node.inputs[0].size, node.output.size, scaling(node)
        chunks, steps = chunked(k, outputs)
        words = 3 if s.shift is None else 2
        unroll = next(u for u in (4, 3, 2, 1) if steps % u == 0)
        return RowParams(k, outputs, filled_outputs(outputs), chunks, steps, unroll, 8 * steps, words, s)

    def constants(self, node: Node) -> tuple[Packed, ...]:
        chunks, steps = chunked(node.inputs[0].size, node.output.size)
        words = mirrored(fill_groups(filled_rows(node), 1, OUTPUTS), OUTPUTS)  # [O/4, chunks * steps, 4, 4]
        by_chunk = words.reshape(words.shape[0], chunks, steps, OUTPUTS, STEP).swapaxes(0, 1)
        channels = fill_groups(channel_constants(node, row_bias(node)), 1, OUTPUTS)
        return Packed("weight", by_chunk), Packed("channel", channels)

    def scratch_nbytes(self, node: Node) -> int:
        return scratch_nbytes(node.output.size, *chunked(node.inputs[0].size, node.output.size))

    def trace(self, node: Node) -> Trace:
        k, outputs = node.inputs[0].size, node.output.size
        return (Sweep(1, (Range(0, 0, 0, k),), (Range(1, 0, 0, outputs),)),)

    def cycles(self, node: Node, core: Core) -> float:
        chunks, steps = chunked(node.inputs[0].size, node.output.size)
        return filled_outputs(node.output.size) * (chunks * (steps * 6.0 + 8) + 14) + 14 * steps * chunks


def filled_outputs(outputs: int) -> int:
    return -(-outputs // OUTPUTS) * OUTPUTS


def scratch_nbytes(outputs: int, chunks: int, steps: int) -> int:
    """Two words per step, and with several chunks the sums so far."""
    return 8 * steps + (4 * filled_outputs(outputs) if chunks > 1 else 0)


def chunked(size: int, outputs: int) -> tuple[int, int]:
    """(chunks, steps of four values in each) that take the least scratch."""
    steps = -(-size // STEP)
    several = -(-steps // CHUNK_STEPS)
    return min((1, steps), (several, -(-steps // several)), key=lambda c: scratch_nbytes(outputs, *c))


def filled_rows(node: Node) -> Array:
    """The weights [O, K], K filled up to whole chunks."""
    weight = node.inputs[1].const
    assert weight is not None
    chunks, steps = chunked(weight.shape[1], weight.shape[0])
    return np.pad(weight, ((0, 0), (0, chunks * steps * STEP - weight.shape[1])))


def row_bias(node: Node) -> Array:
    """The int64 bias per output, for weights as `mirrored` stores them."""
    return mirrored_bias(folded_bias(node).values, filled_rows(node))
