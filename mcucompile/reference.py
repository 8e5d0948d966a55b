"""Runs a graph in numpy: the definition of the right answer, on real numbers and on stored integers."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .ir import Array, DType, Graph, Node, Tensor, real_values


@np.errstate(all="ignore")
def run_node(node: Node, values: dict[Tensor, Array]) -> None:
    """Compute the node's outputs from `values`, into `values`. Floats overflow silently to infinity, as in C."""
    is_integer = any(t.dtype.is_integer and t.const is None for t in [*node.inputs, *node.outputs])
    args = [values[t] if t.const is None else t.const if is_integer else real_values(t) for t in node.inputs]
    results = node.op.reference_int(node, *args) if is_integer else node.op.reference(*args)
    for tensor, result in zip(node.outputs, results, strict=True):
        assert result.shape == tensor.shape, f"{node.where}: {result.shape} instead of {tensor.shape}"
        values[tensor] = np.asarray(result, tensor.dtype.numpy)


def trace(graph: Graph, inputs: dict[str, Array]) -> dict[Tensor, Array]:
    """Every activation of one run. `inputs` by name, in the graph inputs' own types."""
    values = {t: np.asarray(inputs[t.name], t.dtype.numpy).reshape(t.shape) for t in graph.inputs}
    for node in graph.nodes:
        run_node(node, values)
    return values


def evaluate(graph: Graph, inputs: dict[str, Array]) -> dict[str, Array]:
    """The outputs of one run, by name."""
    values = trace(graph, inputs)
    return {t.name: values[t] for t in graph.outputs}


def evaluate_all(graph: Graph, samples: dict[str, Array]) -> Iterator[dict[str, Array]]:
    """One run per sample; each array of `samples` has the samples along its first axis."""
    count = len(next(iter(samples.values())))
    for i in range(count):
        yield evaluate(graph, {name: values[i] for name, values in samples.items()})


def quantized_inputs(graph: Graph, samples: dict[str, Array]) -> dict[str, Array]:
    """Samples as the graph's inputs store them: real values are quantized, integers are taken as stored."""
    stored: dict[str, Array] = {}
    for t in graph.inputs:
        values = samples[t.name]
        needs = t.quant is not None and t.dtype is not DType.F32 and not np.issubdtype(values.dtype, np.integer)
        stored[t.name] = t.quant.quantize(values) if needs and t.quant else values.astype(t.dtype.numpy)
    return stored
