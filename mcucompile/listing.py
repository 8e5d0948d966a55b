"""What mcucompile knows: boards, operators, passes, errors, and what is in a model."""

from __future__ import annotations

import copy
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .data import Samples, random_input
from .errors import CODES, CompileError
from .frontend import WRITTEN_AS, ModelFile, load, model_file
from .ir import DType, Graph, Shape
from .kernels import kernels_of
from .lower.fit import room_nbytes
from .lowering import lowered
from .network_type import is_quantized, network_type
from .ops import ALL
from .ops.weighted import Weighted
from .options import Effort, NetworkType, Options, Ranges, Switch
from .passes.base import Pass
from .passes.compress import ALL as COMPRESSIONS
from .passes.compress import Stage
from .passes.strip_boundary import StripBoundary
from .passes.wrap_boundary import WrapBoundary
from .pipeline import PASSES_AFTER, PASSES_BEFORE, PASSES_COMPRESSED, PASSES_FIXED, pass_name, prepare, run_passes
from .recipe import options_text
from .target.board import Board, Uart, list_boards, load_board
from .target.flashing import engines_of

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
            "tried": tried(b),
            "flashed by": flashed_by(b),
            "description": b.description,
            "tested": b.tested,
        }
        for b in found
    ]


def flashed_by(board: Board) -> str:
    """The engine that is taken, then the others that the board's file has what they need for."""
    if board.flashing is None:
        return ""
    first = board.flashing.engine
    return ", ".join([first, *(e for e in engines_of(board.flashing) if e != first)])


def tried(board: Board) -> str:
    """In a word, what the board's file says under `tested`: whether its program ran on an emulator, or only links."""
    if board.emulator or board.tested.startswith("runs on"):
        return "emulated"
    return "links" if board.tested.startswith("links") else "–"


def board_details(board: Board) -> Row:
    """All that is known of one board; addresses and sizes in bytes."""
    flashing, uart, emulator = board.flashing, board.uart, board.emulator
    return {
        "board": board.name,
        "description": board.description,
        "core": board.core.name,
        "instructions": board.isa.name.lower(),
        "clock_hz": board.clock_hz,
        "flash": board.flash_nbytes,
        "RAM": board.ram_nbytes,
        "memory": [
            {"name": r.name, "kind": r.kind, "origin": r.origin, "bytes": r.nbytes, "holds": list(r.holds)}
            for r in board.regions
        ],
        "serial": serial(uart) if uart else None,
        "usb": list(map(str, board.usb)),
        "engines": flashed_by(board).split(", ") if flashing else [],
        "target": flashing.target if flashing else "",
        "advice": flashing.advice if flashing else "",
        "emulator": emulator.machine if emulator else None,
        "tested": board.tested,
    }


def serial(uart: Uart) -> Row:
    """Pins as the board's file writes them; an emulator has none."""
    return {"baud": uart.baud, **{key: pin.name for key, pin in (("tx", uart.tx), ("rx", uart.rx)) if pin}}


def operators() -> list[Row]:
    """One row per operator: the ONNX operators it imports, and its kernels."""
    return [
        {
            "operator": op.name,
            "ONNX": ", ".join((*op.onnx, *WRITTEN_AS.get(op.name, ()))),
            "kernels": ", ".join(f"{k.variant}.{k.isa.name.lower()}" for k in kernels_of(op)),
        }
        for op in ALL
    ]


def passes() -> list[Row]:
    """Every pass in order, with what its docstring says; those with options run when --passes asks for them."""
    row = {"options": "", "exact": False}
    results = {"pass": "quantize_results", **row, "what it does": "give layers of a quantized file integer results"}
    quantize = {"pass": "quantize", **row, "what it does": "give a float network integers"}
    real, shared = (Stage.PRUNE, Stage.DECOMPOSE, Stage.QUANTIZE), (Stage.SHARE,)
    after = (StripBoundary(), WrapBoundary(), *PASSES_AFTER, *PASSES_FIXED)
    return [
        *map(pass_row, PASSES_BEFORE), results, *map(pass_row, PASSES_COMPRESSED), *compressions(*real), quantize,
        *compressions(*shared), *map(pass_row, after), *compressions(Stage.CODE),
    ]  # fmt: skip


