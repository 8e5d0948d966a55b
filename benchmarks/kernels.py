"""Every kernel that fits, over a grid of layers, on every emulated core: instructions and cycles per MAC.

    python benchmarks/kernels.py [--board qemu-m4] [--layer "conv 3x3"] [-Os] [--numerics tflite] [--json]

"predicted" is how far the kernel's cost model, by which it is chosen, is from the estimated cycles of the run.
In "code", functions that several of the kernels call are divided among them.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
from rich.console import Console

from mcucompile import profile
from mcucompile.emit.c import emit
from mcucompile.errors import CompileError
from mcucompile.ir import Clip, DType, Graph, Node, Numerics, Op, Program, QuantParams, Shape, Tensor, constant, verify
from mcucompile.kernels.kernel import Kernel
from mcucompile.lower.lower import lower
from mcucompile.lower.select import fitting
from mcucompile.ops.add import Add
from mcucompile.ops.average_pool import AveragePool
from mcucompile.ops.conv2d import Conv2d
from mcucompile.ops.dense import Dense
from mcucompile.ops.depthwise_conv2d import DepthwiseConv2d
from mcucompile.ops.max_pool import MaxPool
from mcucompile.ops.mul import Mul
from mcucompile.ops.reduce_mean import ReduceMean
from mcucompile.ops.softmax import Softmax
from mcucompile.ops.window import Window
from mcucompile.show import signed_share, table
from mcucompile.target.board import Board, load_board

BOARDS = ("qemu-m0", "qemu-m3", "qemu-m4", "qemu-m7", "qemu-m33", "qemu-m55")
COLUMNS = (
    *("board", "layer", "kernel", "MACs", "instructions", "est. cycles", "insn per MAC", "cycles per MAC"),
    *("predicted", "constants", "code", "scratch"),
)
RELU, SAMES = Clip(0.0), {1: (0, 0), 3: (1, 1), 5: (2, 2)}


@dataclass(frozen=True)
class Layer:
    """An operator on inputs of these shapes; weights, if any, of this shape, with one bias per entry of an axis."""

    name: str
    op: Op
    inputs: tuple[Shape, ...]
    weights: Shape | None = None
    axis: int = 0


@dataclass(frozen=True)
class Result:
    """One kernel of one layer on one board; cycles are estimated, None where the emulator can only count."""

    board: str
    layer: str
    kernel: str
    macs: int
    instructions: int
    cycles: int | None
    prediction_error: float | None
    constants: int
    code: int
    scratch: int


def window(kernel: tuple[int, int], stride: int = 1) -> Window:
    top, left = (SAMES.get(k, ((k - 1) // 2, k // 2))[0] for k in kernel)
    return Window(kernel, (stride, stride), (top, left, kernel[0] - 1 - top, kernel[1] - 1 - left))


def conv(h: int, w: int, c: int, o: int, kernel: tuple[int, int] = (3, 3), stride: int = 1) -> Layer:
    name = f"conv {kernel[0]}x{kernel[1]}/{stride} {h}x{w} {c}->{o}"
    return Layer(name, Conv2d(window(kernel, stride), 1, RELU), ((1, h, w, c),), (o, *kernel, c))


def depthwise(h: int, w: int, c: int, kernel: tuple[int, int] = (3, 3), stride: int = 1) -> Layer:
    name = f"depthwise {kernel[0]}x{kernel[1]}/{stride} {h}x{w}x{c}"
    return Layer(name, DepthwiseConv2d(window(kernel, stride), RELU), ((1, h, w, c),), (*kernel, c), 2)


def dense(rows: int, inputs: int, outputs: int) -> Layer:
    return Layer(f"dense {rows}x{inputs}->{outputs}", Dense(RELU), ((rows, inputs),), (outputs, inputs))


def image(name: str, op: Op, *shape: int, count: int = 1) -> Layer:
    return Layer(f"{name} {'x'.join(map(str, shape))}", op, ((1, *shape),) * count)


LAYERS = (
    *(conv(16, 16, c, c) for c in (16, 32, 64)),
    conv(8, 8, 64, 64),
    conv(32, 32, 3, 16),
    conv(48, 48, 3, 8, stride=2),
    conv(16, 16, 16, 32, stride=2),
    conv(25, 5, 1, 64, (10, 4), 2),
    *(conv(25, 5, c, o, (1, 1)) for c, o in ((64, 64), (16, 32), (33, 17))),
    conv(12, 12, 64, 128, (1, 1)),
    conv(3, 3, 256, 256, (1, 1)),
    conv(48, 48, 8, 16, (1, 1)),
    *(depthwise(25, 5, c) for c in (64, 17)),
    *(depthwise(48, 48, 8, stride=s) for s in (1, 2)),
    depthwise(12, 12, 64, (5, 5)),
    depthwise(30, 1, 40, (5, 1)),
    dense(1, 640, 128),
    dense(1, 128, 128),
    dense(1, 64, 12),
    dense(16, 64, 64),
    image("average 5x5", AveragePool(Window((5, 5), (5, 5))), 25, 5, 64),
    image("average 3x3", AveragePool(Window((3, 3), (1, 1), (1, 1, 1, 1))), 8, 8, 16),
    image("max 2x2", MaxPool(Window((2, 2), (2, 2))), 16, 16, 32),
    image("max 3x3", MaxPool(Window((3, 3), (2, 2), (1, 1, 1, 1))), 16, 16, 8),
    image("mean", ReduceMean((1, 2), False), 8, 8, 64),
    image("add", Add(RELU), 16, 16, 32, count=2),
    image("mul", Mul(), 16, 16, 32, count=2),
    image("softmax", Softmax(1), 12),
)


def main(arguments: Sequence[str] | None = None) -> int:
    args = parsed(arguments)
    results: list[Result] = []
    try:
        for board in map(load_board, args.board):
            for layer in chosen(LAYERS, args.layer):
                print(f"{board.name} {layer.name}", file=sys.stderr)
                results += measure(layer, board, Numerics(args.numerics), "-Os" if args.small else "-O2")
    except CompileError as e:
        print(e, file=sys.stderr)
        return e.exit_code
    if args.json:
        print(json.dumps([asdict(r) for r in results], indent=1))
    else:
        show("kernels", COLUMNS, map(row, results))
    return 0


def chosen(layers: Sequence[Layer], beginnings: Sequence[str] | None) -> list[Layer]:
    """Those whose names begin so; all where nothing is said."""
    return [layer for layer in layers if beginnings is None or layer.name.startswith(tuple(beginnings))]


def show(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    console = Console(width=None if sys.stdout.isatty() else 200)
    console.print(table(title, columns, list(rows)))


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--board", action="append", help="an emulated board instead of all; may be given again")
    add("--layer", action="append", help='how the name of a layer begins, such as "conv 3x3"; may be given again')
    add("--numerics", choices=[n.value for n in Numerics], default="onnx")
    add("-Os", dest="small", action="store_true", help="let the C compiler optimize size")
    add("--json", action="store_true", help="print JSON")
    args = parser.parse_args(arguments)
    args.board = args.board or list(BOARDS)
    return args


def measure(layer: Layer, board: Board, numerics: Numerics, opt: str) -> Iterator[Result]:
    """Every kernel of the layer, as the steps of one program. Raises what profile.run raises."""
    graph, kernels = all_kernels(layer, numerics, board)
    nodes = {n.output.name: n for n in graph.nodes}
    for found in profiled(graph, kernels, board, opt).layers:
        step, name = found.step, found.step.outputs[0].name
        yield Result(
            board.name, layer.name, step.variant, step.macs, found.instructions, found.cycles,
            found.prediction_error, constants_nbytes(kernels[name], nodes[name]), found.code_nbytes,
            step.scratch_nbytes,
        )  # fmt: skip


def constants_nbytes(kernel: Kernel, node: Node) -> int:
    """Of the kernel by itself: those that equal another one's are in the program once, and divided among its steps."""
    return sum(p.values.nbytes for p in kernel.constants(node))


