"""What the kernels that work on planes cost: sums of how often they do what, fitted to estimated cycles of layers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from ...ir import Array
from ...target.cores import Core

if TYPE_CHECKING:
    from .planes import Block, PlanesParams

# Cycles per value copied, row copied, multiplication, load, output, row of outputs and channel.
Weights = tuple[float, float, float, float, float, float, float]
SIZES_KNOWN: Mapping[str, Weights] = {
    "cortex-m4": (2.80, 6.6, 1.87, 1.08, 2.22, 0.0, 81),
    "cortex-m33": (3.39, 7.7, 1.83, 0.0, 3.65, 3.9, 66),
    "cortex-m7": (3.25, 6.2, 1.28, 0.0, 2.63, 5.1, 38),
}
# The function of all sizes is for -Os, and measured with it.
SIZES_GIVEN: Mapping[str, Weights] = {
    "cortex-m4": (12.1, 0.0, 3.03, 0.0, 0.0, 27.6, 345),
    "cortex-m33": (10.7, 0.0, 2.59, 0.0, 0.0, 24.3, 301),
    "cortex-m7": (6.9, 0.0, 1.81, 0.0, 0.0, 19.8, 224),
}
INSTRUCTION_NBYTES = 4
REST_NBYTES = 230  # of code that does not depend on sizes


def plane_cycles(p: PlanesParams, core: Core, weights: Mapping[str, Weights] = SIZES_KNOWN) -> float:
    """Of one call; cores that are not listed count as the nearest one that is."""
    return float(work(p) @ np.asarray(weights.get(core.cpu, weights["cortex-m33"])))


def work(p: PlanesParams) -> Array:
    """How often `Weights` count; scaling beyond multiply, shift and store counts as multiplications."""
    q = p.requant
    more = q.signed + (q.shift is None) + 2 * (q.low is not None) + 2 * (q.high is not None)
    blocks = {b.outputs: b for b in p.kinds}
    row = [blocks[n] for n in p.blocks * p.trips + p.rest]
    channels = p.batch * p.channels
    rows = channels * p.multiplier * p.across.outputs
    return np.asarray([
        channels * p.along.copied * p.across.copied,
        0 if p.copies_flat else channels * p.across.copied,
        rows * (sum(map(multiplications, row)) * p.across.taps + more * p.along.outputs),
        rows * sum(loads(b, p) for b in row),
        rows * p.along.outputs,
        0 if p.is_flat else rows,
        channels * p.multiplier,
    ], np.float64)  # fmt: skip


def multiplications(block: Block) -> int:
    return len(block.products)


def loads(block: Block, p: PlanesParams) -> float:
    """Of a block: two words at a time where they lie side by side, and the bias."""
    weights = 0.0 if p.held else p.weights * p.across.taps / 2
    return (block.words + 1) // 2 * p.across.taps + weights + 1


def plane_code_nbytes(p: PlanesParams) -> int:
    blocks = {b.outputs: b for b in p.kinds}
    written = (p.blocks * p.trips + p.rest) * p.across.outputs if p.is_flat else p.blocks + p.rest
    per_block = {n: multiplications(b) * p.across.taps + loads(b, p) + 3 * n for n, b in blocks.items()}
    copies = p.along.copied * p.across.copied if p.copies_flat else min(p.along.copied, p.copy_chunk + 3)
    count = sum(per_block[n] for n in written) + 1.8 * copies + 1.7 * p.across.taps * p.along.taps
    return REST_NBYTES + round(INSTRUCTION_NBYTES * count)
