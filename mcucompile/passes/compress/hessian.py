"""Second moments of what layers read: the Hessian of a layer's squared output error in its weights.

A layer is seen as matrices: weights W [groups, outputs, inputs] over rows of inputs x [groups, rows, inputs], one row
for each place where its window stands. Changing W to V changes the sums by an error whose mean square is, per output,

    mean over x of ((W - V) x)^2 = (W - V) E[x x^T] (W - V)^T

(LeCun, Denker, Solla 1990; Hassibi, Stork 1993, for one layer). The bias is free to follow, so that what counts is the
covariance: E[x x^T] - E[x] E[x]^T, with the bias moved by (W - V) E[x].

Layers are changed one after another. Each then sees the inputs y that the changed network before it delivers, while
its sums shall stay what they were on the original inputs x: the target is W + W (cov(x, y) - cov(y, y)) cov(y, y)^-1.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...errors import CompileError
from ...ir import Array, Graph, Node
from ...ops.conv2d import Conv2d
from ...ops.dense import Dense
from ...ops.depthwise_conv2d import DepthwiseConv2d
from ..calibrate import Samples, count_of, runner
from ..correct_bias import Walk, walk

MOST_ROWS = 100_000  # of one layer; from larger images some windows are taken
MOST_NBYTES = 512 << 20  # of activations at a time
MOST_MACS = 40e9
DAMPING = 0.01  # of the mean variance, added to every input's
Reals = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Moments:
    """Means over all rows, in real units: x is what the original layer reads, y what the changed network delivers.

    `mean` [groups, inputs] of x, `new_mean` of y; `covariance` [groups, inputs, inputs] of y with itself,
    `cross_covariance` of x with y.
    """

    rows: int
    mean: Reals
    new_mean: Reals
    covariance: Reals
    cross_covariance: Reals

    @property
    def second(self) -> Reals:
        """The mean of y y^T."""
        return self.covariance + outer(self.new_mean, self.new_mean)

    def hessian(self, damping: float = DAMPING) -> Reals:
        """The covariance, positive definite: `damping` of its mean diagonal is added to the diagonal."""
        result = self.covariance.copy()
        size = result.shape[-1]
        level = np.trace(result, axis1=1, axis2=2) / size
        level = np.maximum(level, level.max(initial=0.0) * 1e-6)
        added = np.where(level > 0, damping * level, 1.0)
        result[:, np.arange(size), np.arange(size)] += added[:, None]
        return result

    def target(self, weights: Reals, damping: float = DAMPING) -> Reals:
        """Weights that on y come nearest to what `weights` [groups, outputs, inputs] give on x.

        Damping holds them near `weights`, so that few samples do not move them far.
        """
        if np.array_equal(self.cross_covariance, self.covariance):
            return weights
        moved = weights @ (self.cross_covariance - self.covariance)
        result: Reals = weights + np.linalg.solve(self.hessian(damping), moved.swapaxes(1, 2)).swapaxes(1, 2)
        return result

    def bias_change(self, weights: Reals, changed: Reals) -> Reals:
        """What to add to the bias, [groups * outputs], such that the mean sums stay."""
        want = np.einsum("goi,gi->go", weights, self.mean)
        got = np.einsum("goi,gi->go", changed, self.new_mean)
        return np.ravel(want - got)

    def relative_error(self, weights: Reals, changed: Reals) -> float:
        """Mean squared error of all sums that a change of weights alone adds, relative to the sums' variance.

        Both on y, with the best bias: what earlier layers lost is not counted. Where a change aims at `target`, that
        is what to give as `weights`: the difference from the layer's own weights repairs, and is no error.
        """
        signal, error = (quadratic(v, self.covariance).sum() for v in (weights, weights - changed))
        return float(error / max(signal, 1e-30))


def outer(a: Reals, b: Reals) -> Reals:
    return a[:, :, None] * b[:, None, :]


def quadratic(rows: Reals, matrix: Reals) -> Reals:
    """v M v^T for every row v: [groups, outputs]."""
    result: Reals = ((rows @ matrix) * rows).sum(axis=2)
    return result


def weight_rows(node: Node) -> Reals:
    """The layer's weights as [groups, outputs of a group, inputs of an output], in float64."""
    weight = node.inputs[1]
    assert weight.const is not None
    values = weight.const.astype(np.float64)
    if isinstance(node.op, DepthwiseConv2d):
        channels = node.inputs[0].shape[3]
        return values.transpose(2, 0, 1).reshape(channels, weight.shape[2] // channels, -1)
    groups = node.op.groups if isinstance(node.op, Conv2d) else 1
    return values.reshape(groups, weight.shape[0] // groups, -1)


def weights_from_rows(node: Node, rows: Array) -> Array:
    """The reverse of `weight_rows`, in the type of `rows`."""
    shape = node.inputs[1].shape
    if isinstance(node.op, DepthwiseConv2d):
        return np.ascontiguousarray(rows.reshape(shape[2], *shape[:2]).transpose(1, 2, 0))
    return rows.reshape(shape)


def input_rows(node: Node, x: Array, places: Array) -> Array:
    """What the layer multiplies with its weights, [groups, rows, inputs], at some of its output's places.

    `places` are indices into a sample's output without its channels; x has one or many samples in its first axis.
    """
    op = node.op
    if isinstance(op, Dense):
        return x.reshape(1, -1, x.shape[-1])
    assert isinstance(op, Conv2d | DepthwiseConv2d)
    views = op.window.views(x)  # [N,OH,OW,C,KH,KW]
    taken = views[:, places // views.shape[2], places % views.shape[2]]
    groups = taken.shape[2] if isinstance(op, DepthwiseConv2d) else op.groups
    n, count, channels, kh, kw = taken.shape
    by_group = taken.reshape(n, count, groups, channels // groups, kh, kw).transpose(2, 0, 1, 4, 5, 3)
    return by_group.reshape(groups, n * count, -1)


def has_rows(node: Node) -> bool:
    """Whether it is a layer that this module knows as matrices."""
    return isinstance(node.op, Dense | Conv2d | DepthwiseConv2d) and node.inputs[1].const is not None


def input_moments(graph: Graph, layers: Container[Node], samples: Samples) -> dict[Node, Moments]:
    """The moments of every layer's input in the network as it is, real or integer; samples are what its inputs take."""
    chosen = enough_samples(graph, samples)
    run, found = runner(graph, chosen), dict[Node, Moments]()
    walks = [walk(run, p) for p in run.parts(chosen)]
    for i, node in enumerate(graph.nodes):
        if node in layers and has_rows(node):
            found[node] = moments(node, i, walks, walks)
        for w in walks:
            w.step(i)
    return found


def moments_in_order(graph: Graph, layers: Container[Node], samples: Samples) -> Iterator[tuple[Node, Moments]]:
    """Layers in the order of execution with the moments of what they read.

    The caller may give a layer's node other constants before it asks for the next one, which then sees the changed
    network beside the original one. `samples` maps graph inputs to [samples, *shape].
    """
    chosen = enough_samples(graph, samples)
    run = runner(graph, chosen)
    parts = list(run.parts(chosen))
    originals, changed = ([walk(run, p) for p in parts] for _ in range(2))
    for i, node in enumerate(graph.nodes):
        if node in layers and has_rows(node):
            yield node, moments(node, i, originals, changed)
        constants = {j: t for j, t in enumerate(node.inputs) if t.const is not None}
        for before, after in zip(originals, changed, strict=True):
            for j, t in constants.items():
                after.nodes[i].inputs[j] = t
            before.step(i)
            after.step(i)


def enough_samples(graph: Graph, samples: Samples) -> Samples:
    """At most as many as memory and patience permit, evenly spread, since files are often sorted by class."""
    shaped = {t.name: samples[t.name].reshape(-1, *t.shape) for t in graph.inputs}
    macs = sum(n.op.macs(n) for n in graph.nodes)
    nbytes = 16 * max(t.size for t in graph.activations())
    total = count_of(shaped)
    count = max(1, min(total, int(MOST_NBYTES / nbytes), int(MOST_MACS / max(macs, 1))))
    chosen = np.linspace(0, total - 1, count).round().astype(int)
    return {name: values[chosen] for name, values in shaped.items()}


@np.errstate(over="ignore", invalid="ignore")
def moments(node: Node, index: int, originals: Sequence[Walk], changed: Sequence[Walk]) -> Moments:
    """Before `node`, number `index`, is run on the values of both networks. Raises E0202 where they are too large.

    Products are of rows less the mean of the first ones: inputs may vary little around a large mean.
    """
    places = some_places(node, sum(w.count for w in originals))
    rows, sums, centres = 0, [np.zeros(())] * 4, None
    for before, after in zip(originals, changed, strict=True):
        x = input_rows(node, real_input(before, index, node), places)
        y = x if after is before else input_rows(node, real_input(after, index, node), places)
        is_same = y is x or np.array_equal(x, y)
        centres = centres or [v.mean(axis=1, keepdims=True) for v in (x, y)]
        x, y = (v - c for v, c in zip((x, y), centres, strict=True))
        products = y.swapaxes(1, 2) @ y
        crossed = products if is_same else x.swapaxes(1, 2) @ y
        parts = (x.sum(axis=1, dtype=np.float64), y.sum(axis=1, dtype=np.float64), products, crossed)
        sums = [s + p.astype(np.float64) for s, p in zip(sums, parts, strict=True)]
        rows += x.shape[1]
    assert centres is not None
    mean, new_mean, second, cross = (s / rows for s in sums)
    shifts = [c[:, 0].astype(np.float64) for c in centres]
    covariances = (second - outer(new_mean, new_mean), cross - outer(mean, new_mean))
    if not all(np.isfinite(c).all() for c in covariances):
        raise CompileError("E0202", "the calibration data makes the network compute NaN or infinity", node.where)
    return Moments(rows, mean + shifts[0], new_mean + shifts[1], *covariances)


def some_places(node: Node, samples: int, most: int = MOST_ROWS) -> Array:
    """Indices of at most `most` of all samples' places: all of them, or some drawn without a pattern."""
    total = int(np.prod(node.output.shape[1:-1], dtype=np.int64))
    count = max(1, most // samples)
    drawn = np.random.default_rng(0).permutation(total) if count < total else np.arange(total)
    return np.sort(drawn[:count])


def real_input(walked: Walk, index: int, node: Node) -> Array:
    """What the layer reads, in float32; integers as the reals that they stand for."""
    values, quant = walked.values[walked.nodes[index].inputs[0]], node.inputs[0].quant
    real = values if quant is None else quant.dequantize(values)
    return real.astype(np.float32, copy=False)


def needed_samples(samples: Samples | None, what: str, instead: str) -> Samples:
    """Raises E0201 for a pass that cannot do without."""
    if samples is None:
        raise CompileError(
            "E0201", f"{what} needs calibration data", fix=f"add --calibration DATA.npz, or {instead}"
        )  # fmt: skip
    return samples
