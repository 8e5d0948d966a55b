"""Depthwise convolution of int8 with vectors: eight channels of a pixel at a time."""

from __future__ import annotations

from ...ir import Node
from ...target.cores import Core, Isa
from ..conv2d.geometry import Gather
from ..conv2d.packing import folded_bias
from ..kernel import Packed
from ..scaling import scaling, vector_constants
from ..stream import Stream, whole
from .geometry import depthwise_geometry, tap_rows
from .rounds import Rounds


class Vectors(Rounds):
    variant = "vectors"
    isa = Isa.MVE
    channels = 8
    words_of = 8

    def fits(self, node: Node) -> bool:
        return super().fits(node) and scaling(node).high_word

    def constants(self, node: Node) -> tuple[Packed, ...]:
        rounds = self.rounds(node)
        weights = tap_rows(node)[rounds].transpose(0, 2, 1)  # [rounds, taps, 8]
        channels = vector_constants(node, folded_bias(node).values)[rounds]  # [rounds, 8, 2 or 3]
        halves = channels.reshape(len(rounds), 4, 2, -1).transpose(0, 3, 2, 1)  # even channels, then odd ones
        return Packed("weight", weights), Packed("channel", halves)

    def weight_stream(self, node: Node) -> Stream:
        return whole(self.constants(node)[0].values)

    def cycles(self, node: Node, core: Core) -> float:
        gathered = depthwise_geometry(node).gather is not Gather.NEVER
        return (2.0 if gathered else 1.6) * node.op.macs(node) + 5 * node.output.size
