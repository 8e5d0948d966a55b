"""The Python API: `compile` a model, then `verify` and `profile` what came out."""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import numpy as np

from . import profile as profiling
from . import verify as verification
from .data import Samples, samples_for
from .emit import emit
from .errors import CompileError
from .files import REPORT, read_bytes, write_folder
from .frontend.export import to_onnx
from .ir import Array, Graph, Numerics, Program, Shape
from .lower.picture import memory_map_svg
from .metrics import Metrics, compare
from .options import BoundaryType, Effort, NetworkType, Options, Ranges, Switch
from .pipeline import (
    Dump,
    Prepared,
    board_of,
    lower_for,
    prepare,
    program_name,
    reference_inputs,
    stored_value,
)
from .profile import Profile
from .reference import evaluate_all
from .report import Json, report_of
from .target.board import Board
from .verify import Progress, Verification

E = TypeVar("E", bound=Enum)


@dataclass(frozen=True, eq=False)
class Compiled:
    """A compiled network: its integer (or float) graph, its program for one board, and the files to write."""

    name: str
    prepared: Prepared
    program: Program
    board: Board
    options: Options
    report: Json

    @property
    def graph(self) -> Graph:
        return self.prepared.graph

    @cached_property
    def files(self) -> Mapping[str, bytes]:
        """File name -> content of the output folder."""
        texts = emit(self.program, self.board.core)
        texts["memory.svg"] = memory_map_svg(
            self.program.placements, [s.op for s in self.program.steps], self.program.arena_nbytes, self.name
        )
        files = {name: text.encode() for name, text in texts.items()}
        files[f"{self.name}.twin.onnx"] = to_onnx(self.graph)
        files["reference.npz"] = self.reference_npz()
        report = {**self.report, "files": sorted([*files, REPORT])}
        files[REPORT] = (json.dumps(report, indent=1) + "\n").encode()
        return files

    def reference_npz(self) -> bytes:
        """Arrays `input/NAME` and `output/NAME`, [samples, ...], as stored; outputs are the reference's."""
        inputs = reference_inputs(self.prepared)
        arrays = {f"input/{n}": v for n, v in inputs.items()}
        for name, values in self.expected(inputs).items():
            arrays[f"output/{name}"] = values
        stream = io.BytesIO()
        np.savez_compressed(stream, **arrays)  # type: ignore[arg-type]
        return stream.getvalue()

    def expected(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """The reference's outputs for stored inputs [samples, ...]."""
        runs = list(evaluate_all(self.graph, dict(inputs)))
        return {t.name: np.stack([r[t.name] for r in runs]) for t in self.graph.outputs}

    def write(self, folder: Path | str) -> None:
        """Write the output folder. Raises E0702."""
        write_folder(Path(folder), self.files)

    def stored_inputs(self, samples: Samples) -> dict[str, Array]:
        """Samples as the device takes them. Raises E0202."""
        inputs = self.samples_from(samples).inputs
        return {t.name: np.stack([stored_value(t, v) for v in inputs[t.name]]) for t in self.graph.inputs}

    def samples_from(self, data: Path | Samples) -> Samples:
        """The samples of an .npz, or checked ones, for this network; real also where the device takes integers.

        Inputs are named as in the model file or as in the C. Raises E0202 and, for a file, E0702.
        """
        real = self.prepared.real
        network = real or self.graph
        return samples_for(data, network.inputs, network.outputs)

    def verify(
        self,
        data: Path | Samples | None = None,
        *,
        per_layer: bool = False,
        port: str | None = None,
        opt: str | None = None,
        progress: Progress | None = None,
    ) -> Verification:
        """Build, run on the board, compare every byte; without data on the samples of reference.npz.

        Raises E0202, E0303, E0501, E0502, E06xx.
        """
        samples = self.samples_from(data) if isinstance(data, Path) else data
        inputs = reference_inputs(self.prepared) if samples is None else self.stored_inputs(samples)
        with tempfile.TemporaryDirectory(prefix="mcucompile-") as work:
            library = self.write_library(Path(work) / "library")
            return verification.run(
                self.graph, self.program, library, self.board, inputs,
                per_layer=per_layer, port=port, opt=opt or self.options.effort.value, progress=progress,
            )  # fmt: skip

    def profile(self, *, opt: str | None = None) -> Profile:
        """Instructions per layer, counted exactly on the emulated board. Raises E0303, E0501, E0502, E06xx."""
        inputs = reference_inputs(self.prepared, 1)
        with tempfile.TemporaryDirectory(prefix="mcucompile-") as work:
            library = self.write_library(Path(work) / "library")
            return profiling.run(
                self.graph, self.program, library, self.board, inputs, opt=opt or self.options.effort.value
            )

    def write_library(self, folder: Path) -> Path:
        """Only the C files, for building."""
        folder.mkdir()
        for name, data in self.files.items():
            if name.endswith((".c", ".h")):
                (folder / name).write_bytes(data)
        return folder

    def metrics(self, outputs: Mapping[str, Array], samples: Samples) -> dict[str, Metrics]:
        """Per output, the device's values against the float network's; empty for a file that was quantized before."""
        real = self.prepared.real
        if real is None:
            return {}
        samples = self.samples_from(samples)
        wanted = list(evaluate_all(real, samples.inputs))
        found = {t.name: real_outputs(self.graph, t.name, outputs[t.name]) for t in self.graph.outputs}
        # Outputs keep their order through every pass, their names not always.
        pairs = zip(self.graph.outputs, real.outputs, strict=True)
        return {
            mine.name: compare(found[mine.name], np.stack([w[theirs.name] for w in wanted]), samples.labels)
            for mine, theirs in pairs
        }


def real_outputs(graph: Graph, name: str, stored: Array) -> Array:
    """Stored outputs as real values."""
    tensor = next(t for t in graph.outputs if t.name == name)
    return tensor.quant.dequantize(stored) if tensor.quant else stored


def compile(
    model: Path | str | bytes,
    board: Board | str,
    *,
    calibration: Path | str | Samples | None = None,
    name: str | None = None,
    dtype: str = "auto",
    io: str = "int8",
    numerics: str = "onnx",
    effort: str = "-O2",
    ram: int | None = None,
    ranges: str = "auto",
    equalize: str = "auto",
    correct_bias: str = "auto",
    prove: bool = False,
    dump: Dump | None = None,
    shapes: Mapping[str, Shape] | None = None,
) -> Compiled:
    """Compile an ONNX model (a path, or the file's bytes) for a board (a name, a TOML path, or a Board).

    The keywords are the command line's options; `dump` is called with each pass's name and the graph's text after it.
    Raises CompileError.
    """
    options = Options(
        choice(NetworkType, dtype, "dtype"), choice(BoundaryType, io, "io"), choice(Numerics, numerics, "numerics"),
        choice(Effort, effort, "effort"), ram, choice(Ranges, ranges, "ranges"),
        choice(Switch, equalize, "equalize"), choice(Switch, correct_bias, "correct_bias"), prove, dict(shapes or {}),
    )  # fmt: skip
    path = None if isinstance(model, bytes) else Path(model)
    content = model if isinstance(model, bytes) else read_bytes(Path(model))
    target = board_of(board)
    title = program_name(path, name)
    data = Path(calibration) if isinstance(calibration, str) else calibration
    prepared = prepare(path or content, title, options, data, dump)
    program = lower_for(prepared.graph, target, options)
    report = report_of(prepared, program, target, options, content, path.name if path else "")
    return Compiled(title, prepared, program, target, options, report)


def load_compiled(folder: Path | str, board: Board | str | None = None) -> Compiled:
    """Take up what `compile` wrote: the twin is compiled again with the report's options and must give the same files.

    Raises E0703 when the folder is no output, was changed, or is of another version.
    """
    folder = Path(folder)
    try:
        report = json.loads((folder / REPORT).read_text(encoding="utf-8"))
        name, options, target = report["name"], report["options"], board or report["board"]
    except (OSError, ValueError, KeyError, TypeError) as e:
        raise CompileError("E0703", f"{folder} is not the output of mcucompile compile", why=str(e)) from e
    keys = ("io", "numerics", "effort", "ram")
    dtype = "auto" if options["dtype"] != "float32" else "float32"
    twin = folder / f"{name}.twin.onnx"
    again = compile(twin, target, name=name, dtype=dtype, **{k: options[k] for k in keys})
    library = [f for f in again.files if f.endswith((".c", ".h"))]
    changed = [f for f in library if target == report["board"] and not same(folder / f, again.files[f])]
    if changed:
        raise CompileError(
            "E0703", f"{folder}/{changed[0]} is not what this version of mcucompile makes of {twin.name}",
            fix="compile the model again",
        )  # fmt: skip
    return again


def same(path: Path, content: bytes) -> bool:
    return path.is_file() and path.read_bytes() == content


def choice(kind: type[E], value: str, option: str) -> E:
    """The member of an enum. Raises E0701 naming what is allowed."""
    try:
        return kind(value)
    except ValueError:
        allowed = ", ".join(str(member.value) for member in kind)
        raise CompileError("E0701", f"{option} cannot be {value!r}", fix=f"one of: {allowed}") from None
