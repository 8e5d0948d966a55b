"""What report.json, `verify --json` and `profile --json` say of a compiled network, read with every type checked.

Pages and comparisons look at nothing else, so that a folder compiled before serves as well as a network just compiled.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .effects import BROKEN, Effect
from .entry import Entry, Misread
from .errors import CompileError
from .files import REPORT
from .ir.program import Placement
from .layer_effects import LayerEffect
from .lower.picture import used_nbytes
from .ops.log_softmax import LogSoftmax
from .ops.reshape import Reshape
from .ops.sigmoid import Sigmoid
from .ops.softmax import Softmax
from .passes.error_report import LayerError
from .passes.quantize import Trial
from .pipeline import PassRecord
from .report import SCHEMA, Json

AGAIN = "compile the model again"
SQUASHING = {Softmax.name: "Softmax", LogSoftmax.name: "LogSoftmax", Sigmoid.name: "Sigmoid"}


@dataclass(frozen=True)
class Layer:
    """A step of the program. `ram` are the bytes of the arena in use while it runs, `code` those of its C
    functions; what layers share is divided among them.

    `cycles` and `code` are the cost model's or, from a profile, those of the firmware that ran: `cycles` then are
    estimated from the `instructions`, or measured on a real board, where nobody counted these.
    """

    index: int
    op: str
    kernel: str
    source: tuple[str, ...]
    shapes: str
    macs: int
    constants: int
    ram: int
    cycles: int
    code: int
    instructions: int | None = None

    @property
    def flash(self) -> int:
        return self.constants + self.code


@dataclass(frozen=True)
class Origin:
    """From what, by which version and with which options the network was made; `calibration` is () without any."""

    version: str
    model: str
    sha256: str
    calibration: tuple[tuple[str, str], ...]
    options: Json
    ram: int | None
    flash_budget: int | None


@dataclass(frozen=True)
class Figures:
    """A compiled network in figures. Sizes are in bytes; limits are the board's.

    `flash` are constants and code, as the cost model estimates them or, with `code`, as the linker placed them.
    `cycles` are estimated unless `is_measured`, without the flash's `wait_states`. `decibels` is the signal-to-noise
    ratio of the outputs on the calibration samples, `accuracy` the share of samples whose largest output is the
    label. `verification` and `profile` are what the commands give as JSON.
    """

    origin: Origin
    name: str
    board: str
    core: str
    clock_hz: int
    wait_states: int
    dtype: str
    flash_limit: int
    ram_limit: int
    constants: int
    flash: int
    code: int | None
    arena: int
    lower_bound: int
    macs: int
    cycles: int | None
    instructions: int | None
    layers: tuple[Layer, ...]
    buffers: tuple[Placement, ...]
    errors: tuple[LayerError, ...]
    trials: tuple[Trial, ...]
    chosen: Trial | None
    passes: tuple[PassRecord, ...]
    effects: tuple[Effect, ...]
    decibels: float | None
    accuracy: float | None
    notes: tuple[str, ...]
    verification: Json | None = field(default=None, repr=False)
    profile: Json | None = field(default=None, repr=False)

    @property
    def latency(self) -> Json | None:
        """What a real board's counter measured, as `run.device.Latency` has it; None where none did."""
        found = [j["latency"] for j in (self.profile, self.verification) if j and j.get("latency")]
        return found[0] if found else None

    @property
    def is_measured(self) -> bool:
        """Are the layers' cycles those of a real board?"""
        return bool(self.profile and self.profile.get("latency"))

    @property
    def is_code_linked(self) -> bool:
        """Is the layers' code, not only that of all of them, as the linker placed it? Only a profile tells."""
        return self.profile is not None

    @property
    def scores(self) -> str:
        """What the signal-to-noise ratio is of, as `passes.output_error` takes it."""
        last = next((layer.op for layer in reversed(self.layers) if layer.op != Reshape.name), "")
        return f"scores before the {SQUASHING[last]}" if last in SQUASHING else "outputs"

    @property
    def is_compressed(self) -> bool:
        """By a recipe; compiled again for another board its effects are not known."""
        return bool(self.effects or self.origin.options.get("passes"))

    @property
    def is_broken(self) -> bool:
        """Are the outputs far from the original float network's?"""
        return self.decibels is not None and self.decibels < BROKEN

    @property
    def code_of_none(self) -> int:
        """Bytes of linked code that belong to no layer: NAME_run, what any kernel may call, padding."""
        return max(0, (self.code or 0) - sum(layer.code for layer in self.layers)) if self.is_code_linked else 0

    @property
    def seconds(self) -> float | None:
        """Latency: measured, or estimated from the estimated cycles and the board's clock."""
        if self.latency:
            return float(self.latency["median"] / self.latency["clock_hz"])
        return None if self.cycles is None else self.cycles / self.clock_hz


