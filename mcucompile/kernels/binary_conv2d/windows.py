"""How a binary convolution walks over packed signs, and what the padding does to its sums.

A window's words are copied into a patch; padding becomes words of bits 0, which stand for -1, or `fill_words`. Where
padding counts as zero, an output at the border must not count the places of the padding where signs differ, as many as
there the weights are +1, nor their number: outputs whose windows reach over the border in the same way share this
correction, and are a class.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...ir import Array, Node
from ...ops.binary_conv2d import BinaryConv2d
from ...ops.bits import pack
from ...ops.window import Window
from ..conv2d.geometry import taps_inside
from ..trace import Range, Sweep, Trace


@dataclass(frozen=True)
class Walk:
    """Sizes of the image in words, of the output in pixels. `fill_words` is a tap in the padding.

    A window is filled up with zeros to whole vectors of `lanes` words.
    """

    batch: int
    height: int
    width: int
    words: int
    out_height: int
    out_width: int
    window: Window
    fill_words: tuple[int, ...]
    lanes: int = 1

    @property
    def pads(self) -> bool:
        return any(self.window.pads)

    @property
    def patch(self) -> int:
        """Words of a window."""
        return self.window.taps * self.words

    @property
    def vectors(self) -> int:
        return -(-self.patch // self.lanes)

    @property
    def filled(self) -> int:
        """Words of a window's vectors."""
        return self.vectors * self.lanes

    @property
    def triples(self) -> int:
        """Vectors of a window that the first adders take."""
        return self.vectors - self.vectors % 3

    @property
    def pixels(self) -> int:
        return self.batch * self.out_height * self.out_width

    @property
    def row_words(self) -> int:
        """Words of a row of a window that lie side by side in the image, or 0."""
        return self.window.kernel[1] * self.words if self.window.dilations[1] == 1 else 0

    @property
    def last_inside(self) -> int:
        """The last column at which a window may start and lie inside the image."""
        return self.width - self.window.extent[1]


def walk(node: Node, lanes: int = 1) -> Walk:
    op, (n, h, w, packed), (_, oh, ow, _) = op_of(node), node.inputs[0].shape, node.output.shape
    positive = np.full(channels_of(node), op.fill == 1)
    return Walk(n, h, w, packed, oh, ow, op.window, tuple(map(int, pack(positive))), lanes)


def op_of(node: Node) -> BinaryConv2d:
    assert isinstance(node.op, BinaryConv2d)
    return node.op


def channels_of(node: Node) -> int:
    return node.inputs[1].shape[-1]


def weights_of(node: Node) -> Array:
    weight = node.inputs[1].const
    assert weight is not None
    return weight


def packed_weights(node: Node, w: Walk) -> Array:
    """uint32 [O, words of a window's vectors], in the form that the first adders take (adders.py)."""
    weight = weights_of(node)
    packed = pack(weight > 0).reshape(len(weight), -1)
    filled = np.pad(packed, ((0, 0), (0, w.filled - w.patch)))
    vectors = filled.reshape(len(weight), w.vectors, w.lanes)
    a, b, c = (vectors[:, i : w.triples : 3] for i in range(3))
    vectors[:, : w.triples] = np.stack([a ^ b, b ^ c, b], axis=2).reshape(len(weight), w.triples, w.lanes)
    return filled


@dataclass(frozen=True, eq=False)
class Classes:
    """`of_rows` and `of_columns` add up to the class of an output pixel; per class: places of a window in the image
    [classes], and those in the padding where the weights are +1 [classes, O].
    """

    of_rows: tuple[int, ...]
    of_columns: tuple[int, ...]
    places: Array
    differences: Array


def classes(node: Node) -> Classes:
    """A single class where padding is -1 or +1, or where there is none."""
    op, w = op_of(node), walk(node)
    channels = channels_of(node)
    if op.fill or not w.pads:
        nothing = np.zeros((1, len(weights_of(node))), np.int64)
        return Classes((0,) * w.out_height, (0,) * w.out_width, np.asarray([w.window.taps * channels]), nothing)
    rows = [inside(i, w.window, 0, w.height) for i in range(w.out_height)]
    columns = [inside(i, w.window, 1, w.width) for i in range(w.out_width)]
    row_kinds, column_kinds = list(dict.fromkeys(rows)), list(dict.fromkeys(columns))
    positive = (weights_of(node) > 0).sum(axis=3)
    places, differences = [], []
    for of_row in row_kinds:
        for of_column in column_kinds:
            kept = positive[:, of_row][:, :, of_column].sum(axis=(1, 2))
            differences.append(positive.sum(axis=(1, 2)) - kept)
            places.append(len(of_row) * len(of_column) * channels)
    return Classes(
        tuple(row_kinds.index(r) * len(column_kinds) for r in rows), tuple(column_kinds.index(c) for c in columns),
        np.asarray(places), np.asarray(differences),
    )  # fmt: skip


def inside(position: int, window: Window, axis: int, size: int) -> tuple[int, ...]:
    """The taps along an axis that lie in the image."""
    start, rows = position * window.strides[axis] - window.pads[axis], taps_inside(position, window, axis, size)
    return tuple((row - start) // window.dilations[axis] for row in rows)


def pixel_trace(node: Node) -> Trace:
    """A window is read, then its outputs are written, pixel by pixel in order."""
    w, pixel = walk(node), node.output.nbytes // walk(node).pixels
    sweeps = []
    for number in range(w.pixels):
        image, place = divmod(number, w.out_height * w.out_width)
        rows = taps_inside(place // w.out_width, w.window, 0, w.height)
        columns = taps_inside(place % w.out_width, w.window, 1, w.width)
        reads: tuple[Range, ...] = ()
        if rows and columns:
            first = (image * w.height + rows[0]) * w.width + columns[0]
            last = (image * w.height + rows[-1]) * w.width + columns[-1] + 1
            reads = (Range(0, 4 * first * w.words, 0, 4 * (last - first) * w.words),)
        sweeps.append(Sweep(1, reads, (Range(1, number * pixel, 0, pixel),)))
    return tuple(sweeps)
