"""Convolution of int8 weights with zeros, with vectors of 16 products: blocks of four taps that four channels share.

An index names the blocks whose weights are not all zero in one of four channels. Four of them, wherever they lie, are
gathered to a vector; two pixels' vectors are multiplied with 16 weights of each channel, as in vector_pairs.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ...ir import Array, DType, Node, Op
from ...ops.conv2d import Conv2d
from ...target.cores import Isa
from ..counted import Counted
from ..kernel import Packed
from ..scaling import Scaling, scaling, vector_constants
from ..trace import Trace
from .geometry import Gather, Geometry, geometry, pixel_trace
from .packing import fill_groups, fits_int32, folded_bias, weight_rows
from .sparse_lists import BLOCK, blocks_of, is_sparse, stored_once, used
from .vector_pairs import copy_cycles, patched

CHANNELS = 4
GATHERED = 4  # blocks of a step
BYTE_BLOCKS = 256
MOST_BLOCKS = 1 << 16


@dataclass(frozen=True)
class SparseVectorsParams:
    """`pair`: two pixels at a time; `index_nbytes` of an entry; `rounds` of four channels."""

    g: Geometry
    pair: bool
    index_nbytes: int
    rounds: int
    scaling: Scaling

    @property
    def has_rest(self) -> bool:
        """Whether the last round has less than four channels."""
        return self.g.out_channels % CHANNELS > 0


class SparseVectors(Counted):
    op: ClassVar[type[Op]] = Conv2d
    variant = "sparse_vectors"
    isa = Isa.MVE
    encoding = "blocks4"
    costs = {"cortex-m55": (24.5, 40.4, 0.9)}

    def fits(self, node: Node) -> bool:
        if not all(t.dtype is DType.I8 for t in (node.inputs[0], node.output)) or not is_sparse(node, self.encoding):
            return False
        g = walk(node)
        small = g.groups == 1 and g.out_channels < 1 << 15 and g.patch <= MOST_BLOCKS * BLOCK
        return small and scaling(node).high_word and fits_int32(folded_bias(node).values)

    def params(self, node: Node) -> SparseVectorsParams:
        g = walk(node)
        rounds = -(-g.out_channels // CHANNELS)
        return SparseVectorsParams(g, g.pixels > 1, index_type(g).itemsize, rounds, scaling(node))

    def constants(self, node: Node) -> tuple[Packed, ...]:
        rows, places = quad_blocks(node), block_places(node)
        index, starts = stored_once(p.astype(index_type(walk(node))).tobytes() for p in places)
        weights = [step_weights(row, p) for row, p in zip(rows, places, strict=True)]
        return (
            Packed("weight", np.concatenate(weights)),
            Packed("index", np.frombuffer(index, np.uint8)),
            Packed("channel", round_constants(node, starts, [len(p) // GATHERED - 1 for p in places])),
        )

    def scratch_nbytes(self, node: Node) -> int:
        g = walk(node)
        return 0 if g.gather is Gather.NEVER else min(g.pixels, 2) * g.patch

    def trace(self, node: Node) -> Trace:
        g = walk(node)
        return pixel_trace(g, 1, 2, reads_first=g.gather is not Gather.NEVER)

    def code_nbytes(self, node: Node) -> int:
        return 420 if walk(node).gather is Gather.NEVER else 800

    def counts(self, node: Node) -> tuple[float, ...]:
        """Steps, rounds, and what copying windows takes."""
        g, places = walk(node), block_places(node)
        times = -(-g.pixels // 2)
        copied = 0.0 if g.gather is Gather.NEVER else g.pixels * copy_cycles(g)
        return times * sum(map(len, places)) / GATHERED, times * len(places), copied


def walk(node: Node) -> Geometry:
    """Windows of one run of whole blocks, in the image where they are that and begin at words, else in patches."""
    g = geometry(node, BLOCK)
    is_whole = g.rows == 1 and g.gather is not Gather.BORDER
    return g if is_whole and (g.gather is Gather.ALWAYS or in_words(g)) else patched(g)


def in_words(g: Geometry) -> bool:
    """Whether all windows in the image begin at whole words: gathering words is a fault anywhere else."""
    down, right = g.window.strides
    ways = (
        (g.out_width, right * g.channels),
        (g.out_height, down * g.row_stride),
        (g.batch, g.height * g.row_stride),
    )
    return all(count == 1 or step % BLOCK == 0 for count, step in ways)


def index_type(g: Geometry) -> np.dtype[np.uint8] | np.dtype[np.uint16]:
    return np.dtype(np.uint8) if g.patch <= BYTE_BLOCKS * BLOCK else np.dtype(np.uint16)


def quad_blocks(node: Node) -> Array:
    """[rounds, blocks, 4 channels, 4]"""
    g = walk(node)
    flat = geometry(node, BLOCK)
    rows = fill_groups(blocks_of(weight_rows(node, flat).reshape(g.out_channels, -1)), 1, CHANNELS)
    return rows.reshape(-1, CHANNELS, *rows.shape[1:]).swapaxes(1, 2)


def block_places(node: Node) -> list[Array]:
    """Blocks of each round in whole steps, at least one; what is repeated has no weights."""
    found = [np.flatnonzero(row) for row in used(quad_blocks(node))]
    return [np.pad(p, (0, -len(p) % GATHERED if len(p) else GATHERED)) for p in found]


def step_weights(row: Array, places: Array) -> Array:
    """int8 [steps, 4 channels, 16]"""
    is_new = np.diff(places, prepend=-1) > 0
    blocks = row[places] * is_new[:, None, None]
    return np.asarray(blocks.reshape(-1, GATHERED, CHANNELS, BLOCK).swapaxes(1, 2).astype(np.int8))


def round_constants(node: Node, starts: list[int], steps: list[int]) -> Array:
    """int32: where the index begins, steps after the first, channels, four biases, multipliers, and shifts if any."""
    channels = fill_groups(vector_constants(node, folded_bias(node).values), 1, CHANNELS)
    by_round = channels.reshape(len(starts), CHANNELS, -1).swapaxes(1, 2).reshape(len(starts), -1)
    counts = np.minimum(node.output.shape[-1] - CHANNELS * np.arange(len(starts)), CHANNELS)
    return np.column_stack([starts, steps, counts, by_round]).astype(np.int32)
