"""Replace a convolution by four of one axis each: canonical polyadic decomposition (Lebedev et al. 2015).

conv KHxKW C -> O     -->   conv 1x1 C -> r; depthwise KHx1; depthwise 1xKW; conv 1x1 r -> O
with taps:joint       -->   conv 1x1 C -> r; depthwise KHxKW; conv 1x1 r -> O

A tensor may have no best approximation of a given rank: rank-one terms then grow without bound and cancel each other
(de Silva, Lim 2008), and no fixed point holds them. A penalty on the factors' squares keeps them small. Decided: a
small one always, because it loses next to nothing (alternating least squares even comes further), and rank 98 of a 3x3
layer of 32 channels lost 1.3 % in int8 with it and 5.8 % without; a larger one where that makes good for what int8
adds. A layer stays where terms are larger than LARGEST times its weights nevertheless.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal
from warnings import catch_warnings, simplefilter

import numpy as np

from ...ir import Array, Clip, Node, Shape
from ...ops.conv2d import Conv2d
from ...ops.depthwise_conv2d import DepthwiseConv2d
from .decomposition import Decomposition, Family, Level, Part, Ranks
from .decomposition.chain import macs_of, without_bias
from .decomposition.matrices import ONE, horizontal, vertical
from .decomposition.seen import Covariances
from .decomposition.whitening import Whitening, whitening

Taps = Literal["split", "joint"]
LARGEST = 10.0  # root of the sum of the terms' squares, relative to the weights; 1 where they are orthogonal
PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1)  # for weights of norm 1
NO_PENALTY = 1e-10  # only keeps equations solvable
ITERATIONS, TOLERANCE, SEED = 100, 1e-6, 0
QUICK = 25  # iterations to see what a rank loses
NOISE = 3e-4  # squared error of a term in int8, relative to its square; measured
GROWTH = 1.4  # from one tried rank to the next


@dataclass(frozen=True)
class Cp(Decomposition):
    """`taps`: whether the kernel's rows and columns are two axes, or one. `penalty: off` leaves terms to themselves.

    vbmf says nothing about this rank.
    """

    taps: Taps = "split"
    penalty: bool = True

    name = "cp"

    def idle_options(self) -> Mapping[str, str]:
        return {**super().idle_options(), "vbmf": "variational Bayes says nothing about the number of terms"}

    @classmethod
    def takes(cls, node: Node) -> bool:
        """Convolutions with more than one tap: with one, it would only be a longer `low_rank`."""
        return isinstance(node.op, Conv2d) and node.op.window.taps > 1 and super().takes(node)

    def families(self, node: Node, seen: Covariances | None) -> Sequence[Family]:
        assert isinstance(node.op, Conv2d)
        shape = tensor_shape(node, self.taps)
        known = whitening(self.moment(node, node.op.window, seen), shape[1:])
        return [Polyadic(node, shape, known, PENALTIES if self.penalty else (NO_PENALTY,))]


@dataclass(frozen=True, eq=False)
class Terms:
    """Factors [axis, r] of equal norms per term, the share of the energy lost, and the terms' size (see LARGEST)."""

    factors: tuple[Array, ...]
    lost: float
    size: float

    @property
    def cost(self) -> float:
        return self.lost + NOISE * self.size**2


