"""Depthwise convolution of int8 with 16-bit multiplications: four channels of a pixel at a time."""

from __future__ import annotations

import numpy as np

from ...ir import Node
from ...target.cores import Isa
from ..conv2d.geometry import Gather, Geometry, taps_inside
from ..conv2d.packing import folded_bias
from ..counted import Costs, Counted
from ..kernel import Packed
from ..scaling import channel_constants
from .geometry import UNROLLED_TAPS, depthwise_geometry, tap_rows
from .rounds import Rounds

COSTS: Costs = {  # per tap of four channels, four channels, pixel, and copy into a patch
    "cortex-m4": (14.4, 24.6, 31.3, 5.3), "cortex-m33": (13.4, 26.0, 27.9, 3.8), "cortex-m7": (9.4, 14.8, 32.1, 2.4),
}  # fmt: skip


class Quads(Counted, Rounds):
    variant = "quads"
    isa = Isa.DSP
    channels = 4
    costs = COSTS

    def constants(self, node: Node) -> tuple[Packed, ...]:
        rounds = self.rounds(node)
        pairs = tap_rows(node).astype(np.int16)[rounds].transpose(0, 2, 1)[:, :, [0, 2, 1, 3]]  # [C/4, taps, 4]
        channels = channel_constants(node, folded_bias(node).values)
        return Packed("weight", pairs), Packed("channel", channels[rounds])

    def counts(self, node: Node) -> tuple[float, ...]:
        g = depthwise_geometry(node)
        rounds = g.pixels * -(-g.channels // self.channels)
        return rounds * g.window.taps, rounds, g.pixels, gathered(g) * g.window.taps * g.copy_count

    def code_nbytes(self, node: Node) -> int:
        return 420 + 40 * min(depthwise_geometry(node).window.taps, UNROLLED_TAPS)


def gathered(g: Geometry) -> int:
    """Windows that are copied into a patch."""
    if g.gather is not Gather.BORDER:
        return 0 if g.gather is Gather.NEVER else g.pixels
    sizes, outputs, window = (g.height, g.width), (g.out_height, g.out_width), g.window
    inside = [
        sum(len(taps_inside(p, window, axis, sizes[axis])) == window.kernel[axis] for p in range(outputs[axis]))
        for axis in (0, 1)
    ]
    return g.pixels - g.batch * inside[0] * inside[1]
