"""Let a hash of a weight's place say which of a few values it has: HashedNets (Chen et al. 2015), after training.

    %y = dense(%x, const %w: int8, %b)   -->   the same, with %w'[place] = values[hash(place)], and %b'

Nothing but the values is kept where the encoding is `hashed`, which a recipe asks for with encode=hashed. The paper
trains networks with such ties; tying the weights of a trained one leaves of them what the values can be fitted to: with
calibration samples by least squares of the layer's outputs, else the means of the weights tied together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...encodings import codebook_size, hashed_indices
from ...encodings.hashed import RATIOS
from ...errors import CompileError
from ...ir import Array, Graph, Node
from ...ops.conv2d import Conv2d
from ...ops.dense import Dense
from ..calibrate import Samples
from .base import Change, Compression, Stage
from .hessian import Reals
from .sharing import DAMPING, IntegerLayer, Tied, check_damping, fitted, integer_layers, is_integer_layer, share
from .sharing.integer_layer import LIMIT


@dataclass(frozen=True)
class HashWeights(Compression):
    """`ratio` weights for each value, one of the numbers that the encoding knows.

    `damping` holds weights near what they were, when the values are fitted to samples.
    """

    ratio: int = 8
    damping: float = DAMPING

    name = "hash_weights"
    stage = Stage.SHARE

    def __post_init__(self) -> None:
        if self.ratio not in RATIOS:
            allowed = ", ".join(map(str, RATIOS))
            raise CompileError("E0701", f"hash_weights: ratio cannot be {self.ratio}", fix=f"one of {allowed}")
        check_damping(self.name, self.damping)

    @classmethod
    def takes(cls, node: Node) -> bool:
        """Layers whose weights, as they are stored, are one output after the other."""
        return isinstance(node.op, Dense | Conv2d) and is_integer_layer(node)

    def apply(self, graph: Graph, layers: Sequence[Node], samples: Samples | None) -> tuple[Change, ...]:
        """The more samples, the better the values: each stands for many weights."""
        changes: list[Change] = []
        for layer in integer_layers(graph, layers, samples, self.damping):
            codes = hashed(layer, self.ratio)
            unit = f"weights: {codes.size} -> {codebook_size(codes.size, self.ratio)} values"
            changes.append(share(graph, layer, codes, f"{self.ratio} weights per value", unit))
        return tuple(changes)


def hashed(layer: IntegerLayer, ratio: int) -> Reals:
    """The layer's codes, tied."""
    shape = layer.codes.shape
    count = codebook_size(layer.codes.size, ratio)
    index = hashed_indices(np.arange(layer.codes.size), count).reshape(shape)
    tied = Tied(index, np.ones(shape))
    values = means(layer, tied, count)
    return tied.codes(values if layer.moments is None else fitted(layer, tied, layer.target, values))


def means(layer: IntegerLayer, tied: Tied, count: int) -> Array:
    """Of the weights that are tied together, weighted by what their errors count."""
    importance = layer.importance(layer.moments is not None)
    mass = tied.gathered(importance, count)
    sums = tied.gathered(importance * layer.codes, count)
    return np.clip(np.rint(sums / np.where(mass > 0, mass, 1.0)), -LIMIT, LIMIT)