@dataclass(frozen=True, eq=False)
class Polyadic(Family):
    node: Node
    shape: Shape
    whitening: Whitening = field(default_factory=Whitening)
    penalties: tuple[float, ...] = PENALTIES
    found: dict[tuple[int, int], Terms] = field(default_factory=dict)

    title = "CP rank"

    def path(self) -> Iterator[tuple[Ranks, float]]:
        """Some of the ranks whose chain needs fewer MACs than the layer; each is a decomposition of its own."""
        rank = 1
        while self.pays(rank):
            yield (rank,), self.terms(rank, QUICK).lost
            rank = max(rank + 1, round(rank * GROWTH))

    def within(self, macs: float) -> Level | None:
        """MACs grow with the rank, so that only the largest rank needs to be decomposed."""
        ranks = range(1, self.node.inputs[1].size)
        most = bisect_right(ranks, macs, key=lambda r: self.level((r,), 1.0).macs)
        return self.level_of((most,)) if most else None

    def keeping(self, energy: float, macs: float) -> Level | None:
        """The first on the path: larger ranks need not be decomposed."""
        found = (self.level(ranks, lost) for ranks, lost in self.path() if lost <= 1 - energy)
        return next((level for level in found if level.macs < macs), None)

    def pays(self, rank: int) -> bool:
        return self.level((rank,), 1.0).macs < macs_of([self.node])

    def level_of(self, ranks: Ranks) -> Level:
        return self.level(ranks, self.terms(ranks[0]).lost)

    def asked(self, rank: int) -> Ranks:
        return (rank,)

    def objection(self, ranks: Ranks) -> str | None:
        size = self.terms(ranks[0]).size
        return f"degenerate: its terms are {size:.0f} times as large as the weights" if size > LARGEST else None

    def factors(self, ranks: Ranks) -> tuple[Array, ...]:
        outputs, *summed = self.terms(ranks[0]).factors
        return outputs, *(self.whitening.undo(f, 0, i) for i, f in enumerate(summed))

    def factor_shapes(self, ranks: Ranks) -> tuple[Shape, ...]:
        return tuple((axis, ranks[0]) for axis in self.shape)

    def composed(self, factors: Sequence[Array]) -> Array:
        axes = "ohwc" if len(factors) == 4 else "otc"
        terms = ",".join(f"{axis}r" for axis in axes)
        return np.asarray(np.einsum(f"{terms}->{axes}", *factors, optimize=True)).reshape(self.node.inputs[1].shape)

    def chain(self, factors: Sequence[Array], bias: Array, clip: Clip) -> tuple[Part, ...]:
        op = self.node.op
        assert isinstance(op, Conv2d)
        outputs, *taps, inputs = factors
        rank = outputs.shape[1]
        if len(taps) == 1:
            middle = [Part(DepthwiseConv2d(op.window), without_bias(taps[0].reshape(*op.window.kernel, rank), rank))]
        else:
            sides = ((vertical(op.window), taps[0][:, None]), (horizontal(op.window), taps[1][None]))
            middle = [Part(DepthwiseConv2d(w), without_bias(t, rank)) for w, t in sides]
        first = Part(Conv2d(ONE), without_bias(inputs.T[:, None, None], rank))
        return first, *middle, Part(Conv2d(ONE, clip=clip), (outputs[:, None, None], bias))

    def terms(self, rank: int, iterations: int = ITERATIONS) -> Terms:
        """Penalties grow as long as that makes the loss, with what int8 adds to it, smaller."""
        if (rank, iterations) not in self.found:
            weight = self.node.inputs[1].const
            assert weight is not None
            tensor = self.whitening.apply(weight.astype(np.float64).reshape(self.shape))
            best = decomposed(tensor, rank, self.penalties[0], iterations)
            for penalty in self.penalties[1:] if iterations == ITERATIONS else ():
                other = decomposed(tensor, rank, penalty, iterations)
                if other.cost >= best.cost:
                    break
                best = other
            self.found[rank, iterations] = best
        return self.found[rank, iterations]


def tensor_shape(node: Node, taps: Taps) -> Shape:
    """Outputs, taps, inputs. A kernel of one row or column has one axis of taps."""
    outputs, kh, kw, inputs = node.inputs[1].shape
    return (outputs, kh * kw, inputs) if taps == "joint" or min(kh, kw) == 1 else (outputs, kh, kw, inputs)


def decomposed(tensor: Array, rank: int, penalty: float = NO_PENALTY, iterations: int = ITERATIONS) -> Terms:
    """By alternating least squares."""
    from tensorly.cp_tensor import cp_to_tensor  # takes a second to import
    from tensorly.decomposition import parafac

    norm = float(np.linalg.norm(tensor)) or 1.0
    with catch_warnings():
        simplefilter("ignore", UserWarning)  # of starting values for ranks beyond an axis, which are random
        cp = parafac(
            tensor / norm, rank, n_iter_max=iterations, init="svd", tol=TOLERANCE, random_state=SEED, l2_reg=penalty
        )
    lost = float(np.square(cp_to_tensor(cp) - tensor / norm).sum())
    norms = np.stack([np.linalg.norm(f, axis=0) for f in cp.factors])
    sizes = norms.prod(axis=0)
    even = (sizes * norm) ** (1 / len(norms))
    factors = tuple(f / np.where(n > 0, n, 1.0) * even for f, n in zip(cp.factors, norms, strict=True))
    return Terms(factors, lost, float(np.sqrt(np.square(sizes).sum())))
