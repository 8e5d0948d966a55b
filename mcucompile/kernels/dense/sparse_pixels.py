"""Dense layers of several rows whose weights have zeros, as 1x1 convolutions whose pixels are the rows."""

from __future__ import annotations

from ..conv2d.sparse_tiles import Bitmap, Blocks, Pairs, Relative, Tiles
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


class SparsePixels(AsConv2d):
    least_pixels = 2


class DenseRelative(SparsePixels, Relative):
    template = Tiles.template


class DenseBitmap(SparsePixels, Bitmap):
    template = Tiles.template


class DenseBlocks(SparsePixels, Blocks):
    template = Tiles.template


class DensePairs(SparsePixels, Pairs):
    template = Tiles.template


class DenseScalarRelative(SparsePixels, SparseRelative):
    template = SparseTriples.template


class DenseScalarBitmap(SparsePixels, SparseBitmap):
    template = SparseTriples.template


class DenseScalarBlocks(SparsePixels, SparseBlocks):
    template = SparseTriples.template


class DenseMainlineRelative(SparsePixels, MainlineRelative):
    template = SparseTriples.template


class DenseMainlineBitmap(SparsePixels, MainlineBitmap):
    template = SparseTriples.template


class DenseMainlineBlocks(SparsePixels, MainlineBlocks):
    template = SparseTriples.template


class DenseVectors(AsConv2d, SparseVectors):
    pass