def profiled(graph: Graph, kernels: dict[str, Kernel], board: Board, opt: str) -> profile.Profile:
    """Each node on random inputs, by the kernel that is given for its output. Raises what profile.run raises."""
    program = lower(graph, board.core, board.isa, partial(_given, kernels))
    rng = np.random.default_rng(1)
    inputs = {t.name: rng.integers(-128, 128, (1, *t.shape)).astype(np.int8) for t in graph.inputs}
    with tempfile.TemporaryDirectory(prefix="mcucompile-") as folder:
        return profile.run(graph, program, written(program, board, Path(folder)), board, inputs, opt=opt)


def _given(kernels: dict[str, Kernel], node: Node, *_: object) -> Kernel:
    return kernels[node.output.name]


def written(program: Program, board: Board, folder: Path) -> Path:
    for name, text in emit(program, board.core).items():
        if name.endswith((".c", ".h")):
            (folder / name).write_text(text)
    return folder


def all_kernels(layer: Layer, numerics: Numerics, board: Board) -> tuple[Graph, dict[str, Kernel]]:
    """A graph with a node for every kernel that fits, all on the same inputs, and which kernel each is for."""
    inputs = [activation(f"x{i}", shape, 0.05, -128) for i, shape in enumerate(layer.inputs)]
    operands = [*inputs, *parameters(layer)]
    kernels = fitting(node_of(layer, operands, "y", numerics), board.isa)
    nodes = [node_of(layer, operands, f"y{i}", numerics) for i in range(len(kernels))]
    graph = Graph("bench", inputs, [n.output for n in nodes], nodes, numerics)
    verify(graph)
    return graph, {n.output.name: k for n, k in zip(nodes, kernels, strict=True)}


