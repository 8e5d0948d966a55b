"""How signs are packed: tensors of type uint32 in a binary network.

Decided: a packed tensor has the shape of the signs but for its last axis, which counts words of 32 channels: channel c
is bit c % 32 of word c // 32, 1 for +1 and 0 for -1; bits beyond the channels are 0. Shapes count words, instead of a
type of one bit whose shape counts channels, because then whatever places, sends, compares or profiles tensors needs to
know nothing of bits; the operators that read and write such tensors know the channels from their weights.
"""

from __future__ import annotations

import numpy as np

from ..ir import Array, Shape

WORD_BITS = 32


def words(channels: int) -> int:
    """Words that hold so many bits."""
    return -(-channels // WORD_BITS)


def packed_shape(shape: Shape) -> Shape:
    return (*shape[:-1], words(shape[-1]))


def pack(positive: Array) -> Array:
    """uint32 [..., words] from booleans [..., channels], True for +1."""
    filled = np.pad(positive, [(0, 0)] * (positive.ndim - 1) + [(0, -positive.shape[-1] % WORD_BITS)])
    octets = np.packbits(filled, axis=-1, bitorder="little").astype(np.uint32)
    shifted = octets.reshape(*octets.shape[:-1], -1, 4) << np.asarray([0, 8, 16, 24], np.uint32)
    return np.asarray(shifted.sum(axis=-1, dtype=np.uint32))


def unpack(packed: Array, channels: int) -> Array:
    """int64 [..., channels] of -1 and +1."""
    bits = packed[..., None] >> np.arange(WORD_BITS, dtype=np.uint32) & np.uint32(1)
    return bits.reshape(*packed.shape[:-1], -1)[..., :channels].astype(np.int64) * 2 - 1
