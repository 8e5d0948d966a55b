"""Parts of tensors that need no copy, and stretches of a network in bands of rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mcucompile.ir import Clip, DType, Graph, Node, Numerics, Program, QuantParams, Tensor, constant, verify
from mcucompile.lower.choose import choose, least_arena
from mcucompile.lower.goal import SPEED
from mcucompile.lower.lower import lower
from mcucompile.lower.tiling import Fitted, fit_by_tiling
from mcucompile.lower.views import View, Views
from mcucompile.ops.add import Add
from mcucompile.ops.average_pool import AveragePool
from mcucompile.ops.concat import Concat
from mcucompile.ops.conv2d import Conv2d
from mcucompile.ops.depthwise_conv2d import DepthwiseConv2d
from mcucompile.ops.max_pool import MaxPool
from mcucompile.ops.pad import Pad
from mcucompile.ops.reshape import Reshape
from mcucompile.ops.slice import Slice
from mcucompile.ops.window import Window
from mcucompile.passes.tile_rows import stretches, tiled
from mcucompile.reference import evaluate
from mcucompile.target.cores import CORES, Isa

CORE = CORES["cortex-m4f"]
QUANT = QuantParams.per_tensor(0.05, 3, DType.I8)


def image(name: str, *shape: int) -> Tensor:
    return Tensor(name, shape, DType.I8, QUANT)


def conv(x: Tensor, name: str, channels: int, window: Window, depthwise: bool = False) -> Node:
    rng = np.random.default_rng(len(name) + channels)
    kh, kw = window.kernel
    shape = (kh, kw, channels) if depthwise else (channels, kh, kw, x.shape[3])
    axis = 2 if depthwise else 0
    scales = tuple(float(np.float32(s)) for s in rng.uniform(0.005, 0.02, channels))
    quant = QuantParams(scales, 0, DType.I8, axis)
    w = constant(f"{name}_w", rng.integers(-127, 128, shape).astype(np.int8))
    w = Tensor(w.name, w.shape, DType.I8, quant, w.const)
    bias_quant = QuantParams(tuple(float(np.float32(s * QUANT.scale)) for s in scales), 0, DType.I32, 0)
    b = Tensor(f"{name}_b", (channels,), DType.I32, bias_quant, rng.integers(-999, 999, channels).astype(np.int32))
    y = Tensor(name, (1, *window.output_size(*x.shape[1:3]), channels), DType.I8, QUANT)
    op = (DepthwiseConv2d if depthwise else Conv2d)(window, clip=Clip(0.0))
    return fixed(Node(op, [x, w, b], [y], (name,)))


def fixed(node: Node) -> Node:
    node.op = node.op.fix(node, Numerics.ONNX)
    return node


def network() -> Graph:
    """A stem that shrinks the image, a residual block, pools: what tiling has to cope with."""
    x = image("x", 1, 33, 20, 4)
    first = conv(x, "first", 8, Window((3, 3), (2, 2), (1, 1, 1, 1)))
    deep = conv(first.output, "deep", 8, Window((3, 3), pads=(1, 1, 1, 1)), depthwise=True)
    point = conv(deep.output, "point", 8, Window((1, 1)))
    added = fixed(Node(Add(), [first.output, point.output], [image("added", 1, 17, 10, 8)], ("added",)))
    pad = fixed(Node(Pad((0, 1, 0, 0), (0, 2, 0, 0)), [added.output], [image("padded", 1, 20, 10, 8)], ("pad",)))
    pooled = Node(MaxPool(Window((2, 2), (2, 2))), [pad.output], [image("pooled", 1, 10, 5, 8)], ("pooled",))
    mean_op = AveragePool(Window((3, 3), pads=(1, 1, 1, 1)))
    mean = fixed(Node(mean_op, [pooled.output], [image("mean", 1, 10, 5, 8)], ("mean",)))
    last = conv(mean.output, "last", 4, Window((5, 1), (3, 1), (2, 0, 2, 0), (1, 1)))
    nodes = [first, deep, point, added, pad, pooled, mean, last]
    graph = Graph("net", [x], [last.output], nodes)
    verify(graph)
    return graph


def inputs(graph: Graph) -> dict[str, np.ndarray]:
    (x,) = graph.inputs
    return {x.name: np.random.default_rng(7).integers(-128, 128, x.shape).astype(np.int8)}


@pytest.mark.parametrize("count", [2, 3, 4])
def test_tilings_keep_the_bits(count: int) -> None:
    graph = network()
    wanted = evaluate(graph, inputs(graph))
    tried = 0
    for stretch in stretches(graph):
        tiling = tiled(stretch, count) if count <= stretch.end.shape[1] else None
        if tiling is None:
            continue
        trial = replace(graph, nodes=list(graph.nodes))
        tiling.apply(trial)
        verify(trial)
        assert np.array_equal(evaluate(trial, inputs(graph))["last"], wanted["last"]), (stretch.start, stretch.end)
        assert tiling.macs >= stretch.macs
        tried += 1
    assert tried >= 8


def test_a_stretch_ends_where_one_tensor_is_left() -> None:
    graph = network()
    ends = {s.end.name for s in stretches(graph) if s.start is graph.inputs[0]}
    assert ends == {"added", "padded", "pooled", "mean", "last"}  # not inside the residual block
    assert not any(s.start.name == "deep" for s in stretches(graph))  # its end, the sum, needs `first` too


def test_bands_of_rows_cost_no_copy() -> None:
    graph = network()
    stretch = next(s for s in stretches(graph) if s.end.name == "added" and s.start.name == "x")
    tiling = tiled(stretch, 4)
    assert tiling is not None
    tiling.apply(graph)
    program = lower(graph, CORE, Isa.DSP)
    assert not {s.op for s in program.steps} & {"concat", "slice"}


def test_a_limit_of_ram_is_met_by_tiling() -> None:
    graph = network()
    choice = choose(graph, CORE, Isa.SCALAR, SPEED)
    whole = lower(graph, CORE, Isa.SCALAR, choice.kernel_of)

    def again(g: Graph) -> Program:
        return lower(g, CORE, Isa.SCALAR, choose(g, CORE, Isa.SCALAR, SPEED).kernel_of)

    limit = whole.arena_nbytes - 100
    fitted = fit_by_tiling(
        Fitted(graph, whole), limit, lambda p: p.arena_nbytes <= limit, lambda g: least_arena(g, Isa.SCALAR), again
    )
    assert fitted.tilings
    assert fitted.program.arena_nbytes < whole.arena_nbytes
    assert np.array_equal(evaluate(fitted.graph, inputs(graph))["last"], evaluate(graph, inputs(graph))["last"])


def views_of(*nodes: Node) -> Views:
    x = nodes[0].inputs[0]
    return Views(Graph("net", [x], [nodes[-1].output], list(nodes)))


def test_rows_of_an_image_are_a_view() -> None:
    x = image("x", 1, 6, 4, 4)
    cut = Node(Slice((0, 2, 0, 0), (1, 3, 4, 4), (1, 1, 1, 1)), [x], [image("cut", 1, 3, 4, 4)])
    after = Node(MaxPool(Window((1, 1))), [cut.output], [image("y", 1, 3, 4, 4)])
    views = views_of(cut, after)
    assert views[cut.output] == View(x, 32)
    assert views.is_free(cut)


@pytest.mark.parametrize(
    ("starts", "sizes", "steps", "why"),
    [
        ((0, 0, 1, 0), (1, 6, 2, 4), (1, 1, 1, 1), "columns are not contiguous"),
        ((0, 0, 0, 0), (1, 3, 4, 4), (1, 2, 1, 1), "every other row"),
        ((0, 1, 0, 0), (1, 3, 4, 3), (1, 1, 1, 1), "some channels"),
    ],
)
def test_other_slices_are_copied(
    starts: tuple[int, ...], sizes: tuple[int, ...], steps: tuple[int, ...], why: str
) -> None:
    x = image("x", 1, 6, 4, 4)
    cut = Node(Slice(starts, sizes, steps), [x], [image("cut", *sizes)])
    after = Node(MaxPool(Window((1, 1))), [cut.output], [image("y", *sizes)])
    assert not views_of(cut, after).is_free(cut), why


def test_a_slice_that_would_begin_inside_a_word_is_copied() -> None:
    x = image("x", 1, 6, 3, 1)
    cut = Node(Slice((0, 1, 0, 0), (1, 2, 3, 1), (1, 1, 1, 1)), [x], [image("cut", 1, 2, 3, 1)])
    after = Node(MaxPool(Window((1, 1))), [cut.output], [image("y", 1, 2, 3, 1)])
    assert not views_of(cut, after).is_free(cut)


def test_a_graph_output_is_no_view_of_its_input() -> None:
    x = image("x", 1, 6, 4, 4)
    cut = Node(Slice((0, 2, 0, 0), (1, 3, 4, 4), (1, 1, 1, 1)), [x], [image("cut", 1, 3, 4, 4)])
    assert not views_of(cut).is_free(cut)


def joined(x: Tensor, second: Tensor | None = None, axis: int = 1) -> list[Node]:
    a = Node(MaxPool(Window((1, 1))), [x], [image("a", *x.shape)])
    b = Node(MaxPool(Window((1, 1))), [x], [image("b", *x.shape)])
    flat = Node(Reshape(x.shape), [b.output], [image("flat", *x.shape)])
    shape = tuple(2 * d if i == axis else d for i, d in enumerate(x.shape))
    y = Node(Concat(axis), [a.output, second or flat.output], [image("y", *shape)])
    return [a, b, flat, y]


def test_parts_are_computed_where_they_are_joined() -> None:
    x = image("x", 1, 2, 4, 4)
    a, b, flat, y = joined(x)
    views = views_of(a, b, flat, y)
    assert views.is_free(y)
    assert (views[a.output], views[b.output], views[flat.output]) == (
        View(y.output, 0), View(y.output, 32), View(y.output, 32)
    )  # fmt: skip


def test_an_input_of_the_graph_is_not_moved_into_a_concatenation() -> None:
    x = image("x", 1, 2, 4, 4)
    *_, y = nodes = joined(x, x)
    assert not views_of(*nodes).is_free(y)


def test_one_tensor_twice_is_copied() -> None:
    x = image("x", 1, 2, 4, 4)
    a = Node(MaxPool(Window((1, 1))), [x], [image("a", *x.shape)])
    y = Node(Concat(1), [a.output, a.output], [image("y", 1, 4, 4, 4)])
    assert not views_of(a, y).is_free(y)


def test_channels_are_joined_by_copying() -> None:
    *_, y = nodes = joined(image("x", 1, 2, 4, 4), axis=3)
    assert not views_of(*nodes).is_free(y)


def tiled_bits(graph: Graph, count: int = 2) -> None:
    """Every tiling of the graph is sound and gives its bits."""
    (output,) = graph.outputs
    wanted = evaluate(graph, inputs(graph))[output.name]
    tilings = [t for s in stretches(graph) if (t := tiled(s, count)) is not None]
    for tiling in tilings:
        trial = replace(graph, nodes=list(graph.nodes))
        tiling.apply(trial)
        verify(trial)
        assert np.array_equal(evaluate(trial, inputs(graph))[output.name], wanted)


def test_a_tensor_that_is_read_twice_is_cut_once() -> None:
    x = image("x", 1, 8, 4, 4)
    first = conv(x, "first", 4, Window((3, 3), pads=(1, 1, 1, 1)))
    twice = fixed(Node(Add(), [first.output, first.output], [image("twice", 1, 8, 4, 4)], ("twice",)))
    last = conv(twice.output, "last", 4, Window((3, 3), pads=(1, 1, 1, 1)))
    tiled_bits(Graph("net", [x], [last.output], [first, twice, last]))


def test_names_that_tensors_have_are_not_taken() -> None:
    x = image("x", 1, 8, 4, 4)
    first = conv(x, "first", 4, Window((3, 3), pads=(1, 1, 1, 1)))
    last = conv(first.output, "first_band0", 4, Window((3, 3), pads=(1, 1, 1, 1)))
    tiled_bits(Graph("net", [x], [last.output], [first, last]))


def test_a_band_whose_windows_lie_in_the_padding_is_no_band() -> None:
    x = image("x", 1, 4, 4, 4)
    first = conv(x, "first", 4, Window((3, 3), pads=(4, 1, 4, 1)))
    last = conv(first.output, "last", 4, Window((1, 1)))
    graph = Graph("net", [x], [last.output], [first, last])
    assert tiled(next(s for s in stretches(graph) if s.start is x), first.output.shape[1]) is None
    tiled_bits(graph)
