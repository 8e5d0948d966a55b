"""What convolution by Winograd's method costs: cycles of its parts, as measured on each core's cycle model."""

from __future__ import annotations

from dataclasses import dataclass

from ...target.cores import Core
from .winograd_tiles import WinogradParams
from .winograd_transform import F2, F4, F4_PLAIN, Transform


@dataclass(frozen=True)
class Costs:
    """Cycles: of a step and the rest of a position of a block's product, plain and staggered; by transform, of four
    channels of one tile of inputs and of one channel of two tiles of outputs; of four input by two output channels'
    weights; of copying a pixel and each of its words; of the loops around a tile and around two tiles of outputs.
    """

    plain: tuple[float, float]
    staggered: tuple[float, float]
    inputs: dict[Transform, float]
    outputs: dict[Transform, float]
    weights: float
    pixel: float
    word: float
    tile: float
    pair: float


M4 = Costs(
    (17, 17), (19, 16), {F2: 403, F4: 960, F4_PLAIN: 960}, {F2: 250, F4: 676, F4_PLAIN: 830}, 745, 6, 4.4, 48, 18
)
M7 = Costs(
    (13, 7.5), (8, 10.5), {F2: 233, F4: 525, F4_PLAIN: 525}, {F2: 144, F4: 389, F4_PLAIN: 516}, 542, 5.7, 2.3, 32, 11
)
M33 = Costs(
    (16, 14.7), (14, 15.7), {F2: 365, F4: 918, F4_PLAIN: 918}, {F2: 220, F4: 669, F4_PLAIN: 855}, 825, 5.4, 3.4, 42, 18
)
RAGGED_OUTPUT = 5.0  # of finding out whether an output is there
OWN_SHIFT_OUTPUT = 2.0  # of a shift that channels do not share
GEMMLOWP_OUTPUT = 4.0  # of the second rounding


def winograd_cycles(p: WinogradParams, core: Core) -> float:
    """Estimated cycles of one call."""
    costs = M7 if core.cpu == "cortex-m7" else M4 if core.cpu == "cortex-m4" else M33
    groups = -(-p.out_channels // p.block_channels)
    pairs = p.blocks * p.block_tiles // 2 * p.out_channels
    step, position = costs.staggered if p.staggers else costs.plain
    loops = 8 + 5 * p.step_loops if p.step_loops > 1 else 0
    products = p.blocks * groups * p.t.positions * (p.steps * step + position + loops)
    inputs = p.blocks * p.block_tiles * p.filled // 4 * costs.inputs[p.t] + copying_cycles(p, costs)
    outputs = pairs * (costs.outputs[p.t] + costs.pair + 2 * p.t.size**2 * output_extra(p))
    weights = p.strips * groups * p.filled // 4 * costs.weights if p.expands else 0.0
    return p.batch * (products + inputs + outputs + weights + p.blocks * p.block_tiles * costs.tile)


def copying_cycles(p: WinogradParams, costs: Costs) -> float:
    copies = p.filled // 4 if p.has_words else 1.5 * p.filled
    return p.copied_tiles * p.t.positions * (costs.pixel + copies * costs.word)


def output_extra(p: WinogradParams) -> float:
    """Cycles per output beyond the plainest requantization of whole tiles."""
    own_shift = OWN_SHIFT_OUTPUT if p.scaling.shift is None else 0.0
    return RAGGED_OUTPUT * p.is_ragged + own_shift + GEMMLOWP_OUTPUT * p.scaling.gemmlowp


def winograd_code_nbytes(p: WinogradParams) -> int:
    """Estimated bytes of machine code."""
    product = (56 if p.staggers else 44) * p.steps // p.step_loops + 60
    transforms = {F2: 370 + 160, F4: 560 + 440, F4_PLAIN: 560 + 560 + 1360}[p.t]
    ragged = 8 * p.t.size**2 * p.is_ragged
    return product + transforms + ragged + (160 if p.copied_tiles else 0) + 330
