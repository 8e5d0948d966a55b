"""Dense of one int8 row with plain multiplications, two products of a sum in each: four outputs at a time.

Two halves of a word multiplied with two halves of another add two products in the upper half of the result's word, and
another one, of no use, in the lower (templates/lib/c/mcu_dot_sums.h). Sums of four products fit the upper half if the
weights are not too large. Those that are too large are cut in parts: a first one that fits, and steps of their own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...encodings import SHIFTED
from ...ir import Array, DType, Node
from ...ops.dense import Dense
from ...target.cores import Core, Isa
from ..conv2d.packing import fill_groups, fits_int32, folded_bias
from ..kernel import Kernel, Packed
from ..scaling import Scaling, channel_constants, scaling
from ..stream import Stream, whole
from ..trace import Range, Sweep, Trace

OUTPUTS = 4
STEP = 4  # values
STEP_NBYTES = 12  # of an expanded step
CHUNK_STEPS = 32
MOST_STEPS = 1 << 15  # what the place of an additional step has room for
MOST_OUTPUTS = 1 << 16
PART = 63 / 128  # of four weights that are too large, always fits
STEP_CYCLES = {"cortex-m3": 34.5, "cortex-m4": 26.0, "cortex-m7": 15.0, "cortex-m33": 24.0, "cortex-m55": 24.0}


@dataclass(frozen=True)
class DotsParams:
    """A row of `size` values is expanded in chunks of `steps`; with several, scratch has `filled` sums behind them."""

    size: int
    outputs: int
    filled: int
    chunks: int
    steps: int
    has_extra: bool
    channel_words: int
    scaling: Scaling

    @property
    def sums_offset(self) -> int:
        return STEP_NBYTES * self.steps

    @property
    def tail(self) -> int:
        """Values that the last chunk has less than others."""
        return self.chunks * self.steps * STEP - self.size


class Dots(Kernel):
    op = Dense
    variant = "dots"
    isa = Isa.MAINLINE

    def fits(self, node: Node) -> bool:
        x, w, y = node.inputs[0], node.inputs[1], node.output
        if not all(t.dtype is DType.I8 for t in (x, w, y)):
            return False
        is_small = x.size < STEP * MOST_STEPS and y.size < MOST_OUTPUTS
        return x.size == x.shape[-1] and is_small and fits_int32(folded_bias(node).values)

    def params(self, node: Node) -> DotsParams:
        k, outputs, s = node.inputs[0].size, node.output.size, scaling(node)
        chunks, steps = chunked(k, outputs)
        has_extra = bool(parts(node)[1].any())
        return DotsParams(k, outputs, filled_outputs(outputs), chunks, steps, has_extra, 3 if s.shift is None else 2, s)

    def constants(self, node: Node) -> tuple[Packed, ...]:
        main, *extra = parts(node)
        chunks, steps = chunked(node.inputs[0].size, node.output.size)
        by_chunk = main.reshape(-1, OUTPUTS, chunks, steps, STEP).transpose(2, 0, 3, 1, 4)
        channels = fill_groups(channel_constants(node, folded_bias(node).values), 1, OUTPUTS)
        weight, channel = Packed("weight", shifted(by_chunk)), Packed("channel", channels)
        if not extra[0].any():
            return weight, channel
        return weight, channel, Packed("extra", extra_stream(extra, chunks, steps))

    def weight_stream(self, node: Node) -> Stream:
        return whole(self.constants(node)[0].values, SHIFTED)

    def scratch_nbytes(self, node: Node) -> int:
        return scratch_nbytes(node.output.size, *chunked(node.inputs[0].size, node.output.size))

    def trace(self, node: Node) -> Trace:
        k, outputs = node.inputs[0].size, node.output.size
        return (Sweep(1, (Range(0, 0, 0, k),), (Range(1, 0, 0, outputs),)),)

    def code_nbytes(self, node: Node) -> int:
        return 400

    def cycles(self, node: Node, core: Core) -> float:
        chunks, steps = chunked(node.inputs[0].size, node.output.size)
        step = STEP_CYCLES.get(core.cpu, STEP_CYCLES["cortex-m3"])
        blocks = filled_outputs(node.output.size) // OUTPUTS
        extra = sum(int(used_steps(e).sum()) for e in parts(node)[1:])
        return chunks * (blocks * (steps * step + 50) + 30 * steps) + extra * (step + 65) + 25 * node.output.size


def filled_outputs(outputs: int) -> int:
    return -(-outputs // OUTPUTS) * OUTPUTS


def scratch_nbytes(outputs: int, chunks: int, steps: int) -> int:
    """Three words per step, and with several chunks the sums so far."""
    return STEP_NBYTES * steps + (4 * filled_outputs(outputs) if chunks > 1 else 0)


def chunked(size: int, outputs: int) -> tuple[int, int]:
    """(chunks, steps of four values in each) that take the least scratch."""
    steps = -(-size // STEP)
    several = -(-steps // CHUNK_STEPS)
    return min((1, steps), (several, -(-steps // several)), key=lambda c: scratch_nbytes(outputs, *c))


def parts(node: Node) -> list[Array]:
    """int16 arrays [O, steps, 4] that add up to the weights, each step's sums within 16 bits; at least two of them."""
    weight = node.inputs[1].const
    assert weight is not None
    chunks, steps = chunked(weight.shape[1], weight.shape[0])
    filled = np.pad(weight, ((0, 0), (0, chunks * steps * STEP - weight.shape[1])))
    rest: Array = fill_groups(filled, 1, OUTPUTS).astype(np.int16).reshape(-1, chunks * steps, STEP)
    found: list[Array] = []
    while len(found) < 2 or rest.any():
        part = np.where(fits_halves(rest)[..., None], rest, np.trunc(rest * PART).astype(np.int16))
        found.append(part)
        rest = rest - part
    return found