def figures_of(report: Json, verification: Json | None = None, profile: Json | None = None) -> Figures:
    """Raises Misread for a report of another form."""
    r, measured = Entry(report), profiled_layers(profile)
    buffers = tuple(buffer_of(e) for e in r["memory"]["buffers"])
    layers = tuple(layer_of(e, buffers, measured) for e in r["steps"])
    code, constants = code_nbytes(verification, profile), r["constants"].integer
    quality, quantization = r["quality"], r["quantization"]
    return Figures(
        origin=origin_of(r), name=r["name"].text, board=r["board"].text, core=r["core"].text,
        clock_hz=max(r["clock_hz"].integer, 1), wait_states=r["wait_states"].integer, dtype=r["resolved"]["dtype"].text,
        flash_limit=r["board_memory"]["flash"].integer, ram_limit=r["board_memory"]["ram"].integer,
        constants=constants, flash=r["flash"].integer if code is None else constants + code, code=code,
        arena=r["memory"]["arena"].integer, lower_bound=r["memory"]["lower_bound"].integer, macs=r["macs"].integer,
        cycles=total_cycles(layers, profile), instructions=profile["instructions"] if profile else None,
        layers=layers, buffers=buffers,
        errors=tuple(error_of(e) for e in quantization["layers"]) if quantization else (),
        trials=tuple(trial_of(e) for e in quantization["trials"]) if quantization else (),
        chosen=trial_of(quantization["chosen"]) if quantization else None,
        passes=tuple(pass_of(e) for e in r["passes"]), effects=effects_of(r["compression"]),
        decibels=quality["decibels"].number_or_none, accuracy=quality["accuracy"].number_or_none,
        notes=r["notes"].texts, verification=verification, profile=profile,
    )  # fmt: skip


def origin_of(r: Entry) -> Origin:
    options, data = r["options"], r["calibration"]
    calibration = (
        ("Calibration", f"{data['file'].text or 'arrays'}, {data['samples'].integer:,} samples"),
        ("its SHA-256", data["sha256"].text),
    ) if data else ()  # fmt: skip
    return Origin(
        r["mcucompile"].text, r["model"]["file"].text, r["model"]["sha256"].text, calibration, options.object,
        options["ram"].integer_or_none, options["flash_budget"].integer_or_none,
    )  # fmt: skip


def trial_of(e: Entry) -> Trial:
    return Trial(e["ranges"].text, e["equalized"].flag, e["bias_corrected"].flag, e["decibels"].number)


def read_figures(folder: Path, verification: Json | None = None, profile: Json | None = None) -> Figures:
    """Of the report in a folder. Raises E0703."""
    report = read_report(folder)
    try:
        return figures_of(report, verification, profile)
    except Misread as e:
        what = f"{REPORT} in {folder} is damaged, or of another version"
        raise CompileError("E0703", what, why=str(e), fix=AGAIN) from e


