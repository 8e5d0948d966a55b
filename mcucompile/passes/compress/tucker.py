"""Replace a convolution by three: Tucker-2, a decomposition along input and output channels (Kim et al. 2016).

conv KHxKW C -> O     -->   conv 1x1 C -> s; conv KHxKW s -> r; conv 1x1 r -> O
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from ...ir import Array, Clip, Node, Shape
from ...ops.conv2d import Conv2d
from .decomposition import Decomposition, Family, Part, Ranks, vbmf_rank
from .decomposition.chain import without_bias
from .decomposition.family import ranks_by_energy, tails
from .decomposition.matrices import ONE
from .decomposition.seen import Covariances
from .decomposition.whitening import Whitening, whitening

OUTPUTS, INPUTS = 0, 3  # axes of the weights
ITERATIONS, TOLERANCE = 100, 1e-7


@dataclass(frozen=True)
class Tucker(Decomposition):
    """`rank` is that of the output channels, `rank_in` that of the input channels, the same where it is not given."""

    rank_in: int | None = None

    name = "tucker"

    def idle_options(self) -> Mapping[str, str]:
        return {**super().idle_options(), **({} if self.rank else {"rank_in": "it goes with a rank"})}

    @classmethod
    def takes(cls, node: Node) -> bool:
        """Convolutions with more than one tap: with one, it would only be a longer `low_rank`."""
        return isinstance(node.op, Conv2d) and node.op.window.taps > 1 and super().takes(node)

    def families(self, node: Node, seen: Covariances | None) -> Sequence[Family]:
        assert isinstance(node.op, Conv2d)
        known = whitening(self.moment(node, node.op.window, seen), node.inputs[1].shape[1:])
        return [Tucker2(node, known, self.rank_in)]


@dataclass(frozen=True, eq=False)
class Tucker2(Family):
    """Ranks are (r, s): of output and of input channels."""

    node: Node
    whitening: Whitening = field(default_factory=Whitening)
    rank_in: int | None = None

    title = "Tucker ranks"

    def path(self) -> Iterator[tuple[Ranks, float]]:
        values = [np.linalg.svd(m, compute_uv=False) for m in self.unfoldings]
        channels = (self.weight.shape[OUTPUTS], self.weight.shape[INPUTS])
        return ranks_by_energy([tails(s)[: c + 1] for s, c in zip(values, channels, strict=True)])

    def asked(self, rank: int) -> Ranks:
        return min(rank, self.weight.shape[OUTPUTS]), min(self.rank_in or rank, self.weight.shape[INPUTS])

    def vbmf_ranks(self) -> Ranks:
        first, second = (max(vbmf_rank(m), 1) for m in self.unfoldings)
        return first, second

    def factors(self, ranks: Ranks) -> tuple[Array, ...]:
        """[s, C], [r, KH, KW, s], [O, r]"""
        from tensorly.decomposition import partial_tucker  # takes a second to import

        (core, (outputs, inputs)), _ = partial_tucker(
            self.weight, rank=list(ranks), modes=[OUTPUTS, INPUTS], n_iter_max=ITERATIONS, init="svd", tol=TOLERANCE
        )
        core = self.whitening.undo(self.whitening.undo(core, 1, 0), 2, 1)
        return self.whitening.undo(inputs.T, 1, 2), core, outputs

    def factor_shapes(self, ranks: Ranks) -> tuple[Shape, ...]:
        (r, s), (o, kh, kw, c) = ranks, self.node.inputs[1].shape
        return (s, c), (r, kh, kw, s), (o, r)

    def composed(self, factors: Sequence[Array]) -> Array:
        inputs, core, outputs = factors
        return np.asarray(np.einsum("or,rhws,sc->ohwc", outputs, core, inputs, optimize=True))

    def chain(self, factors: Sequence[Array], bias: Array, clip: Clip) -> tuple[Part, ...]:
        assert isinstance(self.node.op, Conv2d)
        inputs, core, outputs = factors
        return (
            Part(Conv2d(ONE), without_bias(inputs[:, None, None, :], len(inputs))),
            Part(Conv2d(self.node.op.window), without_bias(core, len(core))),
            Part(Conv2d(ONE, clip=clip), (outputs[:, None, None, :], bias)),
        )

    @cached_property
    def weight(self) -> Array:
        """In the coordinates of the whitening."""
        weight = self.node.inputs[1].const
        assert weight is not None
        return self.whitening.apply(weight.astype(np.float64))

    @cached_property
    def unfoldings(self) -> tuple[Array, Array]:
        """[O, all others] and [C, all others]."""
        w = self.weight
        return w.reshape(len(w), -1), w.reshape(-1, w.shape[INPUTS]).T
