"""How many units of each family go: a share of each, or what takes MACs away at the least error of the outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ....errors import CompileError
from ....ir import Graph, Node, Tensor
from ....ops.weighted import Weighted
from ...channels.links import mixes
from .dependencies import ELSEWHERE, Family, Places, channel_count
from .sensitivity import Sensitivity

STEP = 1 / 16  # of a family, taken at a time
Counts = dict[Family, int]


def aligned(units: int, removed: int, multiple: int) -> int:
    """How many units to remove at most `removed`, so that a multiple is left, or all where there are fewer."""
    left = max(units - removed, 1)
    return units - min(units, -(-left // multiple) * multiple)


def by_amount(families: Sequence[Family], whole: Mapping[Places, int], amount: float, multiple: int) -> Counts:
    """The same share of every family; `whole` says how many units it had when nothing was removed."""
    counts: Counts = {}
    for f in families:
        units = whole[f.places]
        left = units - aligned(units, round(amount * units), multiple)
        counts[f] = max(f.units - left, 0)
    return counts


def by_macs(
    graph: Graph, families: Sequence[Family], curves: Mapping[Family, Sensitivity], limit: float, multiple: int
) -> Counts:
    """Until at most `limit` MACs are left: greedily, next from the family that loses least per MAC saved.

    In the end, steps that the later ones made superfluous are taken back. Raises E0206 when the limit is out of reach.
    """
    counts: Counts = dict.fromkeys(families, 0)
    taken: list[tuple[Family, int]] = []  # and how many units were gone before
    while (now := remaining_macs(graph, counts)) > limit:
        steps = {f: counts | {f: next_count(f, counts[f], multiple)} for f in families}
        saved = {f: now - remaining_macs(graph, step) for f, step in steps.items()}
        possible = [f for f in families if saved[f] > 0]
        if not possible:
            raise CompileError(
                "E0206", f"{now:,.0f} of the network's MACs remain however much of these layers is pruned",
                why=f"at most {limit:,.0f} should be left",
                fix="ask for a smaller share of the MACs, name more layers, or use a smaller multiple_of",
            )  # fmt: skip
        best = min(possible, key=lambda f: (curves[f].error(steps[f][f]) - curves[f].error(counts[f])) / saved[f])
        taken.append((best, counts[best]))
        counts = steps[best]
    for family, before in reversed(taken):
        less = counts | {family: before}
        if remaining_macs(graph, less) <= limit:
            counts = less
    return counts


def next_count(family: Family, removed: int, multiple: int) -> int:
    """One step more, if one is left."""
    step = max(1, round(STEP * family.units))
    wanted = (aligned(family.units, removed + size, multiple) for size in range(step, family.units))
    return next((count for count in wanted if count > removed), removed)


def remaining_macs(graph: Graph, counts: Mapping[Family, int]) -> float:
    """Of one run, when that many units of these families are gone."""
    left = {t: float(channel_count(t)) for t in graph.activations()}
    for family, removed in counts.items():
        for t, of in family.of.items():
            left[t] -= np.count_nonzero(of != ELSEWHERE) * removed / family.units
    return sum(node_macs(n, left) for n in graph.nodes)


def node_macs(node: Node, left: Mapping[Tensor, float]) -> float:
    macs = float(node.op.macs(node))
    if not isinstance(node.op, Weighted):
        return macs
    x, y = node.inputs[0], node.output
    inputs = left[x] / x.shape[-1] if mixes(node) else 1.0
    return macs * inputs * left[y] / y.shape[-1]
