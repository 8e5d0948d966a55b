"""Let the operator before an activation limit its own result.

    %a = conv2d(%x, %w, %b); %y = clamp<clip=[0, 6]>(%a)   -->   %y = conv2d<clip=[0, 6]>(%x, %w, %b)
    %a = conv2d(%x, %w, %b); %r = reshape(%a); %y = clamp<clip=[0, 6]>(%r)   -->   the same, the reshape stays

On integers, a clamp to the whole range of its type goes too.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import cast

from ..ir import NO_CLIP, Clip, Graph, Node, Op, integer_clip
from ..ops.clamp import Clamp
from ..ops.reshape import Reshape
from ..ops.transpose import Transpose
from .base import Pass
from .edit import Edit


@dataclass(frozen=True)
class FuseClip(Pass):
    exact = True

    def run(self, graph: Graph) -> int:
        clamps = [n for n in graph.nodes if isinstance(n.op, Clamp)]
        return sum([fuse(graph, n) or drop(graph, n) for n in clamps])


def fuse(graph: Graph, clamp: Node) -> bool:
    """Move the limits up into the operator that computes the values, past those that only move them."""
    (x,) = clamp.inputs
    before = maker = graph.producer(x)
    while maker and is_only_read_here(graph, maker) and isinstance(maker.op, Reshape | Transpose):
        maker = graph.producer(maker.inputs[0])
    if not before or not maker or not is_only_read_here(graph, maker) or not has_clip(maker.op):
        return False
    assert isinstance(clamp.op, Clamp) and maker.output.quant == clamp.output.quant
    maker.op = with_clip(maker.op, clip_of(maker.op).then(clamp.op.clip))
    maker.source += tuple(s for s in clamp.source if s not in maker.source)
    before.outputs = clamp.outputs
    graph.remove(clamp)
    return True


def is_only_read_here(graph: Graph, node: Node) -> bool:
    return len(node.outputs) == 1 and graph.only_reader(node.output) is not None


def has_clip(op: Op) -> bool:
    return isinstance(getattr(op, "clip", None), Clip)


def clip_of(op: Op) -> Clip:
    return cast(Clip, getattr(op, "clip", NO_CLIP))


def with_clip(op: Op, clip: Clip) -> Op:
    """The operator with another clip; only for those that have one."""
    return replace(op, clip=clip)  # type: ignore[type-var]


def drop(graph: Graph, clamp: Node) -> bool:
    """Remove a clamp that limits nothing."""
    if clip_of(clamp.op) != NO_CLIP and not is_whole_range(clamp):
        return False
    if not Edit(graph).bypass(clamp):
        return False
    graph.remove(clamp)
    return True


def is_whole_range(clamp: Node) -> bool:
    """Whether every stored integer lies within the limits."""
    dtype = clamp.output.dtype
    return dtype.is_integer and integer_clip(clip_of(clamp.op), clamp) == (dtype.low, dtype.high)
