"""Cycles of blocks of pixels by two channels: loads and multiplications from the cores' timings, the rest measured.

The measured constants are least-squares fits to profiles of eleven layers; they reproduce each within 5 %.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...target.cores import Core


@dataclass(frozen=True)
class LoadCycles:
    """Of one word, two words and three; `wait`: for the loads of a step, on the whole."""

    one: float
    two: float
    three: float
    wait: float

    def windows(self, pixels: int, side: int) -> float:
        """A word of each of `pixels` windows that lie `side` words apart."""
        if (pixels, side) == (3, 3):
            return self.three
        return pixels // 2 * self.two + pixels % 2 * self.one


@dataclass(frozen=True)
class Rest:
    """Per output, word of a window, window, run of a window, and block."""

    output: float
    word: float
    window: float
    run: float
    block: float


@dataclass(frozen=True)
class Amount:
    """What there is to do: blocks and windows of each in every round, pairs of channels, steps, windows, their runs."""

    blocks: tuple[tuple[int, int], ...]
    side: int
    pairs: int
    steps: int
    windows: int
    runs: int

    @property
    def words(self) -> int:
        return self.steps * sum(count * pixels for count, pixels in self.blocks)


LOADS = {
    "cortex-m7": LoadCycles(1, 1, 2, 3.0),
    "cortex-m33": LoadCycles(1, 2, 3, 3.0),
    "": LoadCycles(2, 3, 4, 0.3),
}
RESTS = {
    ("blocked16", "cortex-m7"): Rest(3.8, 9.6, 2, 0, 0),
    ("blocked16", "cortex-m33"): Rest(5.2, 12.0, 13, 0, 0),
    ("blocked16", ""): Rest(4.7, 10.8, 14, 0, 38),
    ("blocked", "cortex-m7"): Rest(4.9, 11.7, 4, 0, 0),
    ("blocked", "cortex-m33"): Rest(7.2, 14.5, 17, 0, 0),
    ("blocked", ""): Rest(6.3, 12.4, 21, 0, 69),
    ("compact", "cortex-m7"): Rest(8.5, 5.5, 0, 58, 11),
    ("compact", "cortex-m33"): Rest(11.8, 7.9, 0, 70, 45),
    ("compact", ""): Rest(13.2, 8.6, 0, 86, 49),
}

STAGGERED = {"cortex-m7": 18.3, "cortex-m33": 28, "": 37}  # a step of four windows


def timed(core: Core) -> str:
    """The core whose timings are used."""
    name = "cortex-m33" if core.name == "cortex-m55" else core.name
    return name if name in LOADS else ""


def block_cycles(variant: str, core: Core, amount: Amount, extra_per_output: float) -> float:
    """Of one call. `extra_per_output`: instructions beyond the three of the cheapest requantization."""
    kind = "blocked16" if variant == "staggered" else variant
    loads, rest = LOADS[timed(core)], RESTS[kind, timed(core)]
    total = rest.word * amount.words + rest.window * amount.windows + rest.run * amount.runs
    for count, pixels in amount.blocks:
        unpacked = loads.two if kind == "blocked16" else 1 if timed(core) == "cortex-m7" else 2
        step = loads.two + unpacked + 2 * loads.windows(pixels, amount.side) + 4 * pixels + loads.wait
        if variant == "staggered" and pixels == 4:
            step = STAGGERED[timed(core)]
        outputs = 2 * pixels * (rest.output + extra_per_output)
        total += count * (amount.pairs * (amount.steps * step + outputs) + rest.block)
    return total