def activation(name: str, shape: Shape, scale: float, zero: int) -> Tensor:
    return Tensor(name, shape, DType.I8, QuantParams.per_tensor(scale, zero, DType.I8))


def parameters(layer: Layer) -> list[Tensor]:
    """Random weights of -127 to 127, as TensorFlow Lite has them, with a scale per channel, and biases."""
    if layer.weights is None:
        return []
    rng, channels = np.random.default_rng(0), layer.weights[layer.axis]
    scales = tuple(float(s) for s in np.float32(0.01) * rng.uniform(0.6, 1.4, channels).astype(np.float32))
    weights = rng.integers(-127, 128, layer.weights).astype(np.int8)
    biases = rng.integers(-20000, 20001, channels).astype(np.int32)
    return [constant("w", weights, QuantParams(scales, 0, DType.I8, layer.axis)), constant("b", biases)]


def node_of(layer: Layer, operands: Sequence[Tensor], name: str, numerics: Numerics) -> Node:
    (shape,) = layer.op.infer(*(t.shape for t in operands))
    node = Node(layer.op, list(operands), [activation(name, shape, *output_scale(layer))], (layer.name,))
    node.op = layer.op.fix(node, numerics)
    return node


def output_scale(layer: Layer) -> tuple[float, int]:
    """Scale and zero point: for sums of products so that most results are inside, else like the input's."""
    if isinstance(layer.op, Softmax):
        return 1 / 256, -128
    if isinstance(layer.op, Mul):
        return 0.05 * 0.05 * 90, -128
    if layer.weights is None:
        return 0.05, -128
    terms = np.prod(layer.weights) / layer.weights[layer.axis]
    return float(np.sqrt(terms) * 73 * 73 * 0.05 * 0.01 * 3 / 255), -128


def row(r: Result) -> tuple[object, ...]:
    figures = (r.macs, r.instructions, r.cycles, per_mac(r, r.instructions), per_mac(r, r.cycles))
    sizes = (signed_share(r.prediction_error), r.constants, r.code, r.scratch)
    return (r.board, r.layer, r.kernel, *figures, *sizes)


def per_mac(r: Result, count: int | None) -> float | None:
    return count / r.macs if count is not None and r.macs else None


if __name__ == "__main__":
    raise SystemExit(main())
