"""How large the chain that replaces each layer is: the options that all decompositions share, and what they do."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ....errors import CompileError
from ....ir import Array, Graph, Node
from ....ops.conv2d import Conv2d
from ....ops.weighted import Weighted
from ....ops.window import Window
from ...calibrate import Samples
from ..base import Change, Compression, Stage
from .budget import distribute
from .chain import macs_of, put, weights_of
from .family import Family, Level
from .in_order import Fit, bias_of, fits_in_order
from .seen import Covariances, Seen, see

Spend = Literal["macs", "weights"]
DECIDING = ("rank", "ratio", "budget", "vbmf")  # options that say which ranks


@dataclass(frozen=True)
class Decomposition(Compression):
    """Which ranks: one of these options says that, `energy` where none is given.

    `rank`: this one, wherever a layer has it, even where the chain costs more than the layer. `ratio`: the best chain
    of at most this share of the layer's MACs. `budget`: the same for all layers together, shared out among them where
    it loses least; `spend` says of what, MACs or weights. `vbmf`: ranks by variational Bayes. `energy`: the
    cheapest chain that keeps this share of the energy.

    But for `rank`, a layer stays as it is where no chain needs fewer MACs. With calibration samples the bias takes up
    the mean error, and the chain is near to the layer in its outputs, unless `data_aware` is off: then in its weights.
    With `compensate` it also makes up for what the chains before it lost, as far as it can.
    """

    energy: float = 0.99
    rank: int | None = None
    ratio: float | None = None
    budget: float | None = None
    spend: Spend = "macs"
    vbmf: bool = False
    data_aware: bool = True
    compensate: bool = True

    stage = Stage.DECOMPOSE

    def __post_init__(self) -> None:
        for option in ("energy", "ratio", "budget"):
            value = getattr(self, option)
            if value is not None and not 0 < value <= 1:
                raise CompileError(
                    "E0701", f"{self.name}: {option} cannot be {value:g}", fix="it is a share: 0 < … ≤ 1"
                )
        if self.rank is not None and self.rank < 1:
            raise CompileError("E0701", f"{self.name}: rank cannot be {self.rank}", fix="give a positive whole number")

    def idle_options(self) -> Mapping[str, str]:
        idle: dict[str, str] = {}
        if given := [o for o in DECIDING if getattr(self, o) not in (None, False)]:
            idle = dict.fromkeys((*given[1:], "energy"), f"{given[0]} says already which ranks")
        if "budget" not in given[:1]:
            idle["spend"] = "it is for a budget"
        return idle | ({} if self.data_aware else {"compensate": "it needs data_aware"})

    @classmethod
    def takes(cls, node: Node) -> bool:
        """Real layers, not in groups, with weights that are neither on a grid nor all zero."""
        if not super().takes(node) or node.inputs[1].grid is not None or node.inputs[2].const is None:
            return False
        if not np.any(node.inputs[1].const):
            return False
        is_real = all(t.const is None or not t.dtype.is_integer for t in node.inputs)
        return is_real and (not isinstance(node.op, Conv2d) or node.op.groups == 1)

    @abstractmethod
    def families(self, node: Node, seen: Covariances | None) -> Sequence[Family]:
        """The kinds of chains to choose from."""

    def moment(self, node: Node, window: Window | None, seen: Covariances | None) -> Array | None:
        """The covariance of what a window over the layer's input reads; a fully connected layer has none."""
        return seen.moment(node, window) if seen and self.data_aware else None

    def apply(self, graph: Graph, layers: Sequence[Node], samples: Samples | None) -> tuple[Change, ...]:
        """Replace the layers for which some chain is small enough. Samples are used where there are some."""
        seen = see(graph, layers, samples) if samples and layers else None
        families = [self.families(node, seen) for node in layers]
        levels = self.shared_out(layers, families) if self.is_shared else [self.level(f) for f in families]
        chosen = {n: (f.index(v.family), v) for n, f, v in zip(layers, families, levels, strict=True) if v}
        fits: dict[Node, Fit] = {}
        if samples and chosen and self.data_aware and self.compensate:
            fits = fits_in_order(graph, chosen, samples, self.families)
        found = {n: fits.get(n) or plain_fit(n, level, seen) for n, (_, level) in chosen.items()}
        return tuple(replaced(graph, n, fit, seen, self.criterion) for n, fit in found.items())

    @property
    def is_shared(self) -> bool:
        return self.budget is not None and self.rank is None and self.ratio is None

    def level(self, families: Sequence[Family]) -> Level | None:
        """The chain for one layer by itself."""
        if self.rank is not None:
            return cheapest([f.level_of(f.asked(self.rank)) for f in families])
        if self.ratio is None and self.vbmf:
            found = [(f, f.vbmf_ranks()) for f in families]
            return cheapest([f.level_of(r) for f, r in found if r and f.level_of(r).macs < macs_of([f.node])])
        if self.ratio is not None:
            within = [f.within(min(self.ratio * macs_of([f.node]), macs_of([f.node]) - 1)) for f in families]
            return min(filter(None, within), key=lambda level: (level.lost, level.macs), default=None)
        return cheapest([v for f in families if (v := f.keeping(self.energy, macs_of([f.node])))])

    def shared_out(self, layers: Sequence[Node], families: Sequence[Sequence[Family]]) -> list[Level | None]:
        """The chains for all layers, of one budget."""
        assert self.budget is not None
        count = macs_of if self.spend == "macs" else weights_of
        choices: list[list[Level]] = []
        for node, kinds in zip(layers, families, strict=True):
            choices.append([level for f in kinds for level in f.levels if level.macs < macs_of([node])])
        costs = [
            [(count([node]), 0.0), *((getattr(level, self.spend), level.lost) for level in levels)]
            for node, levels in zip(layers, choices, strict=True)
        ]
        taken = distribute(costs, int(self.budget * count(list(layers))))
        return [levels[k - 1] if k else None for levels, k in zip(choices, taken, strict=True)]

    @property
    def criterion(self) -> str:
        """By what the ranks were chosen."""
        if self.rank is not None:
            return f"rank {self.rank}"
        if self.ratio is not None:
            return f"{self.ratio:g} of the MACs"
        if self.budget is not None:
            return f"{self.budget:g} of all {'MACs' if self.spend == 'macs' else 'weights'}"
        return "variational Bayes" if self.vbmf else f"energy {self.energy:g}"


