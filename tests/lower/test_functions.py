"""Which steps share a C function."""

from __future__ import annotations

from mcucompile.kernels.kernel import Part
from mcucompile.lower.lower import Functions


def test_functions_that_call_others_are_shared_only_with_the_same_ones() -> None:
    functions = Functions("net", set())
    unpack, others = (functions.of(Part("unpack", "unpack.c.j2", bits, 100)) for bits in (4, 2))
    outer = Part("conv2d", "tiles.c.j2", "params", 100)
    first, again, other = (functions.of(outer, parts) for parts in ((unpack,), (unpack,), (others,)))
    assert again is first
    assert other is not first
    assert (first.parts, other.parts) == ((unpack,), (others,))
    assert len({f.function for f in (unpack, others, first, other)}) == 4
