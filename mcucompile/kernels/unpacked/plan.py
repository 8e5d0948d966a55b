"""What an unpacking kernel keeps in flash for a node, and how it gets at it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache, partial

import numpy as np

from ...encodings import MIRRORED, SHIFTED, Encoded, Encoding, Layout
from ...ir import Array, DType, Node, Op, Tensor
from ..kernel import Kernel, Packed
from ..stream import WORD, Stream, joined, words
from .places import stream_walk
from .tiles import tiles_of

ALIGNMENT = 8
MOST_PLANS = 4096  # more than a network has: kernels are asked in turn, so that one plan too many would oust all


@dataclass(frozen=True)
class Rest:
    """A constant of the inner kernel that is not unpacked; a tile's part begins `step` behind the last one's."""

    name: str
    dtype: str
    step: int


@dataclass(frozen=True)
class Coded:
    """An array that the decoder reads: its name, C type and length of the first axis."""

    name: str
    dtype: str
    count: int


@dataclass(frozen=True)
class UnpackedParams:
    """`tiles` times `tile` of `outputs` channels of `pixels` pixels. A tile's stream is `first` words of other things,
    `runs` times `run` weights with `between` words between them, and `last` words; where these differ, all of them are
    in a table. What is unpacked begins at `stream_offset` in scratch, outputs that are copied to their place at
    `y_offset`, if it `copies` them. `calls`: templates and parameters of the decoder and of the inner kernel.
    `stream_words`, `raw_words`: limits of what a table may say, if there is one.
    """

    calls: tuple[tuple[str, object], ...]
    encoding: str
    x_type: str
    y_type: str
    weight_type: str
    y_nbytes: int
    coded: tuple[Coded, ...]
    has_raw: bool
    has_table: bool
    rest: tuple[Rest, ...]
    has_scratch: bool
    copies: bool
    outputs: int
    tile: int
    tiles: int
    pixels: int
    first: int
    between: int
    last: int
    runs: int
    run: int
    stream_offset: int
    y_offset: int
    stream_words: int
    raw_words: int

    @property
    def run_words(self) -> int:
        return words(self.run)


@dataclass(frozen=True, eq=False)
class Packing:
    """A layer as its inner kernel reads it: `tiles` that one function computes, the streams of their weights, these as
    int8 and the int32 words between them in the order of reading, and the constants behind the first one.
    """

    tiles: tuple[Node, ...]
    streams: tuple[Stream, ...]
    weight_type: str
    values: Array
    raw: Array
    rest: tuple[Packed, ...]
    rest_arrays: tuple[Rest, ...]

    @property
    def is_uniform(self) -> bool:
        return self.streams[0].is_uniform and all(s == self.streams[0] for s in self.streams)

    @property
    def layout(self) -> Layout:
        mask, runs = self.streams[0].mask, self.streams[0].runs
        return Layout(mask == MIRRORED, runs[0] if self.is_uniform else 0, mask == SHIFTED)

    def copies(self, inner: Kernel, output: Tensor) -> bool:
        """Whether a tile's outputs are copied to their place among all channels."""
        return len(self.tiles) > 1 and output.size > output.shape[-1] and not inner.takes_step

    def stream_offset(self, inner: Kernel) -> int:
        """Where in scratch the weights are: behind what the inner kernel needs itself."""
        return aligned(inner.scratch_nbytes(self.tiles[0]))

    def y_offset(self, inner: Kernel) -> int:
        """Where in scratch outputs are that are copied: behind the weights."""
        return aligned(self.stream_offset(inner) + max(s.nbytes for s in self.streams))

    def scratch_nbytes(self, inner: Kernel, output: Tensor) -> int:
        return self.y_offset(inner) + (self.tiles[0].output.nbytes if self.copies(inner, output) else 0)


@dataclass(frozen=True, eq=False)
class Plan:
    """`tile` is one of `count` that are all alike but for their constants."""

    tile: Node
    count: int
    params: UnpackedParams
    encoded: Encoded
    constants: tuple[Packed, ...]
    scratch_nbytes: int


def plan(node: Node, inner: Kernel, encoding: Encoding, size: int) -> Plan | None:
    """None where the encoding does not hold the weights as the inner kernel reads them, or tiles are not alike."""
    return cached_plan(node.op, tuple(node.inputs), node.output, node.source, inner, encoding, size)


@lru_cache(maxsize=MOST_PLANS)
def cached_plan(
    op: Op, inputs: tuple[Tensor, ...], output: Tensor, source: tuple[str, ...], inner: Kernel, encoding: Encoding,
    size: int,
) -> Plan | None:  # fmt: skip
    p = packing(op, inputs, output, source, inner, size)
    if p is None or (encoding.needs_tiles and not p.is_uniform):
        return None
    layout = p.layout
    if encoding.needs_walk:
        walk = stream_walk(inputs[1], partial(stream_of, op, inputs, output, source, inner, size))
        if walk is None:
            return None
        layout = replace(layout, walk=walk)
    if not encoding.fits(p.values, layout):
        return None
    encoded = encoding.encode(p.values, layout)
    params = params_of(p, inner, encoding, encoded, output)
    constants = (
        *(Packed(role, array) for role, array in encoded.arrays),
        *((Packed("raw", p.raw),) if params.has_raw else ()),
        *((Packed("sizes", sizes_table(p.streams)),) if params.has_table else ()),
        *p.rest,
    )
    return Plan(p.tiles[0], len(p.tiles), params, encoded, constants, p.scratch_nbytes(inner, output))


