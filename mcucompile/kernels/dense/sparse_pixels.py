"""Dense layers of several rows whose weights have zeros, as 1x1 convolutions whose pixels are the rows."""

from __future__ import annotations

from ..conv2d.sparse_blocks import Blocks, Pairs
from ..conv2d.sparse_taps import Bitmap, Relative
from ..conv2d.sparse_tiles import Tiles
from ..conv2d.sparse_triples import (
    MainlineBitmap,
    MainlineBlocks,
    MainlineRelative,
    SparseBitmap,
    SparseBlocks,
    SparseRelative,
    SparseTriples,
)
from ..conv2d.sparse_vectors import SparseVectors
from .as_conv2d import AsConv2d


class TilesOfRows(AsConv2d):
    template = Tiles.template
    least_pixels = 2


class TriplesOfRows(AsConv2d):
    template = SparseTriples.template
    least_pixels = 2


class DenseRelative(TilesOfRows, Relative):
    pass


class DenseBitmap(TilesOfRows, Bitmap):
    pass


class DenseBlocks(TilesOfRows, Blocks):
    pass


class DensePairs(TilesOfRows, Pairs):
    pass


class DenseScalarRelative(TriplesOfRows, SparseRelative):
    pass


class DenseScalarBitmap(TriplesOfRows, SparseBitmap):
    pass


class DenseScalarBlocks(TriplesOfRows, SparseBlocks):
    pass


class DenseMainlineRelative(TriplesOfRows, MainlineRelative):
    pass


class DenseMainlineBitmap(TriplesOfRows, MainlineBitmap):
    pass


class DenseMainlineBlocks(TriplesOfRows, MainlineBlocks):
    pass


class DenseVectors(AsConv2d, SparseVectors):
    pass
