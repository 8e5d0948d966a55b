"""Networks whose weights and samples are given, so that what pruning does to them can be computed by hand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from mcucompile.ir import NO_CLIP, Array, Clip, Graph, Node, Tensor, constant
from mcucompile.ops.dense import Dense
from mcucompile.passes.calibrate import runner
from mcucompile.passes.compress.pruning.dependencies import Family, families

# Patterns that are independent of each other over four samples, with mean 0 and variance 1.
U, V, UV = [1, 1, -1, -1], [1, -1, 1, -1], [1, -1, -1, 1]


def columns(*patterns: Sequence[float]) -> dict[str, Array]:
    """Samples whose input k follows pattern k."""
    return {"x": np.asarray(patterns, np.float32).T[:, None, :]}


def layer(name: str, x: Tensor, weights: ArrayLike, bias: ArrayLike | None = None, clip: Clip = NO_CLIP) -> Node:
    """Weights [outputs, inputs]."""
    w = np.asarray(weights, np.float32)
    b = np.zeros(len(w), np.float32) if bias is None else np.asarray(bias, np.float32)
    constants = [constant(f"{name}_w", w), constant(f"{name}_b", b)]
    return Node(Dense(clip), [x, *constants], [Tensor(name, (1, len(w)))], (name,))


def dense_chain(*layers: tuple[ArrayLike, ArrayLike | None, Clip]) -> Graph:
    """Fully connected layers one after the other, called l0, l1, ..."""
    x = Tensor("x", (1, np.shape(layers[0][0])[1]))
    nodes: list[Node] = []
    for i, (weights, bias, clip) in enumerate(layers):
        nodes.append(layer(f"l{i}", nodes[-1].output if nodes else x, weights, bias, clip))
    return Graph("net", [x], [nodes[-1].output], nodes)


def linear(*weights: ArrayLike) -> Graph:
    return dense_chain(*((w, None, NO_CLIP) for w in weights))


def only_family(graph: Graph) -> Family:
    (found,) = families(graph)
    return found


def outputs(graph: Graph, samples: dict[str, Array]) -> Array:
    return np.concatenate([v.ravel() for v in runner(graph, samples).outputs(samples).values()])


def shapes(graph: Graph) -> dict[str, int]:
    """Channels by the tensor's name."""
    return {t.name: t.shape[-1] for t in graph.activations()}
