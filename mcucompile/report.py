"""What a compilation did, for machines (report.json) and for people (tables)."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from dataclasses import asdict
from enum import Enum
from pathlib import Path
from typing import Any

from . import __version__
from .data import Samples
from .ir import Bank, Port, QuantParams, Step, code_by_step
from .lower.tiling import Fitted
from .network_type import network_type
from .options import Options
from .origins import fused_away
from .passes.compress.encode import Encode
from .passes.tile_rows import Tiling
from .pipeline import PassRecord, Prepared
from .target.board import Board

SCHEMA = 4
Json = dict[str, Any]


def report_of(
    prepared: Prepared,
    fitted: Fitted,
    board: Board,
    options: Options,
    source: Json,
) -> Json:
    """The content of report.json; the schema's version changes when a field changes its meaning or goes.

    `source` is what `source_json` gave. Sizes are in bytes; `flash` (constants and code) and the steps' `code` and
    `cycles` are what the cost model estimates. What several steps share, constants as well as code, is divided among
    them.
    """
    program = fitted.program
    code = code_by_step(program.steps)
    return {
        "schema": SCHEMA,
        "mcucompile": __version__,
        "name": program.name,
        "model": source["model"],
        "board": board.name,
        "core": board.core.name,
        "clock_hz": board.clock_hz,
        "wait_states": board.setup.wait_states if board.setup else 0,
        "board_memory": {"flash": board.flash_nbytes, "ram": board.ram_nbytes},
        "options": options.plain(),
        "resolved": resolved_json(prepared),
        "calibration": source["calibration"],
        "inputs": [port_json(p) for p in program.inputs],
        "outputs": [port_json(p) for p in program.outputs],
        "memory": {
            "arena": program.arena_nbytes,
            "lower_bound": program.arena_lower_bound,
            "state": program.state_nbytes,
            "banks": [bank_json(b, board) for b in program.banks],
            "buffers": [asdict(p) for p in program.placements],
        },
        "constants": program.weight_nbytes,
        "flash": program.flash_nbytes,
        "macs": sum(s.macs for s in program.steps),
        "steps": [step_json(s, nbytes) for s, nbytes in zip(program.steps, code, strict=True)],
        "fused": list(fused_away(prepared.origins, prepared.graph)),
        "passes": [pass_json(r) for r in prepared.records],
        "quantization": plain(prepared.quantization),
        "notes": [*prepared.notes, *map(tiling_note, fitted.tilings)],
    }


def source_json(file: str, content: bytes, prepared: Prepared, calibration: Path | Samples | None) -> Json:
    """What was compiled: the model file's name and content, and the calibration data."""
    model = {"file": file, "sha256": hashlib.sha256(content).hexdigest()}
    return {"model": model, "calibration": calibration_json(prepared, calibration)}


def tiling_note(tiling: Tiling) -> str:
    """What tiling costs."""
    stretch, more = tiling.stretch, 100 * (tiling.macs / max(tiling.stretch.macs, 1) - 1)
    layers = f"{len(stretch.nodes)} layers, from %{stretch.start.name} to %{stretch.end.name}"
    return f"to save RAM {layers}, run in {len(tiling.bands)} bands of rows, with {more:.0f} % more multiplications"


def bank_json(bank: Bank, board: Board) -> Json:
    """A piece of the arena: buffers whose offset is `base` or more lie in this memory, up to the next piece."""
    return {"base": bank.base, "bytes": bank.nbytes, "memory": board.arena_regions[bank.region].name}


def resolved_json(prepared: Prepared) -> Json:
    """What `auto` and defaults came to; how ranges were found is None where nothing was quantized.

    `encodings` are those that a recipe asked for, by the name of the layer's output.
    """
    chosen = prepared.quantization.chosen if prepared.quantization else None
    return {
        "dtype": network_type(prepared.graph).value,
        "ranges": chosen.ranges if chosen else None,
        "equalize": chosen.equalized if chosen else None,
        "correct_bias": chosen.bias_corrected if chosen else None,
        "encodings": {
            c.layer: a.request.compression.encoding
            for a in prepared.applied
            if isinstance(a.request.compression, Encode)
            for c in a.changes
        },
    }


def calibration_json(prepared: Prepared, source: Path | Samples | None) -> Json | None:
    """Which data the network was quantized with; arrays that came without a file are named by their hash alone."""
    if prepared.samples is None or source is None:
        return None
    if isinstance(source, Path):
        with source.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256")
    else:
        digest = hashlib.sha256()
        for name, values in sorted(prepared.samples.inputs.items()):
            digest.update(json.dumps([name, values.dtype.str, values.shape]).encode() + values.tobytes())
    file = source.name if isinstance(source, Path) else ""
    return {"file": file, "sha256": digest.hexdigest(), "samples": prepared.samples.count}


def port_json(port: Port) -> Json:
    """Offsets are bytes into the arena."""
    quant = {"scale": port.quant.scale, "zero": port.quant.zero} if port.quant else {}
    return {"name": port.name, "dtype": port.dtype.value, "shape": list(port.shape), "offset": port.offset, **quant}


def step_json(step: Step, code: int) -> Json:
    return {
        "index": step.index,
        "op": step.op,
        "kernel": step.variant,
        "function": step.kernel.function,
        "source": list(step.source),
        "shapes": step.comment,
        "macs": step.macs,
        "constants": step.weight_nbytes,
        "code": code,
        "cycles": round(step.cycles),
        "scratch": step.scratch_nbytes,
        "outputs": [p.name for p in step.outputs],
    }


def pass_json(record: PassRecord) -> Json:
    return {"name": record.name, "exact": record.exact, "changes": record.changes,
            "details": [plain(d) for d in record.details]}  # fmt: skip


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


def json_text(value: Any) -> str:
    """Numbers that are not finite are null: JSON has no words for them."""
    return json.dumps(without_non_finite(value), indent=1, allow_nan=False)


def without_non_finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_non_finite(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [without_non_finite(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
