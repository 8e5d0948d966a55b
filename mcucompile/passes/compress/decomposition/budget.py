"""One budget of MACs or weights, shared out among layers where it keeps most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True)
class Point:
    """A choice for a layer: what it costs and what it loses; `index` into the layer's choices."""

    cost: int
    lost: float
    index: int


def distribute(layers: Sequence[Sequence[tuple[int, float]]], budget: int) -> list[int]:
    """For each layer, given as (cost, loss) of its choices, the choice to take, so that all together keep the budget.

    From the dearest choices on, the step that loses least per cost saved is taken until the budget is kept: on the
    lower convex hulls of the layers' choices this is the optimum of the multiple-choice knapsack problem up to the last
    step (Sinha, Zoltners 1979). A budget that no choices keep gives the cheapest ones.
    """
    hulls = [convex_hull(choices) for choices in layers]
    steps = [
        (slope(dear, cheap), i, k + 1) for i, hull in enumerate(hulls) for k, (dear, cheap) in enumerate(pairs(hull))
    ]
    taken = [0] * len(hulls)
    total = sum(hull[0].cost for hull in hulls)
    for _, i, k in sorted(steps):
        if total <= budget:
            break
        total += hulls[i][k].cost - hulls[i][taken[i]].cost
        taken[i] = k
    return [hull[k].index for hull, k in zip(hulls, taken, strict=True)]


def pairs(hull: Sequence[Point]) -> list[tuple[Point, Point]]:
    return list(pairwise(hull))


def slope(dear: Point, cheap: Point) -> float:
    """Loss per unit of cost saved."""
    return (cheap.lost - dear.lost) / (dear.cost - cheap.cost)


def convex_hull(choices: Sequence[tuple[int, float]]) -> list[Point]:
    """The lower convex hull, from the choice that loses least (the cheapest such) to the cheapest."""
    points = sorted((Point(c, v, i) for i, (c, v) in enumerate(choices)), key=lambda p: (p.lost, p.cost))
    hull: list[Point] = []
    for p in points:
        if hull and p.cost >= hull[-1].cost:
            continue
        while len(hull) > 1 and slope(hull[-2], hull[-1]) >= slope(hull[-2], p):
            hull.pop()
        hull.append(p)
    return hull
