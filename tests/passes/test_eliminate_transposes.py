"""Transposes go where they can, stay where they must, and no bit changes."""

from pathlib import Path

import pytest
from sketch import Q, Sketch, assert_exact, names

from mcucompile.frontend import load
from mcucompile.ir import Clip, Graph, Op, Tensor
from mcucompile.ops.add import Add
from mcucompile.ops.clamp import Clamp
from mcucompile.ops.concat import Concat
from mcucompile.ops.conv2d import Conv2d
from mcucompile.ops.dense import Dense
from mcucompile.ops.leaky_relu import LeakyRelu
from mcucompile.ops.max import Max
from mcucompile.ops.mul import Mul
from mcucompile.ops.pad import Pad
from mcucompile.ops.reduce_mean import ReduceMean
from mcucompile.ops.reshape import Reshape
from mcucompile.ops.slice import Slice
from mcucompile.ops.softmax import Softmax
from mcucompile.ops.split import Split
from mcucompile.ops.transpose import Transpose
from mcucompile.ops.window import Window
from mcucompile.passes.eliminate_transposes import EliminateTransposes

MODELS = Path(__file__).parents[1] / "models"
FIRST, LAST = Transpose((0, 3, 1, 2)), Transpose((0, 2, 3, 1))
RELU = Clamp(Clip(0.0))


def transposes(graph: Graph) -> int:
    return names(graph).count("transpose")


def eliminated(graph: Graph) -> list[str]:
    assert_exact(graph, EliminateTransposes())
    return names(graph)


@pytest.mark.parametrize(
    "op",
    [RELU, LeakyRelu(0.5), Pad((0, 1, 2, 0), (0, 0, 1, 1)), Slice((0, 1, 0, 1), (1, 2, 2, 2), (1, 1, 2, 1)),
     ReduceMean((2, 3)), Reshape((1, 6, 4, 5)), Reshape((6, 4, 5, 1))],
    ids=str,
)  # fmt: skip
def test_inverse_pairs_cancel_through(op: Op) -> None:
    s = Sketch()
    x = s.input(1, 4, 5, 6)
    y = s.add(op, s.add(FIRST, x))
    back = LAST if y.shape[0] == 1 else Transpose((1, 2, 0, 3))
    assert "transpose" not in eliminated(s.done(s.add(back, y)))


def test_identity_vanishes() -> None:
    s = Sketch()
    x = s.input(2, 3)
    assert eliminated(s.done(s.add(RELU, s.add(Transpose((0, 1)), x)))) == ["clamp"]


def test_identity_between_input_and_output_stays_as_a_copy() -> None:
    s = Sketch()
    x = s.input(2, 3)
    graph = s.done(s.add(Transpose((0, 1)), x, name="y"))
    assert len(eliminated(graph)) == 1


def test_quantized_tensors() -> None:
    s = Sketch()
    x = s.input(1, 4, 5, 6, quant=Q)
    real = s.dequantize(s.add(FIRST, x))
    assert eliminated(s.done(s.add(LAST, s.quantize(real)))) == ["dequantize", "quantize"]


@pytest.mark.parametrize("shape", [(1, 6, 1, 1), (6, 1, 1), (1, 1, 4, 5), (1, 6, 4, 5), (1, 1, 1, 1)])
def test_constant_operand_is_permuted(shape: tuple[int, ...]) -> None:
    s = Sketch()
    x = s.input(1, 4, 5, 6)
    shape = (1,) * (4 - len(shape)) + shape
    assert eliminated(s.done(s.add(LAST, s.add(Mul(), s.constant(*shape), s.add(FIRST, x))))) == ["mul"]


@pytest.mark.parametrize("op", [Add(), Max(), Concat(1)])
def test_two_transposed_operands(op: Op) -> None:
    s = Sketch()
    a, b = s.input(1, 4, 5, 6), s.input(1, 4, 5, 6, name="b")
    assert eliminated(s.done(s.add(LAST, s.add(op, s.add(FIRST, a), s.add(FIRST, b))))) == [op.name]


