"""From a model file to a program.

THE order of passes: PASSES_BEFORE; what a recipe asks for of a network of real numbers, in the order of
`passes.compress.ALL` (prune, decompose, quantize weights); post-training quantization; what it asks for of integer
weights (share); PASSES_AFTER; PASSES_FIXED, with the lossless removal of channels; and how constants are to be coded.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from .data import Samples, samples_for
from .errors import CompileError
from .frontend import load
from .ir import Array, DType, Graph, Numerics, Program, Tensor, graph_text, verify
from .ir.c_names import is_library_name, library_identifier
from .lower.choose import SIZE, SPEED, choose, least_arena
from .lower.fit import check_flash, check_flash_budget, check_ram, fits, room_by_region, room_nbytes
from .lower.lower import lower
from .lower.select import is_possible
from .lower.tiling import Fitted, fit_by_tiling
from .options import BoundaryType, Effort, NetworkType, Options
from .origins import Origins, origins_of
from .passes.absorb_qdq import AbsorbQdq
from .passes.align_shifts import AlignShifts
from .passes.base import Dump, Pass
from .passes.compress import Stage
from .passes.convert_pools import ConvertPools
from .passes.dequantize_constants import DequantizeConstants
from .passes.eliminate_transposes import EliminateTransposes
from .passes.fix_multipliers import FixMultipliers, is_integer
from .passes.fold_batchnorm import FoldBatchnorm
from .passes.fold_known_tensors import FoldKnownTensors
from .passes.fuse_bias import FuseBias
from .passes.fuse_clip import FuseClip
from .passes.fuse_pad import FusePad
from .passes.fuse_sign import FuseSign, ZeroSign
from .passes.linearize_sums import LinearizeSums
from .passes.name_tensors import NameTensors
from .passes.pack_bits import PackBits
from .passes.quantize import QuantizationReport, QuantizeOptions, quantize
from .passes.quantize_results import quantize_results, real_results
from .passes.quantize_signs import QuantizeSigns
from .passes.remove_channels import RemoveChannels
from .passes.remove_unread import RemoveUnread
from .passes.strip_boundary import StripBoundary
from .passes.wrap_boundary import WrapBoundary
from .recipe import Applied, Recipe, Request, compress
from .target.board import Board, load_board
from .target.cores import Isa

REFERENCE_SAMPLES = 10
MOST_RAM = 1 << 32

# On the graph as imported, real-valued or with Quantize and Dequantize nodes.
PASSES_BEFORE: tuple[Pass, ...] = (
    RemoveUnread(),
    FusePad(),
    EliminateTransposes(),
    FuseBias(),
    FuseSign(),
    ConvertPools(),
    FoldBatchnorm(),
    FuseClip(),
    QuantizeSigns(),
    AbsorbQdq(),
    EliminateTransposes(),
    FuseClip(),
    DequantizeConstants(),
)
# On the graph as it will be compiled; scales are known.
PASSES_AFTER: tuple[Pass, ...] = (
    FuseClip(),
    EliminateTransposes(),
    RemoveUnread(),
    NameTensors(),
    FixMultipliers(),
)
# On fixed-point constants, which they keep. The twin has the network as it was before, whose scales give them again.
PASSES_FIXED: tuple[Pass, ...] = (FoldKnownTensors(), RemoveChannels(), AlignShifts(), LinearizeSums(), PackBits())


@dataclass(frozen=True)
class PassRecord:
    """What a pass did: how many places it changed, and what there is to tell of them."""

    name: str
    exact: bool
    changes: int
    details: tuple[object, ...] = ()


@dataclass(frozen=True, eq=False)
class Prepared:
    """A graph ready to be lowered. `real` is the float network that it stands for, None for a file quantized before.

    `twin` is the graph before PASSES_FIXED, with the same outputs: what importing and fixing it again can give.
    `samples` are inputs as `real` (or the graph, where there is no `real`) takes them. `origins` are the model's nodes.
    `given` is the network that a recipe was applied to, `applied` what each of its passes did.
    """

    graph: Graph
    twin: Graph
    real: Graph | None
    records: tuple[PassRecord, ...]
    notes: tuple[str, ...]
    quantization: QuantizationReport | None
    samples: Samples | None
    origins: Origins
    given: Graph
    applied: tuple[Applied, ...] = ()


def run_passes(graph: Graph, passes: Sequence[Pass], dump: Dump | None = None) -> list[PassRecord]:
    """Run them in order, verifying after each."""
    verify(graph)
    records: list[PassRecord] = []
    for p in passes:
        changes, details = p.run_telling(graph)
        try:
            verify(graph)
        except AssertionError as e:
            ran = ", ".join(r.name for r in records) or "none"
            raise AssertionError(f"{pass_name(p)} broke the graph (passes before it: {ran}): {e}") from e
        records.append(PassRecord(pass_name(p), p.exact, changes, details))
        if dump:
            dump(pass_name(p), graph_text(graph))
    return records


def pass_name(p: Pass | type[Pass]) -> str:
    """FuseClip -> fuse_clip."""
    name = p.__name__ if isinstance(p, type) else type(p).__name__
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")


def prepare(
    model: Path | bytes, name: str, options: Options, calibration: Path | Samples | None, dump: Dump | None = None
) -> Prepared:
    """Import, quantize, fix. Raises CompileError for everything that is wrong with the model or the data."""
    imported = load(model, dict(options.shapes))
    graph = imported.graph
    graph.name, graph.numerics = name, options.numerics
    origins, recipe = origins_of(graph), options.recipe
    samples = read_samples(calibration, graph)
    records = run_passes(graph, PASSES_BEFORE, dump)
    if samples and is_quantized(graph):
        records.append(PassRecord("quantize_results", False, quantize_results(graph, samples.inputs)))
        verify(graph)
    dtype = resolve_dtype(graph, options, samples)
    check_recipe(recipe, graph, dtype)
    given, inputs = copy.deepcopy(graph), samples.inputs if samples else None
    applied = compress(graph, recipe.of(Stage.PRUNE, Stage.DECOMPOSE, Stage.QUANTIZE), inputs, dump)
    real, quantization = None, None
    if dtype in (NetworkType.INT8, NetworkType.INT16X8) and not is_quantized(graph):
        assert samples is not None
        real = given
        quantization = quantize(graph, samples.inputs, quantize_options(dtype, options))
        verify(graph)
    elif dtype is NetworkType.FLOAT32:
        real = given
    records += [record_of(a) for a in applied]
    if quantization:
        records.append(PassRecord("quantize", False, len(graph.nodes)))
    shared = compress(graph, recipe.of(Stage.SHARE), inputs, dump)
    more, twin = fixed(graph, options, dump)
    coded, refusals = encoded(graph, recipe.of(Stage.CODE), dump)
    records += [*map(record_of, shared), *more, *map(record_of, coded)]
    notes = (*imported.notes, *sign_notes(records), *numerics_notes(graph), *real_notes(graph), *refusals)
    done = (*applied, *shared, *coded)
    notes = (*notes, *(f"{a.request} found nothing to change" for a in done if not a.changes))
    return Prepared(graph, twin, real, tuple(records), notes, quantization, samples, origins, given, done)


def fixed(graph: Graph, options: Options, dump: Dump | None = None) -> tuple[list[PassRecord], Graph]:
    """Give `graph` the form that is compiled, in place; the records of the passes, and the twin."""
    wrap = (WrapBoundary(),) if options.io is BoundaryType.FLOAT else ()
    records = run_passes(graph, (StripBoundary(), *wrap, *PASSES_AFTER), dump)
    twin = copy.deepcopy(graph)
    return records + run_passes(graph, PASSES_FIXED, dump), twin


def encoded(graph: Graph, requests: Sequence[Request], dump: Dump | None) -> tuple[list[Applied], list[str]]:
    """Say how weights are kept, in place; and notes on which are not.

    A request that names no layers leaves alone those whose weights no kernel keeps so; one that names them insists.
    """
    done: list[Applied] = []
    notes: list[str] = []
    for request in requests:
        before = {n: n.inputs for n in request.layers(graph)}
        (applied,) = compress(graph, [request], None)
        refused = [n for n in before if not request.patterns and not is_possible(n)]
        for n in refused:
            x, weight, *rest = n.inputs
            notes.append(f"weights of {n.where} are not kept as {weight.encoding}: no kernel of {n.op.name} can")
            n.inputs = [x, replace(weight, encoding=before[n][1].encoding), *rest]
        names = {n.output.name for n in refused}
        changes = tuple(c for c in applied.changes if c.layer not in names)
        done.append(Applied(request, changes, copy.deepcopy(graph)))
        if dump:
            dump(request.compression.name, graph_text(graph))
    return done, notes


def record_of(applied: Applied) -> PassRecord:
    compression = applied.request.compression
    return PassRecord(compression.name, compression.exact, len(applied.changes), applied.changes)


def check_recipe(recipe: Recipe, graph: Graph, dtype: NetworkType) -> None:
    """Raises E0206 for a pass that the network comes too late or too early for."""
    floats = recipe.of(Stage.PRUNE, Stage.DECOMPOSE, Stage.QUANTIZE)
    if floats and is_quantized(graph):
        raise CompileError(
            "E0206", f"{floats[0].compression.name} changes real numbers, and the network is quantized already",
            fix="give the float network and --calibration",
        )  # fmt: skip
    integers = recipe.of(Stage.QUANTIZE, Stage.SHARE, Stage.CODE)
    if integers and dtype is NetworkType.FLOAT32:
        raise CompileError(
            "E0206", f"{integers[0].compression.name} is about integer weights, and this network computes in floats",
            fix="leave it away, or compile with --dtype int8",
        )  # fmt: skip


def sign_notes(records: Sequence[PassRecord]) -> list[str]:
    """What was decided of ONNX's Sign, which is 0 at zero."""
    decided = [d for r in records for d in r.details if isinstance(d, ZeroSign)]
    return [f"sign '{' + '.join(d.source) or d.tensor}': {d.decision}" for d in decided]


