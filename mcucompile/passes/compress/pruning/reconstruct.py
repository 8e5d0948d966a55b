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
from ...correct_bias import Walk, walk
from ..hessian import enough_samples, has_rows, input_rows, some_places, weight_rows
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
    """Layers of not too many inputs; weights on a grid would leave it."""
    return has_rows(node) and node.inputs[1].grid is None and weight_rows(node).shape[2] <= MOST_INPUTS


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
    """What a fit sees of some samples: inputs x' [groups, rows, inputs], targets y [groups, rows, outputs]."""

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
        x, changed = (input_rows(n, v, places) for n, v in zip((old, node), inputs, strict=True))
        y = sums(old, x)[:, left]
        lost = lost_addend(add, pair, left, places) if add else None
        is_same = x.shape == changed.shape and np.array_equal(x, changed) and (lost is None or not lost.any())
        wanted = y if lost is None else y + lost
        grouped = wanted.reshape(len(wanted), len(changed), -1).swapaxes(0, 1)
        return cls(changed, grouped, pair.half, not is_same)


def sums(node: Node, x: Array) -> Array:
    """What a layer makes of rows [groups, rows, inputs], before its activation: [rows, channels]."""
    bias = node.inputs[2].const
    assert bias is not None
    by_group = x @ weight_rows(node).swapaxes(1, 2).astype(x.dtype)
    return np.asarray(by_group.swapaxes(0, 1).reshape(x.shape[1], -1) + bias)


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
    halves = [regressions([p for p in parts if p.half == h]) for h in sorted({p.half for p in parts})]
    whole = halves[0] if len(halves) == 1 else [a.merged(b) for a, b in zip(*halves, strict=True)]
    start, bias = weight_rows(node), node.inputs[2].const
    assert bias is not None
    share = best_ridge(halves, start)
    before = list(zip(start, bias.astype(np.float64).reshape(len(start), -1), strict=True))
    after = [r.solve(s, share) for r, s in zip(whole, start, strict=True)]
    weights, offsets = (np.concatenate(parts) for parts in zip(*after, strict=True))
    node.inputs[1:] = with_rows(node, weights, offsets - bias)
    return Fit(node, share, error(whole, before), error(whole, after))


def regressions(parts: Sequence[Rows]) -> list[Regression]:
    """One for each group."""
    return [Regression.of([(p.x[g], p.y[g]) for p in parts]) for g in range(len(parts[0].x))]


def error(groups: Sequence[Regression], found: Sequence[tuple[Reals, Reals]]) -> float:
    """Of all groups, relative to the variance of their targets."""
    total = sum(float(r.variance) for r in groups)
    return sum(r.squares(*f) for r, f in zip(groups, found, strict=True)) / max(total, 1e-30)


def best_ridge(halves: Sequence[Sequence[Regression]], start: Reals) -> float:
    """The one with the least error on either half when fitted to the other."""
    if len(halves) < 2:
        return RIDGES[-1]
    errors = {s: crossed(halves[0], halves[1], start, s) + crossed(halves[1], halves[0], start, s) for s in RIDGES}
    return min(errors, key=lambda s: errors[s])


def crossed(fitted: Sequence[Regression], judged: Sequence[Regression], start: Reals, share: float) -> float:
    return error(judged, [r.solve(s, share) for r, s in zip(fitted, start, strict=True)])
