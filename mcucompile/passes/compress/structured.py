"""What the passes that remove whole channels have in common: they differ in the layers that name the channels.

Channels that must go together (see `pruning.dependencies`) go together. Those of the network's own inputs and outputs
stay.

Decided: several rounds, each with a fit to the original network, because the criteria see the network as it is. With
rounds=1 a keyword spotter of depthwise layers, pruned by 30 % of its MACs, lost about a percentage point more.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from ...errors import CompileError
from ...ir import Graph, Node
from ..calibrate import Samples
from .base import Change, Compression, Stage
from .pruning.budget import Counts, by_amount, by_macs, remaining_macs
from .pruning.criteria import ALL, Ranking
from .pruning.dependencies import Family, Places, families
from .pruning.evidence import Evidence
from .pruning.reconstruct import Fit
from .pruning.remove import Selection, Surgery, refit_change
from .pruning.sensitivity import sensitivity

# fmt: off
Rule = Literal[
    "l1", "l2", "geometric_median", "apoz", "batchnorm", "taylor", "ablation", "thinet", "lasso", "duplicates",
]
# fmt: on


@dataclass(frozen=True)
class Goal:
    """After a round: which share is gone of the units that the families had, or how many MACs are left."""

    whole: Mapping[Places, int]
    amount: float
    macs: float


@dataclass(frozen=True)
class StructuredPruning(Compression):
    """Base of prune_filters, prune_neurons and prune_channels.

    amount: share of the channels to remove from each layer, at most; `multiple_of` decides what is left.
    macs: instead, share of the whole network's multiplications to take away, from the layers where the outputs suffer
    least (a scan on the samples). criterion: one of `pruning.criteria`. reconstruct: fit the layers that follow to the
    original network by least squares, where there are samples. rounds: in how many steps that is done; each judges the
    units anew on the network that the steps before left.
    """

    amount: float = 0.25
    macs: float = 0.0
    criterion: Rule = "l2"
    reconstruct: bool = True
    multiple_of: int = 4
    rounds: int = 3

    stage = Stage.PRUNE
    unit: ClassVar[str]

    def __post_init__(self) -> None:
        for name, value in (("amount", self.amount), ("macs", self.macs)):
            if not 0 <= value < 1:
                raise CompileError("E0701", f"{self.name}: {name} is a share from 0 to 1, not {value:g}")
        for name, count in (("multiple_of", self.multiple_of), ("rounds", self.rounds)):
            if count < 1:
                raise CompileError("E0701", f"{self.name}: {name} is at least 1, not {count}")

    def idle_options(self) -> Mapping[str, str]:
        return {"amount": f"macs:{self.macs:g} says how much goes"} if self.macs else {}

    def apply(self, graph: Graph, layers: Sequence[Node], samples: Samples | None) -> tuple[Change, ...]:
        whole = {f.places: f.units for f in self.named(graph, layers)}
        macs, surgery = remaining_macs(graph, {}), Surgery(graph, self.unit)
        changes, fits = list[Change](), list[Fit]()
        for r in range(1, self.rounds + 1):
            evidence = Evidence(graph, samples)
            rankings = {f: ALL[self.criterion].rank(f, evidence) for f in self.named(graph, layers)}
            goal = Goal(whole, self.amount * r / self.rounds, macs * (1 - self.macs * r / self.rounds))
            counts = self.counts(rankings, evidence, goal)
            changes += surgery.remove(
                [Selection(f, k, counts[f], self.criterion) for f, k in rankings.items()], evidence
            )
            if self.reconstruct and samples is not None:
                fits = surgery.fit(samples)
        return (*changes, *map(refit_change, fits))

    def named(self, graph: Graph, layers: Sequence[Node]) -> list[Family]:
        """What the layers stand for. Raises E0206 where nothing of that can be removed."""
        chosen = [f for f in families(graph) if set(layers).intersection(self.naming(f))]
        if not chosen:
            raise CompileError(
                "E0206", f"{self.name}: no channel of these layers can be removed",
                why="channels that enter or leave the network stay, and so do those that an operator mixes otherwise",
                fix="name layers inside the network, or leave the pass away",
            )  # fmt: skip
        return chosen

    def counts(self, rankings: Mapping[Family, Ranking], evidence: Evidence, goal: Goal) -> Counts:
        """How many units of each family go now."""
        if not self.macs:
            return by_amount(list(rankings), goal.whole, goal.amount, self.multiple_of)
        curves = {f: sensitivity(f, r, evidence, self.reconstruct) for f, r in rankings.items()}
        return by_macs(evidence.graph, list(rankings), curves, goal.macs, self.multiple_of)

    @abstractmethod
    def naming(self, family: Family) -> Sequence[Node]:
        """The layers whose name stands for the family."""