def numerics_notes(graph: Graph) -> list[str]:
    """What --numerics tflite cannot promise."""
    if graph.numerics is not Numerics.TFLITE:
        return []
    others = [n for n in graph.nodes if is_integer(n) and not n.op.has_tflite_bits(n)]
    return [f"{n.where} has no TensorFlow Lite bits; it rounds as with --numerics onnx" for n in others]


def real_notes(graph: Graph) -> list[str]:
    """Which layers compute on real numbers for want of a scale alone."""
    return [
        f"{n.where} computes on real numbers, since the file does not quantize its result; --calibration makes it int8"
        for n in real_results(graph)
    ]


def read_samples(source: Path | Samples | None, graph: Graph) -> Samples | None:
    return None if source is None else samples_for(source, graph.inputs, graph.outputs)


def is_quantized(graph: Graph) -> bool:
    return any(t.quant is not None for t in graph.activations())


def network_type(graph: Graph) -> NetworkType:
    """What a network of its final form computes in."""
    types = {t.dtype for t in graph.activations()}
    if DType.I16 in types:
        return NetworkType.INT16X8
    return NetworkType.INT8 if DType.I8 in types else NetworkType.FLOAT32


def resolve_dtype(graph: Graph, options: Options, samples: Samples | None) -> NetworkType:
    """What --dtype means for this network. Raises E0201 and E0205."""
    asked = options.dtype
    if is_quantized(graph):
        wide = any(t.dtype is DType.I16 for t in graph.activations())
        given = NetworkType.INT16X8 if wide else NetworkType.INT8
        if asked not in (NetworkType.AUTO, given):
            raise CompileError(
                "E0205", f"the model is quantized to {given.value}, not {asked.value}",
                fix=f"leave --dtype {asked.value} away, or give the float model",
            )  # fmt: skip
        return given
    dtype = NetworkType.INT8 if asked is NetworkType.AUTO else asked
    if dtype is not NetworkType.FLOAT32 and samples is None:
        raise CompileError(
            "E0201", "the model is float, and making it int8 needs calibration data",
            fix="add --calibration DATA.npz, or --dtype float32 to compute in floats",
        )  # fmt: skip
    return dtype


