"""What replacing a layer by a chain gains and costs, per rank: real layers, int8, on emulated cores.

    python benchmarks/low_rank.py --models FOLDER --data FOLDER [--board qemu-m4] [--layer "lenet5 conv2"] [--json]

Every chain is measured at several shares of the layer's MACs. "lost" is the squared error of the layer's output on
calibration data relative to its square, of the chain in floats and of the chain in int8; that of the layer itself in
int8 is on its own line. "pays to" is the share of the MACs, on a line through the measurements of one method, from
which on the chain needs as many instructions or estimated cycles as the layer; 1: it always pays.
"""

from __future__ import annotations

import argparse
import copy
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from kernels import written
from rich.console import Console

from mcucompile import profile
from mcucompile.errors import CompileError
from mcucompile.frontend import load
from mcucompile.ir import Array, Graph, Node, Tensor, verify
from mcucompile.lowering import lower_for
from mcucompile.ops.conv2d import Conv2d
from mcucompile.options import Options
from mcucompile.passes.calibrate import runner
from mcucompile.passes.compress.cp import Cp
from mcucompile.passes.compress.decomposition import Decomposition
from mcucompile.passes.compress.low_rank import LowRank
from mcucompile.passes.compress.tensor_train import TensorTrain
from mcucompile.passes.compress.tucker import Tucker
from mcucompile.passes.quantize import QuantizeOptions, quantize
from mcucompile.pipeline import PASSES_AFTER, PASSES_BEFORE, PASSES_FIXED, run_passes
from mcucompile.reference import quantized_inputs
from mcucompile.show import table
from mcucompile.target.board import Board, load_board

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "accuracy"))
from cases import CASES  # the folder is not a package

BOARDS = ("qemu-m0", "qemu-m4", "qemu-m55")
LAYERS = {
    "lenet300 fc1": ("trained_lenet300_100", "t_2_Relu_output_0"),
    "lenet5 conv2": ("trained_lenet5", "t_2_Conv_output_0"),
    "resnet8 3x3x32": ("mlperf_ic_resnet8_f32", "model_conv2d_4_Conv2D"),
    "resnet8 3x3x64": ("mlperf_ic_resnet8_f32", "model_conv2d_7_Conv2D"),
}
RATIOS = (0.1, 0.2, 0.35, 0.5, 0.75)
SAMPLES = 100
COLUMNS = (
    *("board", "layer", "chain", "MACs", "weights", "instructions", "est. cycles", "speed-up", "in cycles"),
    *("lost", "lost in int8", "pays to: insn", "cycles"),
)
PLAIN = "(as it is)"


@dataclass(frozen=True)
class Chain:
    """A chain, or the layer itself; `method` tells lines apart, `share` is of the layer's MACs."""

    method: str
    text: str
    share: float
    macs: int
    weights: int
    lost: float
    lost_int8: float


@dataclass(frozen=True)
class Result:
    """A chain on a board; cycles are estimated, None where the emulator can only count."""

    board: str
    layer: str
    chain: Chain
    instructions: int
    cycles: int | None


def main(arguments: Sequence[str] | None = None) -> int:
    args = parsed(arguments)
    results: list[Result] = []
    try:
        boards = [load_board(b) for b in args.board]
        for name in args.layer:
            graph, inputs, chains = prepared(name, args)
            for board in boards:
                print(f"{board.name} {name}", file=sys.stderr)
                results += measured(name, graph, inputs, chains, board)
    except CompileError as e:
        print(e, file=sys.stderr)
        return e.exit_code
    if args.json:
        print(json.dumps([asdict(r) for r in results], indent=1))
    else:
        console = Console(width=None if sys.stdout.isatty() else 220)
        console.print(table("chains", COLUMNS, list(rows(results))))
    return 0


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--models", type=Path, required=True, help="folder of the .onnx files")
    p.add_argument("--data", type=Path, required=True, help="folder of the .npz files")
    p.add_argument("--board", action="append", help="an emulated board instead of three; may be given again")
    p.add_argument("--layer", action="append", choices=LAYERS, help="only this one; may be given again")
    p.add_argument("--method", action="append", help="only this one, such as tucker; may be given again")
    p.add_argument("--ratio", type=float, action="append", help="share of the MACs; may be given again")
    p.add_argument("--json", action="store_true", help="print JSON")
    args = p.parse_args(arguments)
    args.board, args.layer = args.board or list(BOARDS), args.layer or list(LAYERS)
    args.ratio = args.ratio or list(RATIOS)
    return args


def methods(node: Node, ratio: float) -> dict[str, Decomposition]:
    if not isinstance(node.op, Conv2d):
        return {"low_rank": LowRank(ratio=ratio), "tensor_train": TensorTrain(ratio=ratio)}
    forms = {f"low_rank {form}": LowRank(ratio=ratio, form=form) for form in ("output", "input", "spatial")}  # type: ignore[arg-type]
    cps = {"cp": Cp(ratio=ratio), "cp joint": Cp(ratio=ratio, taps="joint")}
    return {**forms, "tucker": Tucker(ratio=ratio), **cps}


