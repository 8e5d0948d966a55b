"""From a model file to a program.

THE order of passes: PASSES_BEFORE; PASSES_COMPRESSED, with a first lossless removal of channels, where a recipe prunes
or decomposes; what it asks for of a network of real numbers, in the order of `passes.compress.ALL` (prune, decompose,
quantize weights); post-training quantization; what it asks for of integer weights (share); PASSES_AFTER; PASSES_FIXED,
with the lossless removal of all channels that do not matter; and how constants are to be coded.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .compression import check_recipe, compressed, encoded
from .data import Samples, samples_for
from .frontend import Source, load
from .ir import Array, Graph, graph_text, verify
from .network_type import is_quantized, quantize_options, resolve_dtype
from .notes import idle_notes, network_notes, sign_notes
from .options import BoundaryType, NetworkType, Options
from .origins import Origins, origins_of
from .passes.absorb_qdq import AbsorbQdq
from .passes.align_shifts import AlignShifts
from .passes.base import Dump, Pass, Tell, silent
from .passes.compress import Stage
from .passes.convert_pools import ConvertPools
from .passes.dequantize_constants import DequantizeConstants
from .passes.eliminate_transposes import EliminateTransposes
from .passes.fix_multipliers import FixMultipliers
from .passes.fold_batchnorm import FoldBatchnorm
from .passes.fold_known_tensors import FoldKnownTensors
from .passes.fuse_bias import FuseBias
from .passes.fuse_clip import FuseClip
from .passes.fuse_pad import FusePad
from .passes.fuse_sign import FuseSign
from .passes.linearize_sums import LinearizeSums
from .passes.name_tensors import NameTensors
from .passes.pack_bits import PackBits
from .passes.quantize import QuantizationReport, quantize
from .passes.quantize_results import quantize_results
from .passes.quantize_signs import QuantizeSigns
from .passes.remove_channels import RemoveChannels
from .passes.remove_idle_channels import RemoveIdleChannels
from .passes.remove_unread import RemoveUnread
from .passes.strip_boundary import StripBoundary
from .passes.wrap_boundary import WrapBoundary
from .recipe import Applied

REWRITING = (Stage.PRUNE, Stage.DECOMPOSE)

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
# On real numbers, before a recipe prunes or decomposes.
PASSES_COMPRESSED: tuple[Pass, ...] = (RemoveIdleChannels(),)
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

    @classmethod
    def of(cls, applied: Applied) -> PassRecord:
        compression = applied.request.compression
        count = sum(not c.is_kept for c in applied.changes)
        return cls(compression.name, compression.exact, count, applied.changes)


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
    model: Source, name: str, options: Options, calibration: Path | Samples | None, dump: Dump | None = None,
    tell: Tell = silent,
) -> Prepared:  # fmt: skip
    """Import, compress, quantize, fix. Raises CompileError for everything that is wrong with the model or the data."""
    tell("reading the model")
    imported = load(model, dict(options.shapes))
    graph, recipe = imported.graph, options.recipe
    graph.name, graph.numerics = name, options.numerics
    origins, samples = origins_of(graph), read_samples(calibration, graph)
    inputs = samples.inputs if samples else None
    records = [*run_passes(graph, PASSES_BEFORE, dump), *with_integer_results(graph, inputs)]
    dtype = resolve_dtype(graph, options, samples)
    check_recipe(recipe, graph, dtype)
    given = copy.deepcopy(graph)
    records += run_passes(graph, PASSES_COMPRESSED if recipe.of(*REWRITING) else (), dump)
    rewritten = compressed(graph, recipe.of(*REWRITING, Stage.QUANTIZE), inputs, dump, tell)
    quantization = quantized(graph, dtype, options, inputs, tell)
    quantizing = [PassRecord("quantize", False, len(graph.nodes))] if quantization else []
    shared = compressed(graph, recipe.of(Stage.SHARE), inputs, dump, tell)
    fixing, twin = fixed(graph, options, dump)
    coded, refusals = encoded(graph, recipe.of(Stage.CODE), dump)
    records += [*map(PassRecord.of, rewritten), *quantizing, *map(PassRecord.of, shared), *fixing]
    records += map(PassRecord.of, coded)
    applied = (*rewritten, *shared, *coded)
    details = [d for r in records for d in r.details]
    notes = (*imported.notes, *sign_notes(details), *network_notes(graph), *refusals, *idle_notes(applied))
    real = given if quantization or dtype is NetworkType.FLOAT32 else None
    return Prepared(graph, twin, real, tuple(records), notes, quantization, samples, origins, given, applied)


def with_integer_results(graph: Graph, samples: dict[str, Array] | None) -> list[PassRecord]:
    """Give layers of a network that is quantized already the scales that its file leaves out, from the samples."""
    if samples is None or not is_quantized(graph):
        return []
    changes = quantize_results(graph, samples)
    verify(graph)
    return [PassRecord("quantize_results", False, changes)]


def quantized(
    graph: Graph, dtype: NetworkType, options: Options, samples: dict[str, Array] | None, tell: Tell
) -> QuantizationReport | None:
    """Give a network of real numbers integers, in place; None where it has them, or is to keep its numbers."""
    if dtype is NetworkType.FLOAT32 or is_quantized(graph):
        return None
    assert samples is not None
    tell("quantizing")
    report = quantize(graph, samples, quantize_options(dtype, options))
    verify(graph)
    return report


def fixed(graph: Graph, options: Options, dump: Dump | None = None) -> tuple[list[PassRecord], Graph]:
    """Give `graph` the form that is compiled, in place; the records of the passes, and the twin."""
    wrap = (WrapBoundary(),) if options.io is BoundaryType.FLOAT else ()
    records = run_passes(graph, (StripBoundary(), *wrap, *PASSES_AFTER), dump)
    twin = copy.deepcopy(graph)
    return records + run_passes(graph, PASSES_FIXED, dump), twin


def read_samples(source: Path | Samples | None, graph: Graph) -> Samples | None:
    return None if source is None else samples_for(source, graph.inputs, graph.outputs)