def fits_halves(steps: Array) -> Array:
    """Whether the products of four weights, and of the first two alone, add up to 16 bits for any values."""
    positive, negative = np.maximum(steps, 0).astype(np.int64), np.minimum(steps, 0).astype(np.int64)
    p = np.stack([positive[..., :2].sum(axis=-1), positive.sum(axis=-1)])
    n = np.stack([negative[..., :2].sum(axis=-1), negative.sum(axis=-1)])
    low, high = 127 * n - 128 * p, 127 * p - 128 * n
    fits: Array = ((low >= DType.I16.low) & (high <= DType.I16.high)).all(axis=0)
    return fits


def shifted(weights: Array) -> Array:
    """int8 whose bits are the bytes weight + 128."""
    return (weights + 128).astype(np.uint8).view(np.int8)


def used_steps(part: Array) -> Array:
    """[blocks, steps]: where any of a block's four outputs has weights."""
    blocks = part.reshape(-1, OUTPUTS, part.shape[1], STEP)
    return np.asarray(blocks.any(axis=(1, 3)))


def extra_stream(extra: list[Array], chunks: int, steps: int) -> Array:
    """int32: per chunk its additional steps, those of four outputs after another, and -1 behind them.

    Each is a word, step * 2**16 + first output, and four words of weights.
    """
    stream: list[int] = []
    for chunk in range(chunks):
        inside = np.stack(extra)[:, :, chunk * steps : (chunk + 1) * steps]
        used = np.stack([used_steps(part) for part in inside], axis=2)
        for block, step, part in np.argwhere(used):
            weights = inside[part, OUTPUTS * block : OUTPUTS * (block + 1), step]
            words = np.ascontiguousarray(shifted(weights)).view(np.int32).reshape(-1)
            stream += [int(step) << 16 | OUTPUTS * int(block), *map(int, words)]
        stream.append(-1)
    return np.array(stream, np.int32)
