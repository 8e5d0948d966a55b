"""A layer as one matrix, whose low-rank factors are a chain of two layers.

    dense [O,K]                                               -->   dense [r,K], dense [O,r]
    conv [O,KH,KW,C] "output":   [O, KH*KW*C]                 -->   KHxKW conv C->r, 1x1 conv r->O
    conv             "input":    [O*KH*KW, C]                 -->   1x1 conv C->r, KHxKW conv r->O
    conv             "spatial":  [O*KW, KH*C]                 -->   KHx1 conv C->r, 1xKW conv r->O

"output" and "input" are the two forms of Denton et al. 2014 (and of Zhang et al. 2016), "spatial" that of Jaderberg et
al. 2014 and Tai et al. 2016, whose solution by one singular value decomposition it is.

With the second moment of what the first layer reads, the factors are the best for the outputs instead of the weights:
W (C C') = (W C)(W C)', and the projection on the leading left singular vectors of W C loses the least of the outputs'
variance (Zhang et al. 2016, section 3.1). The forms "input" and "spatial" sum several such products; they take the
errors of the products as independent.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from ....ir import Array, Clip, Node, Shape
from ....ops.conv2d import Conv2d
from ....ops.dense import Dense
from ....ops.window import Window
from .chain import Part, without_bias
from .family import Family, Ranks, tails
from .vbmf import vbmf_rank
from .whitening import roots_of

Form = Literal["output", "input", "spatial"]
ONE = Window((1, 1))
FLOOR = 1e-12  # of the largest singular value: below it a component is nothing but rounding


@dataclass(frozen=True, eq=False)
class Matrices(Family):
    """`moment` is the covariance [n, n] of what one output of the first part reads, None to look at weights only.

    With `unit_variance`, every channel between the two parts gets variance 1 where the moment is known.
    """

    node: Node
    form: Form = "output"
    moment: Array | None = None
    unit_variance: bool = False

    @property
    def title(self) -> str:  # type: ignore[override]
        return "rank" if isinstance(self.node.op, Dense) else f"{self.form} rank"

    @property
    def is_normalized(self) -> bool:
        return self.unit_variance and self.moment is not None

    def path(self) -> Iterator[tuple[Ranks, float]]:
        for r, lost in enumerate(self.tails):
            if r:
                yield (r,), float(lost)

    def asked(self, rank: int) -> Ranks:
        return (min(rank, *self.matrix.shape),)

    def vbmf_ranks(self) -> Ranks:
        return (max(vbmf_rank(self.matrix), 1),)

    def factor_shapes(self, ranks: Ranks) -> tuple[Shape, ...]:
        rows, columns = self.matrix.shape
        return (ranks[0], columns), (rows, ranks[0])

    @cached_property
    def matrix(self) -> Array:
        weight = self.node.inputs[1].const
        assert weight is not None
        return matrix_of(weight.astype(np.float64), self.form)

    @cached_property
    def decomposition(self) -> tuple[Array, Array, Array]:
        """U and the singular values of the matrix (times the root of the moment), and U' times the matrix."""
        seen = self.matrix if self.moment is None else self.matrix @ roots_of(self.moment)[0]
        u, s, _ = np.linalg.svd(seen, full_matrices=False)
        return u, s, u.T @ self.matrix

    @cached_property
    def tails(self) -> Array:
        return tails(self.decomposition[1])

    @cached_property
    def numeric_rank(self) -> int:
        """By the rule of numpy.linalg.matrix_rank for float32, in which weights are stored."""
        s = np.linalg.svd(self.matrix, compute_uv=False)
        return int((s > s[0] * max(self.matrix.shape) * np.finfo(np.float32).eps).sum())

    def factors(self, ranks: Ranks) -> tuple[Array, ...]:
        """[r, n] and [m, r], each component's size shared by both; with the moment s is the component's deviation."""
        (rank,), (u, s, projected) = ranks, self.decomposition
        share = np.maximum(s[:rank], FLOOR * (s[0] or 1.0))
        if not self.is_normalized:
            share = np.sqrt(share)
        return projected[:rank] / share[:, None], u[:, :rank] * share

    def composed(self, factors: Sequence[Array]) -> Array:
        first, second = factors
        shape = self.node.inputs[1].shape
        if self.form != "spatial":
            return np.asarray(second @ first).reshape(shape)
        outputs, kh, kw, channels = shape
        return np.asarray(second @ first).reshape(outputs, kw, kh, channels).transpose(0, 2, 1, 3)

    def chain(self, factors: Sequence[Array], bias: Array, clip: Clip) -> tuple[Part, ...]:
        op, (first, second) = self.node.op, factors
        rank = len(first)
        if isinstance(op, Dense):
            return Part(Dense(), without_bias(first, rank)), Part(Dense(clip), (second, bias))
        assert isinstance(op, Conv2d)
        before, after = windows(op.window, self.form)
        shape = self.node.inputs[1].shape
        w1 = first.reshape(rank, *before.kernel, shape[3])
        w2 = second.reshape(shape[0], *after.kernel, rank)
        return Part(Conv2d(before), without_bias(w1, rank)), Part(Conv2d(after, clip=clip), (w2, bias))


def matrix_of(weight: Array, form: Form) -> Array:
    """[m, n]: n is what the first part reads for one output, in the order of its weights."""
    if weight.ndim == 2:
        return weight
    outputs, _, kw, channels = weight.shape
    match form:
        case "output":
            return weight.reshape(outputs, -1)
        case "input":
            return weight.reshape(-1, channels)
        case "spatial":
            return weight.transpose(0, 2, 1, 3).reshape(outputs * kw, -1)


def windows(window: Window, form: Form) -> tuple[Window, Window]:
    """The windows of the two parts."""
    match form:
        case "output":
            return window, ONE
        case "input":
            return ONE, window
        case "spatial":
            return vertical(window), horizontal(window)


def vertical(window: Window) -> Window:
    (kh, _), (sy, _), (top, _, bottom, _), (dy, _) = window.kernel, window.strides, window.pads, window.dilations
    return Window((kh, 1), (sy, 1), (top, 0, bottom, 0), (dy, 1))


def horizontal(window: Window) -> Window:
    (_, kw), (_, sx), (_, left, _, right), (_, dx) = window.kernel, window.strides, window.pads, window.dilations
    return Window((1, kw), (1, sx), (0, left, 0, right), (1, dx))


def forms_of(node: Node) -> tuple[Form, ...]:
    """The forms that differ from each other."""
    if isinstance(node.op, Dense):
        return ("output",)
    _, kh, kw, _ = node.inputs[1].shape
    return ("output", *(("input",) if kh * kw > 1 else ()), *(("spatial",) if kh > 1 and kw > 1 else ()))


def patches(x: Array, window: Window | None) -> Array:
    """Everything that a layer with this window reads for one output, one row each; columns in the order of weights."""
    if window is None:
        return x.reshape(-1, x.shape[-1])
    views = window.views(x).transpose(0, 1, 2, 4, 5, 3)
    shape: Shape = views.shape
    return views.reshape(-1, int(np.prod(shape[3:])))