def compressions(*stages: Stage) -> list[Row]:
    return [
        {"pass": c.name, "options": options_text(c), "exact": c.exact, "what it does": first_line(c)}
        for c in COMPRESSIONS
        if c.stage in stages
    ]


def pass_row(p: Pass) -> Row:
    return {"pass": pass_name(p), "options": "", "exact": p.exact, "what it does": first_line(type(p))}


def first_line(kind: type) -> str:
    """Of the text of the module that defines it."""
    return (sys.modules[kind.__module__].__doc__ or "").strip().split("\n")[0].rstrip(".:")


def explain(code: str) -> str:
    """Raises E0704 for a code that does not exist."""
    if code.upper() not in CODES:
        raise CompileError("E0704", f"there is no error {code}", fix=f"codes go from {min(CODES)} to {max(CODES)}")
    return CODES[code.upper()]


def inspect(model: Path, shapes: Mapping[str, Shape], board: Board | None) -> Row:
    """What is in a model, and about how much of a board it needs as int8, or as the file is quantized.

    Unsupported nodes are listed under "unsupported", with which the command exits with 2; whether the network fits
    changes no exit code. Raises E0702 for a folder or a missing file, E01xx for what is wrong with the file.
    """
    if model.is_dir():
        fix = "name the .onnx file; what a compilation holds stands in its report.json"
        raise CompileError("E0702", f"{model} is a folder, not a model file", fix=fix)
    file = model_file(model)
    try:
        imported = load(file, dict(shapes))
    except CompileError as e:
        if e.code != "E0103":
            raise
        return {"model": model.name, "unsupported": e.why.splitlines()}
    row = {
        "model": model.name,
        "opset": imported.opset,
        "operators": dict(imported.operators),
        **contents(imported.graph),
        "notes": list(imported.notes),
        "unsupported": [],
    }
    return {**row, "fit": fit(file, shapes, imported.graph, board)} if board else row


def contents(graph: Graph) -> Row:
    """Sizes in bytes; int8 constants have one byte a weight and four a bias."""
    row = {
        "inputs": [port_text(t.name, t.dtype, t.shape) for t in graph.inputs],
        "outputs": [port_text(t.name, t.dtype, t.shape) for t in graph.outputs],
        "parameters": sum(t.size for t in graph.constants()),
        "macs": sum(n.op.macs(n) for n in graph.nodes),
    }
    fused = copy.deepcopy(graph)
    run_passes(fused, PASSES_BEFORE)
    biases = {t for n in fused.nodes if isinstance(n.op, Weighted) for t in n.inputs[2:] if t.const is not None}
    constants = fused.constants()
    return {
        **row,
        "quantized": is_quantized(fused),
        "float_constants": sum(t.size * 4 for t in constants),
        "int8_constants": sum(t.size * (4 if t in biases else 1) for t in constants),
    }


def port_text(name: str, dtype: DType, shape: Shape) -> str:
    return f"{name} {dtype.value}[{'x'.join(map(str, shape))}]"


def fit(model: ModelFile, shapes: Mapping[str, Shape], graph: Graph, board: Board) -> Row:
    """About what the compiled network needs: its plan is exact for scales that are not; code comes on top of flash."""
    compiled = trial(model, shapes, graph)
    program = lowered(compiled, board, Effort.O2)
    room, flash = room_nbytes(board), board.region("weights").nbytes
    return {
        "board": board.name,
        "dtype": network_type(compiled).value,
        "arena_about": program.arena_nbytes,
        "RAM": room,
        "constants_about": program.weight_nbytes,
        "flash": flash,
        "fits": program.arena_nbytes <= room and program.weight_nbytes <= flash,
    }


def trial(model: ModelFile, shapes: Mapping[str, Shape], graph: Graph) -> Graph:
    """The network as it would be compiled, with scales from random inputs; in floats where these give none."""
    options = Options(ranges=Ranges.MINMAX, equalize=Switch.OFF, correct_bias=Switch.OFF, shapes=shapes)
    rng = np.random.default_rng(0)
    samples = Samples({t.name: np.stack([random_input(t, rng) for _ in range(2)]) for t in graph.inputs})
    try:
        return prepare(model, "network", options, samples).graph
    except CompileError:
        return prepare(model, "network", Options(dtype=NetworkType.FLOAT32, shapes=shapes), None).graph
