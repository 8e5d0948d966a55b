"""Weights for SMLAD that need half of the unpacking (templates/kernels/conv2d/expand.j2 has the other half).

A word holds the weights w0..w3 of one output channel; those at even places are stored as w + 128. As two int16 the word
is then (256*w1 + u0, 256*w3 + u2) with u = w + 128, and one SXTB16 makes (w1, w3) of it. With the values expanded to
x = (a0, a2) and y = (a1 - 256*a0 - 128, a3 - 256*a2 - 128), which fit int16 exactly,

    SMLAD(word, x) + SMLAD((w1, w3), y) = a0*w0 + a1*w1 + a2*w2 + a3*w3 + 128*(a0 + a2) - 128*(w1 + w3).

The last term goes into the bias, the one before it is a number per window that all channels share. w = -128 is fine.
"""

from __future__ import annotations

import numpy as np

from ...ir import Array

STEP = 4  # values per word


def mirrored(weights: Array, channels: int) -> Array:
    """int8 [O, K], O a multiple of `channels`, K of 4, as [O/channels, K/4, channels, 4] with even places shifted."""
    shifted = weights.astype(np.int16)
    shifted[:, 0::2] += 128
    words = shifted.astype(np.uint8).view(np.int8).reshape(-1, channels, weights.shape[1] // STEP, STEP)
    return words.transpose(0, 2, 1, 3)


def mirrored_bias(bias: Array, weights: Array) -> Array:
    """The bias with 128 times the weights at odd places."""
    odd: Array = weights[:, 1::2].astype(np.int64).sum(axis=1)
    folded: Array = bias.astype(np.int64) + 128 * odd
    return folded
