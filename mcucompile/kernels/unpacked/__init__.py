"""Kernels whose weights are kept in another form and unpacked into scratch, from where an ordinary kernel reads them.

Decided: one generic kernel for every encoding, kernel and number of output channels at a time. Instead of: kernels that
decode on the way, which pay for few encodings and operators; those that do stand beside the plain ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache, lru_cache

from ...encodings import ALL, Encoding
from ...ir import DType, Node, Tensor
from ..kernel import Kernel
from .kernel import Unpacked
from .plan import planned_scratch
from .tiles import tile_sizes


def unpacked_kernels(node: Node, plain: Sequence[Kernel]) -> list[Unpacked]:
    """The kernels that unpack the node's weights for one of `plain`, which fit it; most networks' weights have none.

    Only for kernels of the largest instruction set: there are many combinations, and others were far slower.
    """
    encodings = candidates(node)
    if not encodings:
        return []
    for isa in sorted({k.isa for k in plain}, reverse=True):
        inner = [k for k in plain if k.isa is isa and k.weight_stream(node)]
        if fits := [k for i in inner for encoding in encodings for k in of_sizes(node, i, encoding)]:
            return fits
    return []


def of_sizes(node: Node, inner: Kernel, encoding: Encoding) -> Iterator[Unpacked]:
    """All output channels at a time, and fewer where that takes less scratch; weights of others are not encoded."""
    least = None
    for size in tile_sizes(node):
        nbytes = planned_scratch(node, inner, size)
        if nbytes is None or (least is not None and nbytes >= least):
            continue
        kernel = unpacked(inner, encoding, size)
        if kernel.fits(node):
            least = nbytes
            yield kernel


def candidates(node: Node) -> tuple[Encoding, ...]:
    """The encodings of the node's weights that are asked for, or, where nothing is, those that may pay."""
    weight = node.inputs[1] if len(node.inputs) > 1 else None
    if weight is None or weight.const is None or weight.dtype is not DType.I8:
        return ()
    if weight.encoding:
        return tuple(e for e in ALL if e.name == weight.encoding)
    return paying(weight)


@lru_cache(maxsize=256)
def paying(weight: Tensor) -> tuple[Encoding, ...]:
    assert weight.const is not None
    values = weight.const.reshape(-1)
    return tuple(e for e in ALL if e.pays(values))


@cache
def unpacked(inner: Kernel, encoding: Encoding, tile: int) -> Unpacked:
    """One instance of each, since kernels are compared by identity."""
    return Unpacked(inner, encoding, tile)
