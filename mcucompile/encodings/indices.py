"""Numbers of 1 to 8 bits in a row, eight of them in as many bytes; the first has the lowest bits.

templates/encodings/indices.j2 is the other half.
"""

from __future__ import annotations

import numpy as np

from ..ir import Array

ROW = 8  # indices


def index_bits(count: int) -> int:
    """Bits that an index of so many things takes."""
    return max(1, (count - 1).bit_length())


def packed_indices(indices: Array, bits: int) -> Array:
    """[count] below 2^bits -> uint8 [rows, bits], padded with zeros."""
    rows = np.pad(indices.astype(np.uint8), (0, -indices.size % ROW)).reshape(-1, ROW)
    each = np.unpackbits(rows[..., None], axis=-1, bitorder="little")[..., :bits]
    return np.packbits(each.reshape(-1, ROW * bits), axis=-1, bitorder="little")


def unpacked_indices(codes: Array, bits: int) -> Array:
    """uint8 [rows, bits] -> uint8 [8 * rows]."""
    each = np.unpackbits(codes, axis=-1, bitorder="little").reshape(-1, bits)
    return np.packbits(each, axis=-1, bitorder="little")[:, 0]


def packed_nbytes(count: int, bits: int) -> int:
    """Bytes of so many packed indices."""
    return -(-count // ROW) * bits