def cheapest(levels: Sequence[Level]) -> Level | None:
    return min(levels, key=lambda level: (level.macs, level.weights, level.lost), default=None)


def plain_fit(node: Node, level: Level, seen: Seen | None) -> Fit:
    """The chain for the layer by itself, with a bias that takes up the mean error."""
    bias = bias_of(node)
    return Fit(level, bias if seen is None else seen.corrected_bias(node, level.parts(np.zeros_like(bias))))


def replaced(graph: Graph, node: Node, fit: Fit, seen: Seen | None, criterion: str) -> Change:
    """Put the chain in the layer's place, unless something speaks against it."""
    level, size, kept = fit.level, weights_of([node]), max(1 - fit.level.lost, 0.0)
    objection = level.family.objection(level.ranks)
    if objection:
        unit = f"kept, since {level.text} is {objection}"
        return Change(node.output.name, node.source, unit, criterion, kept, None, size, size)
    assert isinstance(node.op, Weighted)
    parts = level.parts(fit.bias, node.op.clip)
    if seen and not level.family.is_normalized:
        parts = seen.balanced(node, parts)
    effect = seen.effect(node, parts) if seen else None
    nodes = put(graph, node, parts)
    unit = f"{level.text}: MACs {macs_of([node]):,} -> {macs_of(nodes):,}"
    return Change(node.output.name, node.source, unit, criterion, kept, effect, size, weights_of(nodes))
