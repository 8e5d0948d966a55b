"""A border of -infinity becomes the padding of the maximum behind it, whose taps in the padding do not count.

    %p = pad<value=-inf>(%x); %t = transpose(%p); %y = max_pool<window>(%t)
    -->   %t = transpose(%x); %y = max_pool<window with larger pads>(%t)

Exporters write this for padding that is not the same on both sides. Nothing else can be done with infinity on integers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from ..errors import CompileError
from ..ir import Graph, Node, permuted
from ..ops.max_pool import MaxPool
from ..ops.pad import Pad
from ..ops.transpose import Transpose
from .base import Pass


@dataclass(frozen=True)
class FusePad(Pass):
    exact = True

    def run(self, graph: Graph) -> int:
        """Raises E0103 for a border of infinity or NaN that stays."""
        count = sum([fuse(graph, n) for n in list(graph.nodes) if isinstance(n.op, MaxPool)])
        for node in graph.nodes:
            if isinstance(node.op, Pad) and not math.isfinite(node.op.value):
                raise CompileError(
                    "E0103", f"a border of {node.op.value} that is not the padding of a MaxPool behind it", node.where,
                    fix="pad with a finite value",
                )  # fmt: skip
        return count


def fuse(graph: Graph, pool: Node) -> bool:
    assert isinstance(pool.op, MaxPool)
    move = graph.producer(pool.inputs[0])
    moves = move is not None and isinstance(move.op, Transpose) and graph.only_reader(move.output) is pool
    pad = graph.producer(move.inputs[0]) if moves and move else move
    if not pad or not isinstance(pad.op, Pad) or pad.op.value != -math.inf or not graph.only_reader(pad.output):
        return False
    (x,) = pad.inputs
    perm = move.op.perm if moves and move and isinstance(move.op, Transpose) else (0, 1, 2, 3)
    begins, ends = permuted(pad.op.begins, perm), permuted(pad.op.ends, perm)
    top, left, bottom, right = pool.op.window.pads
    pads = (top + begins[1], left + begins[2], bottom + ends[1], right + ends[2])
    window = replace(pool.op.window, pads=pads)
    shape = permuted(x.shape, perm)
    if any((begins[0], begins[3], ends[0], ends[3])) or not window.reaches_inside(*shape[1:3]):
        return False
    pool.op = replace(pool.op, window=window)
    if moves and move:
        move.inputs, move.output.shape = [x], shape
    else:
        pool.inputs = [x]
    pool.source = tuple(dict.fromkeys((*pad.source, *pool.source)))
    graph.remove(pad)
    return True