def test_operand_without_long_axes_is_reshaped() -> None:
    """Squeeze and excitation: a factor per channel."""
    s = Sketch()
    x, factor = s.input(1, 4, 5, 6), s.input(1, 6, name="factor")
    gate = s.add(Reshape((1, 6, 1, 1)), factor)
    assert eliminated(s.done(s.add(LAST, s.add(Mul(), s.add(FIRST, x), gate)))) == ["reshape", "mul"]


def conv(s: Sketch, x: Tensor, channels: int) -> Tensor:
    return s.add(
        Conv2d(Window((1, 1))),
        x,
        s.constant(channels, 1, 1, x.shape[3]),
        s.constant(channels, name=f"b{len(s.graph.nodes)}"),
    )


def test_shortcut_from_the_input_uses_the_transposition_that_is_there() -> None:
    s = Sketch()
    x = s.input(1, 6, 4, 5)
    y = s.add(Add(), s.add(FIRST, conv(s, s.add(LAST, x), 6)), x)
    graph = s.done(s.add(FIRST, conv(s, s.add(LAST, s.add(RELU, y)), 3)))
    assert eliminated(graph) == ["transpose", "conv2d", "add", "clamp", "conv2d", "transpose"]


def test_shortcut_stays_where_it_would_gain_nothing() -> None:
    """The sum leaves the graph in the input's order."""
    s = Sketch()
    x = s.input(1, 6, 4, 5)
    graph = s.done(s.add(Add(), s.add(FIRST, conv(s, s.add(LAST, x), 6)), x))
    assert eliminated(graph) == ["transpose", "conv2d", "transpose", "add"]


def test_split_moves_with_all_its_outputs() -> None:
    s = Sketch()
    a, b = s.adds(Split(1, (2, 4)), s.add(FIRST, s.input(1, 4, 5, 6)))
    graph = s.done(s.add(LAST, a), s.add(LAST, s.add(RELU, b)))
    assert eliminated(graph) == ["split", "clamp"]


def test_branches_go_their_own_ways() -> None:
    s = Sketch()
    t = s.add(FIRST, s.input(1, 4, 5, 6))
    graph = s.done(s.add(LAST, s.add(RELU, t)), s.add(RELU, t))
    assert eliminated(graph).count("transpose") == 1


def test_reduction_without_kept_axes() -> None:
    s = Sketch()
    y = s.add(ReduceMean((2, 3), keepdims=False), s.add(FIRST, s.input(1, 4, 5, 6)))
    assert eliminated(s.done(y)) == ["reduce_mean"]


def test_softmax_over_channels() -> None:
    s = Sketch()
    x = s.input(1, 4, 5, 6)
    y = s.add(Softmax(), s.add(LAST, s.add(RELU, s.add(FIRST, x))))
    assert eliminated(s.done(y)) == ["clamp", "softmax"]


def test_softmax_over_another_axis_keeps_its_transposition() -> None:
    s = Sketch()
    x = s.input(1, 4, 5, 6)
    assert eliminated(s.done(s.add(Softmax(), s.add(FIRST, x)))) == ["transpose", "softmax"]


def test_convolution_keeps_its_transposition() -> None:
    s = Sketch()
    assert eliminated(s.done(conv(s, s.add(LAST, s.input(1, 6, 4, 5)), 3))) == ["transpose", "conv2d"]


def test_concat_with_a_tensor_in_another_order_stays() -> None:
    s = Sketch()
    a, b = s.input(1, 4, 5, 6), s.input(1, 6, 4, 5, name="b")
    assert eliminated(s.done(s.add(Concat(1), s.add(FIRST, a), b))) == ["transpose", "concat"]


def test_only_axes_of_size_one() -> None:
    s = Sketch()
    assert eliminated(s.done(s.add(FIRST, s.input(1, 4, 5, 1)))) == ["reshape"]


def test_reshapes_join() -> None:
    s = Sketch()
    x = s.input(2, 12)
    y = s.add(Reshape((24,)), s.add(RELU, s.add(Reshape((2, 3, 4)), s.add(Reshape((4, 6)), x))))
    assert eliminated(s.done(s.add(RELU, s.add(Reshape((2, 12)), y)))) == ["clamp", "clamp"]


