"""What `compile` wrote, read back: nothing in the folder is believed before it is checked."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from pathlib import Path
from typing import Any

from . import __version__
from .data import UNREADABLE, Archive
from .errors import CompileError
from .export import FORMATS
from .files import REPORT, is_library_file
from .ir import Array, Graph, Numerics, Tensor, identifier
from .mismatch import differs, float_tolerance
from .options import BoundaryType, Effort, NetworkType, Options, Ranges, Switch
from .pipeline import prepare
from .reference import evaluate_all
from .report import SCHEMA, Json
from .target.board import Board, list_boards, load_board

REFERENCE = "reference.npz"
CHOICES: dict[str, type[Enum]] = {
    "dtype": NetworkType, "io": BoundaryType, "numerics": Numerics, "effort": Effort, "ranges": Ranges,
    "equalize": Switch, "correct_bias": Switch,
}  # fmt: skip
SAME = ("name", "board", "core", "board_memory", "inputs", "outputs", "memory", "constants", "macs")
"""Entries of the report that compiling the twin must give again; others tell of the model or of its quantization."""

COMMENT = re.compile(rb"/\*.*?\*/", re.DOTALL)


@dataclass(frozen=True, eq=False)
class Reference:
    """Stored inputs, and the outputs that every device must give, by name, each [samples, ...]."""

    inputs: dict[str, Array]
    outputs: dict[str, Array]


@dataclass(frozen=True, eq=False)
class Saved:
    """An output folder whose report has the right form."""

    folder: Path
    report: Json

    @property
    def name(self) -> str:
        return str(self.report["name"])

    @property
    def twin(self) -> Path:
        return self.folder / f"{self.name}.twin.onnx"

    @property
    def options(self) -> dict[str, Any]:
        """The keywords with which compiling the twin gives the same network.

        Its quantization, and what a recipe changed, are in the twin; how constants are coded is not.
        """
        options, resolved = self.report["options"], self.report["resolved"]
        dtype = "float32" if resolved["dtype"] == "float32" else "auto"
        coded = [{"name": "encode", "encoding": e, "layers": f"%{layer}"} for layer, e in resolved["encodings"].items()]
        same = {key: options[key] for key in ("io", "numerics", "effort", "ram", "flash_budget", "export")}
        return {"dtype": dtype, "passes": coded, **same}

    def board(self, given: Board | None) -> Board:
        """The board that the folder is for; one of the user's own must be given again. Raises E0703."""
        name = self.report["board"]
        if given is not None and given.name == name:
            return given
        if name not in list_boards():
            raise self.error(
                f"it was compiled for {name!r}, a board of your own", fix="give its TOML file with --board"
            )
        return load_board(name)

    @cached_property
    def graph(self) -> Graph:
        """What the twin computes, on whatever board: nothing is lowered. Raises E0703 where reference.npz disagrees."""
        o = self.options
        options = Options(NetworkType(o["dtype"]), BoundaryType(o["io"]), Numerics(o["numerics"]))
        try:
            graph = prepare(self.twin, self.name, options, None).graph
        except CompileError as e:
            raise self.error(f"{self.twin.name} cannot be compiled again", str(e)) from e
        self.check_outputs(graph)
        return graph

    def check_outputs(self, graph: Graph) -> None:
        """Raises E0703 where the graph does not answer as reference.npz says."""
        reference, ulp = self.reference(graph), float_tolerance(graph)
        for i, outputs in enumerate(evaluate_all(graph, reference.inputs)):
            for name, expected in reference.outputs.items():
                if differs(outputs[name], expected[i], ulp).any():
                    raise self.error("the outputs in reference.npz are not the network's", f"output {name!r} differs")

    def error(self, what: str, why: str = "", fix: str = "compile the model again") -> CompileError:
        return CompileError("E0703", f"{self.folder} is not what mcucompile compile wrote: {what}", why=why, fix=fix)

    def check(self, files: Mapping[str, bytes], report: Json) -> None:
        """Raises E0703 where the folder differs from what compiling its twin gives."""
        for key in SAME:
            if self.report.get(key) != json.loads(json.dumps(report[key])):
                raise self.error(f"{REPORT} was changed, or is of another network", f"its entry {key!r} is not right")
        for name, content in files.items():
            has_comments = name == f"{self.name}.c"  # on steps, whose sources the twin may tell otherwise
            if is_library_file(name) and not same_code(self.folder / name, content, has_comments):
                raise self.error(f"{name} is not what {self.twin.name} gives")

    def reference(self, graph: Graph) -> Reference:
        """The content of reference.npz, held to the graph's inputs and outputs. Raises E0703."""
        path = self.folder / REFERENCE
        try:
            with zipfile.ZipFile(path) as file:
                archive = Archive(path.name, file)
                found = Reference(read(archive, "input", graph.inputs), read(archive, "output", graph.outputs))
        except (*UNREADABLE, CompileError) as e:
            raise self.error(f"{REFERENCE} is damaged", str(e)) from e
        if len({len(v) for v in (*found.inputs.values(), *found.outputs.values())}) != 1:
            raise self.error(f"{REFERENCE} is damaged", "its arrays differ in the number of samples")
        return found


