"""Grids of integers that real values are rounded to, with the rounding modes of QONNX."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..ir import Array, DType, QuantParams, Unsupported

EDGE = 2.0**-12  # of a step: what nearest rounding of a floor or ceiling leaves out


class Round(NamedTuple):
    """A rounding mode: its meaning, and how it is written with rounding to nearest.

    `side` is +1 for floor, -1 for ceil; `tie` is where a nearest mode takes halves: +1 up, -1 down, 0 to the even one.
    """

    function: Callable[[Array], Array]
    side: int = 0
    tie: int = 0


def away_half(x: Array) -> Array:
    return np.asarray(np.sign(x) * np.floor(np.abs(x) + x.dtype.type(0.5)))


def toward_half(x: Array) -> Array:
    return np.asarray(np.sign(x) * np.ceil(np.abs(x) - x.dtype.type(0.5)))


def away(x: Array) -> Array:
    return np.asarray(np.sign(x) * np.ceil(np.abs(x)))


ROUNDS = {
    "ROUND": Round(np.rint), "HALF_EVEN": Round(np.rint), "FLOOR": Round(np.floor, 1), "CEIL": Round(np.ceil, -1),
    "HALF_UP": Round(away_half, tie=1), "HALF_DOWN": Round(toward_half, tie=-1),  # ties of integers >= 0
}  # fmt: skip
BY_SIGN = {"DOWN": Round(np.fix, 1), "ROUND_TO_ZERO": Round(np.fix, 1), "UP": Round(away, -1)}  # sides of integers >= 0


@dataclass(frozen=True)
class Grid:
    """The integers from `low` to `high` that a node rounds to; `scale` and `zero` broadcast against the values."""

    scale: Array
    zero: Array
    low: int
    high: int
    mode: str

    @property
    def round(self) -> Round:
        return (ROUNDS | BY_SIGN)[self.mode]

    def centred(self, x: Array) -> Array:
        """The definition: integers without their zero point, as int64."""
        steps = x / self.scale + self.zero
        clipped = np.clip(steps, np.float32(self.low), np.float32(self.high))
        return np.asarray(self.round.function(clipped) - self.zero)


def offset_of(grid: Grid, dropped: int | None) -> float:
    """What makes rounding to nearest the grid's own rounding, in steps.

    A multiple of 2**-t steps may be floored with any offset between -1/2 and -1/2 + 2**-t; one near the lower end
    stays right when it is rounded to become part of an integer bias. What goes by the sign goes by that of the integer
    with its zero point, as the definition has it.
    """
    _, side, tie = grid.round
    if grid.mode in BY_SIGN and grid.low < 0:
        fix = "use the rounding mode ROUND, FLOOR or CEIL, or unsigned activations"
        raise Unsupported(f"signed activations with the rounding mode {grid.mode}", fix)
    if grid.low < 0:
        tie = 0
    if dropped is None:
        return side * (EDGE - 0.5) + tie * EDGE
    step = 2.0**-dropped
    return {1: -0.5 + step / 4, 0: tie * step / 4, -1: 0.5 - step * 3 / 4}[side] if dropped else 0.0


def deviation(grid: Grid, dropped: int | None) -> str:
    """How what `offset_of` makes of a computed value differs from the definition; "" where it does not."""
    _, side, tie = grid.round
    if tie and grid.low < 0:
        return "ties go to the even integer"
    if (side or tie) and dropped is None:
        return (
            "it is rounding to nearest with an offset: a value within 1/4096 step of where it changes, "
            "or within a step of an integer layer's sums, may come out one step off"
        )
    return "ties go to the integer that is even without the zero point" if grid.zero.item() % 2 and not side else ""


def storage(scale: float, zero: int, low: int, high: int) -> QuantParams:
    """As int8 where the integers and the zero point fit it or uint8, else as int16; the unsigned ones are moved."""
    least, most = min(low, zero), max(high, zero)
    for dtype in (DType.I8, DType.I16):
        for shift in (0, -dtype.low):
            if dtype.low <= least - shift and most - shift <= dtype.high:
                return QuantParams((scale,), zero - shift, dtype)
    raise Unsupported(f"integers from {low} to {high} with the zero point {zero}", "use at most 16 bits")


def integer_range(bits: int, signed: bool, narrow: bool) -> tuple[int, int]:
    if signed:
        return narrow - (1 << (bits - 1)), (1 << (bits - 1)) - 1
    return 0, (1 << bits) - 1 - narrow
