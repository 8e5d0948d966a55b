"""Remove whole residual blocks: an identity takes their place or, where shapes differ, a 1x1 convolution.

    %a = conv2d(%x, ..); %b = conv2d(%a, ..); %y = add<clip>(%x, %b)   -->   %y = clamp<clip>(%x)
    %a = conv2d</2x2>(%x, ..); %s = conv2d<1x1/2x2>(%x, ..); %y = add(%a, %s)
    -->   %y = conv2d<1x1/2x2>(%x, %w, %b) with %w and %b fitted to %y by least squares on the samples

Which blocks go is decided by the error that this makes at the network's outputs (Chen, Zhao 2018 use what a layer adds
to a linear classifier instead, which needs labels). The layers after are fitted anew to the original network.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...errors import CompileError
from ...ir import NO_CLIP, Graph, Node
from ...ops.add import Add
from ...ops.clamp import Clamp
from ..calibrate import Samples, runner
from ..edit import Edit
from ..fuse_clip import clip_of
from ..output_error import before_squashing, real_scores, relative_noise
from .base import Change, Compression, Stage
from .hessian import needed_samples
from .pruning.blocks import Block, By, blocks, replace_block
from .pruning.dependencies import masks
from .pruning.probe import spread_samples
from .pruning.reconstruct import reconstruct
from .pruning.remove import copy_with_tensors, refit_change

PROBES = 32  # samples, to compare blocks on


@dataclass(frozen=True)
class PruneLayers(Compression):
    """blocks: how many go, one after the other. by: what takes their place; `auto` is an identity where shapes permit.
    reconstruct: fit the layers after by least squares.
    """

    blocks: int = 1
    by: By = "auto"
    reconstruct: bool = True

    name = "prune_layers"
    stage = Stage.PRUNE

    def __post_init__(self) -> None:
        if self.blocks < 1:
            raise CompileError("E0701", f"{self.name}: blocks is at least 1, not {self.blocks}")

    @classmethod
    def takes(cls, node: Node) -> bool:
        return isinstance(node.op, Add) and len(node.activations()) == 2

    def apply(self, graph: Graph, layers: Sequence[Node], samples: Samples | None) -> tuple[Change, ...]:
        """`layers` are the Adds that end a block."""
        given = needed_samples(samples, self.name, "leave the pass away")
        original, changes, ends = copy_with_tensors(graph), list[Change](), list(layers)
        for _ in range(self.blocks):
            block, error = self.least(graph, ends, given)
            changes.append(self.told(block, error))
            way = block.way(self.by)
            assert way
            replace_block(graph, block, way, given)
            ends.remove(block.end)
        if self.reconstruct:
            kept = masks(original, [])
            changes += map(refit_change, reconstruct(original, graph, kept, given))
        graph.remove_unread()
        drop_idle_clamps(graph)
        return tuple(changes)

    def least(self, graph: Graph, ends: Sequence[Node], samples: Samples) -> tuple[Block, float]:
        """The block whose replacement changes the outputs least, and by how much. Raises E0206 when there is none."""
        found = [b for b in blocks(graph) if b.end in ends and b.way(self.by)]
        if not found:
            raise CompileError(
                "E0206", f"{self.name}: no residual block is left that could be replaced",
                why="a block ends in an Add of two branches that start at one tensor, read by nobody else",
                fix="ask for fewer blocks, or leave the pass away",
            )  # fmt: skip
        errors = [self.error(graph, i, samples) for i in (graph.nodes.index(b.end) for b in found)]
        best = int(np.argmin(errors))
        return found[best], errors[best]

    def error(self, graph: Graph, end: int, samples: Samples) -> float:
        """Of the outputs relative to their variance, when the block that node number `end` closes is replaced."""
        few = spread_samples(samples, PROBES)
        changed = copy_with_tensors(graph)
        block = next(b for b in blocks(changed) if b.end is changed.nodes[end])
        way = block.way(self.by)
        assert way
        replace_block(changed, block, way, samples)
        names = [before_squashing(graph, t).name for t in graph.outputs]
        want, got = (real_scores(runner(g, few), few, names) for g in (graph, changed))
        return float(np.mean([relative_noise(want[n], got[n]) for n in want]))

    def told(self, block: Block, error: float) -> Change:
        before = sum(t.size for n in block.inside for t in n.inputs if t.const is not None)
        after = (block.entry.shape[-1] + 1) * block.end.output.shape[-1] if block.way(self.by) == "pointwise" else 0
        unit = f"block of {len(block.inside)} operators"
        return Change(block.end.output.name, block.end.source, unit, "output error", error, error, before, after)


def drop_idle_clamps(graph: Graph) -> None:
    """Let readers of a clamp that limits nothing read what it reads."""
    for node in [n for n in graph.nodes if isinstance(n.op, Clamp)]:
        maker = graph.producer(node.inputs[0])
        limits = clip_of(maker.op) if maker else NO_CLIP
        if limits.then(clip_of(node.op)) == limits and Edit(graph).bypass(node):
            graph.remove(node)
