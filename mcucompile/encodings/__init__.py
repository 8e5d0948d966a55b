"""How constants are kept in flash: each encoding with what it can hold, what it costs and a decoder in C."""

from __future__ import annotations

from .codebook import Codebook
from .encoding import MIRRORED, PLAIN, SHIFTED, Encoded, Encoding, Layout, Params, Walk, masked
from .hashed import Hashed, codebook_size, hashed_indices, walk_of
from .huffman import Huffman
from .lossless import Lossless
from .narrow import NARROW, Narrow
from .words import Words

ALL: tuple[Encoding, ...] = (*NARROW, Codebook(), Words(), Huffman(), Lossless(), Hashed())
BY_NAME = {encoding.name: encoding for encoding in ALL}
SPARSE = ("bitmap", "relative", "blocks4")  # read by kernels of their own, without a decoder

# fmt: off
__all__ = [
    "ALL", "BY_NAME", "Encoded", "Encoding", "Layout", "MIRRORED", "Narrow", "PLAIN", "Params", "SHIFTED", "SPARSE",
    "Walk", "codebook_size", "hashed_indices", "masked", "walk_of",
]
