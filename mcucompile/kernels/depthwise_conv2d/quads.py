"""Depthwise convolution of int8 with 16-bit multiplications: four channels of a pixel at a time."""

from __future__ import annotations

import numpy as np

from ...ir import Node
from ...target.cores import Core, Isa
from ..conv2d.packing import folded_bias
from ..kernel import Packed
from ..scaling import channel_constants
from .geometry import tap_rows
from .rounds import Rounds


class Quads(Rounds):
    variant = "quads"
    isa = Isa.DSP
    channels = 4

    def constants(self, node: Node) -> tuple[Packed, ...]:
        rounds = self.rounds(node)
        pairs = tap_rows(node).astype(np.int16)[rounds].transpose(0, 2, 1)[:, :, [0, 2, 1, 3]]  # [C/4, taps, 4]
        channels = channel_constants(node, folded_bias(node).values)
        return Packed("weight", pairs), Packed("channel", channels[rounds])

    def cycles(self, node: Node, core: Core) -> float:
        return 3.2 * node.op.macs(node) + 15 * node.output.size