def prepared(name: str, args: argparse.Namespace) -> tuple[Graph, dict[str, Array], dict[str, Chain]]:
    """An integer graph of the layer and all its chains side by side; stored inputs; the chains by their output."""
    model, layer = LAYERS[name]
    node, inputs = cut(args.models / f"{model}.onnx", layer, CASES[model].calibration_inputs(args.data))
    graph = side_by_side(node)
    plain = graph.nodes[0]
    found = {"y": (PLAIN, PLAIN, plain.op.macs(plain), plain.inputs[1].size)}
    for ratio in args.ratio:
        for method, compression in methods(node, ratio).items():
            if args.method is None or any(method.startswith(m) for m in args.method):
                found |= added(graph, method, compression, inputs)
    verify(graph)
    floats = runner(graph, inputs).outputs(inputs)
    lost = {t.name: relative_error(floats[graph.outputs[0]], v) for t, v in floats.items()}
    want = floats[graph.outputs[0]]
    quantize(graph, inputs, QuantizeOptions(ranges="mse", equalize="off", correct_bias="off"))
    run_passes(graph, (*PASSES_AFTER, *PASSES_FIXED))
    stored = quantized_inputs(graph, inputs)
    outputs = runner(graph, stored).outputs(stored)
    chains = {}
    for t, values in outputs.items():
        method, text, macs, weights = found[t.name]
        assert t.quant
        error = relative_error(want, t.quant.dequantize(values))
        chains[t.name] = Chain(method, text, macs / found["y"][2], macs, weights, lost[t.name], error)
    return graph, stored, chains


def cut(model: Path, layer: str, calibration: Array) -> tuple[Node, dict[str, Array]]:
    """A layer of a real network, and what it reads."""
    graph = load(model).graph
    run_passes(graph, PASSES_BEFORE)
    (x,) = graph.inputs
    node = next(n for n in graph.nodes if n.output.name == layer)
    samples = {x.name: calibration[:SAMPLES].reshape(-1, *x.shape)}
    seen = [t[node.inputs[0]].reshape(-1, *node.inputs[0].shape) for t in runner(graph, samples).traces(samples)]
    return node, {"x": np.concatenate(seen)}


def side_by_side(node: Node) -> Graph:
    """The layer alone."""
    x, y = Tensor("x", node.inputs[0].shape), Tensor("y", node.output.shape)
    return Graph("bench", [x], [y], [Node(node.op, [x, *node.inputs[1:]], [y], ("y",))])


def added(
    graph: Graph, method: str, compression: Decomposition, inputs: dict[str, Array]
) -> dict[str, tuple[str, str, int, int]]:
    """Append a chain in the place of one more copy of the layer, where there is one; its method, text and sizes."""
    plain = graph.nodes[0]
    y = Tensor(f"y{len(graph.outputs)}", plain.output.shape)
    node = Node(plain.op, list(plain.inputs), [y], (y.name,))
    alone = Graph("bench", graph.inputs, [y], [node])
    changes = compression.apply(alone, [node], inputs)
    if not changes or len(alone.nodes) == 1:
        return {}
    rename(alone, y.name)
    graph.nodes += alone.nodes
    graph.outputs.append(y)
    text = changes[0].unit.split(":")[0]
    return {y.name: (method, text, sum(n.op.macs(n) for n in alone.nodes), changes[0].after)}


def rename(graph: Graph, prefix: str) -> None:
    """Names that no other chain has."""
    for i, t in enumerate([*(t for n in graph.nodes[:-1] for t in n.outputs), *graph.constants()]):
        t.name = f"{prefix}_{i}"


def relative_error(want: Array, got: Array) -> float:
    signal = want.astype(np.float64)
    return float(np.square(signal - got).sum() / np.square(signal).sum())


def measured(
    layer: str, graph: Graph, inputs: dict[str, Array], chains: dict[str, Chain], board: Board
) -> Iterator[Result]:
    """All chains on one board, as one program."""
    fitted = lower_for(copy.deepcopy(graph), board, Options())
    with tempfile.TemporaryDirectory(prefix="mcucompile-") as folder:
        library = written(fitted.program, board, Path(folder))
        found = profile.run(fitted.graph, fitted.program, library, board, inputs)
    for name, chain in chains.items():
        steps = [s for s in found.layers if s.step.source == (name,)]
        cycles = [s.cycles for s in steps if s.cycles is not None]
        yield Result(
            board.name, layer, chain, sum(s.instructions for s in steps),
            sum(cycles) if len(cycles) == len(steps) else None,
        )  # fmt: skip


def rows(results: Sequence[Result]) -> Iterator[tuple[object, ...]]:
    """Sorted by method, so that each is a series of growing ranks."""
    plain = {(r.board, r.layer): r for r in results if r.chain.method == PLAIN}
    methods = list(dict.fromkeys(r.chain.method for r in results))
    for r in sorted(results, key=lambda r: (r.board, r.layer, methods.index(r.chain.method), r.chain.macs)):
        base, c = plain[r.board, r.layer], r.chain
        same = [o for o in results if (o.board, o.layer, o.chain.method) == (r.board, r.layer, c.method)]
        ends = (None, None) if r is base else (
            pays_to([(o.chain.share, o.instructions) for o in same], base.instructions),
            pays_to([(o.chain.share, o.cycles) for o in same if o.cycles], base.cycles),
        )  # fmt: skip
        speed = (base.instructions / r.instructions, base.cycles / r.cycles if base.cycles and r.cycles else None)
        name = c.text if r is base else f"{c.method}, {c.text}"
        yield (
            r.board, r.layer, name, f"{c.share:.0%}", c.weights, r.instructions, r.cycles,
            *speed, f"{c.lost:.2%}", f"{c.lost_int8:.2%}", *ends,
        )  # fmt: skip


def pays_to(points: Sequence[tuple[float, int]], whole: int | None) -> float | None:
    """Where the line of least squares through (share of MACs, cost) reaches the layer's cost."""
    if whole is None or len(points) < 2:
        return None
    slope, start = np.polyfit(*zip(*points, strict=True), 1)
    return float(np.clip((whole - start) / slope, 0, 1)) if slope > 0 else None


if __name__ == "__main__":
    raise SystemExit(main())