class TestDense:
    """The order of a flattened image goes into the weights."""

    def flat(self, s: Sketch, x: Tensor) -> Tensor:
        return s.add(Reshape((x.shape[0], x.size // x.shape[0])), s.add(FIRST, x))

    def dense(self, s: Sketch, x: Tensor, outputs: int = 3) -> Tensor:
        n = len(s.graph.nodes)
        return s.add(Dense(), x, s.constant(outputs, x.shape[1], name=f"w{n}"), s.constant(outputs, name=f"b{n}"))

    @pytest.mark.parametrize("batch", [1, 2])
    def test_weights_take_the_order_over(self, batch: int) -> None:
        s = Sketch()
        graph = s.done(self.dense(s, self.flat(s, s.input(batch, 4, 5, 6))))
        assert eliminated(graph) == ["reshape", "dense"]

    def test_through_activations_and_for_several_layers(self) -> None:
        s = Sketch()
        flat = s.add(RELU, self.flat(s, s.input(1, 4, 5, 6)))
        graph = s.done(self.dense(s, flat), self.dense(s, s.add(LeakyRelu(0.5), flat), 2))
        assert "transpose" not in eliminated(graph)

    def test_shared_weights_serve_both(self) -> None:
        """One of the layers that share a weight reads a tensor in another order."""
        s = Sketch()
        x, other = s.input(1, 2, 2, 3), s.input(1, 12, name="other")
        w, b = s.constant(3, 12, name="w"), s.constant(3, name="b")
        graph = s.done(s.add(Dense(), self.flat(s, x), w, b), s.add(Dense(), other, w, b))
        assert "transpose" not in eliminated(graph)

    def test_not_where_the_flat_tensor_is_read_otherwise(self) -> None:
        s = Sketch()
        flat = self.flat(s, s.input(1, 4, 5, 6))
        graph = s.done(self.dense(s, flat), s.add(Softmax(), flat))
        assert "transpose" in eliminated(graph)

    def test_not_where_the_flat_tensor_is_an_output(self) -> None:
        s = Sketch()
        flat = self.flat(s, s.input(1, 4, 5, 6))
        assert "transpose" in eliminated(s.done(self.dense(s, flat), flat))

    @pytest.mark.parametrize(("shape", "flat"), [((2, 3, 4), (2, 12)), ((2, 2, 3), (4, 3))])
    def test_not_where_rows_mix(self, shape: tuple[int, ...], flat: tuple[int, int]) -> None:
        s = Sketch()
        x = s.add(Transpose((1, 0, 2)), s.input(*shape))
        graph = s.done(self.dense(s, s.add(Reshape(flat), x)))
        assert "transpose" in eliminated(graph)


def test_what_must_stay_comes_before_the_padding() -> None:
    s = Sketch()
    padded = s.add(Pad((0, 0, 1, 1), (0, 0, 1, 1)), s.input(1, 6, 4, 5))
    assert eliminated(s.done(conv(s, s.add(LAST, padded), 3))) == ["transpose", "pad", "conv2d"]


@pytest.mark.parametrize("op", [FIRST, Reshape((4, 30))])
def test_what_must_stay_moves_stored_integers(op: Op) -> None:
    s = Sketch()
    assert eliminated(s.done(s.add(op, s.dequantize(s.input(1, 4, 5, 6, quant=Q))))) == [op.name, "dequantize"]


def test_padding_with_other_readers_stays_before() -> None:
    s = Sketch()
    padded = s.add(Pad((0, 0, 1, 1), (0, 0, 1, 1)), s.input(1, 6, 4, 5))
    graph = s.done(conv(s, s.add(LAST, padded), 3), padded)
    assert eliminated(graph) == ["pad", "transpose", "conv2d"]


@pytest.mark.parametrize("name", ["classifier", "opset7", "opset9", "conv1d_shapes"])
def test_networks_keep_at_most_the_transposition_of_their_input(name: str) -> None:
    graph = load(MODELS / f"{name}.onnx").graph
    EliminateTransposes().run(graph)
    assert transposes(graph) <= 1
    assert "transpose" not in names(graph)[2:]
