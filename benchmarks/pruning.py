"""Structured pruning by a share of MACs, without retraining: accuracy for every criterion, and what layers bear.

    python benchmarks/pruning.py --models FOLDER --data FOLDER [NETWORK ...] [--macs 0.3] [--criterion l2] [--limit N]
    python benchmarks/pruning.py --models FOLDER --data FOLDER [NETWORK ...] --scan [--criterion l2]

Float accuracy is that of the pruned network of real numbers, int8 that of the quantized one in the bit-exact reference,
on the test data or N samples of it. `plain` leaves the remaining weights as they are, `fitted` reconstructs.
"""

from __future__ import annotations

import argparse
import copy
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from mcucompile.data import Samples
from mcucompile.errors import CompileError
from mcucompile.frontend import load
from mcucompile.ir import Array, Graph
from mcucompile.metrics import accuracy
from mcucompile.passes.calibrate import runner
from mcucompile.passes.compress.prune_filters import PruneFilters
from mcucompile.passes.compress.pruning.criteria import ALL
from mcucompile.passes.compress.pruning.sensitivity import AMOUNTS, Sensitivity, scan
from mcucompile.passes.quantize import QuantizeOptions, quantize
from mcucompile.pipeline import PASSES_BEFORE, run_passes
from mcucompile.reference import quantized_inputs
from mcucompile.show import say, table

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "accuracy"))
from cases import CASES  # the folder is not a package

NETWORKS = ("trained_cifar_resnet8", "mlperf_kws_dscnn_f32")
COLUMNS = (
    "network",
    "criterion",
    "weights left",
    "MACs",
    "MACs less",
    "float plain %",
    "float fitted %",
    "int8 fitted %",
)


@dataclass(frozen=True, eq=False)
class Setting:
    """A network with its data; `inputs` as the network takes them."""

    name: str
    model: Path
    calibration: Samples
    inputs: Array
    labels: Array


def main(arguments: Sequence[str] | None = None) -> int:
    args = parsed(arguments)
    console = Console(width=None if sys.stdout.isatty() else 200)
    settings = [setting(name, args.models, args.data, args.limit) for name in args.networks or NETWORKS]
    try:
        if args.scan:
            shown = (scan_table(s, c) for s in settings for c in args.criterion)
        else:
            shown = iter([table("structured pruning", COLUMNS, list(rows(settings, args, console)))])
        for t in shown:
            console.print(t)
    except CompileError as e:
        print(e, file=sys.stderr)
        return e.exit_code
    return 0


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("networks", nargs="*", metavar="NETWORK", help=f"of {', '.join(CASES)}")
    p.add_argument("--models", type=Path, required=True, help="folder of the .onnx files")
    p.add_argument("--data", type=Path, required=True, help="folder of the .npz files")
    p.add_argument("--macs", type=float, default=0.3, help="share of the MACs to prune away")
    p.add_argument("--criterion", action="append", choices=ALL, help="only this one; may be given again")
    p.add_argument("--quick", action="store_true", help="of the quantized networks, none but the unpruned")
    p.add_argument("--limit", type=int, help="only so many test samples, evenly spread")
    p.add_argument(
        "--scan", action="store_true", help="print how much the outputs suffer from pruning each layer alone"
    )
    args = p.parse_args(arguments)
    args.criterion = args.criterion or list(ALL)
    return args


def setting(name: str, models: Path, data: Path, limit: int | None) -> Setting:
    case, model = CASES[name], models / f"{name}.onnx"
    (tensor,) = load(model).graph.inputs
    inputs, labels = case.test_set(data)
    chosen = np.linspace(0, len(labels) - 1, min(limit or len(labels), len(labels))).round().astype(int)
    calibration = case.calibration_inputs(data)
    samples = Samples({tensor.name: calibration.reshape(-1, *tensor.shape)})
    return Setting(name, model, samples, inputs[chosen].reshape(-1, *tensor.shape), labels[chosen])


def network(s: Setting) -> Graph:
    """As a recipe finds it: real-valued, normalizations folded."""
    graph = load(s.model).graph
    run_passes(graph, PASSES_BEFORE)
    return graph


def rows(settings: Sequence[Setting], args: argparse.Namespace, console: Console) -> Iterator[list[Any]]:
    for s in settings:
        given = network(s)
        before, integer = sizes(given), percent(quantized(s, given), s)
        yield [s.name, "(unpruned)", before[0], before[1], "0 %", "", percent(given, s), integer]
        for criterion in args.criterion:
            start, how = time.perf_counter(), PruneFilters(macs=args.macs, criterion=criterion)
            plain, fitted = (pruned(s, given, h) for h in (replace(how, reconstruct=False), how))
            weights, left = sizes(fitted)
            integer = "–" if args.quick else percent(quantized(s, fitted), s)
            less = f"{1 - left / before[1]:.1%}"
            yield [s.name, criterion, weights, left, less, percent(plain, s), percent(fitted, s), integer]
            say(console, f"{s.name} {criterion}: {time.perf_counter() - start:.0f} s")


def pruned(s: Setting, given: Graph, how: PruneFilters) -> Graph:
    """The network of real numbers, pruned."""
    graph = copy.deepcopy(given)
    how.apply(graph, [n for n in graph.nodes if how.takes(n)], dict(s.calibration.inputs))
    return graph


def quantized(s: Setting, given: Graph) -> Graph:
    graph = copy.deepcopy(given)
    quantize(graph, dict(s.calibration.inputs), QuantizeOptions())
    return graph


def sizes(graph: Graph) -> tuple[int, int]:
    """Weights and biases, and MACs of a run."""
    return sum(t.size for t in graph.constants()), sum(n.op.macs(n) for n in graph.nodes)


def percent(graph: Graph, s: Setting) -> str:
    (tensor,) = graph.inputs
    stored = quantized_inputs(graph, {tensor.name: s.inputs})
    share = accuracy(runner(graph, stored).outputs(stored)[graph.outputs[0]], s.labels)
    return "–" if share is None else f"{100 * share:.2f}"


def scan_table(s: Setting, criterion: str) -> Any:
    graph = network(s)
    samples = dict(s.calibration.inputs)
    plain, fitted = (scan(graph, samples, criterion, how) for how in (False, True))
    lines = [row for a, b in zip(plain, fitted, strict=True) for row in (line(a, "plain"), line(b, "fitted"))]
    columns = ("layer", "channels", "", *(f"{a:.1%}" for a in AMOUNTS))
    return table(f"{s.name}, {criterion}: error of the outputs without a share of a layer's channels", columns, lines)


def line(s: Sensitivity, how: str) -> list[Any]:
    return [s.layer, s.units, how, *(f"{e:.4f}" for e in s.errors)]


if __name__ == "__main__":
    sys.exit(main())