def quantize_options(dtype: NetworkType, options: Options) -> QuantizeOptions:
    kind = DType.I8 if dtype is NetworkType.INT8 else DType.I16
    return QuantizeOptions(kind, options.ranges.value, options.equalize.value, options.correct_bias.value)


def lower_for(graph: Graph, board: Board, options: Options) -> Fitted:
    """The program for a board, where that is needed with stretches of the graph in bands of rows.

    Raises E0501 when it needs more RAM than --ram or the board allows, E0502 for flash.
    """
    effort, limit = options.effort, min(room_nbytes(board), options.ram if options.ram is not None else MOST_RAM)
    limits = {"ram_limit": limit, "flash_limit": options.flash_budget}
    fitted = Fitted(graph, lowered(graph, board, effort, options.prove, **limits))
    enough = partial(fits, room=room_by_region(board, limit))
    if not enough(fitted.program):
        fitted = fit_by_tiling(
            fitted, limit, enough, partial(least_arena, isa=isa_of(board, effort)),
            lambda tiled: lowered(tiled, board, effort, options.prove, **limits),
        )  # fmt: skip
    check_ram(fitted.program, board, options.ram, lambda: lowered(graph, board, Effort.OS))
    check_flash(fitted.program, board)
    return fitted


def lowered(
    graph: Graph, board: Board, effort: Effort, prove: bool = False,
    ram_limit: int | None = None, flash_limit: int | None = None,
) -> Program:  # fmt: skip
    """The program, whether its arena keeps the limit or not. Raises E0502 when a limit of flash cannot be kept."""
    isa = isa_of(board, effort)
    goal = replace(SIZE if effort is Effort.OS else SPEED, ram_limit=ram_limit, flash_limit=flash_limit)
    choice = choose(graph, board.core, isa, goal)
    check_flash_budget(choice.flash_nbytes, flash_limit)
    room = room_by_region(board, ram_limit if ram_limit is not None else MOST_RAM)
    program = lower(graph, board.core, isa, choice.kernel_of, prove, room)
    return replace(program, flash_nbytes=choice.flash_nbytes)


