"""Fit what pruning left to what the network was: least squares for each layer, in order, on the samples.

    before   y = W x + b                  x from the original network
    after    y' = V x' + c                x' from the pruned one, whose layers before are fitted already
    V, c     minimize |y - y'|^2 + ridge * |V - W'|^2, with W' the weights that pruning left of W

So every layer makes good for what those before it lost, not only for its own channels (He, Zhang, Sun 2017). Where
nothing but an Add reads the sums, they also stand in for what the Add's other operand lost (the same paper's residual
blocks). The ridge is the one of RIDGES that does best on samples that took no part in the fit; with too few of them
that is the largest, which leaves the weights as they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ....ir import NO_CLIP, Array, Graph, Node, Tensor
from ....ops.add import Add
from ....ops.dense import Dense
from ...calibrate import Samples, count_of, runner
from ...channels.links import mixes
from ...correct_bias import Walk, walk
from ..hessian import enough_samples, input_rows, some_places, weight_rows
from .evidence import Reals
from .refit import with_rows
from .regression import Regression

RIDGES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 1e3)
MOST_ROWS = 20_000  # of one layer, over all samples
MOST_INPUTS = 4096  # of a sum: a fit takes the cube of them


@dataclass(frozen=True, eq=False)
class Fit:
    """What a layer lost, and what a fit left of that: squared errors of its sums relative to their variance."""

    node: Node
    ridge: float
    before: float
    after: float


@dataclass(frozen=True, eq=False)
class Pair:
    """Both networks on the same samples, which take part in one `half` of a cross-validation."""

    before: Walk
    after: Walk
    half: int


def reconstruct(original: Graph, pruned: Graph, masks: Mapping[Tensor, Array], samples: Samples) -> list[Fit]:
    """Fit the layers of `pruned` in place. Both graphs have the same nodes; `masks` says which channels of the original
    are left. Layers whose inputs are as they were are left alone.
    """
    chosen = enough_samples(original, samples)
    runs = runner(original, chosen), runner(pruned, chosen)
    pairs = []
    for half in range(min(2, count_of(chosen))):
        chunk = min(run.chunk for run in runs)
        of_half = {name: values[half::2] for name, values in chosen.items()}
        for start in range(0, count_of(of_half), chunk):
            part = {name: values[start : start + chunk] for name, values in of_half.items()}
            pairs.append(Pair(walk(runs[0], part), walk(runs[1], part), half))
    return list(fitted_layers(original, pruned, masks, pairs))


def fitted_layers(
    original: Graph, pruned: Graph, masks: Mapping[Tensor, Array], pairs: Sequence[Pair]
) -> Iterator[Fit]:
    samples = sum(p.before.count for p in pairs)
    for i, (old, node) in enumerate(zip(original.nodes, pruned.nodes, strict=True)):
        if is_fitted(old) and is_fitted(node):
            places, add = all_or_some_places(node, samples), addend(pruned, i, node)
            parts = [Rows.of(i, old, node, masks[old.output], places, add, p) for p in pairs]
            if any(p.is_changed for p in parts):
                yield fit(node, parts)
        for p in pairs:
            if is_fitted(node):
                p.after.nodes[i].inputs[1:] = node.inputs[1:]
            p.before.step(i)
            p.after.step(i)


def is_fitted(node: Node) -> bool:
    """Layers that sum over all channels; weights on a grid would leave it."""
    return mixes(node) and node.inputs[1].grid is None and int(np.prod(node.inputs[1].shape[1:])) <= MOST_INPUTS


def all_or_some_places(node: Node, samples: int) -> Array:
    """A Dense always has rows for all of them."""
    places = some_places(node, samples, MOST_ROWS)
    return np.arange(int(np.prod(node.output.shape[1:-1]))) if isinstance(node.op, Dense) else places


def addend(graph: Graph, i: int, node: Node) -> tuple[int, int] | None:
    """The Add that alone reads node number i, and which operand of it is the other one; by their numbers."""
    reader = graph.only_reader(node.output)
    if reader is None or not isinstance(reader.op, Add) or getattr(node.op, "clip", None) != NO_CLIP:
        return None
    if len(reader.activations()) != 2 or reader.inputs[0].shape != reader.inputs[1].shape:
        return None
    return graph.nodes.index(reader), 1 - reader.inputs.index(node.output)


@dataclass(frozen=True, eq=False)
class Rows:
    """What a fit sees of some samples: inputs x' [rows, inputs], targets y [rows, outputs]."""

    x: Array
    y: Array
    half: int
    is_changed: bool

    @classmethod
    def of(
        cls, i: int, old: Node, node: Node, left: Array, places: Array, add: tuple[int, int] | None, pair: Pair
    ) -> Rows:
        """Of node number i; `left` says which of its output channels are, `add` is from `addend`."""
        inputs = (w.values[w.nodes[i].inputs[0]] for w in (pair.before, pair.after))
        x, changed = (input_rows(n, v, places)[0] for n, v in zip((old, node), inputs, strict=True))
        bias = old.inputs[2].const
        assert bias is not None
        y = x @ weight_rows(old)[0][left].T.astype(x.dtype) + bias[left]
        lost = lost_addend(add, pair, left, places) if add else None
        is_same = x.shape == changed.shape and np.array_equal(x, changed) and (lost is None or not lost.any())
        return cls(changed, y if lost is None else y + lost, pair.half, not is_same)


def lost_addend(add: tuple[int, int], pair: Pair, left: Array, places: Array) -> Array | None:
    """What the other operand of an Add lost, where that is known already: [rows, channels]."""
    reader, operand = add
    tensors = [w.nodes[reader].inputs[operand] for w in (pair.before, pair.after)]
    if not all(t in w.values for t, w in zip(tensors, (pair.before, pair.after), strict=True)):
        return None
    want, got = (w.values[t] for t, w in zip(tensors, (pair.before, pair.after), strict=True))
    lost = want[..., left] - got
    by_place = lost.reshape(pair.before.count, -1, lost.shape[-1])
    return np.asarray(by_place[:, places].reshape(-1, lost.shape[-1]))


def fit(node: Node, parts: Sequence[Rows]) -> Fit:
    """Give the node the constants that do best."""
    halves = [Regression.of([(p.x, p.y) for p in parts if p.half == h]) for h in sorted({p.half for p in parts})]
    whole = halves[0] if len(halves) == 1 else halves[0].merged(halves[1])
    start, bias = weight_rows(node)[0], node.inputs[2].const
    assert bias is not None
    share = best_ridge(halves, start)
    weights, offset = whole.solve(start, share)
    lost, left = whole.error(start, bias.astype(np.float64)), whole.error(weights, offset)
    node.inputs[1:] = with_rows(node, weights, offset - bias)
    return Fit(node, share, lost, left)


def best_ridge(halves: Sequence[Regression], start: Reals) -> float:
    """The one with the least error on either half when fitted to the other."""
    if len(halves) < 2:
        return RIDGES[-1]
    first, second = halves
    errors = {s: second.error(*first.solve(start, s)) + first.error(*second.solve(start, s)) for s in RIDGES}
    return min(errors, key=lambda s: errors[s])
