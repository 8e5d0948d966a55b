"""Weights of 2 to 6 bits, ternary or binary, with a scale per output channel.

    %y = conv2d(%x, %w, %b)   -->   %y = conv2d(%x, %w', %b'), every %w' one of -7..7 times its channel's scale

Which integers: low_bits.py. The weights stay real, on a grid that the quantization to int8 takes over as it is; what
they take in flash is then an encoding's matter. Zeros stay zero, also among binary weights: zeros that pruning left
make those ternary. Layers that the imported network has on few bits already, no more than asked for or by a grid that
they promise, keep their weights (few_bits.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ...errors import CompileError
from ...ir import Graph, Node
from ..calibrate import Samples
from .base import KEPT, Change, Compression, Stage
from .few_bits import kept_integers
from .hessian import DAMPING, needed_samples
from .layer_weights import change_of, check_damping, has_real_weights, in_order
from .low_bits import Rounded
from .round_layer import Bits, Rounder, Rounding, bits_text, levels, put_on_grid, weight_error
from .share_bits import LEAST_BUDGET, MOST_BITS, shared_bits


@dataclass(frozen=True)
class QuantizeWeights(Compression):
    """`bits` is 2 to 6 (integers -1..1, -3..3 ... -31..31), ternary (TWN), binary (XNOR-Net), or auto.

    auto gives each layer 2, 3, 4 or 8 bits by what they cost in accuracy (share_bits.py), such that all these layers'
    weights take at most `budget` of the 8 bits each. `rounding` compensated needs calibration data; nearest does not,
    but corrects biases where there are samples. With `ordered` inputs of large variance are rounded first. `damping`
    holds compensation near the trained weights.
    """

    bits: Literal[2, 3, 4, 5, 6, "ternary", "binary", "auto"] = 4
    rounding: Rounding = "compensated"
    ordered: bool = True
    budget: float = 0.5
    damping: float = DAMPING

    name = "quantize_weights"
    stage = Stage.QUANTIZE

    def __post_init__(self) -> None:
        if not LEAST_BUDGET <= self.budget <= 1:
            fix = f"give a number from {LEAST_BUDGET} to 1"
            raise CompileError("E0701", f"{self.name}: budget cannot be {self.budget}", fix=fix)
        check_damping(self.name, self.damping)

    def idle_options(self) -> Mapping[str, str]:
        idle = {} if self.bits == "auto" else {"budget": f"it is for bits auto, not for {bits_text(self.bits)}"}
        if self.rounding == "nearest":
            idle |= dict.fromkeys(("ordered", "damping"), "it is for compensated rounding, not for nearest")
        return idle

    def apply(self, graph: Graph, layers: Sequence[Node], samples: Samples | None) -> tuple[Change, ...]:
        rounder = Rounder(self.rounding, self.ordered, self.damping)
        if self.rounding != "nearest":
            needed_samples(samples, f"{self.name} with compensated rounding", "use rounding:nearest")
        if self.bits != "auto":
            return quantized(graph, dict.fromkeys(layers, self.bits), samples, rounder)
        given = needed_samples(samples, f"{self.name}=auto", f"give the bits, e.g. {self.name}=4+rounding:nearest")
        open_layers = [n for n in layers if kept_integers(n, levels(MOST_BITS).high) is None]
        shared = shared_bits(graph, open_layers, given, rounder, self.budget)
        kept = dict.fromkeys((n for n in layers if n not in open_layers), MOST_BITS)
        return quantized(graph, {**kept, **shared}, samples, rounder)

    @classmethod
    def takes(cls, node: Node) -> bool:
        return has_real_weights(node)


def quantized(graph: Graph, bits: Mapping[Node, Bits], samples: Samples | None, rounder: Rounder) -> tuple[Change, ...]:
    """The layers in the order of execution; each makes up for what those before it lost, as far as it can."""
    changes: list[Change] = []
    for node, moments in in_order(graph, list(bits), samples):
        kept = kept_integers(node, levels(bits[node]).high)
        if kept:
            changes.append(kept_change(node, kept))
            put_on_grid(graph, node, kept, moments)
            continue
        rounded = rounder.rounded(node, bits[node], moments)
        criterion = f"{bits_text(bits[node])}, {rounder.rounding}"
        aim = rounder.target(node, moments)
        changes.append(change_of(node, rounded.values, aim, moments, criterion, weight_error(node, rounded)))
        put_on_grid(graph, node, rounded, moments)
    return tuple(changes)


def kept_change(node: Node, kept: Rounded) -> Change:
    high, count = kept.high, int(np.count_nonzero(kept.q))
    few = f"{high.bit_length() + 1} bits" if high > 1 else "ternary" if count < kept.q.size else "binary"
    return Change(node.output.name, node.source, KEPT, f"already {few}", 0.0, None, count, count)
