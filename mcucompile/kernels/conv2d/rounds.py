"""In which order a convolution computes blocks of pixels, and what it reads for each."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from ..trace import Range, Sweep, Trace
from .geometry import MOST_TRACES, Geometry, pixel_trace, taps_inside, window_span
from .lanes import band_of


@dataclass(frozen=True)
class Round:
    """Pixels first to last, `pixels` at a time."""

    first: int
    last: int
    pixels: int


def rounds_of(count: int) -> tuple[Round, ...]:
    """Blocks of four pixels, three where that leaves none over, or first fours, then threes."""
    if count < 3 or count % 4 == 0 or count % 3 == 0:
        size = count if count < 3 else 3 if count % 4 else 4
        return (Round(0, count, size),)
    if count == 5:
        return Round(0, 3, 3), Round(3, 5, 2)
    fours = count - 3 * (-count % 4)
    return tuple(Round(a, b, size) for a, b, size in ((0, fours, 4), (fours, count, 3)) if a < b)


@lru_cache(maxsize=MOST_TRACES)
def block_trace(g: Geometry) -> Trace:
    """Each block's windows are copied before its outputs are written; groups come back to the same windows.

    A band is copied with the first window of a row.
    """
    sweeps = []
    for r in rounds_of(g.pixels):
        for first in range(r.first, r.last, r.pixels):
            spans = [span_read(g, p) for p in range(first, first + r.pixels)]
            start, stop = min((s for s, e in spans if e), default=0), max(e for _, e in spans)
            reads = (Range(0, start, 0, stop - start),) if stop > start else ()
            sweeps.append(Sweep(1, reads, (Range(1, first * g.pixel_step, 0, r.pixels * g.pixel_step),)))
            if g.groups > 1 and reads:
                sweeps.append(Sweep(1, reads, ()))
    return tuple(sweeps)


def compact_trace(g: Geometry, step: int) -> Trace:
    """The same for blocks of `step` pixels, without groups and bands; what the last block lacks is repeated."""
    return pixel_trace(g, 1, step, reads_first=True)


def span_read(g: Geometry, pixel: int) -> tuple[int, int]:
    """First and last byte + 1 of the input that is read for an output pixel; (0, 0) if none."""
    if band_of(g) is None:
        return window_span(g, pixel)
    row, column = divmod(pixel, g.out_width)
    image, oy = divmod(row, g.out_height)
    rows = taps_inside(oy, g.window, 0, g.height)
    if column or not rows:
        return 0, 0
    first = image * g.height + rows[0]
    return first * g.row_stride, (first + len(rows)) * g.row_stride
