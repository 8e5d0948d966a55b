"""Where skipping zeros pays: kernels for sparse weights against the best dense one, on every emulated core.

    python benchmarks/sparsity.py [--board qemu-m4] [--layer dense] [--pattern quads] [-Os] [--json]

Patterns: "single" weights are zero at random; "blocks" of four along the input channels are, in each filter apart;
"quads" are such blocks that four output channels have in common. Every kernel is measured at several shares of zeros.
"from" is the share of zeros from which on it needs less than the dense kernel that needs least, of instructions, of
estimated cycles and of flash, each on a line through its own measurements; 1: it never does.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from kernels import (
    BOARDS,
    Layer,
    activation,
    chosen,
    constants_nbytes,
    conv,
    dense,
    node_of,
    parameters,
    profiled,
    show,
)

from mcucompile.errors import CompileError
from mcucompile.ir import Array, Graph, Node, Numerics, Tensor, constant, verify
from mcucompile.kernels import kernels_of
from mcucompile.kernels.kernel import Kernel
from mcucompile.target.board import Board, load_board

LAYERS = (
    dense(1, 640, 128),
    dense(1, 128, 128),
    conv(25, 5, 64, 64, (1, 1)),
    conv(12, 12, 128, 128, (1, 1)),
    conv(16, 16, 64, 64),
)
PATTERNS = {"single": (1, 1), "blocks": (4, 1), "quads": (4, 4)}  # weights that are zero together: inputs by outputs
ENCODINGS = ("relative", "bitmap", "blocks4")
SHARES = (0.5, 0.7, 0.9)
COLUMNS = (
    *("board", "layer", "pattern", "kernel", "zeros", "insn per MAC", "cycles per MAC", "flash"),
    *("speed-up", "smaller", "from: insn", "cycles", "flash"),
)


@dataclass(frozen=True)
class Measured:
    """One kernel of one layer; cycles are estimated, None where the emulator can only count.

    `flash`: constants, and code as the compiler estimates it.
    """

    board: str
    layer: str
    pattern: str
    kernel: str
    zeros: float
    macs: int
    instructions: int
    cycles: int | None
    flash: int


@dataclass(frozen=True)
class Result:
    """A measurement beside the best dense kernel's, and the shares of zeros from which the kernel needs less."""

    measured: Measured
    speed_up: float
    smaller: float
    from_instructions: float | None
    from_cycles: float | None
    from_flash: float | None


def main(arguments: Sequence[str] | None = None) -> int:
    args = parsed(arguments)
    results: list[Result] = []
    try:
        for board in map(load_board, args.board):
            for layer in chosen(LAYERS, args.layer):
                results += compared(layer, board, args.pattern, args.zeros, "-Os" if args.small else "-O2")
    except CompileError as e:
        print(e, file=sys.stderr)
        return e.exit_code
    if args.json:
        print(json.dumps([asdict(r) for r in results], indent=1))
    else:
        show("sparse weights", COLUMNS, map(row, results))
    return 0


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--board", action="append", help="an emulated board instead of all; may be given again")
    add("--layer", action="append", help='how the name of a layer begins, such as "conv 3x3"; may be given again')
    add("--pattern", action="append", choices=list(PATTERNS), help="a pattern instead of all; may be given again")
    add("--zeros", action="append", type=float, help="a share of zeros to measure; may be given again")
    add("-Os", dest="small", action="store_true", help="let the C compiler optimize size")
    add("--json", action="store_true", help="print JSON")
    args = parser.parse_args(arguments)
    args.board, args.pattern = args.board or list(BOARDS), args.pattern or list(PATTERNS)
    args.zeros = sorted(args.zeros or SHARES)
    return args


def compared(layer: Layer, board: Board, patterns: Sequence[str], shares: Sequence[float], opt: str) -> list[Result]:
    """The dense kernels once, and every sparse one that is for a pattern at each share of zeros."""
    best = least(list(measure(layer, board, "dense", 0.0, opt)))
    results = [Result(best, 1.0, 1.0, None, None, None)]
    for pattern in patterns:
        found = [m for share in shares for m in measure(layer, board, pattern, share, opt)]
        for kernel in dict.fromkeys(m.kernel for m in found):
            results += against(best, [m for m in found if m.kernel == kernel])
    return results


def least(found: Sequence[Measured]) -> Measured:
    """The fastest, as far as that is known."""
    return min(found, key=lambda m: (m.cycles or m.instructions, m.flash))


