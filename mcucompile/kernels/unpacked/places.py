"""Where each weight of a kernel's stream is in the layer's own constant.

Found by packing digits of the weights' numbers instead of the weights: whatever a kernel does to their order shows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ...encodings import Walk, walk_of
from ...ir import Array, Tensor

BASE = 16  # digits are small, as weights often must be


def stream_walk(weight: Tensor, pack: Callable[[Tensor], Array | None]) -> Walk | None:
    """`pack`: the stream of a constant in the weight's place, None where no kernel takes it. None too where weights
    are filled up with zeros, or not in the order of nested loops.
    """
    numbers = np.arange(1, weight.size + 1).reshape(weight.shape)
    places = np.zeros(weight.size, np.int64)
    for k in range(len(f"{weight.size:x}")):
        digits = (numbers // BASE**k % BASE).astype(np.int8)
        stream = pack(replace(weight, name=f"{weight.name}_{k}", const=digits))
        if stream is None or stream.size != weight.size:
            return None
        places += stream.astype(np.int64) * BASE**k
    return walk_of(places - 1)