def read(archive: Archive, side: str, tensors: Sequence[Tensor]) -> dict[str, Array]:
    values = {t.name: archive.read(f"{side}/{t.name}") for t in tensors}
    for t in tensors:
        value = values[t.name]
        if value.shape[1:] != t.shape or value.dtype != t.dtype.numpy or not len(value):
            raise ValueError(f"{side}/{t.name} is {value.dtype}{list(value.shape)}, the network's is {t!r}")
    return values


def same_code(path: Path, content: bytes, ignoring_comments: bool) -> bool:
    found = path.read_bytes() if path.is_file() else b""
    return found == content or (ignoring_comments and COMMENT.sub(b"", found) == COMMENT.sub(b"", content))


def read_saved(folder: Path) -> Saved:
    """Raises E0703 when the folder has no report, or not one of this version."""
    try:
        report = json.loads((folder / REPORT).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as e:
        fix = "give a model, or a folder that compile wrote"
        why = f"{REPORT}: {e.strerror if isinstance(e, OSError) else e}"
        raise CompileError("E0703", f"{folder} is not the output of mcucompile compile", why=why, fix=fix) from e
    saved = Saved(folder, report)
    problem = problem_of(report)
    if problem:
        raise saved.error(f"{REPORT} is damaged", problem)
    if (report["schema"], report["mcucompile"]) != (SCHEMA, __version__):
        raise CompileError(
            "E0703", f"{folder} was written by mcucompile {report['mcucompile']}; this is {__version__}",
            fix="compile the model again",
        )  # fmt: skip
    return saved


def problem_of(report: Any) -> str:
    """What is wrong with the form of a report; nothing if it is right."""
    if not isinstance(report, dict):
        return "it is no JSON object"
    kinds = {"schema": int, "mcucompile": str, "name": str, "board": str, "options": dict, "resolved": dict,
             "fused": list, "steps": list, "passes": list, "notes": list}  # fmt: skip
    for key, kind in kinds.items():
        if type(report.get(key)) is not kind:
            return f"its entry {key!r} is missing, or of the wrong type"
    if identifier(report["name"]) != report["name"]:
        return "its name is no C identifier"
    if not all(isinstance(item, str) for item in report["fused"]):
        return "its entry 'fused' lists something else than names"
    return problem_of_options(report["options"], report["resolved"])


def problem_of_options(options: Json, resolved: Json) -> str:
    for key, kind in CHOICES.items():
        if options.get(key) not in [member.value for member in kind]:
            return f"its option {key!r} is missing, or has a value that does not exist"
    for key in ("ram", "flash_budget"):
        if key not in options:
            return f"its option {key!r} is missing"
        value = options[key]
        if value is not None and (type(value) is not int or value < 0):
            return f"its option {key!r} is no number of bytes"
    formats = options.get("export")
    if not isinstance(formats, list) or not all(isinstance(f, str) and f in FORMATS for f in formats):
        return "its option 'export' is missing, or names a format that does not exist"
    encodings = resolved.get("encodings")
    if not isinstance(encodings, dict) or not all(isinstance(e, str) for e in encodings.values()):
        return "its resolved encodings are missing, or no names"
    if resolved.get("dtype") not in [member.value for member in NetworkType]:
        return "its resolved dtype is missing, or does not exist"
    return ""
