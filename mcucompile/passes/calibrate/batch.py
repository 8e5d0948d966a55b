"""Runs many samples at once: the graph is copied with a larger first axis where its operators permit.

Decided: a copy with other shapes, checked against single runs on a few samples, because then every operator's own
meaning serves and no operator has to know about batches. A graph that cannot be batched runs sample by sample.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from ...ir import Array, Graph, Node, Op, Shape, Tensor
from ...ops.reshape import Reshape
from ...reference import trace

CHUNK_NBYTES = 192 << 20
MAX_CHUNK = 64
PROBES = 3
Samples = dict[str, Array]


@dataclass(frozen=True, eq=False)
class Batch:
    """A graph over `count` samples; `twins` leads from the tensors of the original to those of the copy."""

    graph: Graph
    count: int
    twins: dict[Tensor, Tensor]

    def trace(self, samples: Samples) -> dict[Tensor, Array]:
        """Every activation by the original's tensors; the samples lie along the first axis of inputs and outputs."""
        values = trace(self.graph, {t.name: v for t, v in self.input_values(samples).items()})
        return {original: values[twin] for original, twin in self.twins.items()}

    def input_values(self, samples: Samples) -> dict[Tensor, Array]:
        """Samples [count, *shape] as values of the copy's inputs."""
        return {t: samples[t.name].reshape(t.shape) for t in self.graph.inputs}


def count_of(samples: Samples) -> int:
    return len(next(iter(samples.values())))


def batched(graph: Graph, count: int) -> Batch | None:
    """The graph over `count` samples, or None when some operator ties it to a single one."""
    if any(t.shape[:1] != (1,) for t in [*graph.inputs, *graph.outputs]):
        return None
    twins = {t: resized(t, (count, *t.shape[1:])) for t in graph.inputs}
    nodes: list[Node] = []
    for node in graph.nodes:
        copy = batched_node(node, twins, count)
        if copy is None:
            return None
        nodes.append(copy)
    if any(twins[t].shape != (count, *t.shape[1:]) for t in graph.outputs):
        return None
    outputs = [twins[t] for t in graph.outputs]
    copy_of_graph = Graph(graph.name, [twins[t] for t in graph.inputs], outputs, nodes, graph.numerics)
    return Batch(copy_of_graph, count, twins)


def batched_node(node: Node, twins: dict[Tensor, Tensor], count: int) -> Node | None:
    """The node on batched inputs; its outputs join `twins`."""
    op = batched_op(node.op, count)
    inputs = [t if t.const is not None else twins[t] for t in node.inputs]
    try:
        shapes = op.infer(*(t.shape for t in inputs))
    except (AssertionError, ValueError, IndexError):
        return None
    twins.update((t, resized(t, shape)) for t, shape in zip(node.outputs, shapes, strict=True))
    return Node(op, inputs, [twins[t] for t in node.outputs], node.source)


def batched_op(op: Op, count: int) -> Op:
    if isinstance(op, Reshape) and op.shape[:1] == (1,):
        return replace(op, shape=(count, *op.shape[1:]))
    return op


def resized(tensor: Tensor, shape: Shape) -> Tensor:
    return replace(tensor, shape=shape)


@dataclass(frozen=True, eq=False)
class Runner:
    """Runs a graph over samples in chunks of at most `chunk`; 1 means one by one."""

    graph: Graph
    chunk: int

    def traces(self, samples: Samples) -> Iterator[dict[Tensor, Array]]:
        """Every activation, chunk by chunk. Arrays of unbatched graphs have their tensor's own shape."""
        for part in self.parts(samples):
            yield self.trace(part)

    def trace(self, part: Samples) -> dict[Tensor, Array]:
        return self.batch(count_of(part)).trace(part)

    def batch(self, count: int) -> Batch:
        """The graph over `count` samples, itself for a single one."""
        if count == 1:
            return Batch(self.graph, 1, {t: t for t in self.graph.activations()})
        batch = batched(self.graph, count)
        assert batch, "a graph that cannot be batched runs in chunks of one"
        return batch

    def parts(self, samples: Samples) -> Iterator[Samples]:
        count = count_of(samples)
        for start in range(0, count, self.chunk):
            yield {name: values[start : start + self.chunk] for name, values in samples.items()}

    def outputs(self, samples: Samples) -> dict[Tensor, Array]:
        """Every graph output over all samples, [samples, ...]."""
        parts: dict[Tensor, list[Array]] = {t: [] for t in self.graph.outputs}
        for values in self.traces(samples):
            for t, collected in parts.items():
                collected.append(values[t].reshape(-1, *t.shape))
        return {t: np.concatenate(collected) for t, collected in parts.items()}


def runner(graph: Graph, samples: Samples) -> Runner:
    """A runner that batches as far as memory and the graph's operators permit, checked on the first samples."""
    per_sample = 16 * sum(t.size for t in graph.activations())
    chunk = max(1, min(MAX_CHUNK, CHUNK_NBYTES // max(per_sample, 1)))
    probe = {name: values[:PROBES] for name, values in samples.items()}
    single, many = Runner(graph, 1), Runner(graph, chunk)
    return many if chunk > 1 and is_faithful(many, single, probe) else single


def is_faithful(many: Runner, single: Runner, probe: Samples) -> bool:
    """Whether a batched run gives what single runs give; operators may also refuse larger arrays."""
    if count_of(probe) < 2 or batched(many.graph, count_of(probe)) is None:
        return False
    try:
        got = many.outputs(probe)
    except (AssertionError, ValueError, IndexError):
        return False
    want = single.outputs(probe)
    return all(same(t, want[t], got[t]) for t in many.graph.outputs)


@np.errstate(invalid="ignore")  # infinite entries have a difference that is no number, and equal nothing
def same(tensor: Tensor, want: Array, got: Array) -> bool:
    """Integers equal; reals as near as another order of summation in float32 may put them."""
    if tensor.dtype.is_integer:
        return bool(np.array_equal(want, got))
    reach = float(np.abs(want).max(initial=0)) or 1.0
    return bool(np.abs(want - got).max(initial=0) <= 1e-4 * reach)
