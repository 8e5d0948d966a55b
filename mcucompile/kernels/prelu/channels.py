"""How a kernel with numbers per channel walks over a tensor."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from ...ir import Shape


@dataclass(frozen=True)
class Channels:
    """`outer` times `count` channels of `inner` values each."""

    outer: int
    count: int
    inner: int


def channels(shape: Shape, axis: int) -> Channels:
    return Channels(prod(shape[:axis]), shape[axis], prod(shape[axis + 1 :]))
