"""Compute a stretch of the network in bands of rows, so that its large tensors never exist as a whole.

The bands' slices and their concatenation are views of the tensors at both ends and cost nothing. Rows that two bands
need are computed in both: `Tiling.macs` counts them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from ..ir import Band, Graph, Node, Tensor, unique_identifier
from ..ops.concat import Concat
from ..ops.slice import Slice

ROWS = 1  # the axis


@dataclass(frozen=True, eq=False)
class Stretch:
    """The nodes between two tensors: `end` follows from `start` alone, and nobody else reads what lies between."""

    start: Tensor
    end: Tensor
    nodes: tuple[Node, ...]

    @property
    def macs(self) -> int:
        return sum(n.op.macs(n) for n in self.nodes)


@dataclass(frozen=True, eq=False)
class Piece:
    """The rows of a node's output that one band computes, and how."""

    node: Node
    rows: range
    band: Band


@dataclass(frozen=True, eq=False)
class Tiling:
    """A stretch in bands; `bands` has each one's pieces in execution order."""

    stretch: Stretch
    bands: tuple[tuple[Piece, ...], ...]

    @cached_property
    def macs(self) -> int:
        """Multiplications, with those that are done more than once."""
        return sum(macs_of(p) for band in self.bands for p in band)

    @cached_property
    def live_nbytes(self) -> int:
        """Roughly the peak: both ends, and the largest input and output of a piece."""
        inside = (rows_nbytes(t, r) for band in self.bands for p in band for t, r in reads(p, self.stretch))
        ends = self.stretch.start.nbytes + self.stretch.end.nbytes
        return ends + max(inside, default=0)

    def apply(self, graph: Graph) -> None:
        """Replace the stretch's nodes in the graph by those of its bands. Exact."""
        at = graph.nodes.index(self.stretch.nodes[0])
        inside = set(self.stretch.nodes)
        before = [n for n in graph.nodes[:at] if n not in inside]
        after = [n for n in graph.nodes[at:] if n not in inside]
        taken = {t.name for t in (*graph.activations(), *graph.constants())}
        graph.nodes[:] = [*before, *self._nodes(taken), *after]

    def _nodes(self, taken: set[str]) -> Iterator[Node]:
        """`taken`: names that tensors have; new ones are added."""

        def named(base: str) -> str:
            taken.add(name := unique_identifier(base, taken))
            return name

        parts = []
        for k, band in enumerate(self.bands):
            made = {self.stretch.start: (self.stretch.start, range(self.stretch.start.shape[ROWS]))}
            for piece in band:
                inputs, cuts = [], dict[Tensor, Tensor]()
                for t, rows in zip(piece.node.inputs, piece.band.rows, strict=True):
                    if rows is None:
                        inputs.append(t)
                        continue
                    whole, present = made[t]
                    if rows != present and t not in cuts:
                        cuts[t] = of_rows(t, rows, named(f"{t.name}_for_{piece.node.output.name}_band{k}"))
                        yield sliced(whole, cuts[t], rows.start - present.start, piece.node.source)
                    inputs.append(cuts.get(t, whole))
                y = piece.node.output
                output = of_rows(y, piece.rows, named(f"{y.name}_band{k}"))
                yield Node(piece.band.op, inputs, [output], piece.node.source)
                made[y] = output, piece.rows
            parts.append(made[self.stretch.end][0])
        yield Node(Concat(ROWS), parts, [self.stretch.end], self.stretch.nodes[-1].source)


def of_rows(t: Tensor, rows: range, name: str) -> Tensor:
    """A tensor for some rows of another one."""
    return Tensor(name, (t.shape[0], len(rows), *t.shape[2:]), t.dtype, t.quant)


def sliced(x: Tensor, y: Tensor, first: int, source: tuple[str, ...]) -> Node:
    starts = tuple(first if axis == ROWS else 0 for axis in range(len(x.shape)))
    return Node(Slice(starts, y.shape, (1,) * len(starts)), [x], [y], source)


def tiled(stretch: Stretch, count: int) -> Tiling | None:
    """The stretch in `count` bands of about equal height; None where it cannot be done."""
    height = stretch.end.shape[ROWS]
    edges = [height * k // count for k in range(count + 1)]
    bands = [pieces(stretch, range(a, b)) for a, b in pairwise(edges)]
    return Tiling(stretch, tuple(b for b in bands if b)) if all(bands) else None


def pieces(stretch: Stretch, rows: range) -> tuple[Piece, ...]:
    """What computes some rows of the stretch's end; () where it cannot be done."""
    needed: dict[Tensor, range] = {stretch.end: rows}
    found: list[Piece] = []
    for node in reversed(stretch.nodes):
        band = node.op.band(node, needed[node.output])
        if band is None:
            return ()
        found.append(Piece(node, needed[node.output], band))
        for t, wanted in zip(node.inputs, band.rows, strict=True):
            if wanted is not None and not wanted:
                return ()  # a window that lies in the padding altogether
            if wanted is not None:
                known = needed.get(t, wanted)
                needed[t] = range(min(known.start, wanted.start), max(known.stop, wanted.stop))
            elif t.const is None:
                return ()
    return tuple(reversed(found))


def stretches(graph: Graph) -> list[Stretch]:
    """Every stretch of nodes that could be tiled, longer ones behind shorter ones from the same start."""
    readers = readers_of(graph)
    return [s for t in graph.activations() for s in stretches_from(graph, t, readers)]


def stretches_from(graph: Graph, start: Tensor, readers: Mapping[Tensor, Sequence[Node]]) -> Iterator[Stretch]:
    """Follows the readers of `start` until one tensor is all that is left of it, again and again."""
    if len(start.shape) != 4 or start.shape[0] != 1:
        return
    pending, nodes = set(readers.get(start, ())), []
    known = {start}
    for node in graph.nodes:
        if node not in pending:
            continue
        if not (is_image(node) and all(t in known for t in node.activations())):
            return
        pending.discard(node)
        nodes.append(node)
        known.add(node.output)
        pending |= set(readers.get(node.output, ()))
        is_last = all(set(n.activations()) & known == {node.output} for n in pending)
        if is_last and len(nodes) > 1:
            yield Stretch(start, node.output, tuple(nodes))
        if node.output in graph.outputs:
            return


def readers_of(graph: Graph) -> Mapping[Tensor, Sequence[Node]]:
    readers: dict[Tensor, list[Node]] = {}
    for node in graph.nodes:
        for t in node.activations():
            readers.setdefault(t, []).append(node)
    return readers


def is_image(node: Node) -> bool:
    """Whether the node can be cut into rows at all."""
    y = node.outputs[0]
    if len(node.outputs) > 1 or len(y.shape) != 4 or y.shape[0] != 1:
        return False
    return node.op.band(node, range(y.shape[ROWS])) is not None


def reads(piece: Piece, stretch: Stretch) -> Iterator[tuple[Tensor, range]]:
    """Rows that a piece reads or writes and that are neither of the stretch's ends."""
    of_inputs = zip(piece.node.inputs, piece.band.rows, strict=True)
    for t, rows in [*of_inputs, (piece.node.output, piece.rows)]:
        if rows is not None and t is not stretch.start and t is not stretch.end:
            yield t, rows


def rows_nbytes(t: Tensor, rows: range) -> int:
    """Bytes of some rows of a tensor."""
    return t.nbytes // t.shape[ROWS] * len(rows)


def macs_of(piece: Piece) -> int:
    return piece.node.op.macs(piece.node) * len(piece.rows) // piece.node.output.shape[ROWS]
