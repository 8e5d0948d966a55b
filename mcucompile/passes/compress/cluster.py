"""Let the weights of a layer have only a few values: k-means, with the layer's outputs kept in sight.

    %y = conv2d(%x, const %w: int8, %b)   -->   the same, with %w' of at most `count` different integers, and %b'

The weights stay int8; that few values take few bits is an encoding's matter (codebook, huffman). With calibration
samples the values are the best for the layer's outputs: weights are assigned one input after another, and those to come
take over each one's error (low_bits.py), then values and assignments are improved in turn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ...errors import CompileError
from ...ir import Array, Graph, Node
from ..calibrate import Samples
from .base import Change, Compression, Stage
from .hessian import Reals
from .low_bits import Levels, Rounded, one_descent, sweep
from .sharing import (
    DAMPING,
    Init,
    IntegerLayer,
    Tied,
    check_damping,
    clustered,
    fitted,
    integer_layers,
    is_integer_layer,
    share,
)

ROUNDS = 3
PRUNED = 0.3  # share of zeros from which on they are taken to be a pruning's
FEWEST, MOST = 2, 255


@dataclass(frozen=True)
class Cluster(Compression):
    """`count` values, zero included, for a layer or for each output channel.

    `init` is where k-means starts. `hessian` weighs errors by what they do to the layer's outputs, which needs samples;
    `compensate` lets weights make up for each other's error, too. `zeros`: keep leaves every zero as it is, free does
    not, auto keeps them where they are so many that the layer was pruned. `damping` holds weights near what they were.
    """

    count: int = 16
    scope: Literal["layer", "channel"] = "layer"
    init: Init = "optimal"
    hessian: bool = True
    compensate: bool = True
    zeros: Literal["auto", "keep", "free"] = "auto"
    damping: float = DAMPING

    name = "cluster"
    stage = Stage.SHARE

    def __post_init__(self) -> None:
        if not FEWEST <= self.count <= MOST:
            raise CompileError("E0701", f"cluster: count cannot be {self.count}", fix=f"give {FEWEST} to {MOST}")
        check_damping(self.name, self.damping)

    def idle_options(self) -> Mapping[str, str]:
        return {} if self.hessian or self.compensate else {"damping": "it is for hessian or compensate"}

    @classmethod
    def takes(cls, node: Node) -> bool:
        return is_integer_layer(node)

    def apply(self, graph: Graph, layers: Sequence[Node], samples: Samples | None) -> tuple[Change, ...]:
        """Biases are corrected, and errors weighed, where there are samples."""
        changes: list[Change] = []
        for layer in integer_layers(graph, layers, samples, self.damping):
            codes = self.shared(layer)
            unit = f"weights: {np.unique(layer.codes).size} values -> {np.unique(codes).size}"
            criterion = f"{self.count} values per {self.scope}, {self.init}"
            changes.append(share(graph, layer, codes, criterion, unit, self.compensate))
        return tuple(changes)

    def shared(self, layer: IntegerLayer) -> Reals:
        """The layer's new codes."""
        keeps = self.zeros == "keep" or (self.zeros == "auto" and np.mean(layer.codes == 0) > PRUNED)
        kept = layer.codes != 0 if keeps else np.ones(layer.codes.shape, bool)
        if not kept.any():
            return layer.codes
        book = self.codebook(layer, kept, self.count - keeps)
        if layer.moments is None or not self.compensate:
            return np.asarray(book.nearest(layer.codes) * kept)
        return compensated(layer, book, kept)

    def codebook(self, layer: IntegerLayer, kept: Array, count: int) -> Codebook:
        importance = layer.importance(self.hessian) * kept
        if self.scope == "layer":
            return Codebook.of(clustered(layer.codes[kept], importance[kept], count, self.init)[None, None])
        groups, outputs, _ = layer.codes.shape
        books = np.zeros((groups, outputs, count))
        for at in np.ndindex(groups, outputs):
            values = clustered(layer.codes[at][kept[at]], importance[at][kept[at]], count, self.init)
            books[at] = np.pad(values, (0, count - values.size), mode="edge") if values.size else 0.0
        return Codebook.of(books)


@dataclass(frozen=True)
class Codebook(Levels):
    """Ascending values as levels, [1, 1, count] for the layer or [groups, outputs, count]."""

    values: Array | None = None

    @classmethod
    def of(cls, values: Array) -> Codebook:
        return cls(int(np.abs(values).max(initial=0)), True, values)

    def index(self, steps: Reals) -> Array:
        """The number of the nearest value, for steps [groups, outputs] or [groups, outputs, inputs]."""
        assert self.values is not None
        middles = (self.values[..., 1:] + self.values[..., :-1]) / 2
        if middles.shape[:2] == (1, 1):
            return np.asarray(np.searchsorted(middles[0, 0], steps))
        along = middles if steps.ndim == 2 else middles[:, :, None]
        return np.asarray((steps[..., None] > along).sum(axis=-1))

    def nearest(self, steps: Reals) -> Reals:
        assert self.values is not None
        index = self.index(steps)
        if self.values.shape[:2] == (1, 1):
            return np.asarray(self.values[0, 0, index])
        flat = index[..., None] if steps.ndim == 2 else index
        return np.asarray(np.take_along_axis(self.values, flat, axis=2).reshape(steps.shape))


def compensated(layer: IntegerLayer, book: Codebook, kept: Array) -> Reals:
    """The best of k-means, of the sweep behind it, and of some rounds of new values and new assignments."""
    hessian, target = layer.hessian, layer.target
    real = target * layer.scales[..., None]
    order = np.argsort(-np.diagonal(hessian, axis1=1, axis2=2), axis=1, kind="stable")
    best = book.nearest(layer.codes) * kept
    codes = sweep(real, hessian, book, kept, layer.scales, order).q
    for _ in range(ROUNDS):
        codes = one_descent(Rounded(codes, layer.scales), real, hessian, book, kept)
        book, codes = refitted(layer, book, codes, kept, target)
        best = min(best, codes, key=lambda c: layer.error(c, target))
    return best


def refitted(layer: IntegerLayer, book: Codebook, codes: Reals, kept: Array, target: Reals) -> tuple[Codebook, Reals]:
    """Better values for the same assignments."""
    assert book.values is not None
    groups, outputs, count = book.values.shape
    offset = np.arange(groups * outputs).reshape(groups, outputs, 1) * count
    tied = Tied(np.broadcast_to(book.index(codes) + offset, codes.shape), kept.astype(np.float64))
    values = fitted(layer, tied, target, book.values.ravel())
    return Codebook.of(np.sort(values.reshape(book.values.shape), axis=2)), tied.codes(values)
