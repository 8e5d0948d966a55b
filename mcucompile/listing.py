"""What mcucompile knows: boards, operators, passes, errors, and what is in a model."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .errors import CODES, CompileError
from .frontend import load
from .ir import DType, Graph, Shape
from .kernels import kernels_of
from .lower.fit import room_nbytes
from .ops import ALL
from .passes.base import Pass
from .passes.strip_boundary import StripBoundary
from .passes.wrap_boundary import WrapBoundary
from .pipeline import PASSES_AFTER, PASSES_BEFORE, pass_name
from .target.board import Board, list_boards, load_board

Row = dict[str, Any]


def boards() -> list[Row]:
    """One row per board file."""
    found = [load_board(name) for name in list_boards()]
    return [
        {
            "board": b.name,
            "core": b.core.name,
            "MHz": b.clock_hz / 1e6,
            "flash": b.flash_nbytes,
            "RAM": b.ram_nbytes,
            "runs": "emulated" if b.emulator else "builds",
            "description": b.description,
        }
        for b in found
    ]


def operators() -> list[Row]:
    """One row per operator: the ONNX operators it imports, and its kernels."""
    return [
        {
            "operator": op.name,
            "ONNX": ", ".join(op.onnx),
            "kernels": ", ".join(f"{k.variant}.{k.isa.name.lower()}" for k in kernels_of(op)),
        }
        for op in ALL
    ]


def passes() -> list[Row]:
    """Every pass in order, with what its docstring says."""
    quantize = {"pass": "quantize", "exact": False, "what it does": "give a float network its integer form"}
    before = [pass_row(p) for p in PASSES_BEFORE]
    return [*before, quantize, *(pass_row(p) for p in (StripBoundary(), WrapBoundary(), *PASSES_AFTER))]


def pass_row(p: Pass) -> Row:
    text = (sys.modules[type(p).__module__].__doc__ or "").strip().split("\n")[0]
    return {"pass": pass_name(p), "exact": p.exact, "what it does": text.rstrip(".:")}


def explain(code: str) -> str:
    """Raises E0704 for a code that does not exist."""
    if code.upper() not in CODES:
        raise CompileError("E0704", f"there is no error {code}", fix=f"codes go from {min(CODES)} to {max(CODES)}")
    return CODES[code.upper()]


def inspect(model: Path, shapes: Mapping[str, Shape], board: Board | None) -> Row:
    """What is in a model. Unsupported nodes are listed, not raised; other errors are raised as CompileError."""
    try:
        imported = load(model, dict(shapes))
    except CompileError as e:
        if e.code != "E0103":
            raise
        return {"model": model.name, "unsupported": e.why.splitlines()}
    graph = imported.graph
    row = {"model": model.name, **contents(graph), "notes": list(imported.notes), "unsupported": []}
    return {**row, "fit": fit(graph, board)} if board else row


def contents(graph: Graph) -> Row:
    quantized = any(t.quant for t in graph.activations())
    return {
        "inputs": [port_text(t.name, t.dtype, t.shape) for t in graph.inputs],
        "outputs": [port_text(t.name, t.dtype, t.shape) for t in graph.outputs],
        "quantized": quantized,
        "operators": dict(sorted(Counter(n.op.name for n in graph.nodes).items())),
        "parameters": sum(t.size for t in graph.constants()),
        "macs": sum(n.op.macs(n) for n in graph.nodes),
        "float_constants": sum(t.size * 4 for t in graph.constants()),
        "int8_constants": sum(t.size for t in graph.constants()),
    }


def port_text(name: str, dtype: DType, shape: Shape) -> str:
    return f"{name} {dtype.value}[{'x'.join(map(str, shape))}]"


def fit(graph: Graph, board: Board) -> Row:
    """A quick look, before anything is quantized: one byte a value, the largest operator's inputs and outputs."""
    sizes = [sum(t.size for t in {*n.activations(), *n.outputs}) for n in graph.nodes]
    need, flash = max(sizes, default=0), sum(t.size for t in graph.constants())
    room = room_nbytes(board)
    return {
        "board": board.name,
        "RAM_at_least": need,
        "RAM": room,
        "flash_at_least": flash,
        "flash": board.flash_nbytes,
        "fits": need <= room and flash <= board.flash_nbytes,
    }