def read_report(folder: Path) -> Json:
    """Written by this version, or by another one with the same schema. Raises E0703."""
    try:
        report = json.loads((folder / REPORT).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as e:
        raise no_output(folder, f"{REPORT}: {e.strerror if isinstance(e, OSError) else e}") from e
    if not isinstance(report, dict) or "mcucompile" not in report:
        raise no_output(folder, f"{REPORT} is not one of mcucompile's")
    if report.get("schema") != SCHEMA:
        found = f"the report in {folder} has schema {report.get('schema')!r}; this version reads {SCHEMA}"
        raise CompileError("E0703", found, fix=AGAIN)
    return report


def no_output(folder: Path, why: str) -> CompileError:
    fix = "give a folder that mcucompile compile wrote"
    return CompileError("E0703", f"{folder} is not the output of mcucompile compile", why=why, fix=fix)


def code_nbytes(verification: Json | None, profile: Json | None) -> int | None:
    """What the linker placed, where something was linked."""
    found = [j["code"] for j in (verification, profile) if j is not None]
    return int(found[0]) if found else None


def total_cycles(layers: tuple[Layer, ...], profile: Json | None) -> int | None:
    """None where the emulator could only count instructions."""
    if profile is not None:
        return None if profile["cycles"] is None else int(profile["cycles"])
    return sum(layer.cycles for layer in layers)


def profiled_layers(profile: Json | None) -> dict[int, Json]:
    return {layer["index"]: layer for layer in profile["layers"]} if profile else {}


def layer_of(e: Entry, buffers: tuple[Placement, ...], measured: dict[int, Json]) -> Layer:
    index = e["index"].integer
    found: dict[str, Any] = measured.get(index, {})
    shapes = e["shapes"].text
    return Layer(
        index=index, op=e["op"].text, kernel=e["kernel"].text, source=e["source"].texts,
        shapes=shapes.partition(": ")[2] or shapes, macs=e["macs"].integer, constants=e["constants"].integer,
        ram=used_nbytes([b for b in buffers if b.first <= index <= b.last]),
        cycles=e["cycles"].integer if found.get("cycles") is None else int(found["cycles"]),
        code=e["code"].integer if found.get("code") is None else int(found["code"]),
        instructions=found.get("instructions"),
    )  # fmt: skip


def buffer_of(e: Entry) -> Placement:
    return Placement(e["name"].text, e["offset"].integer, e["nbytes"].integer, e["first"].integer, e["last"].integer)


def error_of(e: Entry) -> LayerError:
    return LayerError(
        e["tensor"].text, e["op"].text, e["source"].texts, e["cumulative"].number_or_none, e["alone"].number_or_none
    )  # fmt: skip


def pass_of(e: Entry) -> PassRecord:
    return PassRecord(e["name"].text, e["exact"].flag, e["changes"].integer, tuple(d.object for d in e["details"]))


def effects_of(r: Entry) -> tuple[Effect, ...]:
    """Which all tell of the same layers."""
    effects = tuple(effect_of(e) for e in r)
    if len({len(e.layers) for e in effects}) > 1:
        raise Misread(f"{r.place} lists more layers for one pass than for another")
    return effects


def effect_of(e: Entry) -> Effect:
    return Effect(
        e["request"].text, e["constants"].integer, e["flash"].integer, e["arena"].integer, e["macs"].integer,
        e["cycles"].number, e["alpha"].number, e["delta"].number, e["decibels"].number_or_none,
        e["accuracy"].number_or_none, tuple(layer_effect_of(x) for x in e["layers"]),
    )  # fmt: skip


def layer_effect_of(e: Entry) -> LayerEffect:
    return LayerEffect(
        e["layer"].text, e["steps"].integer, e["constants"].integer, e["code"].integer, e["flash"].integer,
        e["scratch"].integer, e["arena"].integer, e["macs"].integer, e["cycles"].number, e["alpha"].number_or_none,
        e["delta"].number_or_none, e["decibels"].number_or_none, e["changes"].integer, e["criteria"].texts,
    )  # fmt: skip
