"""The Python API: `compile` a model, then `verify` and `profile` what came out."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from . import profile as profiling
from . import verify as verification
from .arguments import (
    board_of,
    checked_nbytes,
    checked_shapes,
    checked_timeout,
    choice,
    data_source,
    of_type,
    program_name,
)
from .data import Samples, reference_inputs, samples_for, stored_value
from .effects import Effect, effects, quality
from .emit import emit
from .errors import CompileError
from .export import Library, Sample, exported, generated, is_large, parse_formats, readme_of
from .files import REPORT, is_library_file, write_folder
from .front import front_svg
from .frontend import model_file
from .frontend.export import to_onnx
from .ir import Array, Graph, Numerics, Program, Shape
from .lower.picture import memory_map_svg
from .lowering import lower_for
from .metrics import Metrics, accuracy, compare
from .mismatch import differs, float_tolerance, unit_of
from .options import BoundaryType, Effort, NetworkType, Options, Ranges, Switch
from .passes.base import Dump, Tell, silent
from .pipeline import Prepared, prepare
from .profile import Profile
from .recipe import parse_recipe
from .reference import evaluate_all
from .report import Json, json_text, plain, report_of, source_json
from .run.build import build
from .run.flash import Flashed, How, flash, no_progress
from .run.interface import Interface
from .run.mlperf import mlperf_network
from .saved import Reference, Saved, read_saved
from .target.board import Board
from .verify import Progress, Verification


@dataclass(frozen=True, eq=False)
class Compiled:
    """A compiled network: its integer (or float) graph, its program for one board, and the files to write.

    `graph` is what the program computes step by step: `prepared.graph`, where RAM is short with parts of it in bands.

    `saved` is the reference.npz of the folder that it was taken up from; `notes` say what happened on the way; `tell`
    hears what begins when the effects of a recipe are measured, which takes a while.
    """

    name: str
    prepared: Prepared
    graph: Graph
    program: Program
    board: Board
    options: Options
    report: Json
    saved: Reference | None = None
    notes: tuple[str, ...] = ()
    tell: Tell = silent

    @cached_property
    def files(self) -> Mapping[str, bytes]:
        """File name -> content of the output folder."""
        memory = memory_map_svg(
            self.program.placements, [s.op for s in self.program.steps], self.program.arena_nbytes, self.name
        )
        files = {**self.emitted, "memory.svg": memory.encode()}
        if self.options.export:
            files |= exported(self.options.export, self.library) | readme_of(self.options.export, self.library)
        picture = front_svg(self.effects, self.name) if self.effects else None
        if picture:
            files["compression.svg"] = picture.encode()
        files[f"{self.name}.twin.onnx"] = to_onnx(self.prepared.twin)
        files["reference.npz"] = self.reference_npz()
        measured = {"quality": plain(quality(self.prepared, self.effects)), "compression": plain(self.effects)}
        report = {**self.report, **measured, "files": sorted([*files, REPORT])}
        return {**files, REPORT: json_text(report).encode() + b"\n"}

    @cached_property
    def emitted(self) -> dict[str, bytes]:
        """The C files and CMakeLists.txt."""
        return {name: text.encode() for name, text in emit(self.program, self.board.core).items()}

    @property
    def c_files(self) -> dict[str, bytes]:
        """File name -> content of what is built."""
        return {name: content for name, content in self.emitted.items() if is_library_file(name)}

    @cached_property
    def library(self) -> Library:
        """The C files and a sample, for the formats that drop them into a project."""
        return Library(self.program, self.board.core, self.c_files, self.sample(), self.board.name)

    def sample(self) -> Sample:
        """The first one of reference.npz; of inputs too large to be printed, one that a formula gives."""
        ports, reference = self.program.inputs, self.reference
        if is_large(ports):
            inputs = {p.name: generated(p)[np.newaxis] for p in ports}
            reference = Reference(inputs, self.expected(inputs))
        outputs = {name: values[0] for name, values in reference.outputs.items()}
        ulp = float_tolerance(self.graph)
        tolerances = {n: ulp * unit_of(v) if ulp and v.dtype == np.float32 else 0.0 for n, v in outputs.items()}
        return Sample({n: v[0] for n, v in reference.inputs.items()}, outputs, tolerances, is_large(ports))

    @cached_property
    def effects(self) -> tuple[Effect, ...]:
        """What each pass of the recipe cost and gained; () without a recipe."""
        return effects(self.prepared, self.program, self.board, self.options, self.tell)

    @cached_property
    def reference(self) -> Reference:
        """The default inputs, and what the network answers to them."""
        inputs = self.default_inputs()
        return Reference(inputs, self.expected(inputs))

    def reference_npz(self) -> bytes:
        """Arrays `input/NAME` and `output/NAME`, [samples, ...], as stored; outputs are the reference's."""
        arrays = {f"input/{n}": v for n, v in self.reference.inputs.items()}
        for name, values in self.reference.outputs.items():
            arrays[f"output/{name}"] = values
        stream = io.BytesIO()
        np.savez_compressed(stream, **arrays)  # type: ignore[arg-type]
        return stream.getvalue()

    def for_board(self, board: Board | str) -> Compiled:
        """The same network for another board, without quantizing it again. Raises E03xx, E0501, E0502."""
        target = board_of(board)
        fitted = lower_for(self.prepared.graph, target, self.options)
        report = report_of(self.prepared, fitted, target, self.options, self.report)
        return Compiled(self.name, self.prepared, fitted.graph, fitted.program, target, self.options, report)

    def default_inputs(self) -> dict[str, Array]:
        """The stored inputs of reference.npz: those of the folder, else calibration samples, else random ones."""
        return self.saved.inputs if self.saved else reference_inputs(self.prepared.graph, self.prepared.samples)

    def expected(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """The reference's outputs for stored inputs [samples, ...]."""
        runs = list(evaluate_all(self.graph, dict(inputs)))
        return {t.name: np.stack([r[t.name] for r in runs]) for t in self.graph.outputs}

    def write(self, folder: Path | str) -> None:
        """Write the output folder. Raises E0702."""
        write_folder(Path(folder), self.files)

    def stored_inputs(self, samples: Path | str | Samples) -> dict[str, Array]:
        """Samples as the device takes them. Raises as `samples_from`."""
        inputs = self.samples_from(samples).inputs
        return {t.name: np.stack([stored_value(t, v) for v in inputs[t.name]]) for t in self.graph.inputs}

    def samples_from(self, data: Path | str | Samples) -> Samples:
        """The samples of an .npz, or checked ones, for this network; real values, or the stored integers for an input
        that the model itself has as integers.

        Inputs are named as in the model file or as in the C. Raises E0202, E0701 and, for a file, E0702.
        """
        network = self.prepared.real or self.graph
        return samples_for(data_source(data, "data"), network.inputs, network.outputs)

    def verify(
        self,
        data: Path | str | Samples | None = None,
        *,
        per_layer: bool = False,
        port: str | None = None,
        how: How | None = None,
        opt: str | None = None,
        timeout: float | None = None,
        progress: Progress | None = None,
        programming: Progress | None = None,
    ) -> Verification:
        """Build, run on the board, compare every byte; without data on the samples of reference.npz.

        `timeout` is in seconds, for one run of the network. Nothing is run, only built, on a board that is neither
        emulated nor at a `port`. A board at a port that runs another program is programmed, when `how` says how; How()
        leaves that to its board file. `programming` is told how far it is then, `progress` how many samples of how many
        were compared. Raises E0202, E0501, E0502, E06xx, E0701, E0702, E08xx.
        """
        seconds = checked_timeout(timeout)
        given = None if data is None else self.stored_inputs(data)
        saved = self.saved.outputs if self.saved and given is None else None
        with tempfile.TemporaryDirectory(prefix="mcucompile-") as work:
            library = self.write_library(Path(work) / "library")
            return verification.run(
                self.graph, self.program, library, self.board, self.default_inputs() if given is None else given,
                saved=saved, per_layer=per_layer, port=port, how=how, opt=opt or self.options.effort.value,
                seconds=seconds, progress=progress, programming=programming,
            )  # fmt: skip

    def flash(
        self,
        how: How | None = None,
        *,
        port: str | None = None,
        opt: str | None = None,
        mlperf: str | None = None,
        progress: Progress | None = None,
    ) -> Flashed:
        """Build the program that `verify` runs, and program a real board with it.

        `mlperf`: the program that answers the runner of MLPerf Tiny instead, as one of run.mlperf.BENCHMARKS. Raises
        E0501, E0502, E06xx, E0701, E08xx.
        """
        network = mlperf_network(self.program, mlperf) if mlperf else None
        with tempfile.TemporaryDirectory(prefix="mcucompile-") as work:
            library, firmware = self.write_library(Path(work) / "library"), Path(work) / "firmware"
            interface, effort = Interface.of(self.program), opt or self.options.effort.value
            built = build(library, interface, self.board, firmware, opt=effort, hook=False, mlperf=network)
            return flash(built, self.board, how or How(), port, progress or no_progress)

    def profile(
        self,
        *,
        port: str | None = None,
        how: How | None = None,
        opt: str | None = None,
        timeout: float | None = None,
        programming: Progress | None = None,
    ) -> Profile:
        """What each layer costs: instructions, counted exactly, and estimated cycles on the emulated board; at a `port`
        measured cycles of a real one, which is programmed as `verify` does it, and tells `programming`. `timeout` in
        seconds, for one run.

        Raises E0303, E0501, E0502, E06xx, E0701, E08xx.
        """
        seconds = checked_timeout(timeout)
        with tempfile.TemporaryDirectory(prefix="mcucompile-") as work:
            library = self.write_library(Path(work) / "library")
            return profiling.run(
                self.graph, self.program, library, self.board, self.default_inputs(),
                opt=opt or self.options.effort.value, seconds=seconds, port=port, how=how,
                programming=programming,
            )  # fmt: skip

    def write_library(self, folder: Path) -> Path:
        """Only the C files, for building."""
        folder.mkdir()
        for name, data in self.c_files.items():
            (folder / name).write_bytes(data)
        return folder

    def metrics(self, outputs: Mapping[str, Array], samples: Samples) -> dict[str, Metrics]:
        """Per output, the device's values against the float network's and the labels.

        Where the float network is not known (a file quantized before, a folder) only the accuracy, if there are labels.
        """
        real = self.prepared.real
        if real is None:
            shares = {t.name: accuracy(outputs[t.name], samples.labels) for t in self.graph.outputs}
            return {name: Metrics(accuracy=share) for name, share in shares.items() if share is not None}
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
    flash_budget: int | None = None,
    ranges: str = "auto",
    equalize: str = "auto",
    correct_bias: str = "auto",
    prove: bool = False,
    passes: str | Sequence[str | Mapping[str, Any]] = (),
    dump: Dump | None = None,
    progress: Tell | None = None,
    shapes: Mapping[str, Shape] | None = None,
    export: str | Sequence[str] = (),
) -> Compiled:
    """Compile an ONNX model (a path, or the file's bytes) for a board (a name, a TOML path, or a Board).

    The keywords are the command line's options; `passes` is a recipe: the text of --passes, or a list of such texts and
    of tables as a recipe file has them; `export` are names of formats, as for --export. `dump` is called with each
    pass's name and the graph's text after it, `progress` with the name of what begins. Raises CompileError.
    """
    options = Options(
        choice(NetworkType, dtype, "dtype"), choice(BoundaryType, io, "io"), choice(Numerics, numerics, "numerics"),
        choice(Effort, effort, "effort"), checked_nbytes(ram, "ram"), choice(Ranges, ranges, "ranges"),
        choice(Switch, equalize, "equalize"), choice(Switch, correct_bias, "correct_bias"), bool(prove),
        checked_nbytes(flash_budget, "flash_budget"), parse_recipe(passes), checked_shapes(shapes),
        parse_formats(export),
    )  # fmt: skip
    of_type(model, (str, Path, bytes), "model", "a path, or the file's bytes")
    of_type(board, (str, Board), "board", "a name, the path of a TOML file, or a Board")
    of_type(name, (str, type(None)), "name", "a C identifier")
    file = model_file(model)
    target = board_of(board)
    title = program_name(file.path, name)
    data = None if calibration is None else data_source(calibration, "calibration")
    tell = progress or silent
    prepared = prepare(file, title, options, data, dump, tell)
    tell("choosing kernels")
    fitted = lower_for(prepared.graph, target, options)
    source = source_json(file.path.name if file.path else "", file.content, prepared, data)
    report = report_of(prepared, fitted, target, options, source)
    return Compiled(title, prepared, fitted.graph, fitted.program, target, options, report, tell=tell)