def isa_of(board: Board, effort: Effort) -> Isa:
    return Isa.SCALAR if effort is Effort.O0 else board.isa


def reference_inputs(prepared: Prepared, count: int = REFERENCE_SAMPLES) -> dict[str, Array]:
    """Inputs to prove the compiled network with, as it stores them: calibration samples, else random ones."""
    graph = prepared.graph
    rng = np.random.default_rng(0)
    stored: dict[str, list[Array]] = {t.name: [] for t in graph.inputs}
    for i in range(count):
        for t in graph.inputs:
            given = prepared.samples.inputs.get(t.name) if prepared.samples else None
            value = random_input(t, rng) if given is None else stored_value(t, given[i % len(given)])
            stored[t.name].append(value)
    return {name: np.stack(values) for name, values in stored.items()}


def stored_value(t: Tensor, value: Array) -> Array:
    """A sample as the graph input stores it; real values are quantized."""
    shaped = np.asarray(value).reshape(t.shape)
    if t.quant is not None and not np.issubdtype(shaped.dtype, np.integer):
        return t.quant.quantize(shaped)
    return shaped.astype(t.dtype.numpy)


def random_input(t: Tensor, rng: np.random.Generator) -> Array:
    if t.dtype is DType.F32:
        return rng.standard_normal(t.shape).astype(np.float32)
    return rng.integers(t.dtype.low, t.dtype.high, t.shape, endpoint=True).astype(t.dtype.numpy)


def board_of(board: str | Board) -> Board:
    return board if isinstance(board, Board) else load_board(board)


def program_name(model: Path | None, name: str | None) -> str:
    """The C prefix: --name, or the file's stem. Raises E0701 for a name that gives no sound library."""
    if name is not None:
        if not is_library_name(name):
            raise CompileError(
                "E0701", f"--name {name!r} cannot be a library's name",
                why="it must be a C identifier with a lower-case letter, unlike standard headers and CMake's targets",
                fix=f"e.g. --name {library_identifier(name)}",
            )  # fmt: skip
        return name
    return library_identifier(model.stem) if model else "network"
