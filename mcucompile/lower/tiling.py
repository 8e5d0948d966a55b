"""Makes a network fit a limit of RAM by computing its largest stretch in bands of rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from ..ir import Graph, Node, Program, verify
from ..passes.tile_rows import Tiling, stretches, tiled
from .fit import peak

COUNTS = (2, 3, 4, 5, 6, 8, 10, 12, 16, 24, 32)  # of bands
TRIALS = 12  # tilings around one peak whose arena is estimated
MOST_LOWERED = 3  # of these, whose program is made
ROUNDS = 4  # stretches that may be tiled


@dataclass(frozen=True, eq=False)
class Fitted:
    """A graph, possibly with stretches in bands, and its program."""

    graph: Graph
    program: Program
    tilings: tuple[Tiling, ...] = ()


def fit_by_tiling(
    fitted: Fitted,
    limit: int,
    enough: Callable[[Program], bool],
    estimate: Callable[[Graph], int],
    lower: Callable[[Graph], Program],
) -> Fitted:
    """The cheapest tiling found that is `enough`, mostly one whose arena has at most `limit` bytes, else the smallest.

    Looked at are tilings of the stretch around the peak, those with the fewest additional multiplications first; where
    none is enough, the best of them is kept and the next peak is looked at. `estimate` gives a graph's arena quickly
    and roughly, `lower` its program.
    """
    best = fitted
    for _ in range(ROUNDS):
        found = better(best, limit, enough, estimate, lower)
        if found is not None and enough(found.program):
            return found
        if found is None or found.program.arena_nbytes >= best.program.arena_nbytes:
            break
        best = found
    return best


def better(
    fitted: Fitted,
    limit: int,
    enough: Callable[[Program], bool],
    estimate: Callable[[Graph], int],
    lower: Callable[[Graph], Program],
) -> Fitted | None:
    """With one more stretch in bands: the first that fits, else that with the smallest arena of those lowered."""
    graphs = [(with_tiling(fitted.graph, t), t) for t in candidates(fitted, limit)]
    judged = [(estimate(graph), graph, tiling) for graph, tiling in graphs]
    promising = [j for j in judged if j[0] <= limit] or sorted(judged, key=lambda j: j[0])[:1]
    best: Fitted | None = None
    for _, graph, tiling in promising[:MOST_LOWERED]:
        found = Fitted(graph, lower(graph), (*fitted.tilings, tiling))
        if enough(found.program):
            return found
        if best is None or found.program.arena_nbytes < best.program.arena_nbytes:
            best = found
    return best


def with_tiling(graph: Graph, tiling: Tiling) -> Graph:
    tiled_graph = replace(graph, nodes=list(graph.nodes))
    tiling.apply(tiled_graph)
    verify(tiled_graph)
    return tiled_graph


def candidates(fitted: Fitted, limit: int) -> list[Tiling]:
    """Tilings worth a try: those that may fit, the fewest multiplications first; then the smallest others."""
    node = peak_node(fitted)
    found = [] if node is None else list(tilings_around(fitted.graph, node))
    may_fit = sorted((t for t in found if t.live_nbytes <= limit), key=lambda t: (t.macs, len(t.bands)))
    others = sorted((t for t in found if t.live_nbytes > limit), key=lambda t: (t.live_nbytes, t.macs))
    return [*may_fit, *others][:TRIALS]


def tilings_around(graph: Graph, node: Node) -> Iterator[Tiling]:
    for stretch in stretches(graph):
        if node not in stretch.nodes:
            continue
        for count in COUNTS:
            if count <= stretch.end.shape[1]:
                tiling = tiled(stretch, count)
                if tiling is not None:
                    yield tiling


def peak_node(fitted: Fitted) -> Node | None:
    """The node computed at the peak; None where it is the inputs or outputs that need the memory."""
    index = peak(fitted.program)
    if not 0 <= index < len(fitted.program.steps):
        return None
    name = fitted.program.steps[index].outputs[0].name
    return next(n for n in fitted.graph.nodes if n.outputs[0].name == name)
