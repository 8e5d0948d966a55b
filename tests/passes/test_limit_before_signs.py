"""What only signs are taken of gets a fine step when a network is quantized, and nothing else does."""

from __future__ import annotations

import numpy as np
import pytest
from sketch import Sketch

from mcucompile.ir import NO_CLIP, Clip, Graph, Tensor, constant
from mcucompile.ops.conv2d import Conv2d
from mcucompile.ops.max_pool import MaxPool
from mcucompile.ops.reshape import Reshape
from mcucompile.ops.sign import Sign
from mcucompile.ops.window import Window
from mcucompile.passes.limit_before_signs import FINER, limit_before_signs
from mcucompile.passes.quantize import QuantizeOptions, quantize
from mcucompile.reference import evaluate, quantized_inputs

SAMPLES = {"x": np.random.default_rng(0).normal(size=(20, 1, 6, 6, 3)).astype(np.float32)}


class Net(Sketch):
    def layer(self, clip: Clip = NO_CLIP) -> Tensor:
        w = constant("w", self.rng.normal(size=(5, 3, 3, 3)).astype(np.float32))
        b = constant("b", self.rng.normal(size=5).astype(np.float32))
        return self.add(Conv2d(Window((3, 3)), 1, clip), self.input(1, 6, 6, 3), w, b, name="sums")


def clip_of_layer(graph: Graph) -> Clip:
    (op,) = [n.op for n in graph.nodes if isinstance(n.op, Conv2d)]
    return op.clip


def largest(graph: Graph) -> float:
    node = graph.nodes[0]
    return max(float(np.abs(node.op.reference(x, *(t.const for t in node.inputs[1:]))[0]).max()) for x in SAMPLES["x"])


@pytest.mark.parametrize("moved", [False, True])
def test_limits_are_around_zero(moved: bool) -> None:
    s = Net()
    x = s.layer()
    x = s.add(Reshape((4, 20)), s.add(MaxPool(Window((1, 1))), x)) if moved else x
    graph = s.done(s.add(Sign(1), x))
    limited = limit_before_signs(graph, SAMPLES)
    assert clip_of_layer(limited).high == pytest.approx(largest(graph) / FINER, rel=1e-6)
    assert clip_of_layer(limited).low == -clip_of_layer(limited).high
    assert clip_of_layer(graph) == NO_CLIP, "the network that the user gave stays as it is"
    for x in SAMPLES["x"][:3]:
        (wanted,), (found,) = (evaluate(g, {"x": x}).values() for g in (graph, limited))
        np.testing.assert_array_equal(found, wanted)


def test_signs_of_the_integer_network() -> None:
    """A value of 1/2000 of the largest has the right sign; a step over the whole range would be a 127th."""
    s = Net(1)
    graph = s.done(s.add(Sign(1), s.layer()))
    real = graph.nodes[0]
    weights = [t.const for t in real.inputs[1:]]
    quantize(graph, SAMPLES, QuantizeOptions())
    sums, signs = [], []
    for x in SAMPLES["x"]:
        stored = quantized_inputs(graph, {"x": x})
        assert graph.inputs[0].quant
        (exact,) = real.op.reference(graph.inputs[0].quant.dequantize(stored["x"]), *weights)
        sums.append(exact)
        signs.append(next(iter(evaluate(graph, stored).values())))
    exact, found = np.stack(sums), np.stack(signs)
    clear = np.abs(exact) > np.abs(exact).max() / 100
    assert (np.sign(exact) == found)[clear].all()
    assert (np.sign(exact) == found).mean() > 0.995


@pytest.mark.parametrize("why", ["another reader", "limits", "an output", "no sign"])
def test_must_not_limit(why: str) -> None:
    s = Net()
    x = s.layer(Clip(0.0) if why == "limits" else NO_CLIP)
    outputs = [s.add(Sign(1), x)] if why != "no sign" else [s.add(Reshape((80,)), x)]
    outputs += [s.add(Reshape((80,)), x)] if why == "another reader" else [x] if why == "an output" else []
    graph = s.done(*outputs)
    assert limit_before_signs(graph, SAMPLES) is graph
