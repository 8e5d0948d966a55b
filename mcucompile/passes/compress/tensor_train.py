"""Replace a fully connected layer by a chain of small products: tensor train (Novikov et al. 2015; Deng et al. 2020).

With K = k1 k2 inputs, O = o2 o1 outputs, and the weights as sum over r of G1[o1,k1,r] G2[r,o2,k2]:

    dense [K] -> [o2 o1]     -->   dense on [k1, k2] -> [k1, o2 r]; as an image [k1, o2, r] of k1 rows:
                                   conv k1x1 -> [1, o2, o1]; add the bias

Each part sums over the innermost k still there and the rank; written as a convolution over the image whose columns are
the outputs made so far, its result is already in the order in which the next part reads it: no transposition is
needed. That fixes how an output's number splits into o2 and o1, which any decomposition may choose. More than two
cores go on in the same way, by convolutions of kj rows and stride kj.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import prod

import numpy as np

from ...errors import CompileError
from ...ir import Array, Clip, Node, Shape
from ...ops.add import Add
from ...ops.conv2d import Conv2d
from ...ops.dense import Dense
from ...ops.reshape import Reshape
from ...ops.window import Window
from .decomposition import Decomposition, Family, Part, Ranks
from .decomposition.chain import without_bias
from .decomposition.family import ranks_by_energy, tails
from .decomposition.seen import Covariances
from .decomposition.whitening import Whitening, whitening

MOST_CORES = 4
SPLITS = 3  # of outputs and of inputs that are tried, the most even ones


@dataclass(frozen=True)
class TensorTrain(Decomposition):
    """`cores` is into how many factors inputs and outputs are split."""

    cores: int = 2

    name = "tensor_train"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 2 <= self.cores <= MOST_CORES:
            raise CompileError("E0701", f"{self.name}: cores cannot be {self.cores}", fix=f"give 2 to {MOST_CORES}")

    def idle_options(self) -> Mapping[str, str]:
        return {**super().idle_options(), "vbmf": "variational Bayes says nothing about these ranks"}

    @classmethod
    def takes(cls, node: Node) -> bool:
        """Fully connected layers on one vector."""
        return isinstance(node.op, Dense) and node.inputs[0].size == node.inputs[0].shape[-1] and super().takes(node)

    def families(self, node: Node, seen: Covariances | None) -> Sequence[Family]:
        outputs, inputs = node.inputs[1].shape
        moment = self.moment(node, None, seen)
        known = {k: whitening(moment, k) for k in splits(inputs, self.cores)}
        return [Train(node, o, k, known[k]) for o in splits(outputs, self.cores) for k in known]


@dataclass(frozen=True, eq=False)
class Train(Family):
    """`outputs` = (o1, o2, ..) and `inputs` = (k1, k2, ..); ranks are those between neighbouring cores."""

    node: Node
    outputs: Shape
    inputs: Shape
    whitening: Whitening = field(default_factory=Whitening)

    @property
    def title(self) -> str:  # type: ignore[override]
        return f"tensor train {'x'.join(map(str, self.outputs))} by {'x'.join(map(str, self.inputs))}, ranks"

    def path(self) -> Iterator[tuple[Ranks, float]]:
        return ranks_by_energy(self.tails)

    def asked(self, rank: int) -> Ranks:
        return tuple(min(rank, len(t) - 1) for t in self.tails)

    def factors(self, ranks: Ranks) -> tuple[Array, ...]:
        """The cores [rank, o, k, rank]."""
        from tensorly.decomposition import tensor_train_matrix  # takes a second to import

        cores = tensor_train_matrix(self.tensor, [1, *ranks, 1]).factors
        return tuple(self.whitening.undo(core, 2, i) for i, core in enumerate(cores))

    def factor_shapes(self, ranks: Ranks) -> tuple[Shape, ...]:
        return tuple(zip((1, *ranks), self.outputs, self.inputs, (*ranks, 1), strict=True))

    def composed(self, factors: Sequence[Array]) -> Array:
        """[.., o2, o1, k1, k2, ..] core by core."""
        whole = np.ones((1, 1, 1))
        for core in factors:
            whole = np.einsum("okr,rpls->pokls", whole, core)
            whole = whole.reshape(whole.shape[0] * whole.shape[1], -1, core.shape[3])
        return whole[..., 0]

    def chain(self, factors: Sequence[Array], bias: Array, clip: Clip) -> tuple[Part, ...]:
        """From the last core to the first, then the bias, which the last part's channels do not tell apart."""
        parts: list[Part] = []
        done = 1  # outputs made so far
        for core, left in zip(reversed(factors), reversed(range(len(factors))), strict=True):
            r, o, k, s = core.shape
            parts.append(Part(Reshape((1, prod(self.inputs[: left + 1]), done, s))))
            weight = core.transpose(1, 0, 2, 3).reshape(o * r, k, 1, s)
            parts.append(Part(Conv2d(Window((k, 1), (k, 1))), without_bias(weight, o * r)))
            done *= o
        parts.append(Part(Reshape(self.node.output.shape)))
        return *parts, Part(Add(clip), (bias.reshape(self.node.output.shape),))

    @cached_property
    def tensor(self) -> Array:
        """[o1, o2, .., k1, k2, ..], whitened; in an output's number o1 is innermost, in an input's the last k."""
        weight = self.node.inputs[1].const
        assert weight is not None
        split = weight.astype(np.float64).reshape(*reversed(self.outputs), *self.inputs)
        d = len(self.outputs)
        return self.whitening.apply(split.transpose(*reversed(range(d)), *range(d, 2 * d)), d)

    @cached_property
    def tails(self) -> list[Array]:
        """Of the unfoldings between neighbouring cores: [o1 k1, all others], [o1 k1 o2 k2, all others], .."""
        d = len(self.outputs)
        paired = self.tensor.transpose([axis for i in range(d) for axis in (i, d + i)])
        rows = [prod(self.outputs[: i + 1]) * prod(self.inputs[: i + 1]) for i in range(d - 1)]
        return [tails(np.linalg.svd(paired.reshape(r, -1), compute_uv=False)) for r in rows]


def splits(size: int, count: int) -> list[Shape]:
    """The most even ways to write `size` as a product of `count` factors, larger than 1 where possible."""
    found = sorted(set(factorizations(size, count)), key=lambda f: (max(f) / min(f), f))
    return found[:SPLITS]


def factorizations(size: int, count: int) -> Iterator[Shape]:
    """All of them, in every order."""
    if count == 1:
        yield (size,)
        return
    for first in range(1, size + 1):
        if size % first == 0:
            yield from ((first, *rest) for rest in factorizations(size // first, count - 1))
