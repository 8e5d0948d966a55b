"""What a compilation did, for machines (report.json) and for people (tables)."""

from __future__ import annotations

import dataclasses
import hashlib
from dataclasses import asdict
from enum import Enum
from typing import Any

from . import __version__
from .ir import Port, Program, QuantParams, Step
from .options import Options
from .pipeline import PassRecord, Prepared
from .target.board import Board

SCHEMA = 1
Json = dict[str, Any]


def report_of(prepared: Prepared, program: Program, board: Board, options: Options, model: bytes, file: str) -> Json:
    """The content of report.json; the schema's version changes when a field changes its meaning or goes."""
    return {
        "schema": SCHEMA,
        "mcucompile": __version__,
        "name": program.name,
        "model": {"file": file, "sha256": hashlib.sha256(model).hexdigest()},
        "board": board.name,
        "core": board.core.name,
        "options": options.plain(),
        "inputs": [port_json(p) for p in program.inputs],
        "outputs": [port_json(p) for p in program.outputs],
        "memory": {
            "arena": program.arena_nbytes,
            "lower_bound": program.arena_lower_bound,
            "state": program.state_nbytes,
            "buffers": [asdict(p) for p in program.placements],
        },
        "constants": program.weight_nbytes,
        "macs": sum(s.macs for s in program.steps),
        "steps": [step_json(s) for s in program.steps],
        "passes": [pass_json(r) for r in prepared.records],
        "quantization": plain(prepared.quantization),
        "notes": list(prepared.notes),
    }


def port_json(port: Port) -> Json:
    """Offsets are bytes into the arena."""
    quant = {"scale": port.quant.scale, "zero": port.quant.zero} if port.quant else {}
    return {"name": port.name, "dtype": port.dtype.value, "shape": list(port.shape), "offset": port.offset, **quant}


def step_json(step: Step) -> Json:
    return {
        "index": step.index,
        "op": step.op,
        "kernel": step.variant,
        "function": step.kernel.function,
        "source": list(step.source),
        "shapes": step.comment,
        "macs": step.macs,
        "constants": step.weight_nbytes,
        "scratch": step.scratch_nbytes,
        "outputs": [p.name for p in step.outputs],
    }


def pass_json(record: PassRecord) -> Json:
    return {"name": record.name, "exact": record.exact, "changes": record.changes}


def plain(value: Any) -> Any:
    """Dataclasses, enums and tuples as JSON has them."""
    if isinstance(value, QuantParams):
        return {"scale": value.scales[0] if value.axis is None else list(value.scales), "zero": value.zero}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    return value