def load_compiled(folder: Path | str, board: Board | str | None = None) -> Compiled:
    """Take up what `compile` wrote: the twin is compiled again with the report's options and must give the same files.

    With another `board` the twin is then compiled for that one. Raises E0703 when the folder is no output, was changed,
    or is of another version.
    """
    of_type(board, (str, Board, type(None)), "board", "a name, the path of a TOML file, or a Board")
    saved = read_saved(Path(folder))
    asked = None if board is None else board_of(board)
    own = saved.board(asked)
    try:
        again = compile(saved.twin, own, name=saved.name, **saved.options)
    except CompileError as e:
        raise saved.error(f"{saved.twin.name} cannot be compiled again", str(e)) from e
    saved.check(again.files, again.report)
    reference = checked_reference(saved, again)
    notes: tuple[str, ...] = ()
    if asked is not None and asked.name != own.name:
        notes = (f"compiled again for {asked.name}; the C files in {folder} are for {own.name}",)
        again = compile(saved.twin, asked, name=saved.name, **saved.options)
    return replace(again, saved=reference, notes=notes, report={**again.report, "fused": saved.report["fused"]})


def checked_reference(saved: Saved, again: Compiled) -> Reference:
    """The folder's reference.npz, whose outputs must be those of the folder's network. Raises E0703."""
    reference, ulp = saved.reference(again.graph), float_tolerance(again.graph)
    for name, values in again.expected(reference.inputs).items():
        if differs(reference.outputs[name], values, ulp).any():
            raise saved.error("the outputs in reference.npz are not the network's", f"output {name!r} differs")
    return reference