def against(best: Measured, found: Sequence[Measured]) -> Iterator[Result]:
    shares = [m.zeros for m in found]
    counts = from_share(shares, [m.instructions for m in found], best.instructions)
    flash = from_share(shares, [m.flash for m in found], best.flash)
    cycles = None
    if best.cycles is not None:
        cycles = from_share(shares, [m.cycles or 0 for m in found], best.cycles)
    for m in found:
        speed = (best.cycles or best.instructions) / (m.cycles or m.instructions)
        yield Result(m, speed, best.flash / m.flash, counts, cycles, flash)


def from_share(shares: Sequence[float], needs: Sequence[float], limit: float) -> float | None:
    """Where the line through the measurements goes below the limit."""
    if len(set(shares)) < 2:
        return None
    slope, start = np.polyfit(shares, needs, 1)
    return min(max(0.0, float((limit - start) / slope)), 1.0) if slope < 0 else 1.0


def measure(layer: Layer, board: Board, pattern: str, share: float, opt: str) -> Iterator[Measured]:
    """Each dense kernel, or each sparse one, as the steps of one program. Raises what profile.run raises."""
    print(f"{board.name} {layer.name} {pattern} {share:.0%}", file=sys.stderr)
    graph, kernels = candidates(layer, board, pattern, share)
    for found, node in zip(profiled(graph, kernels, board, opt).layers, graph.nodes, strict=True):
        step, kernel = found.step, kernels[node.output.name]
        yield Measured(
            board.name, layer.name, pattern, step.variant, share, step.macs, found.instructions, found.cycles,
            constants_nbytes(kernel, node) + kernel.code_nbytes(node),
        )  # fmt: skip


def candidates(layer: Layer, board: Board, pattern: str, share: float) -> tuple[Graph, dict[str, Kernel]]:
    """A graph with a node for every kernel, all on the same inputs, and which kernel each is for."""
    x = [activation(f"x{i}", shape, 0.05, -128) for i, shape in enumerate(layer.inputs)]
    w, b = parameters(layer)
    assert w.const is not None
    found: list[tuple[Kernel, Tensor]] = []
    if pattern == "dense":
        node = node_of(layer, [*x, w, b], "y", Numerics.ONNX)
        found = [(k, w) for k in native(node, board) if k.encoding == "plain"]
    else:
        thin = constant("w", thinned(w.const, share, *PATTERNS[pattern]), w.quant)
        fits = native(node_of(layer, [*x, thin, b], "y", Numerics.ONNX), board)
        of_variant = {k.variant: k for k in sorted(fits, key=lambda k: k.isa) if is_for(k, pattern)}
        found = [(k, thin) for k in of_variant.values()]
    nodes = [node_of(layer, [*x, weight, b], f"y{i}", Numerics.ONNX) for i, (_, weight) in enumerate(found)]
    graph = Graph("bench", x, [n.output for n in nodes], nodes, Numerics.ONNX)
    verify(graph)
    return graph, {n.output.name: k for n, (k, _) in zip(nodes, found, strict=True)}


def native(node: Node, board: Board) -> list[Kernel]:
    """Every kernel that fits and multiplies the weights as it keeps them."""
    return [k for k in kernels_of(type(node.op)) if k.isa <= board.isa and k.fits(node)]


def is_for(kernel: Kernel, pattern: str) -> bool:
    """Sparse kernels; of those with the same name the one for the larger instruction set is measured."""
    return kernel.variant.startswith("sparse_") and (kernel.encoding == "blocks4") is (pattern != "single")


def thinned(weights: Array, share: float, inputs: int, outputs: int) -> Array:
    """Weights of which random ones, `inputs` by `outputs` of them together, are zero: just this share of them."""
    full = np.where(weights == 0, 1, weights)
    o, *middle, c = weights.shape
    cells = np.ones((o // outputs, *middle, c // inputs), np.int8)
    order = np.random.default_rng(2).permutation(cells.size)
    cells.reshape(-1)[order[: round(share * cells.size)]] = 0
    kept: Array = np.repeat(np.repeat(cells, outputs, axis=0), inputs, axis=-1)
    return np.asarray(full * kept, np.int8)


def row(r: Result) -> tuple[object, ...]:
    m = r.measured
    cycles = m.cycles / m.macs if m.cycles is not None else None
    names = (m.board, m.layer, m.pattern, m.kernel, m.zeros)
    figures = (m.instructions / m.macs, cycles, m.flash, r.speed_up, r.smaller)
    return (*names, *figures, r.from_instructions, r.from_cycles, r.from_flash)


if __name__ == "__main__":
    raise SystemExit(main())
