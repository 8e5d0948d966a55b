"""Calibration data that says little: one sample of zeros, one value everywhere."""

from __future__ import annotations

import numpy as np
import pytest
from float_graphs import RELU, FloatGraph

from mcucompile.compression import compressed
from mcucompile.ir import Array, Graph, verify
from mcucompile.ops.add import Add
from mcucompile.recipe import parse_recipe

DATA = {"one sample of zeros": np.zeros((1, 48)), "one constant": np.full((3, 48), 3.0)}
PASSES = [
    "prune_layers", "prune_filters=0.5+criterion:taylor+rounds:1", "prune_filters=0.5+criterion:thinet+rounds:1",
    "prune_channels=0.5+rounds:1", "prune_shapes=0.5", "prune_blocks=0.5+scope:global", "prune_weights=0.9999",
    "prune_weights=0.5+criterion:obd", "low_rank=0.9", "separable=rank:2", "quantize_weights=4",
    "quantize_weights=binary+rounding:nearest",
]  # fmt: skip


def network() -> Graph:
    net = FloatGraph((1, 4, 4, 3))
    x = net.conv("stem", net.x, 8, RELU)
    y = net.add("sum", Add(RELU), x, net.conv("b", net.conv("a", x, 8, RELU), 8))
    return net.graph(net.dense("scores", net.depthwise("d", y, RELU), 6))


def finite(values: Array) -> bool:
    return bool(np.isfinite(values).all())


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("kind", DATA)
@pytest.mark.parametrize("text", PASSES)
def test_passes_do_with_what_there_is(text: str, kind: str) -> None:
    """No warning, no NaN among the constants, none in what is told of them."""
    graph = network()
    samples = DATA[kind].reshape(-1, 4, 4, 3).astype(np.float32)
    for applied in compressed(graph, parse_recipe(text).requests, {"x": samples}):
        assert all(finite(np.asarray([c.score, c.effect or 0.0])) for c in applied.changes)
    verify(graph)
    assert all(t.const is not None and finite(t.const) for t in graph.constants())