def planned_scratch(node: Node, inner: Kernel, size: int) -> int | None:
    """The scratch of a plan, the same for all encodings, without encoding anything; None where there is no plan."""
    return cached_scratch(node.op, tuple(node.inputs), node.output, node.source, inner, size)


@lru_cache(maxsize=MOST_PLANS)
def cached_scratch(
    op: Op, inputs: tuple[Tensor, ...], output: Tensor, source: tuple[str, ...], inner: Kernel, size: int
) -> int | None:
    p = packing(op, inputs, output, source, inner, size)
    return p.scratch_nbytes(inner, output) if p else None


@lru_cache(maxsize=64)
def packing(
    op: Op, inputs: tuple[Tensor, ...], output: Tensor, source: tuple[str, ...], inner: Kernel, size: int
) -> Packing | None:
    tiles = tuple(tiles_of(Node(op, list(inputs), [output], source), size, inner.takes_step))
    if not alike(tiles, inner):
        return None
    packed, streams = [inner.constants(t) for t in tiles], [s for t in tiles if (s := inner.weight_stream(t))]
    rest = rest_of(packed)
    if rest is None or len(streams) < len(tiles):
        return None
    raw, values = joined(streams).split(np.concatenate([in_words(p[0].values) for p in packed]))
    weight_type, arrays = packed[0][0].dtype.c, rest_arrays(rest, packed[0][1:])
    return Packing(tiles, tuple(streams), weight_type, values, raw, rest, arrays)


def stream_of(
    op: Op, inputs: tuple[Tensor, ...], output: Tensor, source: tuple[str, ...], inner: Kernel, size: int, w: Tensor
) -> Array | None:
    """The stream with another constant for the weights."""
    p = packing.__wrapped__(op, (inputs[0], w, *inputs[2:]), output, source, inner, size)
    return p.values if p else None


def params_of(p: Packing, inner: Kernel, encoding: Encoding, encoded: Encoded, output: Tensor) -> UnpackedParams:
    calls = (encoding.template_for(inner.isa.name), encoded.params), (inner.template, inner.params(p.tiles[0]))
    scratch = p.stream_offset(inner)
    coded = tuple(Coded(role, DType(a.dtype.name).c, len(a)) for role, a in encoded.arrays)
    stream_nbytes = max(s.nbytes for s in p.streams)
    limits = (0, 0) if p.is_uniform else (stream_nbytes // WORD, p.raw.size)
    outputs, tile = output.shape[-1], p.tiles[0].output.shape[-1]
    return UnpackedParams(
        calls, encoding.name, p.tiles[0].inputs[0].dtype.c, output.dtype.c, p.weight_type, output.dtype.nbytes, coded,
        p.raw.size > 0, not p.is_uniform, p.rest_arrays, scratch > 0, p.copies(inner, output), outputs, tile,
        len(p.tiles), output.size // outputs, *run_sizes(p), scratch, p.y_offset(inner), *limits,
    )  # fmt: skip


def run_sizes(p: Packing) -> tuple[int, int, int, int, int]:
    """first, between, last, runs and run of `UnpackedParams`."""
    stream = p.streams[0]
    if not p.is_uniform:
        return 0, 0, 0, len(stream.runs), 0
    between = stream.raw[1] if len(stream.runs) > 1 else 0
    return stream.raw[0], between, stream.raw[-1], len(stream.runs), stream.runs[0]


def alike(tiles: tuple[Node, ...], inner: Kernel) -> bool:
    """Whether one function computes all of them."""
    if not all(inner.fits(tile) for tile in tiles):
        return False
    params = inner.params(tiles[0])
    return all(inner.params(tile) == params for tile in tiles[1:])


def aligned(nbytes: int) -> int:
    return -(-nbytes // ALIGNMENT) * ALIGNMENT


def in_words(values: Array) -> Array:
    """As bytes, whole words of them."""
    data = np.ascontiguousarray(values).reshape(-1).view(np.uint8)
    return np.pad(data, (0, -len(data) % WORD))


def rest_of(packed: list[tuple[Packed, ...]]) -> tuple[Packed, ...] | None:
    """The constants behind the first one of every tile, as one; of those that all tiles share, one. None where tiles
    have constants of different sizes.
    """
    found = []
    for parts in zip(*(p[1:] for p in packed), strict=True):
        if len({(p.values.size, p.dtype) for p in parts}) > 1:
            return None
        arrays = [np.ravel(p.values) for p in parts]
        same = all(np.array_equal(a, arrays[0]) for a in arrays)
        found.append(Packed(parts[0].role, arrays[0] if same else np.concatenate(arrays)))
    return tuple(found)


def rest_arrays(rest: tuple[Packed, ...], of_tile: tuple[Packed, ...]) -> tuple[Rest, ...]:
    return tuple(
        Rest(p.role, p.dtype.c, part.values.size if p.values.size > part.values.size else 0)
        for p, part in zip(rest, of_tile, strict=True)
    )


def sizes_table(streams: tuple[Stream, ...]) -> Array:
    """Per tile words that are no weights and bytes of weights in turn, from the former to the former."""
    rows = [[*(n for pair in zip(s.raw, s.runs, strict=False) for n in pair), s.raw[-1]] for s in streams]
    return np.asarray(rows, np.int32)
